//! That a world is what it claims to be; without this no test in it means anything.

use std::time::{Duration, Instant};

use crate::menu;
use crate::world::{QUICK, Recipe, SERVICES, TOO_LONG, World};

const DEBIAN: &[&str] = &["6.1.0-49-amd64", "6.1.0-50-amd64"];

fn world(stubs: &'static [&'static str], kernels: &'static [&'static str]) -> Option<World> {
    World::start(&Recipe { fixture: "grub-not-generated", programs: Vec::new(), stubs, kernels })
}

#[test]
fn a_world_is_judged_as_the_recorded_host_is() {
    let Some(world) = world(SERVICES, &[]) else { return };
    let report = world.run(&["ccgpu-node", "check"]);
    assert!(report.stdout.contains("FAIL  iommu-argument-not-generated"), "{}", report.stdout);
    assert_eq!(report.code, 1, "{}", report.stdout);
    let json = world.run(&["ccgpu-node", "check", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let unknown: Vec<_> = json["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["status"] == "unknown")
        .map(|rule| &rule["id"])
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_world_cannot_reach_the_machine_it_runs_on() {
    let Some(world) = world(SERVICES, &[]) else { return };
    let here = env!("CARGO_MANIFEST_DIR");
    assert_ne!(world.run(&["test", "-e", here]).code, 0, "{here} is seen");
    assert_ne!(world.run(&["touch", "/usr/bin/sh"]).code, 0, "/usr can be written");
    assert_eq!(world.must(&["hostname"]), "gpu-tdx-07\n");
    assert_eq!(world.must(&["sh", "-c", "cat /proc/kernel/1/comm"]), "sh\n");
}

#[test]
fn the_real_grub_mkconfig_writes_the_arguments_of_the_defaults_into_every_entry() {
    let Some(world) = world(SERVICES, DEBIAN) else { return };
    world.must(&["grub-mkconfig", "-o", "/boot/grub/grub.cfg"]);
    let menu = world.read("/boot/grub/grub.cfg");
    let entries = menu::entries(&menu);
    // The default, and per kernel an entry and one for recovery.
    assert_eq!(entries.len(), 5, "{menu}");
    let default = menu::default_entry(&menu).unwrap();
    assert_eq!(default.kernel, "/boot/vmlinuz-6.1.0-50-amd64");
    assert!(default.arguments.starts_with("root=UUID=6f1c2b5e-8d0a-4f6e-9a53-2d1f0e7c4b91 ro "));
    assert!(default.arguments.contains(" intel_iommu=on"), "{default:?}");
    assert!(menu.contains("initrd\t/boot/initrd.img-6.1.0-50-amd64"), "{menu}");
    world.must(&["grub-script-check", "/boot/grub/grub.cfg"]);
}

#[test]
fn a_reboot_boots_what_the_menu_says() {
    let Some(world) = world(SERVICES, DEBIAN) else { return };
    let before = world.read("/proc/sys/kernel/random/boot_id");
    assert!(!world.read("/proc/cmdline").contains("intel_iommu=on"));
    world.must(&["update-grub"]);
    world.write("/run/left-over", "");
    world.reboot();
    assert!(
        world.read("/proc/cmdline").contains(" intel_iommu=on"),
        "{}",
        world.read("/proc/cmdline")
    );
    assert_ne!(world.read("/proc/sys/kernel/random/boot_id"), before);
    assert!(world.path("/run/left-over").symlink_metadata().is_err());
    world.hardware_of("h100-single-tdx");
    let report = world.run(&["ccgpu-node", "check"]);
    assert!(report.stdout.contains("READY"), "{}", report.stdout);
}

#[test]
fn reset_puts_every_file_back_and_ends_every_process() {
    let Some(world) = world(QUICK, DEBIAN) else { return };
    let text = world.read("/etc/default/grub");
    world.write("/etc/default/grub", "X=1\n");
    world.write("/boot/more", "");
    world.write("/var/lib/ccgpu-node/transactions/000001/plan", "");
    world.must(&["systemctl", "restart", "kubelet"]);
    let pid = show(&world, "MainPID");
    assert!(world.path(&format!("/proc/{pid}/comm")).symlink_metadata().is_ok());
    world.reset();
    assert_eq!(world.read("/etc/default/grub"), text);
    assert!(world.path("/boot/more").symlink_metadata().is_err());
    assert!(world.path("/var/lib/ccgpu-node").symlink_metadata().is_err());
    assert_eq!(show(&world, "MainPID"), "2817");
    let alive = world.must(&["sh", "-c", "cat /proc/kernel/[0-9]*/comm"]);
    assert!(!alive.contains("kubelet") && !alive.contains("systemctl"), "{alive}");
}

fn show(world: &World, property: &str) -> String {
    let property = format!("--property={property}");
    world.must(&["systemctl", "show", "kubelet", "--value", &property]).trim().to_owned()
}

/// The first line of the answer of the kubelet that runs.
fn health(world: &World) -> String {
    let ask = "import urllib.request as u, time
for _ in range(100):
    try:
        print(u.urlopen('http://127.0.0.1:10248/healthz', timeout=2).status); break
    except u.HTTPError as error:
        print(error.code); break
    except OSError:
        time.sleep(0.02)
else:
    print('nobody')";
    world.must(&["/usr/bin/python3", "-c", ask]).trim().to_owned()
}

#[test]
fn a_restarted_kubelet_has_a_new_process_and_is_healthy() {
    let Some(world) = world(SERVICES, &[]) else { return };
    world.must(&["systemctl", "restart", "kubelet.service"]);
    assert_eq!(health(&world), "200");
    let pid = show(&world, "MainPID");
    assert_ne!(pid, "2817");
    assert_eq!(show(&world, "NRestarts"), "0");
    let facts = world.run(&["ccgpu-node", "facts"]).stdout;
    assert!(facts.contains(&format!("/proc/{pid}/cmdline")), "{facts}");
    world.mode("kubelet", "unhealthy");
    world.must(&["systemctl", "restart", "kubelet"]);
    assert_eq!(health(&world), "500");
}

#[test]
fn a_kubelet_that_cannot_read_its_configuration_is_restarted_for_ever() {
    let Some(world) = world(SERVICES, &[]) else { return };
    world.edit("/var/lib/kubelet/config.yaml", "kind: Kubelet", "kind: Kublet");
    // Type=simple: there was a process, and that is all that was promised.
    world.must(&["systemctl", "restart", "kubelet"]);
    let end = Instant::now() + Duration::from_secs(20);
    while show(&world, "NRestarts").parse::<u32>().unwrap() < 2 {
        assert!(
            Instant::now() < end,
            "it is not restarted: {}",
            world.read("/run/stub/kubelet.log")
        );
    }
    assert_eq!(show(&world, "Restart"), "always");
    assert!(world.must(&["journalctl", "-u", "kubelet"]).contains("no kind KubeletConfiguration"));
}

#[test]
fn the_dry_run_of_the_kubelet_tells_good_from_bad() {
    let Some(world) = world(SERVICES, &[]) else { return };
    let dry_run = || {
        let config = "--config=/var/lib/kubelet/config.yaml";
        world.run(&[
            "unshare",
            "-nm",
            "kubelet",
            config,
            "--authentication-token-webhook=true",
            "--root-dir=/tmp/x",
        ])
    };
    let good = dry_run();
    assert!(
        good.stderr.contains("no client provided, cannot use webhook authentication"),
        "{good:?}"
    );
    world.edit(
        "/var/lib/kubelet/config.yaml",
        "RuntimeClassInImageCriApi:",
        "RuntimeClassInImage:",
    );
    let bad = dry_run();
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("unrecognized feature gate: RuntimeClassInImage"), "{bad:?}");
    world.write(
        "/var/lib/kubelet/config.yaml",
        "kind: KubeletConfiguration\nkind: KubeletConfiguration\n",
    );
    assert!(dry_run().stderr.contains("Using lenient decoding"), "{:?}", dry_run());
}

#[test]
fn stand_ins_misbehave_as_they_are_told() {
    let Some(world) = world(QUICK, DEBIAN) else { return };
    let quick = Duration::from_millis(300);
    for (stub, mode, words, code) in [
        ("systemctl", "fail", vec!["systemctl", "restart", "kubelet"], 1),
        ("systemctl", "hang-restart", vec!["systemctl", "restart", "kubelet"], TOO_LONG),
        ("systemctl", "lie", vec!["systemctl", "restart", "kubelet"], 0),
        ("systemctl", "garbage", vec!["systemctl", "show", "kubelet"], 0),
        ("kubelet", "hang", vec!["kubelet", "--config=/x"], TOO_LONG),
        ("kubelet", "panic", vec!["kubelet", "--config=/x"], 2),
        ("kubelet", "garbage", vec!["kubelet", "--config=/x"], 1),
        ("grub-mkconfig", "fail", vec!["grub-mkconfig", "-o", "/boot/x"], 1),
        ("grub-mkconfig", "lie", vec!["grub-mkconfig", "-o", "/boot/x"], 0),
        ("grub-mkconfig", "hang", vec!["grub-mkconfig", "-o", "/boot/x"], TOO_LONG),
        ("update-initramfs", "fail", vec!["update-initramfs", "-u", "-k", "all"], 1),
    ] {
        world.mode(stub, mode);
        let outcome =
            if code == TOO_LONG { world.run_within(quick, &words) } else { world.run(&words) };
        assert_eq!(outcome.code, code, "{stub} told to {mode}: {outcome:?}");
        world.mode(stub, "");
    }
    assert_eq!(show(&world, "MainPID"), "2817", "a lie restarted something");
}

#[test]
fn the_quick_boot_menu_generator_writes_what_grub_accepts() {
    let Some(world) = world(QUICK, DEBIAN) else { return };
    world.must(&["grub-mkconfig", "-o", "/boot/grub/grub.cfg"]);
    world.must(&["grub-script-check", "/boot/grub/grub.cfg"]);
    let menu = menu::default_entry(&world.read("/boot/grub/grub.cfg")).unwrap();
    assert!(menu.arguments.contains(" intel_iommu=on"), "{menu:?}");
    assert_eq!(menu.kernel, "/boot/vmlinuz-6.1.0-50-amd64");
}

#[test]
fn the_real_update_initramfs_puts_a_denylist_into_the_image() {
    let Some(world) = world(SERVICES, DEBIAN) else { return };
    if !world.path("/etc/initramfs-tools").is_dir() {
        println!("left out: initramfs-tools is not installed");
        return;
    }
    world.write("/etc/modprobe.d/denylist.conf", "blacklist nouveau\n");
    world.must(&["update-initramfs", "-u", "-k", "all"]);
    for version in DEBIAN {
        let files = world.must(&["lsinitramfs", &format!("/boot/initrd.img-{version}")]);
        assert!(files.contains("etc/modprobe.d/denylist.conf\n"), "{version}: {files}");
    }
}

#[test]
#[ignore = "a measurement"]
fn how_long_things_take() {
    let took = |what: &str, times: u32, action: &dyn Fn()| {
        let start = Instant::now();
        (0..times).for_each(|_| action());
        println!("{what:40} {:>7.1} ms", start.elapsed().as_secs_f64() * 1e3 / f64::from(times));
    };
    took("making a world", 5, &|| drop(world(QUICK, DEBIAN)));
    let Some(world) = world(QUICK, DEBIAN) else { return };
    took("true", 10, &|| drop(world.must(&["true"])));
    took("check", 10, &|| drop(world.run(&["ccgpu-node", "check"])));
    let strace = ["strace", "-qq", "-o", "/run/calls", "ccgpu-node", "check"];
    took("check under strace", 5, &|| drop(world.run(&strace)));
    let strace = [
        "strace",
        "-qq",
        "-o",
        "/run/calls",
        "-e",
        "inject=fsync:error=EIO:when=99",
        "-e",
        "trace=fsync",
        "ccgpu-node",
        "check",
    ];
    took("check under strace of fsync only", 5, &|| drop(world.run(&strace)));
    let strace = [
        "strace",
        "-qq",
        "-f",
        "--seccomp-bpf",
        "-o",
        "/run/calls",
        "-e",
        "inject=fsync:error=EIO:when=99",
        "-e",
        "trace=fsync",
        "ccgpu-node",
        "check",
    ];
    took("the same with --seccomp-bpf", 5, &|| drop(world.run(&strace)));
    took("snapshot", 10, &|| drop(crate::checker::Snapshot::of(&world.root())));
    took("settle", 10, &|| {
        world.settle();
    });
    took("reset", 10, &|| world.reset());
    took("restarting the kubelet", 5, &|| drop(world.must(&["systemctl", "restart", "kubelet"])));
    took("the quick grub-mkconfig", 5, &|| drop(world.must(&["grub-mkconfig", "-o", "/boot/x"])));
    took("grub-script-check", 5, &|| {
        drop(world.run(&["grub-script-check", "/boot/grub/grub.cfg"]));
    });
}
