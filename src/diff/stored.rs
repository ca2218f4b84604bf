//! Reads a report of `check --format json` as a side. The bytes may be anything: what is not understood is
//! refused with the line and the column, and nothing of it is taken for good. Fields of a later program
//! are passed over.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::error::DiffError;
use super::side::{Key, Plain, RuleSeen, Seen, Side, SideKind};
use crate::report::{REPORT_FORMAT, REPORT_VERSION, Status, Verdict};
use crate::rules::{Severity, Stage, Tee, Word};

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: serde_json::Value,
    #[serde(default)]
    version: serde_json::Value,
}

#[derive(Deserialize)]
struct Body {
    host: Host,
    stage: Staged,
    tee: Teed,
    #[serde(deserialize_with = "word")]
    verdict: Verdict,
    #[serde(deserialize_with = "each_once")]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Host {
    name: String,
}

#[derive(Deserialize)]
struct Staged {
    #[serde(deserialize_with = "word")]
    value: Stage,
}

#[derive(Deserialize)]
struct Teed {
    #[serde(deserialize_with = "optional_word")]
    value: Option<Tee>,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    title: String,
    #[serde(deserialize_with = "word")]
    status: Status,
    #[serde(deserialize_with = "word")]
    severity: Severity,
    blocked_by: Vec<String>,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    subject: Option<String>,
    role: String,
    fact: String,
    found: Found,
    assumed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum Found {
    Known {
        value: Plain,
    },
    /// Only some members of a set, which say nothing of the others.
    Missing {},
    Present {},
    Absent,
    Unreadable {
        text: String,
    },
}

/// Understands the JSON text of a report; `name` is how the user named it.
pub fn of_report(name: &str, text: &[u8]) -> Result<Side, DiffError> {
    let wrong = |error: &serde_json::Error| {
        let what = error.to_string();
        // The place is said in front.
        let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
        DiffError::Report {
            name: name.to_owned(),
            line: error.line(),
            column: error.column(),
            what,
        }
    };
    let head: Head = serde_json::from_slice(text).map_err(|error| wrong(&error))?;
    let foreign = |what: String| DiffError::Foreign { name: name.to_owned(), what };
    match head.format.as_str() {
        Some(REPORT_FORMAT) => {}
        Some(other) => return Err(foreign(format!("it is no report but {other:?}"))),
        None => return Err(foreign("it is no report: its `format` is missing".to_owned())),
    }
    if head.version.as_u64() != Some(u64::from(REPORT_VERSION)) {
        let what = format!(
            "it is a report of version {}, and only version {REPORT_VERSION} is understood",
            head.version
        );
        return Err(foreign(what));
    }
    let body: Body = serde_json::from_slice(text).map_err(|error| wrong(&error))?;
    let facts = facts(&body.rules);
    let mut side = Side {
        name: name.to_owned(),
        kind: SideKind::Report,
        host: body.host.name,
        stage: body.stage.value,
        tee: body.tee.value,
        verdict: body.verdict,
        rules: body.rules.into_iter().map(RuleSeen::from).collect(),
        facts: BTreeMap::new(),
        members: None,
    };
    for ((subject, fact), seen) in facts {
        side.add(subject.as_deref(), &fact, None, seen);
    }
    Ok(side)
}

/// What the rules saw. Two of them may have looked at members of the same name in different collections:
/// what they say differently of it is about neither for certain, and is left out.
fn facts(rules: &[Rule]) -> BTreeMap<Key, Seen> {
    let mut facts: BTreeMap<Key, Option<Seen>> = BTreeMap::new();
    let findings = rules.iter().flat_map(|rule| &rule.findings);
    let looked = |finding: &&Finding| {
        matches!(finding.role.as_str(), "expectation" | "condition") && !finding.assumed
    };
    for finding in findings.filter(looked) {
        let seen = match &finding.found {
            Found::Known { value } => Seen::Known(value.clone()),
            Found::Absent => Seen::Absent,
            Found::Unreadable { text } => Seen::Unreadable(text.clone()),
            Found::Missing {} | Found::Present {} => continue,
        };
        let key = (finding.subject.clone(), finding.fact.clone());
        facts
            .entry(key)
            .and_modify(|known| {
                if known.as_ref() != Some(&seen) {
                    *known = None;
                }
            })
            .or_insert(Some(seen));
    }
    facts.into_iter().filter_map(|(key, seen)| Some((key, seen?))).collect()
}

impl From<Rule> for RuleSeen {
    fn from(rule: Rule) -> Self {
        let Rule { id, title, status, severity, blocked_by, findings: _ } = rule;
        Self { id, title, status, severity, blocked_by }
    }
}

fn word<'de, W: Word, D: Deserializer<'de>>(from: D) -> Result<W, D::Error> {
    let text = String::deserialize(from)?;
    W::from_word(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is none of its words")))
}

fn optional_word<'de, W: Word, D: Deserializer<'de>>(from: D) -> Result<Option<W>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let known = |text: String| {
        W::from_word(&text)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is none of its words")))
    };
    text.map(known).transpose()
}

fn each_once<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Rule>, D::Error> {
    let rules = Vec::<Rule>::deserialize(from)?;
    let mut ids = BTreeSet::new();
    match rules.iter().find(|rule| !ids.insert(&rule.id)) {
        Some(twice) => Err(D::Error::custom(format!("the rule {:?} comes twice", twice.id))),
        None => Ok(rules),
    }
}
