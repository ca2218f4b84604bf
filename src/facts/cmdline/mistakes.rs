//! Words of a command line that do not do what whoever wrote them wanted: undone by a later word, no ids
//! where ids are wanted, or known to no driver.
//!
//! `amd_iommu=on` is left in peace: no driver knows it, but guides tell people to write it, and it does no
//! harm. What a word does, and whether that is good, is for [`super::meaning`].

use std::collections::{BTreeMap, BTreeSet};

use super::super::drivers::read_ids;
use crate::format::cmdline::{Cmdline, Param, elements, key_eq, normal_key, parse_bool};

/// What is wrong with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::facts) enum Mistake {
    /// A later word, which stands here, takes it back.
    Undone(String),
    /// These elements of its value are no device ids.
    NoIds(Vec<String>),
    /// It does nothing, and why.
    WithoutEffect(String),
}

/// The mistakes of a line, each with the word that it is made in, as it is written. A line may be very
/// long, so each word is looked at a fixed number of times.
pub(in crate::facts) fn mistakes(line: &Cmdline) -> Vec<(Param<'_>, Mistake)> {
    let words: Vec<Param<'_>> = line.params().collect();
    let last = LastWords::of(&words);
    let mut found = Vec::new();
    for word in &words {
        if let Some(by) = last.undoes(word) {
            found.push((*word, Mistake::Undone(by.token.to_owned())));
        }
        if word.is("vfio_pci.ids") || word.is("pci_stub.ids") {
            let malformed = read_ids(word.value.unwrap_or_default()).1;
            if !malformed.is_empty() {
                let malformed = malformed.into_iter().map(str::to_owned).collect();
                found.push((*word, Mistake::NoIds(malformed)));
            }
        }
        if let Some(why) = without_effect(word) {
            found.push((*word, Mistake::WithoutEffect(why)));
        }
    }
    // What stands once more at a place where it counts is no mistake.
    let wrong: BTreeSet<usize> = found.iter().map(|(word, _)| word.index).collect();
    let counts: BTreeSet<_> =
        words.iter().filter(|word| !wrong.contains(&word.index)).map(said).collect();
    found.retain(|(word, _)| !counts.contains(&said(word)));
    found
}

/// What a word says, however it is spelt.
fn said<'l>(word: &Param<'l>) -> (String, Option<&'l str>) {
    (normal_key(word.key), word.value)
}

/// Settings of which the last word counts, by the setting: a second word of another value undoes the first.
const LAST_COUNTS: [&str; 8] = [
    "module_blacklist",
    "vfio_pci.ids",
    "pci_stub.ids",
    "nouveau.modeset",
    "kvm_intel.tdx",
    "kvm_amd.sev",
    "kvm_amd.sev_es",
    "kvm_amd.sev_snp",
];

/// Of each setting the last word that says anything about it: that one decides.
struct LastWords<'l> {
    switches: BTreeMap<&'static str, (bool, Param<'l>)>,
    values: BTreeMap<&'static str, Param<'l>>,
}

impl<'l> LastWords<'l> {
    fn of(words: &[Param<'l>]) -> Self {
        let switch = |word: &Param<'l>| Setting::of(word).map(|it| (it.about, (it.on, *word)));
        let value = |word: &Param<'l>| Some((key_of_value(word)?, *word));
        Self {
            switches: words.iter().filter_map(switch).collect(),
            values: words.iter().filter_map(value).collect(),
        }
    }

    /// The word that takes this one back, if one does.
    fn undoes(&self, word: &Param<'_>) -> Option<Param<'l>> {
        if let Some(setting) = Setting::of(word) {
            let (on, by) = self.switches.get(setting.about)?;
            return (*on != setting.on).then_some(*by);
        }
        let by = self.values.get(key_of_value(word)?)?;
        (!by.same_as(word)).then_some(*by)
    }
}

fn key_of_value(word: &Param<'_>) -> Option<&'static str> {
    LAST_COUNTS.into_iter().find(|key| word.is(key))
}

/// A switch that several spellings turn.
struct Setting {
    about: &'static str,
    on: bool,
}

impl Setting {
    fn of(word: &Param<'_>) -> Option<Self> {
        let value = word.value.unwrap_or_default();
        let last = |on: &str, off: &str| {
            let said = elements(value).filter_map(|element| {
                match (element.starts_with(off), element.starts_with(on)) {
                    (true, _) => Some(false),
                    (_, true) => Some(true),
                    _ => None,
                }
            });
            said.last()
        };
        let (about, on) = if word.is("intel_iommu") {
            ("intel_iommu", last("on", "off")?)
        } else if word.is("iommu") {
            ("passthrough", last("pt", "nopt")?)
        } else if word.is("iommu.passthrough") {
            ("passthrough", parse_bool(value)?)
        } else if word.is("iommu.strict") {
            ("strict", parse_bool(value)?)
        } else if word.is("amd_iommu") {
            ("page tables", last("pgtbl_v2", "pgtbl_v1")?)
        } else if word.is("intremap") {
            ("intremap", last("on", "off")?)
        } else {
            return None;
        };
        Some(Self { about, on })
    }
}

/// The values that drivers compare with, by their beginnings (drivers/iommu, arch/x86/kernel/pci-dma.c).
const AMD: [&str; 10] = [
    "off",
    "force_enable",
    "force_isolation",
    "fullflush",
    "pgtbl_v1",
    "pgtbl_v2",
    "irtcachedis",
    "nohugepages",
    "v2_pgsizes_only",
    "on",
];
const INTEL: [&str; 9] =
    ["on", "off", "igfx_off", "forcedac", "strict", "sp_off", "sm_on", "sm_off", "tboot_noforce"];
const GENERIC: [&str; 15] = [
    "off", "force", "noforce", "biomerge", "panic", "nopanic", "merge", "nomerge", "forcesac",
    "allowdac", "nodac", "usedac", "soft", "pt", "nopt",
];

fn without_effect(word: &Param<'_>) -> Option<String> {
    let stranger = |known: &[&str]| {
        elements(word.value.unwrap_or_default())
            .find(|element| !known.iter().any(|start| element.starts_with(start)))
            .map(|element| format!("{element} is no value of {}", word.key))
    };
    if word.is("amd_iommu") {
        return stranger(&AMD);
    }
    if word.is("intel_iommu") {
        return stranger(&INTEL);
    }
    if word.is("iommu") {
        return stranger(&GENERIC);
    }
    if word.is("modprobe.blacklist") || word.is("module_blacklist") {
        let name = elements(word.value.unwrap_or_default()).find(|name| name.contains('-'))?;
        return Some(format!("{name} is no module's name: write {}", name.replace('-', "_")));
    }
    if word.is("nouveau.blacklist") || word.is("rdblacklist") {
        return Some("nothing reads it any more: write modprobe.blacklist=nouveau".to_owned());
    }
    let bools = ["iommu.passthrough", "iommu.strict", "kvm_intel.tdx", "kvm_amd.sev_snp"];
    if bools.iter().any(|key| key_eq(word.key, key)) {
        let value = word.value.unwrap_or("1");
        return parse_bool(value).is_none().then(|| format!("{value} is neither on nor off"));
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(line: &str) -> Vec<(String, Mistake)> {
        let line = Cmdline::parse(line.as_bytes());
        mistakes(&line).into_iter().map(|(word, what)| (word.token.to_owned(), what)).collect()
    }

    fn undone_by(line: &str) -> Vec<(String, String)> {
        of(line)
            .into_iter()
            .filter_map(|(word, what)| match what {
                Mistake::Undone(by) => Some((word, by)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_later_word_undoes_an_earlier_one() {
        for (line, word, by) in [
            ("intel_iommu=on quiet intel_iommu=off", "intel_iommu=on", "intel_iommu=off"),
            ("iommu=pt iommu.passthrough=0", "iommu=pt", "iommu.passthrough=0"),
            ("iommu.passthrough=1 iommu=nopt", "iommu.passthrough=1", "iommu=nopt"),
            ("intel_iommu=on,sm_on intel_iommu=off", "intel_iommu=on,sm_on", "intel_iommu=off"),
            (
                "vfio-pci.ids=10de:2335 vfio_pci.ids=10de:22a3",
                "vfio-pci.ids=10de:2335",
                "vfio_pci.ids=10de:22a3",
            ),
            ("kvm-intel.tdx=1 kvm_intel.tdx=0", "kvm-intel.tdx=1", "kvm_intel.tdx=0"),
            (
                "module_blacklist=nouveau module_blacklist=nova_core",
                "module_blacklist=nouveau",
                "module_blacklist=nova_core",
            ),
        ] {
            assert_eq!(undone_by(line), [(word.to_owned(), by.to_owned())], "{line}");
        }
    }

    #[test]
    fn words_that_add_up_do_not_undo_each_other() {
        for line in [
            "modprobe.blacklist=nouveau modprobe.blacklist=nova_core",
            "intel_iommu=on intel_iommu=sm_on",
            "intel_iommu=on intel_iommu=on",
            "intel_iommu=on iommu=pt",
            "intel_iommu=on intel_iommu=off intel_iommu=on -- intel_iommu=off",
            "iommu=pt iommu=force",
            "console=tty0 console=ttyS0",
        ] {
            let wrong: Vec<_> =
                undone_by(line).into_iter().filter(|(word, _)| word != "intel_iommu=off").collect();
            assert_eq!(wrong, [], "{line}");
        }
    }

    #[test]
    fn an_address_is_told_from_an_id() {
        let ids = ["02:00.0", "02:00.1"].map(str::to_owned).to_vec();
        let line = "vfio-pci.ids=02:00.0,10de:2335,02:00.1";
        assert_eq!(of(line), [(line.to_owned(), Mistake::NoIds(ids))]);
        assert_eq!(of("vfio_pci.ids=10de:2335"), []);
    }

    #[test]
    fn what_no_driver_knows_is_said_to_do_nothing() {
        for line in [
            "iommu=1",
            "iommu=on",
            "intel_iommu=force",
            "amd_iommu=enable",
            "modprobe.blacklist=nvidia-drm",
            "nouveau.blacklist=1",
            "rdblacklist=nouveau",
            "kvm_intel.tdx=please",
        ] {
            assert!(matches!(of(line).as_slice(), [(_, Mistake::WithoutEffect(_))]), "{line}");
        }
        for line in
            ["amd_iommu=on", "intel_iommu=on,sm_on", "iommu=pt", "kvm_intel.tdx", "pci=realloc=off"]
        {
            assert_eq!(of(line), [], "{line}");
        }
    }

    proptest! {
        #[test]
        fn the_last_word_is_undone_by_none(line in "((intel_iommu|iommu|iommu.passthrough|vfio-pci.ids|x)=(on|off|pt|nopt|1|0|,|02:00.0)? ?){0,6}") {
            let parsed = Cmdline::parse(line.as_bytes());
            let last = parsed.params().last().map(|word| word.token.to_owned());
            for (word, by) in undone_by(&line) {
                prop_assert_ne!(&word, &by);
                prop_assert!(Some(&word) != last.as_ref());
            }
        }
    }
}
