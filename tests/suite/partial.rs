//! Reading again only what changed gives the facts that reading everything gives.

use std::collections::BTreeMap;

use ccgpu_node::facts::{Assumptions, Facts, Needs, gather, gather_again};
use ccgpu_node::host::{Archive, Root, Run};
use ccgpu_node::report::facts_json;

use crate::program::{assert_same, fixture, fixtures};

/// Paths that change together, and the sources that read them.
const CHANGES: &[(&[&str], Needs)] = &[
    (&["/proc/cpuinfo", "/proc/meminfo", "/proc/swaps"], Needs::CPU.and(Needs::MEMORY)),
    (&["/etc/os-release", "/usr/lib/os-release", "/proc/sys/kernel"], Needs::OS.and(Needs::KERNEL)),
    (&["/proc/cmdline"], Needs::CMDLINE),
    (
        &["/boot", "/etc/default", "/etc/kernel", "/sys/firmware/efi"],
        Needs::BOOT_CONFIG.and(Needs::FIRMWARE).and(Needs::CO_OWNERS).and(Needs::DRIVERS),
    ),
    (
        &["/var/lib/kubelet", "/etc/kubernetes", "/etc/systemd", "/usr/lib/systemd"],
        Needs::KUBELET.and(Needs::TEE).and(Needs::OPERATOR_FILES),
    ),
    (&["/proc/modules", "/sys/module"], Needs::MODULES.and(Needs::VFIO).and(Needs::KVM)),
    (
        &["/dev"],
        Needs::MODULES
            .and(Needs::VFIO)
            .and(Needs::KVM)
            .and(Needs::TEE)
            .and(Needs::PROCESSOR_REGISTERS),
    ),
    (&["/sys/bus", "/sys/devices"], Needs::PCI.and(Needs::VFIO).and(Needs::IOMMU)),
    (
        &["/sys/kernel", "/sys/class", "/sys/firmware/acpi"],
        Needs::IOMMU.and(Needs::PCI).and(Needs::KERNEL).and(Needs::FIRMWARE_DETAIL),
    ),
    (&["/run/nvidia"], Needs::OPERATOR.and(Needs::OPERATOR_FILES)),
    (
        &["/opt", "/etc/kata-containers"],
        Needs::KATA.and(Needs::KATA_FOUND).and(Needs::CONTAINER_RUNTIME),
    ),
    (&["/etc/containerd", "/etc/crio"], Needs::CONTAINER_RUNTIME),
    (&["/etc/cdi", "/var/run/cdi", "/run/cdi"], Needs::CDI),
    (&["/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modules", "/usr/src"], Needs::DRIVERS),
    (&["/var/log/pods", "/proc/uptime"], Needs::CC_MODE.and(Needs::KERNEL)),
];

fn parsed(name: &str) -> Archive {
    Archive::parse(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn is_below(path: &str, tops: &[&str]) -> bool {
    tops.iter().any(|top| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// One host with these paths as on another.
fn mixed(one: &str, other: &str, tops: &[&str]) -> Archive {
    let mut host = parsed(one);
    for (path, _) in parsed(one).entries().filter(|(path, _)| is_below(path, tops)) {
        host.remove(path);
    }
    for (path, entry) in parsed(other).entries().filter(|(path, _)| is_below(path, tops)) {
        host.insert(path, entry.clone());
    }
    host
}

fn json(facts: &Facts) -> serde_json::Value {
    let mut out = Vec::new();
    facts_json::render(facts, |_| true, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn whole(archive: Archive) -> Facts {
    let root = Root::archive(archive);
    gather(&root, &Run::on(&root), Needs::ALL, Assumptions::default())
}

#[test]
fn what_is_read_again_in_part_is_what_is_read_again_whole() {
    let names = fixtures();
    let mut differed: BTreeMap<usize, usize> = BTreeMap::new();
    for (one, other) in names.iter().zip(names.iter().cycle().skip(7)) {
        for (number, (tops, changed)) in CHANGES.iter().enumerate() {
            let before = whole(parsed(one));
            let host = mixed(one, other, tops);
            let expected = json(&whole(mixed(one, other, tops)));
            *differed.entry(number).or_default() += usize::from(json(&before) != expected);
            let root = Root::archive(host);
            let again = gather_again(&root, &Run::on(&root), Needs::ALL, before, *changed);
            assert_same(&json(&again), &expected, &format!("{one}, {tops:?} of {other}"));
        }
    }
    // A change that changes no fact proves nothing.
    for (number, (tops, _)) in CHANGES.iter().enumerate() {
        assert!(differed.get(&number).is_some_and(|count| *count > 0), "{tops:?}: {differed:?}");
    }
}

/// What did not change is not even looked at.
#[test]
fn a_source_that_did_not_change_is_left_alone() {
    let before = whole(parsed("h200x8-snp"));
    let facts = json(&before);
    let root = Root::archive(Archive::default());
    let again = gather_again(&root, &Run::on(&root), Needs::ALL, before, Needs::NONE);
    assert_same(&json(&again), &facts, "no change");
}

#[test]
fn a_trace_is_that_of_the_last_time() {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::directory(directory.path()).unwrap().tracing();
    let run = Run::on(&root);
    let gather = |needs, before, changed| gather_again(&root, &run, needs, before, changed);
    let needs = Needs::OS.and(Needs::OPERATOR);
    let facts = gather(needs, Facts::default(), Needs::ALL);
    let trace = root.trace();
    let asked: Vec<(&str, u64)> = trace.looks().map(|(path, look)| (path, look.all)).collect();
    let (os, operator) = (Needs::OS.bits(), Needs::OPERATOR.bits());
    assert!(asked.contains(&("/etc/os-release", os)), "{asked:?}");
    assert!(asked.contains(&("/run/nvidia/validations", operator)), "{asked:?}");
    assert!(!asked.iter().any(|(path, _)| path.starts_with("/proc")), "{asked:?}");
    // The second name is not looked for where there is the first.
    assert!(asked.contains(&("/usr/lib/os-release", os)), "{asked:?}");
    std::fs::create_dir(directory.path().join("etc")).unwrap();
    std::fs::write(directory.path().join("etc/os-release"), "ID=debian\n").unwrap();
    gather(needs, facts, Needs::OS);
    let trace = root.trace();
    let asked: Vec<(&str, u64)> = trace.looks().map(|(path, look)| (path, look.all)).collect();
    assert!(!asked.contains(&("/usr/lib/os-release", os)), "{asked:?}");
    assert!(asked.contains(&("/run/nvidia/validations", operator)), "{asked:?}");
}
