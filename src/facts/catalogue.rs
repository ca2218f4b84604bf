//! Every fact that a rule may name: its name, its kind, a sentence, and how to read it from [`Facts`].
//!
//! Each source's module lists its own facts; this module only joins the lists and answers questions
//! about them.

use super::{Facts, Kind, Needs, Reading, Source, Value};

/// A reading together with where it came from and what explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub reading: Reading<Value>,
    /// Where the value stands, or where one looked for it.
    pub source: Option<Source>,
    /// What makes the value plain: the offending members of a group, the flag that beat a file.
    pub note: Option<String>,
}

impl Evidence {
    /// A text that is malformed names the line itself, so the source need not.
    pub fn new(reading: Reading<Value>, mut source: Source) -> Self {
        source.line = source.line.or_else(|| reading.cause().and_then(super::Cause::line));
        Self { reading, source: Some(source), note: None }
    }

    /// What a fact says whose source no rule asked for.
    pub fn not_gathered() -> Self {
        Self { reading: Reading::Unreadable(super::Cause::NotGathered), source: None, note: None }
    }

    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// One fact about the host as a whole.
#[derive(Debug)]
pub struct Fact {
    /// `source.thing`, kebab-case.
    pub name: &'static str,
    pub kind: Kind,
    /// One sentence: what it says, and its unit where it has one.
    pub doc: &'static str,
    pub needs: Needs,
    pub read: fn(&Facts) -> Evidence,
}

/// One fact about each member of a collection.
#[derive(Debug)]
pub struct ItemFact {
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub needs: Needs,
    /// The index is that of [`Subject`].
    pub read: fn(&Facts, usize) -> Evidence,
}

impl ItemFact {
    pub const fn new(
        name: &'static str,
        kind: Kind,
        needs: Needs,
        doc: &'static str,
        read: fn(&Facts, usize) -> Evidence,
    ) -> Self {
        Self { name, kind, doc, needs, read }
    }
}

/// Things of one sort on the host, for `for-each`.
#[derive(Debug)]
pub struct Collection {
    /// `source.things`, kebab-case.
    pub name: &'static str,
    /// One of them, for messages: "GPU".
    pub item: &'static str,
    pub doc: &'static str,
    pub needs: Needs,
    pub select: fn(&Facts) -> Selection,
    pub facts: &'static [ItemFact],
}

/// One member of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub index: usize,
    /// What a person calls it: `0000:18:00.0`.
    pub label: String,
}

/// The members of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub subjects: Vec<Subject>,
    /// Why there may be members that are not listed; a rule over such a selection cannot pass.
    pub doubt: Option<(super::Cause, Source)>,
}

const FACTS: &[&[Fact]] = &[
    super::cpu::FACTS,
    super::os::FACTS,
    super::iommu::FACTS,
    super::pci::FACTS,
    super::gpu_mode::FACTS,
    super::vfio::FACTS,
    super::modules::FACTS,
    super::cmdline::FACTS,
    super::boot_config::FACTS,
    super::drivers::FACTS,
    super::expected::FACTS,
    super::platforms::FACTS,
    super::co_owners::FACTS,
    super::kubelet::FACTS,
    super::kata::FACTS,
    super::container_runtime::FACTS,
    super::operator::FACTS,
    super::cc_mode::FACTS,
    super::pod_resources::FACTS,
    super::cluster::FACTS,
    super::tee::FACTS,
    super::msr::FACTS,
    super::kvm::FACTS,
    super::memory::FACTS,
    super::firmware::FACTS,
    super::kernel::FACTS,
    super::cgroup::FACTS,
];

const COLLECTIONS: &[&[Collection]] = &[
    super::cpu::COLLECTIONS,
    super::os::COLLECTIONS,
    super::iommu::COLLECTIONS,
    super::pci::COLLECTIONS,
    super::vfio::COLLECTIONS,
    super::modules::COLLECTIONS,
    super::cmdline::COLLECTIONS,
    super::boot_config::COLLECTIONS,
    super::drivers::COLLECTIONS,
    super::expected::COLLECTIONS,
    super::platforms::COLLECTIONS,
    super::co_owners::COLLECTIONS,
    super::kubelet::COLLECTIONS,
    super::kata::COLLECTIONS,
    super::container_runtime::COLLECTIONS,
    super::operator::COLLECTIONS,
    super::cc_mode::COLLECTIONS,
    super::pod_resources::COLLECTIONS,
    super::cluster::COLLECTIONS,
    super::tee::COLLECTIONS,
    super::kvm::COLLECTIONS,
    super::memory::COLLECTIONS,
    super::firmware::COLLECTIONS,
    super::kernel::COLLECTIONS,
    super::cgroup::COLLECTIONS,
];

/// All facts about the host as a whole.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    FACTS.iter().copied().flatten()
}

/// All collections.
pub fn collections() -> impl Iterator<Item = &'static Collection> {
    COLLECTIONS.iter().copied().flatten()
}

pub fn fact(name: &str) -> Option<&'static Fact> {
    facts().find(|fact| fact.name == name)
}

pub fn collection(name: &str) -> Option<&'static Collection> {
    collections().find(|collection| collection.name == name)
}
