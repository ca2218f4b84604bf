//! Judges chosen rules over facts. Pure: the same facts always give the same results.
//!
//! There are four answers about each thing, and the worst wins: it fails, it cannot be told, it passes,
//! it is not concerned. A rule that found nothing to look at is never a pass.

mod looks;
mod pending;

use std::sync::Arc;

use super::choose::{Chosen, concerns};
use super::fix::Fix;
use super::rule::{Each, Resolution, Rule};
use super::test::{AbsentIs, Test};
use crate::facts::catalogue::Evidence;
use crate::facts::{Cause, Facts, Reading, Value};
use crate::report::{About, Finding, Found, RuleResult, Status};
pub use looks::{Look, Looks, Role, looks};
use pending::waits_for_a_boot;

/// Judges each chosen rule; the shown ones come back, in order.
pub fn judge(chosen: &Chosen, facts: &Facts) -> Vec<RuleResult> {
    let mut judged: Vec<RuleResult> = Vec::with_capacity(chosen.steps.len());
    for step in &chosen.steps {
        let mut roots: Vec<Arc<Rule>> = Vec::new();
        for needed in step.needs.iter().filter_map(|place| judged.get(*place)) {
            let of_needed = match needed.status {
                Status::Pass | Status::NotApplicable => &[],
                Status::Fail | Status::Unknown => std::slice::from_ref(&needed.rule),
                Status::Blocked => needed.blocked_by.as_slice(),
            };
            for root in of_needed {
                if !roots.iter().any(|known| known.id == root.id) {
                    roots.push(Arc::clone(root));
                }
            }
        }
        let concerned = concerns(&step.rule, chosen.platform.tee);
        judged.push(Judge { rule: &step.rule, facts }.result(concerned, roots));
    }
    let shown = chosen.steps.iter().map(|step| step.shown);
    judged.into_iter().zip(shown).filter_map(|(result, shown)| shown.then_some(result)).collect()
}

/// Whether all of some conditions hold.
enum Holds {
    Yes,
    No,
    /// None certainly fails, and of these it cannot be told.
    Unknown(Vec<Finding>),
}

/// One member of a collection, or the host.
#[derive(Clone, Copy)]
struct Subject<'a> {
    index: Option<usize>,
    label: Option<&'a Arc<str>>,
}

const HOST: Subject<'static> = Subject { index: None, label: None };

struct Judge<'a> {
    rule: &'a Arc<Rule>,
    facts: &'a Facts,
}

impl Judge<'_> {
    fn result(&self, concerned: Option<bool>, roots: Vec<Arc<Rule>>) -> RuleResult {
        let applies = self.conditions(&self.rule.applies, HOST);
        let mut result = RuleResult {
            rule: Arc::clone(self.rule),
            status: Status::NotApplicable,
            subjects: 0,
            findings: Vec::new(),
            blocked_by: Vec::new(),
            advice: Vec::new(),
            fix: None,
            resolved_by: None,
        };
        match (concerned, applies) {
            (Some(false), _) | (_, Holds::No) => return result,
            _ if !roots.is_empty() => {
                result.status = Status::Blocked;
                result.blocked_by = roots;
                return result;
            }
            (None, _) => {
                let cause = Cause::NoAnswer("the host does not show which it is for".to_owned());
                result.findings.push(unknown(About::Tee, cause));
            }
            (Some(true), Holds::Unknown(findings)) => result.findings = findings,
            (Some(true), Holds::Yes) => match &self.rule.each {
                None => {
                    result.subjects = 1;
                    self.subject(HOST, &mut result.findings);
                }
                Some(each) => self.members(each, &mut result),
            },
        }
        result.status = worst(&result.findings);
        if result.status == Status::Fail {
            result.advice = self.advice();
            result.fix = self.fix();
            result.resolved_by = self.rule.resolved_by;
            // What is made already is not to be made again.
            if result.fix().is_some_and(|fix| waits_for_a_boot(fix, self.facts)) {
                result.resolved_by = Some(Resolution::Reboot);
                result.fix = None;
                result.advice = Vec::new();
            }
        }
        result
    }

    fn members(&self, each: &Each, result: &mut RuleResult) {
        let selection = (each.collection.select)(self.facts);
        for subject in selection.subjects {
            let label = Arc::from(subject.label);
            let subject = Subject { index: Some(subject.index), label: Some(&label) };
            match self.conditions(&each.filter, subject) {
                Holds::No => {}
                Holds::Unknown(findings) => result.findings.extend(findings),
                Holds::Yes => {
                    result.subjects += 1;
                    self.subject(subject, &mut result.findings);
                }
            }
        }
        if let Some((cause, source)) = selection.doubt {
            let mut finding = unknown(About::Members(each.collection), cause);
            finding.source = Some(source);
            result.findings.push(finding);
        }
    }

    /// Judges one member by the first case whose conditions hold. A case that may hold ends the search:
    /// what a later one would say need not be what counts.
    fn subject(&self, subject: Subject<'_>, findings: &mut Vec<Finding>) {
        for case in &self.rule.cases {
            match self.conditions(&case.when, subject) {
                Holds::No => {}
                Holds::Unknown(unknown) => return findings.extend(unknown),
                Holds::Yes => {
                    let expect = case.expect.iter();
                    return findings.extend(expect.map(|test| {
                        self.finding(About::Expectation(Arc::clone(test)), test, subject)
                    }));
                }
            }
        }
    }

    fn conditions(&self, tests: &[Arc<Test>], subject: Subject<'_>) -> Holds {
        let mut unknown = Vec::new();
        for test in tests {
            let finding = self.finding(About::Condition(Arc::clone(test)), test, subject);
            match finding.outcome {
                Status::Pass => {}
                Status::Unknown | Status::Blocked => unknown.push(finding),
                Status::Fail | Status::NotApplicable => return Holds::No,
            }
        }
        if unknown.is_empty() { Holds::Yes } else { Holds::Unknown(unknown) }
    }

    fn finding(&self, about: About, test: &Test, subject: Subject<'_>) -> Finding {
        let (evidence, assumed) = self.evidence(test, subject);
        let (outcome, found) = match evidence.reading {
            Reading::Known(value) => compare(test, value),
            Reading::Absent => (absent(test.absent), Found::Absent),
            Reading::Unreadable(cause) => (Status::Unknown, Found::Unreadable(cause)),
        };
        Finding {
            subject: subject.label.cloned(),
            about,
            outcome,
            found,
            source: evidence.source,
            note: evidence.note,
            assumed,
        }
    }

    /// What the host shows; where it cannot show it, what the user vouches for.
    fn evidence(&self, test: &Test, subject: Subject<'_>) -> (Evidence, bool) {
        let Some(mut evidence) = test.fact.read(self.facts, subject.index) else {
            let reading = Reading::Unreadable(Cause::NotGathered);
            return (Evidence { reading, source: None, note: None }, false);
        };
        let vouched = self.facts.assumed.get(test.fact.name()).filter(|_| test.fact.is_of_host());
        match (&evidence.reading, vouched) {
            (Reading::Unreadable(cause), Some(value)) => {
                evidence.note = Some(format!("the host does not show it: {cause}"));
                evidence.reading = Reading::Known(value.clone());
                (evidence, true)
            }
            _ => (evidence, false),
        }
    }

    /// The first fix whose conditions certainly hold.
    fn fix(&self) -> Option<usize> {
        let fits = |fix: &Fix| matches!(self.conditions(&fix.when, HOST), Holds::Yes);
        self.rule.fixes.iter().position(fits)
    }

    /// The first advice whose conditions hold; before it, all of which it cannot be told.
    fn advice(&self) -> Vec<usize> {
        let mut places = Vec::new();
        for (place, advice) in self.rule.advice.iter().enumerate() {
            match self.conditions(&advice.when, HOST) {
                Holds::No => {}
                Holds::Unknown(_) => places.push(place),
                Holds::Yes => {
                    places.push(place);
                    break;
                }
            }
        }
        places
    }
}

fn compare(test: &Test, value: Value) -> (Status, Found) {
    let outcome = match test.operator.holds(&value) {
        Some(true) => Status::Pass,
        Some(false) => Status::Fail,
        None => {
            let what = format!("{value} cannot be compared with {}", test.operator);
            return (Status::Unknown, Found::Unreadable(Cause::malformed(None, what)));
        }
    };
    let found = match test.operator.offending(&value) {
        Some(members) => Found::Members(members),
        None => Found::Value(value),
    };
    (outcome, found)
}

fn absent(absent: AbsentIs) -> Status {
    match absent {
        AbsentIs::Pass => Status::Pass,
        AbsentIs::Fail => Status::Fail,
        AbsentIs::NotApplicable => Status::NotApplicable,
    }
}

fn unknown(about: About, cause: Cause) -> Finding {
    Finding {
        subject: None,
        about,
        outcome: Status::Unknown,
        found: Found::Unreadable(cause),
        source: None,
        note: None,
        assumed: false,
    }
}

fn worst(findings: &[Finding]) -> Status {
    let any = |status| findings.iter().any(|finding| finding.outcome == status);
    [Status::Fail, Status::Unknown, Status::Pass]
        .into_iter()
        .find(|status| any(*status))
        .unwrap_or(Status::NotApplicable)
}

#[cfg(test)]
mod tests;
