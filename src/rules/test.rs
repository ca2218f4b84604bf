//! One comparison of a fact with what a rule wants: the seven operators, and what they say of a value.
//!
//! A test never converts: what it compares with was checked against the fact's kind at load.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder, bytes};

use super::catalogue::Handle;
use crate::facts::{Kind, Value};

/// A fact, what is wanted of it, and what it means when the thing does not exist.
#[derive(Debug)]
pub struct Test {
    pub fact: Handle,
    pub operator: Operator,
    pub absent: AbsentIs,
}

/// How a thing that certainly does not exist counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentIs {
    Pass,
    Fail,
    NotApplicable,
}

/// What is wanted of a value. The values compared with are of the fact's kind.
#[derive(Debug)]
pub enum Operator {
    Equals(Value),
    OneOf(Vec<Value>),
    AtLeast(Value),
    Below(Value),
    ContainsAll(BTreeSet<String>),
    ContainsNone(BTreeSet<String>),
    Matches(Pattern),
}

impl Operator {
    /// The keys of the rule file, in the order in which they are documented.
    pub const KEYS: [&'static str; 7] =
        ["equals", "one-of", "at-least", "below", "contains-all", "contains-none", "matches"];

    /// Whether a key of the rule file makes sense for a kind of fact; `None` if it is no operator.
    pub fn takes(key: &str, kind: Kind) -> Option<bool> {
        match key {
            "equals" => Some(true),
            "one-of" => Some(!matches!(kind, Kind::Bool | Kind::Set)),
            "at-least" | "below" => Some(kind.is_ordered()),
            "contains-all" | "contains-none" => Some(kind == Kind::Set),
            "matches" => Some(kind == Kind::Text),
            _ => None,
        }
    }

    /// Whether a value is as wanted; `None` where the two cannot be compared.
    pub fn holds(&self, value: &Value) -> Option<bool> {
        match self {
            Self::Equals(wanted) => same(value, wanted),
            Self::OneOf(wanted) => wanted
                .iter()
                .map(|each| same(value, each))
                .try_fold(false, |found, same| same.map(|same| found || same)),
            Self::AtLeast(bound) => order(value, bound).map(Ordering::is_ge),
            Self::Below(bound) => order(value, bound).map(Ordering::is_lt),
            Self::ContainsAll(wanted) => members(value).map(|members| wanted.is_subset(members)),
            Self::ContainsNone(bad) => members(value).map(|members| bad.is_disjoint(members)),
            Self::Matches(pattern) => match value {
                Value::Text(text) => pattern.matches(text),
                _ => None,
            },
        }
    }

    /// The members that make a set fail, where it is members that do: those missing, or those found.
    pub fn offending<'a>(&'a self, value: &'a Value) -> Option<Offending> {
        let members = members(value)?;
        match self {
            Self::ContainsAll(wanted) => {
                Some(Offending::Missing(wanted.difference(members).cloned().collect()))
            }
            Self::ContainsNone(bad) => {
                Some(Offending::Present(bad.intersection(members).cloned().collect()))
            }
            _ => None,
        }
    }
}

/// What is wrong with a set, by its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offending {
    Missing(Vec<String>),
    Present(Vec<String>),
}

fn same(value: &Value, wanted: &Value) -> Option<bool> {
    // Versions and durations have more than one spelling: their order decides, not their text.
    match order(value, wanted) {
        Some(order) => Some(order.is_eq()),
        None => (value.kind() == wanted.kind()).then(|| value == wanted),
    }
}

fn order(value: &Value, bound: &Value) -> Option<Ordering> {
    match (value, bound) {
        (Value::Integer(value), Value::Integer(bound)) => Some(value.cmp(bound)),
        (Value::Version(value), Value::Version(bound)) => Some(value.cmp(bound)),
        (Value::Duration(value), Value::Duration(bound)) => Some(value.cmp(bound)),
        _ => None,
    }
}

fn members(value: &Value) -> Option<&BTreeSet<String>> {
    match value {
        Value::Set(members) => Some(members),
        _ => None,
    }
}

/// What is wanted, as the end of a sentence: `vfio-pci`, `at least 20m0s`, `none of nvidia, nouveau`.
impl fmt::Display for Operator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(wanted) => write!(out, "{}", Spoken(wanted)),
            Self::OneOf(wanted) => {
                let all: Vec<String> = wanted.iter().map(|each| Spoken(each).to_string()).collect();
                let one_of = if all.len() > 1 { "one of " } else { "" };
                write!(out, "{one_of}{}", all.join(", "))
            }
            Self::AtLeast(bound) => write!(out, "at least {bound}"),
            Self::Below(bound) => write!(out, "below {bound}"),
            Self::ContainsAll(wanted) => match wanted.len() {
                1 => write!(out, "one that holds {}", joined(wanted)),
                _ => write!(out, "all of {}", joined(wanted)),
            },
            Self::ContainsNone(bad) => match bad.len() {
                1 => write!(out, "one without {}", joined(bad)),
                _ => write!(out, "none of {}", joined(bad)),
            },
            Self::Matches(pattern) => write!(out, "text that matches {}", pattern.text()),
        }
    }
}

fn joined(members: &BTreeSet<String>) -> String {
    members.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A value for a sentence: an empty text would otherwise be invisible.
#[derive(Debug, Clone, Copy)]
pub struct Spoken<'a>(pub &'a Value);

impl fmt::Display for Spoken<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) if text.is_empty() => out.write_str("an empty text"),
            value => write!(out, "{value}"),
        }
    }
}

/// A regular expression that a whole text must match, compiled when first used.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
    /// The same without Unicode, where it can be: of an ASCII text it says the same, and a `.` that means
    /// one byte rather than one of all characters takes a tenth of the time and memory to compile.
    ascii: OnceLock<Option<bytes::Regex>>,
}

/// Bounds what a pattern may cost; a megabyte is far more than a reasonable pattern needs.
const PATTERN_LIMIT: usize = 1 << 20;

impl Pattern {
    /// Takes a pattern on trust: a wrong one can be judged by nobody, and shows as unknown.
    pub(super) fn trusted(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new(), ascii: OnceLock::new() }
    }

    /// Compiles a pattern now.
    pub(super) fn checked(text: &str) -> Result<Self, regex::Error> {
        // On its own first: the parentheses of the whole could complete a broken pattern.
        RegexBuilder::new(text).size_limit(PATTERN_LIMIT).build()?;
        let whole = Self::whole(text)?;
        let compiled = OnceLock::from(Some(whole));
        Ok(Self { text: text.to_owned(), compiled, ascii: OnceLock::new() })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    fn whole(text: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&anchored(text)).size_limit(PATTERN_LIMIT).build()
    }

    /// `None` for a pattern that may name a character outside ASCII, by itself or by an escape: such a one
    /// can stand for an ASCII letter in another case.
    fn without_unicode(text: &str) -> Option<bytes::Regex> {
        if !text.is_ascii() || text.contains('\\') {
            return None;
        }
        bytes::RegexBuilder::new(&anchored(text))
            .unicode(false)
            .size_limit(PATTERN_LIMIT)
            .build()
            .ok()
    }

    fn matches(&self, text: &str) -> Option<bool> {
        if text.is_ascii()
            && let Some(regex) = self.ascii.get_or_init(|| Self::without_unicode(&self.text))
        {
            return Some(regex.is_match(text.as_bytes()));
        }
        let compiled = self.compiled.get_or_init(|| Self::whole(&self.text).ok());
        compiled.as_ref().map(|regex| regex.is_match(text))
    }
}

fn anchored(text: &str) -> String {
    format!(r"\A(?:{text})\z")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_says_of_ascii_what_it_says_with_unicode() {
        for pattern in [
            ".+",
            ".*vfio[-_]pci",
            r"\w+",
            r"\W",
            r"\d\D",
            r"\s?\S*",
            r"\bk\b",
            "(?i)[^k]s",
            "(?i)k.",
            r"(?i)\x{17F}",
            "(?i)\u{17f}",
            r"\p{Lu}+",
            "[[:alpha:]]+",
            "[^a]{2}",
            "(?s).",
            "(?u)\\w+",
        ] {
            let whole = Pattern::whole(pattern).unwrap();
            for length in 0..3_usize {
                for one in 0..=127_u8 {
                    let text: String =
                        [one, b'k', b's'].iter().take(length).copied().map(char::from).collect();
                    let said = Pattern::trusted(pattern).matches(&text);
                    assert_eq!(said, Some(whole.is_match(&text)), "{pattern:?} {text:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_pattern_says_of_any_text_what_it_says_with_unicode(
            pattern in "(\\(\\?[iusx]\\))?([.a-kKsS^$*+?|-]|\\[\\^?[a-z]\\]|\\\\[wWdDsSbB]|\u{17f}|\u{212a}){0,6}",
            text in "[a-kKsS \n\u{17f}\u{212a}\u{e9}]{0,5}",
        ) {
            if let Ok(whole) = Pattern::whole(&pattern) {
                prop_assert_eq!(Pattern::trusted(&pattern).matches(&text), Some(whole.is_match(&text)));
            }
        }
    }
}
