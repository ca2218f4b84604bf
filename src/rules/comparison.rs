//! Reads one comparison of a rule file, and checks it against the kind of the fact it names: a text
//! cannot be ordered, `20m` is no duration if the fact is a count, and a misspelt name is an error.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, Handle};
use super::document::{Entry, Item, Node, Position};
use super::fields::{Fields, array, text};
use super::load::Patterns;
use super::problem::Problems;
use super::test::{AbsentIs, Operator, Pattern, Test};
use super::words::Word;
use crate::facts::catalogue::Collection;
use crate::facts::{Kind, Value};

pub(super) const TEST_KEYS: [&str; 9] = [
    "fact",
    "equals",
    "one-of",
    "at-least",
    "below",
    "contains-all",
    "contains-none",
    "matches",
    "absent-is",
];

/// Which facts a comparison may name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facet {
    Host,
    Member(&'static Collection),
    /// Of a member, or of the host that it is on.
    MemberOrHost(&'static Collection),
    /// The collection is misspelt: which facts its members have cannot be told.
    Unknown,
}

impl Facet {
    pub(super) fn or_host(self) -> Self {
        match self {
            Self::Member(collection) => Self::MemberOrHost(collection),
            other => other,
        }
    }
}

/// What a comparison is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Chooses what is judged: `applies`, `where`, `when`.
    Condition,
    /// Is judged.
    Expectation,
}

pub(super) struct Reader<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) patterns: Patterns,
    pub(super) problems: &'a Problems,
    pub(super) facet: Facet,
    pub(super) role: Use,
}

impl Reader<'_> {
    pub(super) fn test(&self, item: &Item) -> Option<Test> {
        let fields = Fields::open(item, "a comparison", &TEST_KEYS, self.problems)?;
        let absent = self.absent(&fields);
        let fact = fields.required_text("fact").and_then(|(name, at)| self.fact(name, at));
        let operators = fields.present(&Operator::KEYS);
        let [(key, entry)] = operators.as_slice() else {
            let keys: Vec<&str> = operators.iter().map(|(key, _)| *key).collect();
            if keys.is_empty() {
                let all = Operator::KEYS.join(", ");
                fields.missing_any(&Operator::KEYS, &format!("a comparison needs one of {all}"));
            } else {
                let message = format!("a comparison has one operator, not {}", keys.join(" and "));
                self.problems.add(fields.at, message);
            }
            return None;
        };
        let fact = fact?;
        let operator = self.operator(key, entry, fact)?;
        Some(Test { fact, operator, absent })
    }

    fn absent(&self, fields: &Fields<'_>) -> AbsentIs {
        let absent = fields.word("absent-is").unwrap_or(AbsentIs::Fail);
        if absent == AbsentIs::NotApplicable && self.role == Use::Condition {
            let message = "in a condition, `absent-is` is pass (it holds) or fail (it does not)";
            self.problems.add(fields.at, message);
        }
        absent
    }

    fn fact(&self, name: &str, at: Position) -> Option<Handle> {
        let member = |collection: &'static Collection| {
            collection.facts.iter().find(|fact| fact.name == name).map(Handle::Item)
        };
        let host = || self.catalogue.fact(name).map(Handle::Host);
        let found = match self.facet {
            Facet::Host => host(),
            Facet::Member(collection) => member(collection),
            Facet::MemberOrHost(collection) => member(collection).or_else(host),
            Facet::Unknown => return None,
        };
        if found.is_none() {
            self.unknown_fact(name, at);
        }
        found
    }

    fn unknown_fact(&self, name: &str, at: Position) {
        let of_host = self.catalogue.facts().map(|fact| fact.name);
        match self.facet {
            Facet::Member(collection) if self.catalogue.fact(name).is_some() => {
                let message = format!(
                    "`{name}` is about the host, not about each {}: name it in `applies`, in a \
                     case's `when`, or in a rule of its own",
                    collection.item
                );
                self.problems.add(at, message);
            }
            Facet::Member(collection) => {
                let what = format!("fact of a member of {}", collection.name);
                let valid = collection.facts.iter().map(|fact| fact.name);
                self.problems.unknown(at, &what, name, valid);
            }
            Facet::MemberOrHost(collection) => {
                let valid = collection.facts.iter().map(|fact| fact.name).chain(of_host);
                self.problems.unknown(at, "fact", name, valid);
            }
            Facet::Host | Facet::Unknown => self.problems.unknown(at, "fact", name, of_host),
        }
    }

    fn operator(&self, key: &str, entry: &Entry, fact: Handle) -> Option<Operator> {
        let kind = fact.kind();
        if Operator::takes(key, kind) != Some(true) {
            let valid =
                Operator::KEYS.into_iter().filter(|key| Operator::takes(key, kind) == Some(true));
            let message = format!(
                "`{key}` cannot judge `{}`, a {}; it takes {}",
                fact.name(),
                kind.name(),
                valid.collect::<Vec<_>>().join(", ")
            );
            self.problems.add(entry.at, message);
            return None;
        }
        let item = &entry.value;
        match key {
            "equals" => self.value(item, fact).map(Operator::Equals),
            "at-least" => self.value(item, fact).map(Operator::AtLeast),
            "below" => self.value(item, fact).map(Operator::Below),
            "one-of" => {
                let values = array(item, key, self.problems);
                let values: Option<Vec<Value>> =
                    values.iter().map(|item| self.value(item, fact)).collect();
                values.filter(|values| !values.is_empty()).map(Operator::OneOf)
            }
            "contains-all" => self.members(key, item).map(Operator::ContainsAll),
            "contains-none" => self.members(key, item).map(Operator::ContainsNone),
            "matches" => self.pattern(item).map(Operator::Matches),
            _ => None,
        }
    }

    fn value(&self, item: &Item, fact: Handle) -> Option<Value> {
        let value = match (&item.node, fact.kind()) {
            (Node::Bool(value), Kind::Bool) => Some(Value::Bool(*value)),
            (Node::Integer(value), Kind::Integer) => Some(Value::Integer(*value)),
            (Node::Text(text), Kind::Text) => Some(Value::Text(text.to_string())),
            (Node::Text(text), kind @ (Kind::Version | Kind::Duration)) => {
                Value::parse(text, kind).ok()
            }
            // The one array that may be empty: a set that equals `[]` holds nothing.
            (Node::Array(items), Kind::Set) => {
                let members: Option<BTreeSet<String>> = items
                    .iter()
                    .map(|item| text(item, "equals", self.problems).map(str::to_owned))
                    .collect();
                return members.map(Value::Set);
            }
            _ => None,
        };
        if value.is_none() {
            let message = format!(
                "`{}` is {}, not {}",
                fact.name(),
                written(fact.kind()),
                quoted(&item.node)
            );
            self.problems.add(item.at, message);
        }
        value
    }

    fn members(&self, key: &str, item: &Item) -> Option<BTreeSet<String>> {
        let items = array(item, key, self.problems);
        let members: Option<BTreeSet<String>> =
            items.iter().map(|item| text(item, key, self.problems).map(str::to_owned)).collect();
        members.filter(|members| !members.is_empty())
    }

    fn pattern(&self, item: &Item) -> Option<Pattern> {
        let pattern = text(item, "matches", self.problems)?;
        match self.patterns {
            Patterns::Trusted => Some(Pattern::trusted(pattern)),
            Patterns::Checked => match Pattern::checked(pattern) {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    // The last line says what is wrong; those before it draw an arrow.
                    let error = error.to_string();
                    let reason = error.lines().last().unwrap_or_default();
                    let reason = reason.trim_start_matches("error: ");
                    self.problems.add(item.at, format!("not a regular expression: {reason}"));
                    None
                }
            },
        }
    }
}

impl Word for AbsentIs {
    const ALL: &'static [Self] = &[Self::Pass, Self::Fail, Self::NotApplicable];

    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotApplicable => "not-applicable",
        }
    }
}

/// How a value of a kind is written in a rule file.
fn written(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false",
        Kind::Integer => "an integer",
        Kind::Text => "a text",
        Kind::Version => "a version, written like \"1.34\"",
        Kind::Duration => "a duration, written like \"20m\"",
        Kind::Set => "a set, written as an array of texts",
    }
}

fn quoted(node: &Node) -> String {
    match node {
        Node::Text(text) => format!("{text:?}"),
        Node::Integer(value) => format!("the integer {value}"),
        Node::Bool(value) => format!("{value}"),
        other => other.kind().to_owned(),
    }
}
