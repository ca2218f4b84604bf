//! Reads the report that a daemon wrote, as far as others act on it. The bytes may be anything. Fields of
//! a later program are passed over; a word that is not known makes the whole report unfit, and so does a
//! verdict that its own rules contradict: what is not understood is never taken for good.

use std::time::Duration;

use serde::Deserialize;

use super::json::{FORMAT, VERSION};
use super::{Status, Verdict};
use crate::config::Mode;
use crate::rules::{Safety, Severity, Stage, Tee, Word};

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    #[error("it is not a whole JSON text")]
    Malformed(#[source] serde_json::Error),
    #[error("it is no report of version {VERSION}")]
    NotAReport,
    #[error("no daemon wrote it")]
    NoDaemon,
    #[error("it is no report that a daemon writes: {0}")]
    Inconsistent(String),
}

/// A report that a daemon wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub host: String,
    pub verdict: Verdict,
    pub stage: Stage,
    pub stage_why: String,
    pub tee: Option<Tee>,
    pub tee_why: String,
    /// Whether it is about the machine itself, with nothing vouched for.
    pub live: bool,
    /// How many rules of the stage were left out or disabled.
    pub not_judged: usize,
    pub rules: Vec<StoredRule>,
    pub judged: StoredJudged,
    pub remediation: Option<StoredRemediation>,
}

/// How a rule was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRule {
    pub id: String,
    pub title: String,
    pub status: Status,
    pub severity: Severity,
    /// What `fix` would need to do something about it.
    pub fix: Option<Safety>,
    /// The site changed its severity.
    pub overridden: bool,
}

/// When and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJudged {
    /// RFC 3339, by the wall clock.
    pub at: Option<String>,
    pub uptime: Duration,
    pub valid_for: Duration,
    pub boot_id: String,
    pub pid: u32,
    pub program: String,
}

/// How things stood with mending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRemediation {
    pub mode: Mode,
    pub paused: bool,
    /// Seconds since 1970.
    pub breaker_open_since: Option<u64>,
    pub pending_reboot: bool,
}

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
    left_out: usize,
    disabled: Vec<serde::de::IgnoredAny>,
    rules: Vec<Rule>,
    judged: Option<Judged>,
    remediation: Option<Remediation>,
}

#[derive(Deserialize)]
struct Host {
    name: String,
    origin: String,
    assumed: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Valued<T> {
    value: T,
    why: String,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    title: String,
    status: String,
    severity: String,
    fix: Option<Fix>,
    override_reason: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Fix {
    safety: String,
}

#[derive(Deserialize)]
struct Judged {
    at: Option<String>,
    uptime_seconds: f64,
    valid_for_seconds: u64,
    boot_id: String,
    pid: u32,
    program: String,
}

#[derive(Deserialize)]
struct Remediation {
    mode: String,
    paused: bool,
    breaker_open_since: Option<u64>,
    pending_reboot: bool,
}

impl Stored {
    /// Understands the JSON text of a report.
    pub fn parse(text: &[u8]) -> Result<Self, StoredError> {
        let head = match serde_json::from_slice::<Head>(text) {
            Ok(head) => head,
            Err(error) if error.is_data() => return Err(StoredError::NotAReport),
            Err(error) => return Err(StoredError::Malformed(error)),
        };
        if head.format != FORMAT || head.version != u64::from(VERSION) {
            return Err(StoredError::NotAReport);
        }
        let body: Body = serde_json::from_slice(text)
            .map_err(|error| StoredError::Inconsistent(error.to_string()))?;
        let judged = body.judged.ok_or(StoredError::NoDaemon)?;
        let stored = Self {
            host: body.host.name,
            verdict: word(&body.verdict)?,
            stage: word(&body.stage.value)?,
            stage_why: body.stage.why,
            tee: body.tee.value.as_deref().map(word).transpose()?,
            tee_why: body.tee.why,
            live: body.host.origin == "live" && body.host.assumed.is_empty(),
            not_judged: body.left_out.saturating_add(body.disabled.len()),
            rules: body.rules.into_iter().map(StoredRule::of).collect::<Result<_, _>>()?,
            judged: StoredJudged::of(judged)?,
            remediation: body.remediation.as_ref().map(StoredRemediation::of).transpose()?,
        };
        if stored.verdict == Verdict::Ready && !stored.all_required_pass() {
            let what = "it says ready, and a required rule did not pass".to_owned();
            return Err(StoredError::Inconsistent(what));
        }
        Ok(stored)
    }

    /// The rules of a severity that ended in a status, in order.
    pub fn with(&self, severity: Severity, status: Status) -> impl Iterator<Item = &StoredRule> {
        let is = move |rule: &&StoredRule| rule.severity == severity && rule.status == status;
        self.rules.iter().filter(is)
    }

    fn all_required_pass(&self) -> bool {
        let any = |status| self.with(Severity::Required, status).next().is_some();
        any(Status::Pass) && !any(Status::Fail) && !any(Status::Unknown) && !any(Status::Blocked)
    }
}

impl StoredRule {
    fn of(rule: Rule) -> Result<Self, StoredError> {
        Ok(Self {
            id: rule.id,
            title: rule.title,
            status: word(&rule.status)?,
            severity: word(&rule.severity)?,
            fix: rule.fix.map(|fix| word(&fix.safety)).transpose()?,
            overridden: rule.override_reason.is_some(),
        })
    }

    /// The command that does something about it, where there is one.
    pub fn fix_command(&self) -> Option<String> {
        let option = if self.fix? == Safety::Unsafe { " --unsafe" } else { "" };
        Some(format!("ccgpu-node fix{option} --only {}", self.id))
    }
}

impl StoredJudged {
    fn of(judged: Judged) -> Result<Self, StoredError> {
        let uptime = Duration::try_from_secs_f64(judged.uptime_seconds)
            .map_err(|error| StoredError::Inconsistent(error.to_string()))?;
        Ok(Self {
            at: judged.at,
            uptime,
            valid_for: Duration::from_secs(judged.valid_for_seconds),
            boot_id: judged.boot_id,
            pid: judged.pid,
            program: judged.program,
        })
    }
}

impl StoredRemediation {
    fn of(remediation: &Remediation) -> Result<Self, StoredError> {
        Ok(Self {
            mode: word(&remediation.mode)?,
            paused: remediation.paused,
            breaker_open_since: remediation.breaker_open_since,
            pending_reboot: remediation.pending_reboot,
        })
    }
}

fn word<W: Word>(text: &str) -> Result<W, StoredError> {
    W::from_word(text)
        .ok_or_else(|| StoredError::Inconsistent(format!("{text:?} is none of its words")))
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
