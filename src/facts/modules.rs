//! Kernel modules: which are there, and the KVM parameters that say whether confidential guests work.
//!
//! A module is there when `/proc/modules` lists it, or, built in, when it has a directory in sysfs. What
//! is installed but not loaded is not looked for, and what a driver is bound to is for `pci` to say.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value, sysfs};
use crate::host::{FileKind, Root};

const LOADED: &str = "/proc/modules";
const SYSFS: &str = "/sys/module";
const KVM: &str = "/dev/kvm";
const SEV: &str = "/sys/module/kvm_amd/parameters/sev";
const SEV_ES: &str = "/sys/module/kvm_amd/parameters/sev_es";
const SEV_SNP: &str = "/sys/module/kvm_amd/parameters/sev_snp";
const TDX: &str = "/sys/module/kvm_intel/parameters/tdx";

/// Modules that rules ask for, and that may be built in instead of loaded.
#[rustfmt::skip]
const WATCHED: &[&str] = &[
    "nvidia", "nvidia_uvm", "nvidia_modeset", "nvidia_drm", "nvidia_peermem", "nvidia_fs", "gdrdrv",
    "nvidia_vgpu_vfio", "nouveau", "nova_core", "nova", "nova_drm", "nvidiafb",
    "vfio", "vfio_pci", "vfio_pci_core", "vfio_iommu_type1", "iommufd",
    "kvm", "kvm_amd", "kvm_intel", "ccp",
];

#[derive(Debug)]
pub struct Modules {
    /// Names from `/proc/modules`; `Absent` when the kernel loads no modules.
    pub loaded: Reading<BTreeSet<String>>,
    /// Those, and the watched ones that are built in.
    pub present: Reading<BTreeSet<String>>,
    pub sev: Reading<bool>,
    pub sev_es: Reading<bool>,
    pub sev_snp: Reading<bool>,
    pub tdx: Reading<bool>,
    /// What `/dev/kvm` is; `Absent` when there is none.
    pub kvm: Reading<FileKind>,
}

pub(super) fn gather(root: &Root) -> Modules {
    let loaded = loaded(root);
    let in_sysfs = in_sysfs(root);
    let parameter = |path: &str| match &in_sysfs {
        Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        Reading::Known(_) | Reading::Absent => sysfs::read_flag(root, path),
    };
    Modules {
        present: present(&loaded, &in_sysfs),
        sev: parameter(SEV),
        sev_es: parameter(SEV_ES),
        sev_snp: parameter(SEV_SNP),
        tdx: parameter(TDX),
        kvm: kvm(root),
        loaded,
    }
}

/// `/proc/modules` is missing where the kernel was built without modules, but also where `/proc` is.
fn loaded(root: &Root) -> Reading<BTreeSet<String>> {
    match root.read_text(LOADED) {
        Reading::Known(text) => parse(&text),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
        Reading::Absent => match root.stat("/proc/cmdline") {
            Reading::Known(_) => Reading::Absent,
            Reading::Absent => not_mounted("/proc"),
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
    }
}

/// The names in `/sys/module`, which no kernel is without.
fn in_sysfs(root: &Root) -> Reading<BTreeSet<String>> {
    match root.list(SYSFS) {
        Reading::Known(entries) if entries.is_empty() => not_mounted(SYSFS),
        Reading::Absent => not_mounted(SYSFS),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
        Reading::Known(entries) => {
            Reading::Known(entries.into_iter().map(|entry| entry.name).collect())
        }
    }
}

fn not_mounted<T>(path: &str) -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer(format!("{path} is not there")))
}

fn present(
    loaded: &Reading<BTreeSet<String>>,
    in_sysfs: &Reading<BTreeSet<String>>,
) -> Reading<BTreeSet<String>> {
    let loaded = match loaded {
        Reading::Known(loaded) => loaded.clone(),
        Reading::Absent => BTreeSet::new(),
        Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
    };
    in_sysfs.as_ref().map(|names| {
        let built_in = WATCHED.iter().filter(|name| names.contains(**name));
        loaded.into_iter().chain(built_in.map(|name| (*name).to_owned())).collect()
    })
}

fn kvm(root: &Root) -> Reading<FileKind> {
    match root.stat(KVM) {
        Reading::Known(stat) => Reading::Known(stat.kind),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
        Reading::Absent => match root.list("/dev") {
            Reading::Known(entries) if !entries.is_empty() => Reading::Absent,
            Reading::Known(_) | Reading::Absent => not_mounted("/dev"),
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
    }
}

/// The names in a `/proc/modules`: `name size references users state address [taints]`. A line that is not
/// so leaves open what is loaded, because nothing may be concluded from a set with holes.
pub fn parse(text: &str) -> Reading<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        match name(line) {
            Some(name) => names.insert(name.to_owned()),
            None => {
                return Reading::Unreadable(Cause::malformed(number, "no line of a module"));
            }
        };
    }
    Reading::Known(names)
}

fn name(line: &str) -> Option<&str> {
    let mut fields = line.split(' ');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let size = fields.next()?;
    // `-` where the kernel cannot unload modules.
    let references = fields.next()?;
    let users = fields.next()?;
    let state = fields.next()?;
    let address = fields.next()?;
    let taints = fields.next().unwrap_or("()");
    let well_formed = is_number(size)
        && (references == "-" || is_number(references))
        && (users == "-" || users.ends_with(','))
        && matches!(state, "Live" | "Loading" | "Unloading")
        && address.starts_with("0x")
        && taints.starts_with('(')
        && taints.ends_with(')')
        && fields.next().is_none();
    well_formed.then_some(name)
}

/// A number as the kernel prints one; a count of references may be negative while a module goes.
fn is_number(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "modules.loaded",
        kind: Kind::Set,
        doc: "Modules in /proc/modules; absent when the kernel loads none.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, LOADED, |modules| modules.loaded.clone().map(Value::Set)),
    },
    Fact {
        name: "modules.present",
        kind: Kind::Set,
        doc: "Loaded modules, and those that rules ask for where they are built in.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, LOADED, |modules| modules.present.clone().map(Value::Set)),
    },
    Fact {
        name: "kvm.present",
        kind: Kind::Bool,
        doc: "Whether /dev/kvm is a character device.",
        needs: Needs::MODULES,
        read: |facts| {
            evidence(facts, KVM, |modules| {
                let is_device = |kind: &FileKind| Value::Bool(*kind == FileKind::CharDevice);
                modules.kvm.as_ref().map(is_device).or_absent(Value::Bool(false))
            })
        },
    },
    Fact {
        name: "kvm.sev",
        kind: Kind::Bool,
        doc: "Whether KVM runs SEV guests; absent without kvm_amd.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, SEV, |modules| modules.sev.clone().map(Value::Bool)),
    },
    Fact {
        name: "kvm.sev-es",
        kind: Kind::Bool,
        doc: "Whether KVM runs SEV-ES guests; absent without kvm_amd.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, SEV_ES, |modules| modules.sev_es.clone().map(Value::Bool)),
    },
    Fact {
        name: "kvm.sev-snp",
        kind: Kind::Bool,
        doc: "Whether KVM runs SEV-SNP guests; absent without kvm_amd, or on a kernel before 6.11.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, SEV_SNP, |modules| modules.sev_snp.clone().map(Value::Bool)),
    },
    Fact {
        name: "kvm.tdx",
        kind: Kind::Bool,
        doc: "Whether KVM runs TDX guests; absent without kvm_intel, or on a kernel before 6.16.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, TDX, |modules| modules.tdx.clone().map(Value::Bool)),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn evidence(facts: &Facts, path: &str, read: impl FnOnce(&Modules) -> Reading<Value>) -> Evidence {
    match &facts.modules {
        Some(modules) => Evidence::new(read(modules), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    fn names(text: &str) -> Vec<String> {
        parse(text).into_known().unwrap().into_iter().collect()
    }

    #[test]
    fn every_real_shape_of_a_line_is_understood() {
        let text = "nvidia_uvm 1921024 2 - Live 0x0000000000000000 (OE)\n\
                    nvidia 8765440 59 nvidia_uvm,nvidia_modeset, Live 0x0000000000000000 (POE)\n\
                    vfio_pci 16384 0 - Live 0x0000000000000000\n\
                    kvm_amd 217088 - - Live 0xffffffffc080c000\n\
                    ccp 155648 1 kvm_amd,[permanent], Live 0xffffffffc0400000\n\
                    sha3 1000 -1 - Unloading 0x0000000000000000\n\
                    slow 4096 1 - Loading 0xffffffffc0400000\n";
        assert_eq!(
            names(text),
            ["ccp", "kvm_amd", "nvidia", "nvidia_uvm", "sha3", "slow", "vfio_pci"]
        );
    }

    #[test]
    fn a_module_is_known_by_its_name_and_not_by_its_users() {
        assert_eq!(names("video 77824 1 nvidia_modeset, Live 0x0000000000000000"), ["video"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn one_bad_line_leaves_the_whole_set_open() {
        let good = "vfio 65536 0 - Live 0x0000000000000000\n";
        for bad in [
            "\n",
            "nouveau",
            "nouveau 1 0 - Live",
            "nouveau x 0 - Live 0x0",
            "nouveau 1 0 drm Live 0x0",
            "nouveau 1 0 - Dead 0x0",
            " nouveau 1 0 - Live 0x0",
            "nouveau 1 0 - Live 0x0 (O) more",
            "nouveau 1 0 - Live 0x0\r",
            "nouveau\t1 0 - Live 0x0 O",
        ] {
            let cause = parse(&format!("{good}{bad}\n")).cause().cloned();
            // A carriage return stands behind the address, where `lines` takes it off.
            if bad.ends_with('\r') {
                assert_eq!(cause, None);
            } else {
                assert_eq!(cause.and_then(|cause| cause.line()), Some(2), "{bad:?}");
            }
        }
    }

    #[test]
    fn a_strange_name_is_kept_as_data() {
        assert_eq!(names("\u{1b}[31mx 1 0 - Live 0x0"), ["\u{1b}[31mx"]);
    }

    #[test]
    fn a_built_in_module_is_present_though_not_loaded() {
        let host = tree(&[
            ("proc/modules", "vfio 65536 0 - Live 0x0000000000000000\n"),
            ("sys/module/nouveau/parameters/modeset", "-1\n"),
            ("sys/module/printk/parameters/time", "Y\n"),
        ]);
        let facts = facts(host.path(), Needs::MODULES);
        let set = |names: &[&str]| {
            Reading::Known(Value::Set(names.iter().map(|name| (*name).to_owned()).collect()))
        };
        assert_eq!(value(&facts, "modules.loaded").reading, set(&["vfio"]));
        assert_eq!(value(&facts, "modules.present").reading, set(&["nouveau", "vfio"]));
    }

    #[test]
    fn a_kernel_without_modules_has_none_loaded_but_may_have_some_present() {
        let host = tree(&[("proc/cmdline", "\n"), ("sys/module/kvm/parameters/x", "")]);
        let facts = facts(host.path(), Needs::MODULES);
        assert!(value(&facts, "modules.loaded").reading.is_absent());
        let present = value(&facts, "modules.present").reading.into_known().unwrap();
        assert_eq!(present, Value::Set(BTreeSet::from(["kvm".to_owned()])));
    }

    #[test]
    fn without_proc_or_sysfs_nothing_is_said_about_modules() {
        let none = tree(&[("etc/hostname", "")]);
        let facts_of_none = facts(none.path(), Needs::MODULES);
        for name in ["modules.loaded", "modules.present", "kvm.sev-snp", "kvm.tdx", "kvm.present"] {
            assert!(value(&facts_of_none, name).reading.cause().is_some(), "{name}");
        }
        let no_sysfs = tree(&[("proc/modules", "vfio 65536 0 - Live 0x0\n")]);
        let facts = facts(no_sysfs.path(), Needs::MODULES);
        assert!(value(&facts, "modules.present").reading.cause().is_some());
    }

    #[test]
    fn parameters_are_flags_and_absent_without_their_module() {
        let host = tree(&[
            ("sys/module/kvm_amd/parameters/sev", "1\n"),
            ("sys/module/kvm_amd/parameters/sev_es", "Y\n"),
            ("sys/module/kvm_amd/parameters/sev_snp", "N\n"),
        ]);
        let facts = facts(host.path(), Needs::MODULES);
        let flag = |name: &str| value(&facts, name).reading;
        assert_eq!(flag("kvm.sev"), Reading::Known(Value::Bool(true)));
        assert_eq!(flag("kvm.sev-es"), Reading::Known(Value::Bool(true)));
        assert_eq!(flag("kvm.sev-snp"), Reading::Known(Value::Bool(false)));
        assert!(flag("kvm.tdx").is_absent());
    }

    #[test]
    fn kvm_is_present_only_as_a_device() {
        let file = tree(&[("dev/kvm", "")]);
        let facts_of_file = facts(file.path(), Needs::MODULES);
        assert_eq!(
            value(&facts_of_file, "kvm.present").reading,
            Reading::Known(Value::Bool(false))
        );
        let others = tree(&[("dev/null", "")]);
        let facts = facts(others.path(), Needs::MODULES);
        assert_eq!(value(&facts, "kvm.present").reading, Reading::Known(Value::Bool(false)));
    }

    proptest! {
        #[test]
        fn a_known_set_has_a_name_for_every_line(text in "([a-z_]{0,3}[ -]?[0-9]{0,2} ?(-|a,)? ?(Live)? ?(0x0)?\n?){0,4}") {
            if let Reading::Known(names) = parse(&text) {
                prop_assert!(names.len() <= text.lines().count());
                prop_assert!(names.is_empty() == text.is_empty());
            }
        }
    }
}
