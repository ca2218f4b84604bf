use std::path::Path;

use super::defaults::{Abort, ConfiguredToken, Overridden};
use super::*;
use crate::facts::catalogue;

const DEFAULTS: &str = "/etc/default/grub";
const CLOUD: &str = "/etc/default/grub.d/50-cloudimg-settings.cfg";

fn line(text: &str) -> Reading<Cmdline> {
    Reading::Known(Cmdline::parse(text.as_bytes()))
}

fn tokens(text: &str) -> Configured {
    let source = Source::line(DEFAULTS, 10);
    let tokens = text
        .split_whitespace()
        .map(|token| ConfiguredToken { token: token.to_owned(), source: source.clone() })
        .collect();
    Configured { tokens, ..Configured::default() }
}

fn generated(lines: &[&str]) -> Next {
    let candidates = lines
        .iter()
        .zip(150..)
        .map(|(text, number)| Candidate {
            kernel: None,
            line: Cmdline::parse(text.as_bytes()),
            source: Source::line("/boot/grub/grub.cfg", number),
            hides: None,
        })
        .collect();
    Next { candidates: Reading::Known(candidates), source: Source::file("/boot/grub/grub.cfg") }
}

fn unread(cause: Cause) -> Next {
    Next { candidates: Reading::Unreadable(cause), source: Source::file("/boot/grub/grub.cfg") }
}

fn nothing_generated() -> Next {
    Next { candidates: Reading::Absent, source: Source::file("/boot/grub2/grub.cfg") }
}

fn undecidable<T>() -> Reading<T> {
    Reading::Unreadable(Cause::NotDecidable { line: Some(3), what: "if".to_owned() })
}

fn config(booted: &str, configured: Reading<Configured>, next: Next) -> BootConfig {
    let loader = Reading::Known(Loader::Grub);
    BootConfig::new(loader, Source::file(DEFAULTS), &line(booted), configured, next)
}

fn find<'a>(config: &'a BootConfig, text: &str) -> &'a Argument {
    let all = &config.arguments;
    all.iter().find(|argument| argument.text == text).unwrap_or_else(|| panic!("{text}: {all:?}"))
}

fn status(config: &BootConfig, text: &str) -> Status {
    match &find(config, text).status {
        Reading::Known(status) => *status,
        other => panic!("{text}: {other:?}"),
    }
}

fn fact(config: BootConfig, name: &str) -> Evidence {
    let facts = Facts { boot_config: Some(config), ..Facts::default() };
    (catalogue::fact(name).expect("the fact is listed").read)(&facts)
}

fn members(reading: Reading<Value>) -> Vec<String> {
    match reading {
        Reading::Known(Value::Set(members)) => members.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_argument_has_one_of_six_fates() {
    let mut written = tokens("quiet intel_iommu=on nohibernate");
    written.overridden.push(Overridden {
        token: "kvm_intel.tdx=1".to_owned(),
        source: Source::line(DEFAULTS, 11),
        by: Source::line(CLOUD, 11),
    });
    let config = config(
        "quiet intel_iommu=on iommu=pt",
        Reading::Known(written),
        generated(&["quiet intel_iommu=on kvm.enable_virt_at_load=1"]),
    );
    assert_eq!(status(&config, "intel_iommu=on"), Status::Ok);
    assert_eq!(status(&config, "kvm.enable_virt_at_load=1"), Status::RebootRequired);
    assert_eq!(status(&config, "iommu=pt"), Status::NotPersisted);
    assert_eq!(status(&config, "nohibernate"), Status::NotGenerated);
    assert_eq!(status(&config, "kvm_intel.tdx=1"), Status::Overridden);
    let overridden = find(&config, "kvm_intel.tdx=1");
    assert_eq!(overridden.note.as_deref(), Some(format!("overridden by {CLOUD}:11").as_str()));
    assert_eq!(overridden.source, Source::line(DEFAULTS, 11));
    assert_eq!(overridden.family, Family::Tee);
    assert_eq!(find(&config, "intel_iommu=on").source, Source::line(DEFAULTS, 10));
    assert_eq!(find(&config, "iommu=pt").source, Source::file("/proc/cmdline"));
    let stray = find(&config, "kvm.enable_virt_at_load=1");
    assert_eq!(stray.source, Source::line("/boot/grub/grub.cfg", 150));
    assert!(stray.note.as_deref().is_some_and(|note| note.contains("may drop it")));
    assert_eq!(config.arguments.len(), 5, "{:?}", config.arguments);
    assert_eq!(config.doubt(), None);
}

#[test]
fn a_host_without_a_loader_is_unmanaged() {
    let loader = Reading::Known(Loader::NoneFound);
    let source = Source::file("/boot/grub2/grub.cfg");
    let config = BootConfig::new(
        loader,
        source,
        &line("intel_iommu=on"),
        Reading::Absent,
        nothing_generated(),
    );
    assert_eq!(status(&config, "intel_iommu=on"), Status::Unmanaged);
    assert_eq!(fact(config, "boot.configured").reading, Reading::Absent);
}

#[test]
fn an_argument_is_its_key_and_value_however_it_is_written() {
    let config = config(
        "kvm-intel.tdx=1 \"vfio-pci.ids=10de:2335\"",
        Reading::Known(tokens("kvm_intel.tdx=1 vfio_pci.ids=\"10de:2335\"")),
        generated(&["kvm_intel.tdx=1 vfio-pci.ids=\"10de:2335\""]),
    );
    assert_eq!(status(&config, "kvm_intel.tdx=1"), Status::Ok);
    assert_eq!(status(&config, "vfio_pci.ids=10de:2335"), Status::Ok);
    assert_eq!(config.arguments.len(), 2);
}

#[test]
fn an_unreadable_configuration_decides_nothing() {
    let text = || Reading::Known(tokens("intel_iommu=on"));
    let refused = config("intel_iommu=on", text(), unread(Cause::Permission));
    assert_eq!(find(&refused, "intel_iommu=on").status, Reading::Unreadable(Cause::Permission));
    assert_eq!(refused.doubt().map(|(cause, _)| cause), Some(Cause::Permission));
    for name in ["boot.configured", "boot.next-iommu-off", "boot.generated"] {
        let refused = config("intel_iommu=on", text(), unread(Cause::Permission));
        assert_eq!(fact(refused, name).reading, Reading::Unreadable(Cause::Permission), "{name}");
    }
    let program = config("intel_iommu=on", undecidable(), nothing_generated());
    assert_eq!(find(&program, "intel_iommu=on").status, undecidable());
    assert!(program.doubt().is_some());
}

#[test]
fn an_undecidable_text_is_judged_by_what_was_generated() {
    let config = config("iommu=pt", undecidable(), generated(&["intel_iommu=on"]));
    assert_eq!(status(&config, "iommu=pt"), Status::NotPersisted);
    assert_eq!(status(&config, "intel_iommu=on"), Status::RebootRequired);
    assert!(find(&config, "iommu=pt").note.as_deref().is_some_and(|it| it.contains("decidable")));
    assert_eq!(config.doubt(), None);
}

#[test]
fn a_text_alone_is_judged_where_nothing_is_generated() {
    let text = Reading::Known(tokens("intel_iommu=on nohibernate"));
    let config = config("intel_iommu=on iommu=pt", text, nothing_generated());
    assert_eq!(status(&config, "intel_iommu=on"), Status::Ok);
    assert_eq!(status(&config, "nohibernate"), Status::RebootRequired);
    assert_eq!(status(&config, "iommu=pt"), Status::NotPersisted);
    let evidence = fact(config, "boot.configured");
    assert_eq!(members(evidence.reading), ["intel_iommu=on", "nohibernate"]);
    assert_eq!(evidence.source, Some(Source::line(DEFAULTS, 10)));
}

#[test]
fn a_text_that_aborts_configures_nothing() {
    let mut text = tokens("intel_iommu=on");
    text.aborts =
        Some(Abort { at: Source::line(DEFAULTS, 12), why: "`+=` is no command".to_owned() });
    let aborted = |next| config("quiet", Reading::Known(text.clone()), next);
    let known = aborted(generated(&["quiet"]));
    assert_eq!(status(&known, "intel_iommu=on"), Status::NotGenerated);
    let note = find(&known, "intel_iommu=on").note.clone();
    assert_eq!(note.as_deref(), Some("sh stops at /etc/default/grub:12: `+=` is no command"));
    let unknown = aborted(nothing_generated());
    assert!(find(&unknown, "intel_iommu=on").status.cause().is_some());
    assert!(fact(unknown, "boot.configured").reading.cause().is_some());
    let evidence = fact(known, "boot.defaults-valid");
    assert_eq!(evidence.reading, Reading::Known(Value::Bool(false)));
    assert_eq!(evidence.source, Some(Source::line(DEFAULTS, 12)));
}

#[test]
fn an_argument_in_some_entries_is_not_there_for_certain() {
    let lines = ["root=a ro intel_iommu=on iommu=pt", "root=b ro intel_iommu=on"];
    let lacks = config("intel_iommu=on iommu=pt", Reading::Absent, generated(&lines));
    assert_eq!(status(&lacks, "intel_iommu=on"), Status::Ok);
    assert!(find(&lacks, "iommu=pt").status.cause().is_some());
    for name in ["boot.configured", "boot.next-iommu-passthrough"] {
        let lacks = config("intel_iommu=on iommu=pt", Reading::Absent, generated(&lines));
        assert!(fact(lacks, name).reading.cause().is_some(), "{name}");
    }
    // The first entry lacks it, and one that has it twice does not make up for that.
    let twice = generated(&["quiet", "iommu=pt iommu=pt"]);
    assert!(find(&config("quiet", Reading::Absent, twice), "iommu=pt").status.cause().is_some());
    // Differences that no fact is about are left out.
    let roots = generated(&["root=a ro intel_iommu=on", "root=b ro intel_iommu=on"]);
    let same = config("quiet", Reading::Absent, roots);
    assert_eq!(members(fact(same, "boot.configured").reading), ["intel_iommu=on", "ro"]);
}

#[test]
fn a_variable_that_may_hide_arguments_leaves_doubt() {
    let mut next = generated(&["quiet intel_iommu=on"]);
    if let Reading::Known(candidates) = &mut next.candidates {
        candidates[0].hides = Some("the value of $extra".to_owned());
    }
    let hides = config("intel_iommu=on iommu=pt", Reading::Absent, next);
    assert_eq!(status(&hides, "intel_iommu=on"), Status::Ok);
    assert!(find(&hides, "iommu=pt").status.cause().is_some());
    assert!(hides.doubt().is_some());
    assert!(fact(hides, "boot.next-iommu-off").reading.cause().is_some());
}

#[test]
fn the_next_line_is_judged_like_the_booted_one() {
    let next = || generated(&["intel_iommu=off amd_iommu=off iommu=pt iommu.passthrough=0"]);
    let make = || config("quiet", Reading::Absent, next());
    assert_eq!(members(fact(make(), "boot.next-iommu-off-amd").reading), ["amd_iommu=off"]);
    assert_eq!(members(fact(make(), "boot.next-iommu-off-intel").reading), ["intel_iommu=off"]);
    let both = members(fact(make(), "boot.next-iommu-off").reading);
    assert_eq!(both, ["amd_iommu=off", "intel_iommu=off"]);
    let passthrough = fact(make(), "boot.next-iommu-passthrough");
    assert_eq!(passthrough.reading, Reading::Known(Value::Bool(false)));
    assert_eq!(passthrough.note.as_deref(), Some("decided by iommu.passthrough=0"));
}

#[test]
fn an_unread_booted_line_is_not_an_empty_one() {
    let config = BootConfig::new(
        Reading::Known(Loader::Grub),
        Source::file(DEFAULTS),
        &Reading::Unreadable(Cause::Permission),
        Reading::Known(tokens("intel_iommu=on")),
        generated(&["intel_iommu=on"]),
    );
    assert_eq!(find(&config, "intel_iommu=on").status, Reading::Unreadable(Cause::Permission));
}

#[test]
fn relevant_keys_have_a_family() {
    for (key, family) in [
        ("iommu", Some(Family::Iommu)),
        ("intel-iommu", Some(Family::Iommu)),
        ("kvm-amd.sev_snp", Some(Family::Tee)),
        ("kvm_intel.tdx", Some(Family::Tee)),
        ("kvm", None),
        ("nohibernate", Some(Family::Tee)),
        ("vfio-pci.ids", Some(Family::Vfio)),
        ("vfio_iommu_type1.allow_unsafe_interrupts", Some(Family::Vfio)),
        ("modprobe.blacklist", Some(Family::Module)),
        ("pci", Some(Family::Pci)),
        ("pcie_aspm", None),
        ("root", None),
    ] {
        assert_eq!(family_of(key), family, "{key}");
    }
}

#[test]
fn nothing_gathered_is_no_value() {
    for listed in FACTS {
        let reading = (listed.read)(&Facts::default()).reading;
        assert_eq!(reading, Reading::Unreadable(Cause::NotGathered), "{}", listed.name);
    }
    let selection = (COLLECTIONS[0].select)(&Facts::default());
    assert!(selection.subjects.is_empty() && selection.doubt.is_some());
}

// From here on: whole hosts, as directories.

/// A host with these files.
#[expect(clippy::disallowed_methods, reason = "the test makes the host that it reads")]
fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = Root::directory(folder.path()).unwrap();
    (folder, root)
}

fn gathered(booted: &str, files: &[(&str, &str)]) -> BootConfig {
    let (_folder, root) = host(files);
    gather(&root, &line(booted), true)
}

const ENV: &str = "# GRUB Environment Block\nsaved_entry=ab12-6.12.0-55.el10.x86_64\ntuned_params=isolcpus=2 iommu=pt\n####";
const GRUB_CFG: &str = "set default=0\nmenuentry 'Linux' {\n linux /vmlinuz root=a ro intel_iommu=on\n}\n\
     menuentry 'Linux (recovery mode)' {\n linux /vmlinuz root=a ro recovery nomodeset\n}\n";
const BLS_CFG: &str = "set default=\"${saved_entry}\"\nload_env\ninsmod blscfg\nblscfg\n";

#[test]
fn a_debian_host_is_read() {
    let config = gathered(
        "BOOT_IMAGE=/vmlinuz root=a ro intel_iommu=on iommu=pt",
        &[("/boot/grub/grub.cfg", GRUB_CFG), (DEFAULTS, "GRUB_CMDLINE_LINUX=\"\"\n")],
    );
    assert_eq!(config.loader, Reading::Known(Loader::Grub));
    assert_eq!(status(&config, "intel_iommu=on"), Status::Ok);
    assert_eq!(status(&config, "iommu=pt"), Status::NotPersisted);
    assert_eq!(config.arguments.len(), 2, "a recovery entry counts for nothing");
    let evidence = fact(config, "boot.configured");
    assert_eq!(members(evidence.reading), ["intel_iommu=on", "ro", "root=a"]);
    assert_eq!(evidence.source, Some(Source::line("/boot/grub/grub.cfg", 3)));
}

#[test]
fn a_host_with_loader_entries_is_read() {
    let newer = "version 6.12.0-60.el10.x86_64\nlinux /vmlinuz-6.12.0-60\noptions root=a ro\n";
    let saved = "version 6.12.0-55.el10.x86_64\nlinux /vmlinuz-6.12.0-55\noptions root=a ro intel_iommu=on $tuned_params\n";
    let rescue = "version 0-rescue-ab12\nlinux /vmlinuz-0-rescue-ab12\noptions root=a\n";
    let files = [
        ("/boot/grub2/grub.cfg", BLS_CFG),
        ("/boot/grub2/grubenv", ENV),
        ("/boot/loader/entries/ab12-6.12.0-60.el10.x86_64.conf", newer),
        ("/boot/loader/entries/ab12-6.12.0-55.el10.x86_64.conf", saved),
        ("/boot/loader/entries/ab12-0-rescue.conf", rescue),
    ];
    let config = gathered("intel_iommu=on", &files);
    assert_eq!(config.loader, Reading::Known(Loader::GrubBls));
    assert_eq!(status(&config, "intel_iommu=on"), Status::Ok);
    assert_eq!(status(&config, "iommu=pt"), Status::RebootRequired);
    let passthrough = fact(config, "boot.next-iommu-passthrough");
    assert_eq!(passthrough.reading, Reading::Known(Value::Bool(true)));
    // Without the environment block neither the default nor the variable is known.
    let config = gathered("intel_iommu=on", &[files[0], files[2], files[3], files[4]]);
    assert!(find(&config, "intel_iommu=on").status.cause().is_some());
}

#[test]
fn each_loader_is_told_from_its_files() {
    let entry = ("/boot/loader/entries/x.conf", "linux /x\noptions intel_iommu=on\n");
    let info = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    let name: String = "systemd-boot 257".chars().flat_map(|letter| [letter, '\0']).collect();
    let name = format!("\u{6}\0\0\0{name}");
    let other: String = "GRUB 2.12".chars().flat_map(|letter| [letter, '\0']).collect();
    let other = format!("\u{6}\0\0\0{other}");
    let cases: [(&[(&str, &str)], Loader); 9] = [
        (&[], Loader::NoneFound),
        (&[("/boot/grub/grub.cfg", GRUB_CFG), entry], Loader::Grub),
        (&[(DEFAULTS, "GRUB_TIMEOUT=5\n")], Loader::Grub),
        (&[("/boot/grub2/grub.cfg", BLS_CFG), entry], Loader::GrubBls),
        (&[entry], Loader::SystemdBoot),
        (&[("/boot/grub/grub.cfg", GRUB_CFG), (info, &name)], Loader::SystemdBoot),
        (&[("/boot/grub/grub.cfg", GRUB_CFG), (info, &other)], Loader::Grub),
        (
            &[("/boot/grub/grub.cfg", GRUB_CFG), ("/etc/kernel/proxmox-boot-uuids", "A1B2\n")],
            Loader::ProxmoxBoot,
        ),
        (&[("/run/ostree-booted", ""), ("/boot/grub2/grub.cfg", BLS_CFG)], Loader::Ostree),
    ];
    for (files, loader) in cases {
        assert_eq!(gathered("quiet", files).loader, Reading::Known(loader), "{files:?}");
    }
    let image = gathered("ostree=/ostree/boot.1/fedora quiet", &[entry]);
    assert_eq!(image.loader, Reading::Known(Loader::Ostree));
}

#[test]
fn systemd_boot_and_proxmox_have_their_own_text() {
    let text = ("/etc/kernel/cmdline", "root=ZFS=rpool intel_iommu=on\n");
    let entry = ("/efi/loader/entries/x.conf", "linux /x\noptions root=ZFS=rpool $literal\n");
    let config = gathered("quiet", &[text, entry]);
    assert_eq!(config.loader, Reading::Known(Loader::SystemdBoot));
    assert_eq!(status(&config, "intel_iommu=on"), Status::NotGenerated);
    assert_eq!(find(&config, "intel_iommu=on").source, Source::line("/etc/kernel/cmdline", 1));
    let config = gathered("quiet", &[text, ("/etc/kernel/proxmox-boot-uuids", "A1B2\n")]);
    assert_eq!(status(&config, "intel_iommu=on"), Status::RebootRequired);
    assert_eq!(fact(config, "boot.generated").reading, Reading::Known(Value::Bool(false)));
}

#[test]
fn ostree_boots_the_newest_deployment() {
    let config = gathered(
        "ostree=/ostree/boot.1/x iommu=pt",
        &[
            ("/boot/loader/entries/ostree-1.conf", "version 1\nlinux /a\noptions iommu=pt\n"),
            ("/boot/loader/entries/ostree-2.conf", "version 2\nlinux /b\noptions iommu=nopt\n"),
        ],
    );
    assert_eq!(status(&config, "iommu=pt"), Status::NotPersisted);
    assert_eq!(status(&config, "iommu=nopt"), Status::RebootRequired);
    assert_eq!(fact(config, "boot.defaults-valid").reading, Reading::Absent);
}

#[test]
fn a_broken_generated_file_is_not_an_empty_one() {
    for broken in ["", "menuentry 'x {\n", "set default=0\n"] {
        let config = gathered("iommu=pt", &[("/boot/grub/grub.cfg", broken)]);
        assert!(find(&config, "iommu=pt").status.cause().is_some(), "{broken:?}");
        assert!(config.doubt().is_some(), "{broken:?}");
    }
}
