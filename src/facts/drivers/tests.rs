use super::super::boot_config;
use super::super::catalogue;
use super::super::testing::{tree, value};
use super::super::{Assumptions, Facts, Value, gather_again, modules, os, pci};
use super::*;
use crate::facts::cmdline;
use crate::host::Run;

const H200: (&str, &str) = (
    "sys/bus/pci/devices/0000:23:00.0/uevent",
    "PCI_CLASS=30200\nPCI_ID=10DE:2335\nPCI_SUBSYS_ID=10DE:18BE\n",
);
const ALIASES: &str = "alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n\
                       alias pci:v000010DEd*sv*sd*bc03sc02i00* nvidia\n\
                       alias pci:v00001022d*sv*sd*bc03sc*i* amdgpu\n";

/// A host with one H200, the kernel 6.17 with two drivers for it, and these files and command line.
fn host(line: &str, files: &[(&str, &str)]) -> Facts {
    let line = format!("{line}\n");
    let mut all = vec![
        H200,
        ("proc/sys/kernel/osrelease", "6.17\n"),
        ("proc/modules", "vfio_pci 16384 0 - Live 0x0000000000000000\n"),
        ("proc/cmdline", line.as_str()),
        ("sys/module/vfio_pci/refcnt", "0\n"),
        ("etc/os-release", "ID=debian\n"),
        ("lib/modules/6.17/modules.builtin", "kernel/fs/ext4/ext4.ko\n"),
        ("lib/modules/6.17/modules.alias", ALIASES),
    ];
    all.extend(files);
    let tree = tree(&all);
    let root = Root::directory(tree.path()).unwrap();
    let (os, cmdline) = (os::gather(&root), cmdline::gather(&root));
    let boot = boot_config::gather(&root, &cmdline.line, true);
    let pci = pci::gather(&root, Needs::PCI);
    let drivers = gather(&root, Some(&pci), &os, &boot);
    Facts {
        modules: Some(modules::gather(&root)),
        os: Some(os),
        cmdline: Some(cmdline),
        boot_config: Some(boot),
        pci: Some(pci),
        drivers: Some(drivers),
        ..Facts::default()
    }
}

fn list(reading: Reading<Value>) -> Vec<String> {
    match reading {
        Reading::Known(Value::Set(members)) => members.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

fn takers(line: &str, files: &[(&str, &str)]) -> Vec<String> {
    list(next_boot_drivers(&host(line, files), 0).reading)
}

const CONF: &str = "etc/modprobe.d/x.conf";

#[test]
fn a_driver_whose_alias_the_device_is_takes_it_unless_it_is_denied() {
    assert_eq!(takers("", &[]), ["nouveau", "nvidia"]);
    assert_eq!(list(next_boot_modules(&host("", &[]), 0).reading), ["nouveau", "nvidia"]);
    assert_eq!(takers("modprobe.blacklist=nouveau", &[]), ["nvidia"]);
    assert_eq!(takers("-- modprobe.blacklist=nouveau", &[]), ["nvidia"]);
    assert_eq!(takers("module_blacklist=nvidia,nouveau", &[]), Vec::<String>::new());
    assert_eq!(
        takers("", &[(CONF, "blacklist nvidia\ninstall nouveau /bin/false\n")]),
        Vec::<String>::new()
    );
}

#[test]
fn what_only_looks_like_a_denylist_keeps_nobody_away() {
    for (line, text) in [
        ("rd.driver.blacklist=nouveau,nvidia", ""),
        ("nouveau.blacklist=1 rdblacklist=nvidia", ""),
        ("modprobe.blacklist=nvidia-drm", ""),
        ("", "blacklist nouveau\r\nblacklist nvidia\r\n"),
        ("", "# blacklist nouveau\n"),
        ("", "install nouveau /bin/false || modprobe -i nouveau\n"),
        ("nouveau.modeset=1", "options nouveau modeset=0\n"),
        ("nouveau.modeset=1 nomodeset", ""),
    ] {
        assert_eq!(takers(line, &[(CONF, text)]), ["nouveau", "nvidia"], "{line:?} {text:?}");
    }
}

#[test]
fn nouveau_without_a_mode_takes_nothing() {
    for (line, text) in
        [("nouveau.modeset=0", ""), ("nomodeset", ""), ("", "options nouveau modeset=0\n")]
    {
        assert_eq!(takers(line, &[(CONF, text)]), ["nvidia"], "{line:?} {text:?}");
    }
}

#[test]
fn a_file_hides_those_of_its_name_in_later_directories() {
    let deny = "blacklist nouveau\nblacklist nvidia\n";
    assert_eq!(takers("", &[("usr/lib/modprobe.d/x.conf", deny)]), Vec::<String>::new());
    assert_eq!(takers("", &[("usr/lib/modprobe.d/x.conf", deny), (CONF, "")]).len(), 2);
    let null = (CONF, "-> /dev/null");
    assert_eq!(takers("", &[("usr/lib/modprobe.d/x.conf", deny), null]).len(), 2);
    assert_eq!(takers("", &[("etc/modprobe.d/x.conf.bak", deny)]).len(), 2);
}

#[test]
fn an_alias_of_the_configuration_outweighs_the_kernels() {
    let text = "alias pci:v000010DEd*sv*sd*bc03sc02i* vfio-pci\n";
    assert!(takers("", &[(CONF, text)]).is_empty());
    let text = "alias pci:v000010DEd*sv*sd*bc03sc02i* off\n";
    assert_eq!(takers("", &[(CONF, text)]), ["off"]);
}

#[test]
fn vfio_has_the_device_only_where_it_comes_first() {
    let ids = "options vfio-pci ids=10de:2335\n";
    assert_eq!(takers("", &[(CONF, ids)]).len(), 2);
    let pre = format!("{ids}softdep nouveau pre: vfio-pci\n");
    assert_eq!(takers("", &[(CONF, pre.as_str())]), ["nvidia"]);
    let early = "vfio-pci.ids=10de:2335 rd.driver.pre=vfio-pci";
    let dracut = ("usr/bin/dracut", "");
    assert!(takers(early, &[dracut]).is_empty());
    // Another initramfs does not know the argument.
    assert_eq!(takers(early, &[]).len(), 2);
    // Another device's id, and an address, are not this one's.
    for wrong in ["10de:22a3", "23:00.0"] {
        let line = format!("vfio-pci.ids={wrong} rd.driver.pre=vfio-pci");
        assert_eq!(takers(&line, &[dracut]).len(), 2);
    }
    let built_in = ("lib/modules/6.17/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n");
    assert!(takers("vfio-pci.ids=10de:2335", &[built_in]).is_empty());
    // What is built in reads no files.
    assert_eq!(takers("", &[built_in, (CONF, pre.as_str())]).len(), 2);
    let driverctl = ("etc/driverctl.d/0000:23:00.0", "vfio-pci\n");
    assert!(takers("", &[driverctl]).is_empty());
}

#[test]
fn what_cannot_be_read_leaves_the_answer_open() {
    let no_aliases =
        host("", &[("proc/sys/kernel/osrelease", "6.16\n"), ("lib/modules/6.16/x", "")]);
    assert!(next_boot_drivers(&no_aliases, 0).reading.cause().is_some());
    let other_kernel = host("", &[("proc/sys/kernel/osrelease", "6.18\n")]);
    assert!(next_boot_drivers(&other_kernel, 0).reading.cause().is_some());
    let strange = host("", &[("proc/sys/kernel/osrelease", "../../etc\n")]);
    assert!(next_boot_drivers(&strange, 0).reading.cause().is_some());
    let loop_of_links = host("", &[(CONF, "-> /etc/modprobe.d/x.conf")]);
    assert!(next_boot_drivers(&loop_of_links, 0).reading.cause().is_some());
}

#[test]
fn installed_modules_of_nvidia_are_found_wherever_packages_put_them() {
    let at = |path: &str| format!("lib/modules/6.17/{path}");
    let files: Vec<(String, &str)> = [
        "updates/dkms/nvidia.ko.zst",
        "extra/nvidia/nvidia-drm.ko.xz",
        "kernel/nvidia-580-open/nvidia-uvm.ko",
        "kernel/drivers/video/nvidia-modeset.ko.gz",
        "kernel/drivers/video/fbdev/nvidia/nvidiafb.ko",
        "kernel/drivers/i2c/busses/i2c-nvidia-gpu.ko",
        "updates/nvidia.ko.signature",
    ]
    .map(|path| (at(path), ""))
    .to_vec();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let facts = host("", &files);
    let found = list(value(&facts, "drivers.nvidia-on-disk").reading);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().all(|path| !path.contains("nvidiafb") && !path.contains("i2c")));
}

#[test]
fn only_versions_count_as_built_by_dkms() {
    let facts = host(
        "",
        &[
            ("var/lib/dkms/nvidia/580.95.05/source/dkms.conf", ""),
            ("var/lib/dkms/nvidia/kernel-6.17-x86_64", "-> 580.95.05"),
            ("var/lib/dkms/zfs/2.3.1/x", ""),
            ("var/lib/dkms/dkms_dbversion", ""),
        ],
    );
    let found = list(value(&facts, "drivers.nvidia-dkms").reading);
    assert_eq!(found, ["/var/lib/dkms/nvidia/580.95.05"]);
}

#[test]
fn a_host_without_nvidia_reads_nothing() {
    let facts =
        host("", &[(H200.0, "PCI_CLASS=30000\nPCI_ID=1002:73A5\nPCI_SUBSYS_ID=1002:0001\n")]);
    assert!(facts.drivers.as_ref().unwrap().skipped);
    for fact in catalogue::facts().filter(|it| it.needs.has(Needs::DRIVERS)) {
        assert!(value(&facts, fact.name).reading.is_absent(), "{}", fact.name);
    }
}

#[test]
fn options_for_what_is_built_in_are_named_with_their_place() {
    let built_in = ("lib/modules/6.17/modules.builtin", "kernel/virt/kvm/kvm.ko\n");
    let facts =
        host("", &[built_in, (CONF, "options kvm ignore_msrs=1\noptions vfio-pci ids=02:00.0\n")]);
    assert_eq!(
        list(value(&facts, "modprobe.options-without-effect").reading),
        ["/etc/modprobe.d/x.conf:1: options kvm ignore_msrs=1"]
    );
    assert_eq!(
        list(value(&facts, "modprobe.malformed-ids").reading),
        ["02:00.0 (/etc/modprobe.d/x.conf:2)"]
    );
}

#[test]
fn an_initramfs_is_held_against_the_files_it_copies() {
    #[expect(clippy::disallowed_methods, reason = "the test makes the host")]
    fn is_current(image: u64, conf: u64, text: &str) -> Reading<Value> {
        let tree = tree(&[("boot/initrd.img-6.17", ""), (CONF, text), ("lib/modules/6.17/x", "")]);
        for (path, time) in [("boot/initrd.img-6.17", image), (CONF, conf)] {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            let file = std::fs::File::options().write(true).open(tree.path().join(path)).unwrap();
            file.set_modified(time).unwrap();
        }
        let root = Root::directory(tree.path()).unwrap();
        let drivers = Drivers {
            skipped: false,
            next: Reading::Known(vec![KernelModules::read(&root, "6.17".to_owned())]),
            modprobe: modprobe_d::read(&root, true),
            dkms: Reading::Absent,
            dracut: false,
            overrides: Reading::Absent,
        };
        let facts = Facts { drivers: Some(drivers), ..Facts::default() };
        value(&facts, "drivers.initramfs-current").reading
    }
    let deny = "blacklist nouveau\n";
    assert_eq!(is_current(200, 100, deny), Reading::Known(Value::Bool(true)));
    assert_eq!(is_current(100, 100, deny), Reading::Known(Value::Bool(true)));
    assert_eq!(is_current(100, 200, deny), Reading::Known(Value::Bool(false)));
    // A file about other drivers may be as new as it likes.
    assert!(is_current(100, 200, "blacklist pcspkr\nblacklist nvidiafb\n").is_absent());
}

/// The daemon hears of every device that comes or goes.
#[test]
fn a_device_that_comes_or_goes_makes_nobody_read_these_files_again() {
    let alias = "lib/modules/6.17/modules.alias";
    let release = ("proc/sys/kernel/osrelease", "6.17\n");
    let tree = tree(&[H200, release, ("proc/cmdline", "quiet\n"), (alias, ALIASES)]);
    let root = Root::directory(tree.path()).unwrap();
    let run = Run::on(&root);
    let facts = super::super::gather(&root, &run, NEEDS, Assumptions::default());
    let aliases = |facts: &Facts| {
        let next = facts.drivers.as_ref().unwrap().next.known().unwrap();
        next.first().unwrap().aliases.clone()
    };
    assert!(aliases(&facts).known().is_some());
    std::fs::remove_file(tree.path().join(alias)).unwrap();
    let facts = gather_again(&root, &run, NEEDS, facts, Needs::PCI.and(Needs::MODULES));
    assert!(aliases(&facts).known().is_some());
    let facts = gather_again(&root, &run, NEEDS, facts, Needs::DRIVERS);
    assert!(aliases(&facts).is_absent());
}

#[test]
fn the_first_device_of_nvidia_makes_them_be_read() {
    let tree = tree(&[
        ("sys/bus/pci/devices/0000:01:00.0/uevent", "PCI_CLASS=10802\nPCI_ID=144D:A826\n"),
        ("proc/sys/kernel/osrelease", "6.17\n"),
        ("proc/cmdline", "quiet\n"),
        ("lib/modules/6.17/modules.alias", ALIASES),
    ]);
    let root = Root::directory(tree.path()).unwrap();
    let run = Run::on(&root);
    let facts = super::super::gather(&root, &run, NEEDS, Assumptions::default());
    assert!(facts.drivers.as_ref().unwrap().skipped);
    #[expect(clippy::disallowed_methods, reason = "the test changes the host")]
    {
        std::fs::create_dir_all(tree.path().join(H200.0).parent().unwrap()).unwrap();
        std::fs::write(tree.path().join(H200.0), H200.1).unwrap();
    }
    let facts = gather_again(&root, &run, NEEDS, facts, Needs::PCI);
    assert!(!facts.drivers.as_ref().unwrap().skipped);
}
