//! The facts that a rule set may name, found by name.

use std::collections::BTreeMap;

use crate::facts::catalogue::{self, Collection, Evidence, Fact, ItemFact};
use crate::facts::{Facts, Kind, Needs};

/// A fact that a rule names: of the host as a whole, or of each member of a collection.
#[derive(Debug, Clone, Copy)]
pub enum Handle {
    Host(&'static Fact),
    Item(&'static ItemFact),
}

impl Handle {
    pub fn name(self) -> &'static str {
        match self {
            Self::Host(fact) => fact.name,
            Self::Item(fact) => fact.name,
        }
    }

    pub fn kind(self) -> Kind {
        match self {
            Self::Host(fact) => fact.kind,
            Self::Item(fact) => fact.kind,
        }
    }

    pub fn needs(self) -> Needs {
        match self {
            Self::Host(fact) => fact.needs,
            Self::Item(fact) => fact.needs,
        }
    }

    pub fn is_of_host(self) -> bool {
        matches!(self, Self::Host(_))
    }

    /// The evidence on a host, or on one member; `None` for a member's fact asked of the host.
    pub(super) fn read(self, facts: &Facts, subject: Option<usize>) -> Option<Evidence> {
        match self {
            Self::Host(fact) => Some((fact.read)(facts)),
            Self::Item(fact) => subject.map(|index| (fact.read)(facts, index)),
        }
    }
}

/// Facts and collections by name.
#[derive(Debug, Default)]
pub struct Catalogue {
    facts: BTreeMap<&'static str, &'static Fact>,
    collections: BTreeMap<&'static str, &'static Collection>,
}

impl Catalogue {
    /// All that this program can tell.
    pub fn built_in() -> Self {
        Self::of(catalogue::facts(), catalogue::collections())
    }

    pub fn of(
        facts: impl IntoIterator<Item = &'static Fact>,
        collections: impl IntoIterator<Item = &'static Collection>,
    ) -> Self {
        Self {
            facts: facts.into_iter().map(|fact| (fact.name, fact)).collect(),
            collections: collections.into_iter().map(|each| (each.name, each)).collect(),
        }
    }

    pub fn fact(&self, name: &str) -> Option<&'static Fact> {
        self.facts.get(name).copied()
    }

    pub fn collection(&self, name: &str) -> Option<&'static Collection> {
        self.collections.get(name).copied()
    }

    /// By name.
    pub fn facts(&self) -> impl Iterator<Item = &'static Fact> {
        self.facts.values().copied()
    }

    /// By name.
    pub fn collections(&self) -> impl Iterator<Item = &'static Collection> {
        self.collections.values().copied()
    }
}
