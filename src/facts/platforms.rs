//! Whether the host's processor and operating system are on NVIDIA's list of platforms for confidential
//! containers: `data/platforms.toml`, made into constants by the build script.
//!
//! To be on the list is worth knowing, and not to be is no fault: a fact is absent then, with the list's
//! version and date beside it. GPUs are told by [`super::pci::models`].

use super::catalogue::{Collection, Evidence, Fact};
use super::{Facts, Kind, Needs, Reading, Source, Value};

/// A row of processors.
#[derive(Debug)]
struct Processors {
    name: &'static str,
    vendor: &'static str,
    family: i64,
    first: i64,
    last: i64,
}

include!(concat!(env!("OUT_DIR"), "/platforms.rs"));

fn beside(evidence: Evidence) -> Evidence {
    evidence.with_note(format!("NVIDIA's list {VERSION} of {DATE}"))
}

fn cpu(facts: &Facts) -> Evidence {
    let Some(cpu) = &facts.cpu else { return Evidence::not_gathered() };
    let reading = cpu.vendor.as_ref().and_then(|vendor| {
        cpu.family.as_ref().and_then(|family| {
            cpu.model.as_ref().and_then(|model| match listed(vendor, *family, *model) {
                Some(name) => Reading::Known(Value::Text(name.to_owned())),
                None => Reading::Absent,
            })
        })
    });
    let evidence = Evidence::new(reading, Source::file("/proc/cpuinfo"));
    if evidence.reading.cause().is_some() { evidence } else { beside(evidence) }
}

fn listed(vendor: &str, family: i64, model: i64) -> Option<&'static str> {
    CPUS.iter()
        .find(|row| {
            row.vendor == vendor && row.family == family && (row.first..=row.last).contains(&model)
        })
        .map(|row| row.name)
}

fn os(facts: &Facts) -> Evidence {
    let Some(os) = &facts.os else { return Evidence::not_gathered() };
    let reading = os.release.as_ref().and_then(|release| {
        let (id, version) = (release.id.as_deref(), release.version_id.as_deref());
        match SYSTEMS.iter().find(|(wanted, number)| id == Some(wanted) && version == Some(number))
        {
            Some((id, version)) => Reading::Known(Value::Text(format!("{id} {version}"))),
            None => Reading::Absent,
        }
    });
    let evidence = Evidence::new(reading, Source::file(os.release_path));
    if evidence.reading.cause().is_some() { evidence } else { beside(evidence) }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "platform.cpu",
        kind: Kind::Text,
        doc: "What NVIDIA's list of platforms calls this processor; absent where it is not on the list.",
        needs: Needs::CPU,
        read: cpu,
    },
    Fact {
        name: "platform.os",
        kind: Kind::Text,
        doc: "The operating system as NVIDIA's list of platforms has it; absent where it is not on the list.",
        needs: Needs::OS,
        read: os,
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{facts, tree, value};
    use super::*;

    #[test]
    fn a_processor_is_told_by_its_numbers() {
        for (vendor, family, model, expected) in [
            ("AuthenticAMD", 25, 1, Some("Milan")),
            ("AuthenticAMD", 25, 17, Some("Genoa")),
            ("AuthenticAMD", 25, 0xa0, None),
            ("AuthenticAMD", 26, 2, None),
            ("GenuineIntel", 6, 207, Some("Emerald Rapids")),
            ("GenuineIntel", 6, 173, Some("Granite Rapids")),
            ("GenuineIntel", 6, 143, None),
            ("GenuineIntel", 25, 1, None),
            ("", i64::MIN, i64::MAX, None),
        ] {
            let found = listed(vendor, family, model);
            assert_eq!(found.is_some(), expected.is_some(), "{vendor} {family} {model}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }

    #[test]
    fn what_is_not_listed_is_absent_and_what_is_unread_is_unknown() {
        let host = tree(&[("etc/os-release", "ID=plan9\n")]);
        let facts = facts(host.path(), Needs::CPU.and(Needs::OS));
        assert!(value(&facts, "platform.os").reading.is_absent());
        assert!(value(&facts, "platform.os").note.unwrap().contains("2026"));
        assert!(value(&facts, "platform.cpu").reading.cause().is_some());
    }

    /// The same list stands in two other places, which must not drift from it.
    #[test]
    fn the_models_and_the_rule_about_kernels_are_of_the_same_list() {
        let models = include_str!("pci/models.rs");
        assert!(models.contains(&format!("version {VERSION}.")), "{VERSION}");
        let named: BTreeSet<&str> = (0..=u16::MAX)
            .filter_map(|id| super::super::pci::models::find(id)?.supported)
            .collect();
        assert_eq!(named, GPUS.iter().copied().collect());
        let rules = include_str!("../../rules/system.toml");
        assert!(rules.contains(&format!("fact = \"kernel.release\", at-least = \"{KERNEL}\"")));
        for rules in [rules, include_str!("../../rules/platform.toml")] {
            assert!(rules.contains(SOURCE));
        }
    }
}
