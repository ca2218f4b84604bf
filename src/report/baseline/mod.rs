//! Compares a report with an earlier one, so that a gate fails only on what got worse.
//!
//! A failure counts unless the earlier report certainly shows the same: the same required rule, as bad,
//! about the same subjects. Whatever cannot be compared counts. The host's own verdict is not touched
//! here, and what is known stays in every report.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Finding, Found, Report, RuleResult, Status, Verdict};
use crate::rules::{Offending, Rule, Severity};
pub use read::Baseline;
use read::{Then, ThenFinding};

/// Why a file cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error("it is not a whole JSON text, as `check --format json` writes it")]
    Malformed(#[source] serde_json::Error),
    #[error("it is no report of `check --format json`")]
    NotAReport,
    #[error("it is a report of version {found}, and only version {wanted} is understood")]
    Version { found: u64, wanted: u32 },
    #[error("it is no report that `check` writes: {0}")]
    Inconsistent(String),
    #[error("it was judged for {what} {then}, and this host is judged for {now}")]
    Other { what: &'static str, then: String, now: String },
}

/// What an earlier report says of the failures of this one.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The file, as the user named it.
    pub file: String,
    /// The host that the file is about; the text is as hostile as the file.
    pub host: String,
    /// Whether that is what this host calls itself.
    pub same_host: bool,
    /// The verdict then.
    pub verdict: Verdict,
    /// The rules that are now no worse than they were.
    pub known: BTreeSet<Box<str>>,
    /// How many of them are required, and fail or cannot be judged.
    pub known_failures: usize,
    /// Required rules that got worse, in the order of the report.
    pub worse: Vec<Worse>,
    /// What the worse ones alone amount to; `Ready` where nothing got worse.
    pub gate: Verdict,
}

/// A required rule that counts, and why.
#[derive(Debug, Clone)]
pub struct Worse {
    pub rule: Arc<Rule>,
    /// The end of a sentence that begins with the rule.
    pub why: String,
}

impl Comparison {
    /// The line that says what was not counted.
    pub fn line(&self) -> String {
        let failures = if self.known_failures == 1 { "failure" } else { "failures" };
        let other = if self.same_host { "" } else { "; that is not this host" };
        let Self { file, host, known_failures, .. } = self;
        format!(
            "compared with {file} of {host}: {known_failures} known {failures} not counted{other}"
        )
    }
}

/// Compares a report with an earlier one of the same stage and TEE.
pub fn compare(report: &Report, then: &Baseline) -> Result<Comparison, BaselineError> {
    let platform = &report.header.platform;
    let other = |what, then: &str, now: String| {
        let then = then.to_owned();
        if then == now { Ok(()) } else { Err(BaselineError::Other { what, then, now }) }
    };
    other("stage", &then.stage, platform.stage.to_string())?;
    let tee = platform.tee.map_or(read::NO_TEE.to_owned(), |tee| tee.to_string());
    other("TEE", &then.tee, tee)?;

    let mut known = BTreeSet::new();
    let mut worse = Vec::new();
    for result in &report.results {
        match change(result, then.rules.get(&*result.rule.id)) {
            Change::Known => {
                known.insert(result.rule.id.clone());
            }
            Change::Worse(why) if result.rule.severity == Severity::Required => {
                worse.push(Worse { rule: Arc::clone(&result.rule), why });
            }
            // What is not required got worse without a claim that it would not.
            Change::Fine | Change::Worse(_) => {}
        }
    }
    let required = |result: &&RuleResult| result.rule.severity == Severity::Required;
    let is_known = |result: &&RuleResult| known.contains(&result.rule.id);
    let failed = |result: &&RuleResult| matches!(result.status, Status::Fail | Status::Unknown);
    let known_required = || report.results.iter().filter(required).filter(is_known);
    let gate = if !worse.is_empty() {
        Verdict::of(report.results.iter().filter(|result| !is_known(result)))
    } else if known_required().next().is_some() {
        Verdict::Ready
    } else {
        // Nothing is excused, so the host's own verdict stands: also that nothing could be told.
        report.verdict
    };
    Ok(Comparison {
        file: then.file.clone(),
        host: then.host.clone(),
        same_host: then.host == report.header.host,
        verdict: then.verdict,
        known_failures: known_required().filter(failed).count(),
        known,
        worse,
        gate,
    })
}

enum Change {
    /// Nothing is wrong with it now.
    Fine,
    /// It is no worse than it was.
    Known,
    Worse(String),
}

fn change(result: &RuleResult, then: Option<&Then>) -> Change {
    let worse = |why: &str| Change::Worse(why.to_owned());
    if matches!(result.status, Status::Pass | Status::NotApplicable) {
        return Change::Fine;
    }
    let Some(then) = then else { return worse("was not judged then") };
    // What nobody had to mend then is not excused now.
    if result.rule.severity < then.severity {
        return Change::Worse(format!("was only {} then", then.severity));
    }
    match (then.status, result.status) {
        (Status::Pass, _) => worse("passed then"),
        (Status::NotApplicable, _) => worse("was not about the host then"),
        (Status::Fail | Status::Unknown | Status::Blocked, Status::Blocked) => Change::Known,
        // What the root of a failure hid then was never seen.
        (Status::Blocked, _) => worse("waited for another rule then"),
        (Status::Unknown, Status::Fail) => worse("could not be judged then"),
        _ => findings(result, then),
    }
}

/// Another subject, another fact or another member of a set is worse.
fn findings(result: &RuleResult, then: &Then) -> Change {
    let mut new: Vec<&str> = Vec::new();
    for finding in &result.findings {
        if !is_new(finding, &then.findings) {
            continue;
        }
        let name = finding.subject.as_deref().unwrap_or_else(|| finding.about.name());
        if !new.contains(&name) {
            new.push(name);
        }
    }
    match new.as_slice() {
        [] => Change::Known,
        [one] => Change::Worse(format!("failed then, but not for {one}")),
        [one, others @ ..] => {
            Change::Worse(format!("failed then, but not for {one} and {} more", others.len()))
        }
    }
}

fn is_new(now: &Finding, then: &[ThenFinding]) -> bool {
    let Some(badness) = badness(now.outcome) else { return false };
    let wanted = now.about.test().map(|test| test.operator.to_string());
    let same = |then: &&ThenFinding| {
        then.subject.as_deref() == now.subject.as_deref()
            && then.fact == now.about.name()
            && then.wanted == wanted
    };
    let as_bad = |then: &ThenFinding| match (self::badness(then.outcome), &now.found) {
        (Some(was), _) if was < badness => false,
        (None, _) => false,
        (_, Found::Members(Offending::Missing(members) | Offending::Present(members))) => {
            members.iter().all(|member| then.members.contains(member))
        }
        _ => true,
    };
    !then.iter().filter(same).any(as_bad)
}

/// A failure is worse than an unknown.
fn badness(outcome: Status) -> Option<u8> {
    match outcome {
        Status::Fail => Some(2),
        Status::Unknown => Some(1),
        Status::Pass | Status::NotApplicable | Status::Blocked => None,
    }
}
