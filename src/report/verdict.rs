//! What all results together mean, and the exit code that says so.

use super::{RuleResult, Status};
use crate::exit::Exit;
use crate::rules::Severity;

crate::rules::words! {
    /// The answer to the question.
    Verdict {
        /// Every required rule that is about this host passed, and there was at least one.
        Ready = "ready",
        /// A required rule failed.
        NotReady = "not-ready",
        /// Required rules failed, but a reboot puts all of them right.
        RebootRequired = "reboot-required",
        /// No required rule failed, but not all could be judged.
        CannotTell = "cannot-tell",
    }
}

impl Verdict {
    pub(super) fn of<'r>(results: impl IntoIterator<Item = &'r RuleResult>) -> Self {
        let results = results.into_iter();
        let required: Vec<&RuleResult> =
            results.filter(|result| result.rule.severity == Severity::Required).collect();
        let any = |status| required.iter().any(|result| result.status == status);
        if any(Status::Fail) {
            let reboot = required.iter().all(|result| goes_away_with_a_reboot(result, &required));
            return if reboot { Self::RebootRequired } else { Self::NotReady };
        }
        if any(Status::Unknown) || any(Status::Blocked) || !any(Status::Pass) {
            return Self::CannotTell;
        }
        Self::Ready
    }

    pub fn exit(self) -> Exit {
        match self {
            Self::Ready => Exit::Ready,
            Self::NotReady => Exit::NotReady,
            Self::RebootRequired => Exit::RebootRequired,
            Self::CannotTell => Exit::CannotTell,
        }
    }
}

/// Whether nothing but a reboot stands between a result and a pass. A rule that is blocked must be
/// blocked by such failures alone: behind anything else, what it would say is not known.
fn goes_away_with_a_reboot(result: &RuleResult, required: &[&RuleResult]) -> bool {
    match result.status {
        Status::Pass | Status::NotApplicable => true,
        Status::Fail => result.waits_for_a_reboot(),
        Status::Unknown => false,
        Status::Blocked => result.blocked_by.iter().all(|root| {
            required.iter().any(|other| other.rule.id == root.id && other.waits_for_a_reboot())
        }),
    }
}

/// How many rules ended in which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub pass: usize,
    pub fail: usize,
    pub unknown: usize,
    pub not_applicable: usize,
    pub blocked: usize,
}

impl Counts {
    pub(super) fn of<'r>(results: impl IntoIterator<Item = &'r RuleResult>) -> Self {
        let mut counts = Self::default();
        for result in results {
            *match result.status {
                Status::Pass => &mut counts.pass,
                Status::Fail => &mut counts.fail,
                Status::Unknown => &mut counts.unknown,
                Status::NotApplicable => &mut counts.not_applicable,
                Status::Blocked => &mut counts.blocked,
            } += 1;
        }
        counts
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        verdict.exit()
    }
}
