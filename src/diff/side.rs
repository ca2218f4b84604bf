//! What is known of one host that is compared.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::catalogue::{self, Evidence};
use crate::facts::{Facts, Reading, Value};
use crate::report::{HostOrigin, Report, Status, Verdict};
use crate::rules::{Severity, Stage, Tee};

/// What a side was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideKind {
    Machine,
    Directory,
    Capture,
    Report,
}

/// One of the two. All texts may be hostile.
#[derive(Debug)]
pub struct Side {
    /// As the user named it.
    pub name: String,
    pub kind: SideKind,
    /// What the host calls itself.
    pub host: String,
    pub stage: Stage,
    pub tee: Option<Tee>,
    pub verdict: Verdict,
    /// In the order of the report.
    pub rules: Vec<RuleSeen>,
    pub(super) facts: BTreeMap<Key, Facets>,
    /// Who is in each collection, each member in the first one that has it and its facts; `None` where that
    /// is not known, as in a report.
    pub members: Option<BTreeMap<&'static str, BTreeSet<String>>>,
}

/// How a rule was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSeen {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub severity: Severity,
    /// The rules at the root of what blocks it.
    pub blocked_by: Vec<String>,
}

/// The member that a fact is about, `None` for the host, and its name.
pub(super) type Key = (Option<String>, String);

/// What a fact says in each collection that has a member of the name. A report does not tell the collection.
#[derive(Debug, Default)]
pub(super) struct Facets(pub(super) Vec<(Option<&'static str>, Seen)>);

/// One of the three answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Known(Plain),
    Absent,
    /// Why it could not be told.
    Unreadable(String),
}

/// A value as reports have it: versions and durations are texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Plain {
    Bool(bool),
    Integer(i64),
    Text(String),
    Set(BTreeSet<String>),
}

impl Side {
    /// A host that was judged, with all its facts.
    pub fn of_host(name: &str, report: &Report, facts: &Facts) -> Self {
        let header = &report.header;
        let mut side = Self {
            name: name.to_owned(),
            kind: match header.origin {
                HostOrigin::Live => SideKind::Machine,
                HostOrigin::Directory(_) => SideKind::Directory,
                HostOrigin::Capture(_) => SideKind::Capture,
            },
            host: header.host.clone(),
            stage: header.platform.stage,
            tee: header.platform.tee,
            verdict: report.verdict,
            rules: report
                .results
                .iter()
                .map(|result| RuleSeen {
                    id: result.rule.id.to_string(),
                    title: result.rule.title.clone(),
                    status: result.status,
                    severity: result.rule.severity,
                    blocked_by: result.blocked_by.iter().map(|it| it.id.to_string()).collect(),
                })
                .collect(),
            facts: BTreeMap::new(),
            members: None,
        };
        for fact in catalogue::facts() {
            side.add(None, fact.name, None, Seen::of((fact.read)(facts)));
        }
        side.add_members(facts);
        side
    }

    fn add_members(&mut self, facts: &Facts) {
        let mut members = BTreeMap::new();
        let mut at_home = BTreeSet::new();
        for collection in catalogue::collections() {
            let selection = (collection.select)(facts);
            let mut labels = BTreeSet::new();
            if let Some((cause, _)) = selection.doubt {
                let why = Seen::Unreadable(cause.to_string());
                self.add(None, collection.name, Some(collection.name), why);
            } else {
                let told = Seen::Known(Plain::Text(ALL_TOLD.to_owned()));
                self.add(None, collection.name, Some(collection.name), told);
            }
            for subject in selection.subjects {
                // A GPU is a PCI function, too, of which the same facts are told: it is named as a GPU.
                if !at_home.insert((collection.facts.as_ptr(), subject.label.clone())) {
                    continue;
                }
                for fact in collection.facts {
                    let seen = Seen::of((fact.read)(facts, subject.index));
                    self.add(Some(&subject.label), fact.name, Some(collection.name), seen);
                }
                labels.insert(subject.label);
            }
            members.insert(collection.name, labels);
        }
        self.members = Some(members);
    }

    pub(super) fn add(
        &mut self,
        subject: Option<&str>,
        fact: &str,
        collection: Option<&'static str>,
        seen: Seen,
    ) {
        let key = (subject.map(str::to_owned), fact.to_owned());
        self.facts.entry(key).or_default().0.push((collection, seen));
    }

    /// Whether all facts of the host are known, and not only those that rules looked at.
    pub fn is_whole(&self) -> bool {
        self.members.is_some()
    }

    pub fn rule(&self, id: &str) -> Option<&RuleSeen> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

/// What is said of a collection all of whose members are known.
const ALL_TOLD: &str = "all could be told";

impl Facets {
    /// Whether it is from a report.
    pub(super) fn is_reported(&self) -> bool {
        self.0.iter().any(|(collection, _)| collection.is_none())
    }

    /// What it says, where it says the same in each collection.
    pub(super) fn only(&self) -> Option<&Seen> {
        let ((_, first), others) = self.0.split_first()?;
        others.iter().all(|(_, seen)| seen == first).then_some(first)
    }
}

impl Seen {
    fn of(evidence: Evidence) -> Self {
        match evidence.reading {
            Reading::Known(value) => Self::Known(value.into()),
            Reading::Absent => Self::Absent,
            Reading::Unreadable(cause) => Self::Unreadable(cause.to_string()),
        }
    }
}

impl From<Value> for Plain {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Text(text) => Self::Text(text),
            Value::Version(version) => Self::Text(version.to_string()),
            Value::Duration(duration) => Self::Text(duration.to_string()),
            Value::Set(members) => Self::Set(members),
        }
    }
}
