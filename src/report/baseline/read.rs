//! Reads an earlier report, as far as it is compared. Fields that a later program adds are passed over;
//! a word that is not known, or a rule that comes twice, makes the whole file unfit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::BaselineError;
use crate::report::json::{FORMAT, VERSION};
use crate::report::{Status, Verdict};
use crate::rules::{Severity, Stage, Tee, Word};

/// In the place of a TEE that could not be told.
pub(super) const NO_TEE: &str = "unknown";

/// An earlier report.
#[derive(Debug)]
pub struct Baseline {
    pub(super) file: String,
    pub(super) host: String,
    pub(super) stage: String,
    pub(super) tee: String,
    pub(super) verdict: Verdict,
    pub(super) rules: BTreeMap<String, Then>,
}

/// How a rule was judged then.
#[derive(Debug)]
pub(super) struct Then {
    pub(super) status: Status,
    pub(super) severity: Severity,
    pub(super) findings: Vec<ThenFinding>,
}

#[derive(Debug)]
pub(super) struct ThenFinding {
    pub(super) subject: Option<String>,
    pub(super) fact: String,
    pub(super) wanted: Option<String>,
    pub(super) outcome: Status,
    pub(super) members: Vec<String>,
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
struct Body {
    host: Host,
    stage: Valued<String>,
    tee: Valued<Option<String>>,
    verdict: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Host {
    name: String,
}

#[derive(Deserialize)]
struct Valued<T> {
    value: T,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    status: String,
    severity: String,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    subject: Option<String>,
    fact: String,
    outcome: String,
    wanted: Option<String>,
    found: Found,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    members: Vec<String>,
}

impl Baseline {
    /// Understands the JSON text of a report. `file` is how the user named it.
    pub fn parse(file: &str, text: &[u8]) -> Result<Self, BaselineError> {
        let any: serde_json::Value =
            serde_json::from_slice(text).map_err(BaselineError::Malformed)?;
        let head = Head::deserialize(&any).map_err(|_| BaselineError::NotAReport)?;
        if head.format != FORMAT {
            return Err(BaselineError::NotAReport);
        }
        if head.version != u64::from(VERSION) {
            return Err(BaselineError::Version { found: head.version, wanted: VERSION });
        }
        let body = Body::deserialize(&any)
            .map_err(|error| BaselineError::Inconsistent(error.to_string()))?;
        let mut rules = BTreeMap::new();
        for rule in body.rules {
            let then = Then::of(&rule)?;
            if rules.insert(rule.id.clone(), then).is_some() {
                return Err(BaselineError::Inconsistent(format!("{} comes twice", rule.id)));
            }
        }
        let tee = body.tee.value.as_deref().map(word::<Tee>).transpose()?;
        Ok(Self {
            file: file.to_owned(),
            host: body.host.name,
            stage: word::<Stage>(&body.stage.value)?.to_string(),
            tee: tee.map_or(NO_TEE.to_owned(), |tee| tee.to_string()),
            verdict: word(&body.verdict)?,
            rules,
        })
    }
}

impl Then {
    fn of(rule: &Rule) -> Result<Self, BaselineError> {
        let finding = |finding: &Finding| {
            Ok(ThenFinding {
                subject: finding.subject.clone(),
                fact: finding.fact.clone(),
                wanted: finding.wanted.clone(),
                outcome: word(&finding.outcome)?,
                members: finding.found.members.clone(),
            })
        };
        Ok(Self {
            status: word(&rule.status)?,
            severity: word(&rule.severity)?,
            findings: rule.findings.iter().map(finding).collect::<Result<_, _>>()?,
        })
    }
}

fn word<W: Word>(text: &str) -> Result<W, BaselineError> {
    W::from_word(text)
        .ok_or_else(|| BaselineError::Inconsistent(format!("{text:?} is none of its words")))
}
