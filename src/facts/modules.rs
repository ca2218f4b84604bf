//! Kernel modules: which are there.
//!
//! A module is there when `/proc/modules` lists it, or, built in, when it has a directory in sysfs. What
//! is installed but not loaded is not looked for, and what a driver is bound to is for `pci` to say.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const LOADED: &str = "/proc/modules";
const SYSFS: &str = "/sys/module";

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
}

pub(super) fn gather(root: &Root) -> Modules {
    let loaded = loaded(root);
    Modules { present: present(&loaded, &in_sysfs(root)), loaded }
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
        read: |facts| evidence(facts, |modules| modules.loaded.clone().map(Value::Set)),
    },
    Fact {
        name: "modules.present",
        kind: Kind::Set,
        doc: "Loaded modules, and those that rules ask for where they are built in.",
        needs: Needs::MODULES,
        read: |facts| evidence(facts, |modules| modules.present.clone().map(Value::Set)),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn evidence(facts: &Facts, read: fn(&Modules) -> Reading<Value>) -> Evidence {
    match &facts.modules {
        Some(modules) => Evidence::new(read(modules), Source::file(LOADED)),
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
        for name in ["modules.loaded", "modules.present"] {
            assert!(value(&facts_of_none, name).reading.cause().is_some(), "{name}");
        }
        let no_sysfs = tree(&[("proc/modules", "vfio 65536 0 - Live 0x0\n")]);
        let facts = facts(no_sysfs.path(), Needs::MODULES);
        assert!(value(&facts, "modules.present").reading.cause().is_some());
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
