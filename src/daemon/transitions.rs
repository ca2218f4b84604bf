//! What is otherwise than at the last check. Pure.

use std::collections::BTreeMap;

use crate::report::{Report, RuleResult, Status, Verdict};

/// How all was judged the last time.
#[derive(Debug)]
pub(super) struct Standing {
    verdict: Verdict,
    rules: BTreeMap<Box<str>, Status>,
}

/// A rule that is judged otherwise than before.
#[derive(Debug)]
pub(super) struct Transition<'r> {
    /// `None`: it was not judged before.
    pub(super) from: Option<Status>,
    pub(super) result: &'r RuleResult,
}

/// All that is new in a report.
#[derive(Debug)]
pub(super) struct Changes<'r> {
    /// The verdict is another than before, or the first.
    pub(super) is_verdict_new: bool,
    /// The verdict before; `None` for the first report.
    pub(super) verdict_before: Option<Verdict>,
    /// In the order of the report, from cause to effect.
    pub(super) rules: Vec<Transition<'r>>,
}

impl Changes<'_> {
    /// How many rules changed from one status to another; those that are new do not count.
    pub(super) fn count(&self) -> u64 {
        self.rules.iter().filter(|transition| transition.from.is_some()).count() as u64
    }
}

impl Standing {
    pub(super) fn of(report: &Report) -> Self {
        let status = |result: &RuleResult| (result.rule.id.clone(), result.status);
        Self { verdict: report.verdict, rules: report.results.iter().map(status).collect() }
    }
}

/// Compares a report with how all was before. A rule that is new is worth a word only where it does not
/// pass.
pub(super) fn changes<'r>(before: Option<&Standing>, report: &'r Report) -> Changes<'r> {
    let transition = |result: &'r RuleResult| {
        let from = before.and_then(|before| before.rules.get(&result.rule.id)).copied();
        let is_news = match from {
            Some(from) => from != result.status,
            None => matches!(result.status, Status::Fail | Status::Unknown),
        };
        is_news.then_some(Transition { from, result })
    };
    let verdict_before = before.map(|before| before.verdict);
    Changes {
        is_verdict_new: verdict_before != Some(report.verdict),
        verdict_before,
        rules: report.results.iter().filter_map(transition).collect(),
    }
}

#[cfg(test)]
#[path = "transitions_tests.rs"]
mod tests;
