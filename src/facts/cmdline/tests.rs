use super::*;
use crate::facts::{Value, catalogue};

/// The catalogue's answer for a booted line.
fn fact(line: &str, name: &str) -> Evidence {
    let line = Reading::Known(Line::parse(line.as_bytes()));
    let facts = Facts { cmdline: Some(Cmdline { line }), ..Facts::default() };
    (catalogue::fact(name).expect("the fact is listed").read)(&facts)
}

fn set(line: &str, name: &str) -> Vec<String> {
    match fact(line, name).reading {
        Reading::Known(Value::Set(members)) => members.into_iter().collect(),
        other => panic!("{name}: {other:?}"),
    }
}

fn flag(line: &str, name: &str) -> (bool, Option<String>) {
    let evidence = fact(line, name);
    match evidence.reading {
        Reading::Known(Value::Bool(value)) => (value, evidence.note),
        other => panic!("{name}: {other:?}"),
    }
}

const UBUNTU_TDX: &str = "BOOT_IMAGE=/boot/vmlinuz-6.17.0-5-generic root=UUID=1f0c ro nohibernate \
                          kvm-intel.tdx=1 console=ttyS0,115200\n";

#[test]
fn tokens_and_keys_stop_at_two_dashes() {
    assert!(set(UBUNTU_TDX, "cmdline.tokens").contains(&"kvm-intel.tdx=1".to_owned()));
    assert!(set(UBUNTU_TDX, "cmdline.keys").contains(&"kvm_intel.tdx".to_owned()));
    assert_eq!(set("a=1 -- b=2", "cmdline.keys"), ["a"]);
}

#[test]
fn iommu_off_sticks_for_the_generic_and_the_amd_parameter() {
    for (line, amd, intel) in [
        ("iommu=off", &["iommu=off"][..], &["iommu=off"][..]),
        ("iommu=off iommu=force", &["iommu=off"], &["iommu=off"]),
        ("iommu=pt,off", &["iommu=pt,off"], &["iommu=pt,off"]),
        ("iommu=usedac,off", &[], &[]),
        ("amd_iommu=off", &["amd_iommu=off"], &[]),
        ("amd_iommu=off amd_iommu=on", &["amd_iommu=off"], &[]),
        ("amd_iommu=on", &[], &[]),
        ("intel_iommu=off", &[], &["intel_iommu=off"]),
        ("intel_iommu=off intel_iommu=on", &[], &[]),
        ("intel_iommu=on,off", &[], &["intel_iommu=on,off"]),
        ("intel_iommu=on intel_iommu=sm_on,off", &[], &["intel_iommu=sm_on,off"]),
        ("intel_iommu=igfx_off", &[], &[]),
        ("intel-iommu=off", &[], &["intel-iommu=off"]),
        ("intel_iommu amd_iommu iommu", &[], &[]),
        ("iommu.passthrough=0 iommu.strict=1", &[], &[]),
        ("quiet -- iommu=off", &[], &[]),
    ] {
        assert_eq!(set(line, "cmdline.iommu-off-amd"), amd, "{line}");
        assert_eq!(set(line, "cmdline.iommu-off-intel"), intel, "{line}");
    }
    let both = set("amd_iommu=off intel_iommu=off", "cmdline.iommu-off");
    assert_eq!(both, ["amd_iommu=off", "intel_iommu=off"]);
}

#[test]
fn the_last_word_on_passthrough_wins() {
    for (line, expected, decider) in [
        ("quiet", false, None),
        ("iommu=pt", true, Some("iommu=pt")),
        ("iommu=1 iommu=pt", true, Some("iommu=pt")),
        ("iommu=pt iommu=nopt", false, Some("iommu=nopt")),
        ("iommu=nopt,pt", true, Some("iommu=nopt,pt")),
        ("iommu=pt iommu.passthrough=0", false, Some("iommu.passthrough=0")),
        ("iommu.passthrough=0 iommu=pt", true, Some("iommu=pt")),
        ("iommu.passthrough=on", true, Some("iommu.passthrough=on")),
        ("iommu.passthrough", false, None),
        ("iommu=pt iommu.passthrough=maybe", true, Some("iommu=pt")),
        ("intel_iommu=on,pt", false, None),
        ("\"iommu=pt\"", true, Some("\"iommu=pt\"")),
    ] {
        let note = decider.map(|token| format!("decided by {token}"));
        assert_eq!(flag(line, "cmdline.iommu-passthrough"), (expected, note), "{line}");
    }
}

#[test]
fn interrupt_remapping_follows_the_last_word() {
    let off = |line| set(line, "cmdline.interrupt-remapping-off");
    assert_eq!(off("intremap=off"), ["intremap=off"]);
    assert_eq!(off("nointremap"), ["nointremap"]);
    assert_eq!(off("intremap=no_x2apic_optout,off"), ["intremap=no_x2apic_optout,off"]);
    assert!(off("intremap=off intremap=on").is_empty());
    assert!(off("nointremap intremap=on").is_empty());
    assert_eq!(off("intremap=on nointremap"), ["nointremap"]);
    assert!(off("intremap=nosid").is_empty());
}

#[test]
fn acs_parameters_are_told_apart() {
    let line = "pcie_acs_override=downstream,multifunction pci=nomsi,disable_acs_redir=pci:10de:2335 \
                pci=realloc";
    assert_eq!(set(line, "cmdline.acs-override"), ["pcie_acs_override=downstream,multifunction"]);
    assert_eq!(set(line, "cmdline.acs-weakened"), ["pci=nomsi,disable_acs_redir=pci:10de:2335"]);
}

#[test]
fn unsafe_interrupts_count_wherever_they_are_allowed() {
    let name = "cmdline.unsafe-interrupts";
    assert_eq!(flag("quiet", name), (false, None));
    for line in [
        "vfio_iommu_type1.allow_unsafe_interrupts=1",
        "vfio-iommu-type1.allow_unsafe_interrupts=Y",
        "vfio_iommu_type1.allow_unsafe_interrupts",
        "iommufd.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=0",
        "vfio_iommu_type1.allow_unsafe_interrupts=0 iommufd.allow_unsafe_interrupts=1",
        "quiet -- iommufd.allow_unsafe_interrupts=1",
    ] {
        assert!(flag(line, name).0, "{line}");
    }
    let undone =
        "vfio_iommu_type1.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=0";
    assert!(!flag(undone, name).0);
}

#[test]
fn version_two_page_tables_can_be_taken_back() {
    assert!(flag("amd_iommu=pgtbl_v2", "cmdline.amd-pgtbl-v2").0);
    assert!(!flag("amd_iommu=pgtbl_v2,pgtbl_v1", "cmdline.amd-pgtbl-v2").0);
}

#[test]
fn a_module_s_bool_is_off_by_its_last_word() {
    let off = |line: &str| set(line, "cmdline.snp-off");
    assert_eq!(off("kvm-amd.sev_snp=0 quiet"), ["kvm-amd.sev_snp=0"]);
    assert_eq!(off("kvm_amd.sev=n kvm_amd.sev=off"), ["kvm_amd.sev=n", "kvm_amd.sev=off"]);
    assert!(off("kvm_amd.sev=0 kvm_amd.sev=1").is_empty());
    assert!(off("kvm_amd.sev=0 kvm_amd.sev kvm_amd.sev_es=maybe kvm_amd.avic=0").is_empty());
    assert_eq!(off("x -- kvm_amd.npt=0"), ["kvm_amd.npt=0"]);
    assert_eq!(off("sev=debug,nosnp mem_encrypt=off"), ["sev=debug,nosnp"]);
    assert_eq!(
        set("kvm_intel.ept=N kvm_intel.tdx=0", "cmdline.tdx-off"),
        ["kvm_intel.ept=N", "kvm_intel.tdx=0"]
    );
}

#[test]
fn tdx_is_asked_for_by_the_last_word() {
    assert_eq!(
        flag("kvm-intel.tdx=1", "cmdline.tdx-asked"),
        (true, Some("decided by kvm-intel.tdx=1".to_owned()))
    );
    assert!(flag("kvm_intel.tdx", "cmdline.tdx-asked").0);
    assert!(!flag("kvm_intel.tdx=1 kvm_intel.tdx=0", "cmdline.tdx-asked").0);
    assert_eq!(flag("tdx=1", "cmdline.tdx-asked"), (false, None));
}

#[test]
fn a_denied_module_with_a_dash_is_not_denied() {
    let line = "modprobe.blacklist=nouveau,nvidia-drm modprobe.blacklist=nova_core \
                module_blacklist=first module_blacklist=nvidiafb,";
    assert_eq!(set(line, "cmdline.module-denylist"), ["nouveau", "nova_core", "nvidiafb"]);
    let note = fact(line, "cmdline.module-denylist").note;
    assert_eq!(note.as_deref(), Some("without effect: nvidia-drm; write nvidia_drm"));
}

#[test]
fn a_long_line_says_so() {
    let (cut, note) = flag(&"a".repeat(2047), "cmdline.truncated");
    assert!(cut);
    assert_eq!(note.as_deref(), Some("2047 bytes; its end may be missing"));
    assert_eq!(flag(UBUNTU_TDX, "cmdline.truncated"), (false, None));
}

#[test]
fn an_unread_line_is_never_a_value() {
    for fact in FACTS {
        let gathered = (fact.read)(&Facts::default());
        assert_eq!(gathered.reading, Reading::Unreadable(Cause::NotGathered), "{}", fact.name);
        let line = Reading::Unreadable(Cause::Permission);
        let facts = Facts { cmdline: Some(Cmdline { line }), ..Facts::default() };
        assert_eq!((fact.read)(&facts).reading, Reading::Unreadable(Cause::Permission));
        let facts = Facts { cmdline: Some(Cmdline { line: Reading::Absent }), ..Facts::default() };
        assert_eq!((fact.read)(&facts).reading, Reading::Absent, "{}", fact.name);
    }
}

#[test]
fn every_fact_has_the_kind_that_it_claims() {
    for listed in FACTS {
        let Reading::Known(value) = fact(UBUNTU_TDX, listed.name).reading else {
            panic!("{} is unknown", listed.name)
        };
        assert_eq!(value.kind(), listed.kind, "{}", listed.name);
    }
}

#[test]
fn the_line_is_read_from_proc() {
    let host = tempfile::tempdir().unwrap();
    let root = Root::directory(host.path()).unwrap();
    // An image shows no booted line, which is not the same as an empty one.
    assert!(matches!(gather(&root).line, Reading::Unreadable(Cause::NoAnswer(_))));
    write(host.path(), "proc/cmdline", "quiet iommu=pt\n");
    let line = gather(&root).line.into_known().unwrap();
    assert_eq!(line.last("iommu").and_then(|param| param.value), Some("pt"));
}

#[expect(clippy::disallowed_methods, reason = "the test makes the host that it reads")]
fn write(host: &std::path::Path, path: &str, text: &str) {
    let path = host.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
