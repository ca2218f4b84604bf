//! The one thing to do next about a host: what somebody wants to know before anything else. Rules stand
//! from cause to effect, so it is about the first that is wrong; the others may go with it.

use super::{Found, Report, RuleResult, Status, Verdict};
use crate::facts::Cause;
use crate::rules::{Fix, Safety, Severity};

/// What to do next.
#[derive(Debug, Clone, Copy)]
pub enum NextStep<'r> {
    /// All that is required is so.
    Nothing,
    /// Whatever is wrong is mended by it.
    Reboot,
    /// This program can mend the cause.
    Fix(&'r RuleResult, &'r Fix),
    /// A person must mend the cause.
    Mend(&'r RuleResult),
    /// What only root may read was not read.
    BecomeRoot,
    /// Something could not be told.
    FindOut(&'r RuleResult),
    /// Nothing that was judged answers the question.
    JudgeMore,
}

impl<'r> NextStep<'r> {
    pub fn of(report: &'r Report) -> Self {
        let first = |status| {
            report.with(Severity::Required, status).find(|result| !report.is_known(result))
        };
        match report.gate() {
            Verdict::Ready => Self::Nothing,
            Verdict::RebootRequired => Self::Reboot,
            Verdict::NotReady | Verdict::CannotTell => match first(Status::Fail) {
                Some(cause) => match cause.fix() {
                    Some(fix) => Self::Fix(cause, fix),
                    None => Self::Mend(cause),
                },
                None => match first(Status::Unknown) {
                    Some(result) if lacks_permission(result) => Self::BecomeRoot,
                    Some(result) => Self::FindOut(result),
                    None => Self::JudgeMore,
                },
            },
        }
    }
}

/// The command that mends a rule's failure.
pub fn fix_command(rule: &str, fix: &Fix) -> String {
    let option = if fix.safety == Safety::Unsafe { " --unsafe" } else { "" };
    format!("ccgpu-node fix{option} --only {rule}")
}

/// Whether something about a rule was not read for want of permission.
pub(super) fn lacks_permission(result: &RuleResult) -> bool {
    let denied = |found: &Found| *found == Found::Unreadable(Cause::Permission);
    result.findings.iter().any(|finding| denied(&finding.found))
}
