//! Others at work on the same host: before a repair, beside it, in the middle of it and after it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::checker::Snapshot;
use crate::scenes::{DEFAULTS, KUBELET, MENU, ends, host, is_there};
use crate::world::World;

/// A host that lacks a timeout of its kubelet.
fn without_timeout() -> Option<World> {
    let world = host("h100-single-tdx")?;
    world.edit(KUBELET, "runtimeRequestTimeout: 20m0s", "runtimeRequestTimeout: 0s");
    world.must(&["systemctl", "restart", "kubelet"]);
    world.keep();
    Some(world)
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "{what}: it did not come to that");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start(world: &World, words: &[&str]) -> Child {
    world.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A fix that has changed the kubelet's file, and is in the middle of the restart.
fn in_the_middle(world: &World) -> Child {
    let fix = start(world, &["ccgpu-node", "fix", "--yes"]);
    wait_until("the file changes", || world.read(KUBELET).contains("runtimeRequestTimeout: 20m"));
    fix
}

#[test]
fn whoever_uses_a_gpu_or_sets_up_the_node_is_named_and_waited_for() {
    let Some(world) = without_timeout() else { return };
    let before = Snapshot::of(&world.root());
    let busy = |who: &str| {
        let said = ends(&world, &["fix", "--yes"], 5);
        assert!(said.contains(who) && said.contains("--allow-busy"), "{said}");
        assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
    };
    world.write("/proc/4321/comm", "qemu-system-x86\n");
    world.must(&["mkdir", "/proc/4321/fd"]);
    world.must(&["ln", "-s", "/dev/vfio/44", "/proc/4321/fd/5"]);
    busy("qemu-system-x86 (process 4321) has /dev/vfio/44 open");
    world.must(&["rm", "-r", "/proc/4321"]);
    world.write("/proc/4322/comm", "kubeadm\n");
    busy("kubeadm (process 4322) runs");
    ends(&world, &["fix", "--yes", "--allow-busy"], 0);
    let said = ends(&world, &["rollback", "--yes"], 5);
    assert!(said.contains("kubeadm (process 4322) runs"), "{said}");
    ends(&world, &["rollback", "--yes", "--allow-busy"], 0);
    assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
}

#[test]
fn a_package_manager_at_work_is_waited_for_and_a_gpu_in_use_is_none_of_the_boot_menu() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    world.write("/var/lib/dpkg/lock-frontend", "");
    let script = "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(f, fcntl.LOCK_EX); open('/run/locked', 'w'); time.sleep(1e5)";
    let mut apt = start(&world, &["/usr/bin/python3", "-c", script]);
    wait_until("the lock is taken", || is_there(&world, "/run/locked"));
    let said = ends(&world, &["fix", "--yes"], 5);
    assert!(said.contains("holds /var/lib/dpkg/lock-frontend"), "{said}");
    world.kill_all();
    apt.wait().unwrap();
    world.write("/proc/4321/comm", "qemu-system-x86\n");
    world.must(&["mkdir", "/proc/4321/fd"]);
    world.must(&["ln", "-s", "/dev/vfio/44", "/proc/4321/fd/5"]);
    ends(&world, &["fix", "--yes"], 4);
}

#[test]
fn of_two_fixes_at_once_the_second_is_told_who_is_first_and_a_killed_one_is_recovered() {
    let Some(world) = without_timeout() else { return };
    let before = Snapshot::of(&world.root());
    world.mode("systemctl", "hang-restart");
    let mut first = in_the_middle(&world);
    let said = ends(&world, &["fix", "--yes"], 5);
    assert!(said.contains("another run is changing this host: pid "), "{said}");
    assert!(said.contains("ccgpu-node fix --yes"), "{said}");
    world.kill_all();
    first.wait().unwrap();
    assert!(ends(&world, &["history"], 0).contains("interrupted"));
    world.mode("systemctl", "");
    let said = ends(&world, &["recover"], 0);
    assert!(said.contains("TAKEN BACK"), "{said}");
    let now = Snapshot::of(&world.root());
    assert!(before.differences(&now).is_empty(), "{:?}", before.differences(&now));
    assert!(now.temporary().is_empty());
    assert!(ends(&world, &["recover"], 0).contains("Nothing to recover"));
    ends(&world, &["fix", "--yes"], 0);
}

#[test]
fn a_fix_that_is_asked_to_stop_takes_back_what_it_did() {
    let Some(world) = without_timeout() else { return };
    let before = Snapshot::of(&world.root());
    let mut fix = in_the_middle(&world);
    let holder = world.read("/var/lib/ccgpu-node/lock");
    let pid = holder.strip_prefix("pid ").unwrap().split(',').next().unwrap();
    world.must(&["kill", "-TERM", pid]);
    assert_eq!(fix.wait().unwrap().code(), Some(6));
    assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
    assert!(ends(&world, &["history"], 0).contains("signal"));
    assert!(ends(&world, &["recover"], 0).contains("Nothing to recover"));
}

#[test]
fn what_somebody_writes_between_the_plan_and_the_change_stays() {
    let Some(world) = without_timeout() else { return };
    world.mode("kubelet", "dry-run-hang");
    let mut fix = start(&world, &["ccgpu-node", "fix", "--yes"]);
    let runs = || {
        let names = std::fs::read_dir(world.path("/run")).unwrap();
        names.flatten().any(|entry| entry.file_name().to_string_lossy().contains("dry-run"))
    };
    wait_until("the dry run begins", runs);
    let text = world.read(KUBELET) + "# somebody else's\n";
    world.write(KUBELET, &text);
    assert_eq!(fix.wait().unwrap().code(), Some(5));
    assert_eq!(world.read(KUBELET), text);
}

#[test]
fn what_somebody_wrote_after_the_change_stops_a_rollback_before_anything_is_touched() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    ends(&world, &["fix", "--yes"], 4);
    world.write(DEFAULTS, &(world.read(DEFAULTS) + "# somebody else's\n"));
    let before = Snapshot::of(&world.root());
    let said = ends(&world, &["rollback", "--yes"], 5);
    assert!(said.contains("/etc/default/grub was changed by somebody else"), "{said}");
    assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
}

#[test]
fn a_boot_file_system_that_is_full_keeps_its_menu() {
    for (size, code) in [("size=100k", 5), ("size=700k", 6)] {
        let Some(world) = host("iommu-off-in-kernel") else { return };
        let script = format!(
            "cp -a /boot /tmp/boot && mount -t tmpfs -o {size} tmpfs /boot && cp -a /tmp/boot/. /boot"
        );
        world.must(&["sh", "-c", &script]);
        let (menu, defaults) = (world.must(&["cat", MENU]), world.read(DEFAULTS));
        let said = ends(&world, &["fix", "--yes"], code);
        assert!(said.contains("are needed"), "{said}");
        assert_eq!(world.must(&["cat", MENU]), menu);
        assert_eq!(world.read(DEFAULTS), defaults);
        let left = world.must(&["ls", "-A", "/boot/grub"]);
        assert!(!left.contains("ccgpu-node"), "{left}");
    }
}
