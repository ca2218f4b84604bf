//! A small host for the tests of rules and reports: facts whose readings are fixed.

use std::collections::BTreeSet;

use super::catalogue::Catalogue;
use super::choose::{Filter, Platform};
use super::engine::judge;
use super::set::{RuleFile, RuleSet};
use super::words::{Stage, Tee};
use crate::facts::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::report::{Header, HostOrigin, Report, RuleResult, Scope};

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::of(FACTS, COLLECTIONS)
}

pub(crate) const SNP: Platform = Platform { stage: Stage::Host, tee: Some(Tee::Snp) };

pub(crate) fn rules(text: &str) -> RuleSet {
    let text = &format!("schema = 1\n{text}");
    match RuleSet::of(&catalogue(), &[RuleFile { name: "test.toml", text }]) {
        Ok(rules) => rules,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn judged(text: &str) -> Vec<RuleResult> {
    let chosen = rules(text).choose(&Filter::default(), SNP).unwrap();
    judge(&chosen, &Facts::default())
}

pub(crate) fn report(results: Vec<RuleResult>) -> Report {
    let header = Header {
        host: "gpu-node-07".to_owned(),
        os: Some("Ubuntu 24.04.3 LTS".to_owned()),
        kernel: Some("6.8.0-60-generic".to_owned()),
        cpu: Some("AMD EPYC 9654 96-Core Processor".to_owned()),
        virtualization: Some("bare metal".to_owned()),
        gpus: Some("8 x NVIDIA H100 SXM5 80GB".to_owned()),
        platform: SNP,
        stage_why: "Kata Containers is not installed".to_owned(),
        tee_why: "the CPU has SEV-SNP".to_owned(),
        assumed: Vec::new(),
        origin: HostOrigin::Live,
    };
    Report::new(header, Scope::default(), results)
}

/// The text of a rule, with what is left out filled in.
pub(crate) fn rule(id: &str, rest: &str) -> String {
    let severity = if rest.contains("severity =") { "" } else { "severity = \"required\"" };
    format!(
        "[[rule]]\nid = \"{id}\"\ntitle = \"{id} is wrong\"\nwhy = \"because\"\n{severity}\n{rest}\n"
    )
}

fn known(value: Value) -> Evidence {
    Evidence::new(Reading::Known(value), Source::file("/sys/known"))
}

fn absent() -> Evidence {
    Evidence::new(Reading::Absent, Source::file("/sys/absent"))
}

fn unreadable() -> Evidence {
    Evidence::new(Reading::Unreadable(Cause::Permission), Source::line("/etc/secret", 3))
}

fn set(members: &[&str]) -> Evidence {
    known(Value::Set(members.iter().map(|each| (*each).to_owned()).collect::<BTreeSet<_>>()))
}

fn parsed(text: &str, kind: Kind) -> Evidence {
    known(Value::parse(text, kind).unwrap())
}

macro_rules! fact {
    ($name:literal, $kind:ident, $read:expr) => {
        Fact { name: $name, kind: Kind::$kind, doc: "A fact.", needs: Needs::CPU, read: $read }
    };
}

static FACTS: &[Fact] = &[
    fact!("bool.true", Bool, |_| known(Value::Bool(true))),
    fact!("bool.false", Bool, |_| known(Value::Bool(false))),
    fact!("bool.absent", Bool, |_| absent()),
    fact!("bool.unreadable", Bool, |_| unreadable()),
    fact!("integer.five", Integer, |_| known(Value::Integer(5))),
    fact!("text.word", Text, |_| parsed("word", Kind::Text)),
    fact!("text.empty", Text, |_| known(Value::Text(String::new()))),
    fact!("text.hostile", Text, |_| parsed("a\x1b[31m\nb\u{202e}c", Kind::Text)),
    fact!("version.new", Version, |_| parsed("1.34", Kind::Version)),
    fact!("duration.short", Duration, |_| parsed("2m", Kind::Duration)),
    fact!("set.modules", Set, |_| set(&["ext4", "nvidia", "nvidia_drm"])),
    fact!("set.empty", Set, |_| set(&[])),
    // A reading of another kind than was promised, which must never be taken for good.
    fact!("integer.lies", Integer, |_| known(Value::Bool(true))),
    fact!("cpu.vendor", Text, |_| parsed("amd", Kind::Text)),
    Fact {
        name: "kubelet.timeout",
        kind: Kind::Duration,
        doc: "How long the kubelet waits.",
        needs: Needs::KUBELET,
        read: |_| unreadable(),
    },
];

fn gpus(count: usize) -> Vec<Subject> {
    (0..count)
        .map(|index| Subject { index, label: format!("0000:{:02x}:00.0", 0x18 + 0x12 * index) })
        .collect()
}

fn driver(_: &Facts, index: usize) -> Evidence {
    let source = Source::file(format!("/sys/bus/pci/devices/{index}/driver"));
    let reading = match index {
        0..2 => Reading::Known(Value::Text("vfio-pci".to_owned())),
        2..9 => Reading::Known(Value::Text("nvidia".to_owned())),
        _ => Reading::Absent,
    };
    Evidence::new(reading, source)
}

static GPU_FACTS: &[ItemFact] = &[
    ItemFact {
        name: "driver",
        kind: Kind::Text,
        doc: "Its driver.",
        needs: Needs::PCI,
        read: driver,
    },
    ItemFact {
        name: "group",
        kind: Kind::Integer,
        doc: "Its group; the third cannot be read.",
        needs: Needs::IOMMU,
        read: |_, index| match index {
            2 => unreadable(),
            _ => known(Value::Integer(i64::try_from(index).unwrap_or_default())),
        },
    },
];

const DOUBT: Option<(Cause, Source)> = None;

macro_rules! collection {
    ($name:literal, $count:literal, $doubt:expr) => {
        Collection {
            name: $name,
            item: "GPU",
            doc: "The GPUs.",
            needs: Needs::PCI,
            select: |_| Selection { subjects: gpus($count), doubt: $doubt },
            facts: GPU_FACTS,
        }
    };
}

static COLLECTIONS: &[Collection] = &[
    collection!("gpus.none", 0, DOUBT),
    collection!("gpus.two", 2, DOUBT),
    collection!("gpus.three", 3, DOUBT),
    collection!("gpus.ten", 10, DOUBT),
    collection!("gpus.hidden", 0, Some((Cause::Permission, Source::file("/sys/bus/pci/devices")))),
    collection!(
        "gpus.partly-hidden",
        2,
        Some((Cause::Permission, Source::file("/sys/bus/pci/devices")))
    ),
];
