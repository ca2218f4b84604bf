//! All facts of a host as JSON, version 1: for bug reports, scripts, and the comparison of hosts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::harmless::Harmless;
use crate::facts::catalogue::{self, Evidence};
use crate::facts::{Facts, Reading, Value};

#[derive(Serialize)]
struct Document {
    format: &'static str,
    version: u32,
    facts: BTreeMap<&'static str, Entry>,
    collections: BTreeMap<&'static str, Members>,
}

/// One fact. Exactly one of `value`, `absent` and `unreadable` is there.
#[derive(Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    absent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    assumed: bool,
}

#[derive(Serialize)]
struct Members {
    /// Why there may be more members than are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    subject: String,
    facts: BTreeMap<&'static str, Entry>,
}

/// Integers, booleans and sets keep their form; the rest is text as a rule would write it.
enum Json {
    Bool(bool),
    Integer(i64),
    Text(String),
    Set(Vec<String>),
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Integer(value) => to.serialize_i64(*value),
            Self::Text(value) => to.serialize_str(value),
            Self::Set(members) => members.serialize(to),
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Set(members) => Self::Set(members.into_iter().collect()),
            Value::Text(value) => Self::Text(value),
            other @ (Value::Version(_) | Value::Duration(_)) => Self::Text(other.to_string()),
        }
    }
}

impl Entry {
    fn of(evidence: Evidence, assumed: Option<&Value>) -> Self {
        let (mut value, mut absent, mut unreadable) = (None, false, None);
        match evidence.reading {
            Reading::Known(known) => value = Some(known.into()),
            Reading::Absent => absent = true,
            Reading::Unreadable(cause) => unreadable = Some(cause.to_string()),
        }
        let counts = unreadable.is_some() && assumed.is_some();
        if counts {
            value = assumed.cloned().map(Json::from);
        }
        Self {
            value,
            absent,
            unreadable: unreadable.filter(|_| !counts),
            source: evidence.source.map(|source| source.to_string()),
            note: evidence.note,
            assumed: counts,
        }
    }
}

/// Writes the facts and collections whose names are wanted. As in the report, nothing in it is obeyed by a
/// terminal.
pub fn render(facts: &Facts, wanted: impl Fn(&str) -> bool, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        format: "ccgpu-node-facts",
        version: 1,
        facts: catalogue::facts()
            .filter(|fact| wanted(fact.name))
            .map(|fact| (fact.name, Entry::of((fact.read)(facts), facts.assumed.get(fact.name))))
            .collect(),
        collections: catalogue::collections()
            .filter(|collection| wanted(collection.name))
            .map(|collection| (collection.name, members(facts, collection)))
            .collect(),
    };
    let mut json = serde_json::Serializer::with_formatter(&mut *out, Harmless::default());
    document.serialize(&mut json)?;
    writeln!(out)
}

fn members(facts: &Facts, collection: &catalogue::Collection) -> Members {
    let selection = (collection.select)(facts);
    Members {
        doubt: selection.doubt.map(|(cause, source)| format!("{source}: {cause}")),
        members: selection
            .subjects
            .into_iter()
            .map(|subject| Member {
                facts: collection
                    .facts
                    .iter()
                    .map(|fact| (fact.name, Entry::of((fact.read)(facts, subject.index), None)))
                    .collect(),
                subject: subject.label,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Assumptions, Needs, gather};
    use crate::host::{Archive, Root, Run};

    #[test]
    fn a_terminal_obeys_nothing_of_a_host() {
        let host = "ccgpu-host 1\n-- file /proc/sys/kernel/osrelease\n6.1\u{202e}\u{9b}31m\u{7f}\n";
        let root = Root::archive(Archive::parse(host.as_bytes()).unwrap());
        let facts = gather(&root, &Run::on(&root), Needs::OS, Assumptions::default());
        let mut out = Vec::new();
        render(&facts, |name| name == "kernel.release", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r"6.1\u202e\u009b31m\u007f"), "{text}");
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let value = &document["facts"]["kernel.release"]["value"];
        assert_eq!(value.as_str(), Some("6.1\u{202e}\u{9b}31m\u{7f}"));
    }
}
