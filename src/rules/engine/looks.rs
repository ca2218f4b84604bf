//! All that a rule looks at on a host, with the values as they are: the evidence behind its result. Also
//! of a rule that is not judged, because it is not about the host or waits for another. It decides
//! nothing; [`super::judge`] does.

use std::sync::Arc;

use super::{HOST, Judge, Subject, absent, compare, unknown};
use crate::facts::{Facts, Reading};
use crate::report::{About, Finding, Found, Status};
use crate::rules::rule::Rule;
use crate::rules::test::Test;

crate::rules::words! {
    /// What a comparison decides.
    Role {
        /// Whether the rule is about the host.
        Applies = "applies",
        /// Whether a member is one of those that are judged.
        Selects = "selects",
        /// Which case is judged.
        Case = "case",
        /// Whether the rule passes.
        Expects = "expects",
        /// Whether a fix is the one for this host.
        Fix = "fix",
        /// Whether a piece of advice is the one for this host.
        Advice = "advice",
    }
}

/// One comparison and what it said.
#[derive(Debug, Clone)]
pub struct Look {
    pub role: Role,
    /// Its value is the whole one, also of a set. The outcome is pass where the comparison holds.
    pub finding: Finding,
}

/// All of a rule.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    /// Conditions of the rule, then member by member, then those of fixes and advice.
    pub looks: Vec<Look>,
    /// Why there may be members that are not listed.
    pub doubt: Option<Finding>,
    /// How many members the collection has; `None` for a rule about the host.
    pub members: Option<usize>,
    /// How many of them, or 1 for the host, are judged.
    pub judged: usize,
    /// Of how many of these no case is the case.
    pub without_case: usize,
}

/// Looks at all that a rule compares. What decides that something is not judged ends the look there.
pub fn looks(rule: &Arc<Rule>, facts: &Facts) -> Looks {
    let judge = Judge { rule, facts };
    let mut found = Looks::default();
    found.all(&judge, Role::Applies, &rule.applies, HOST);
    if let Some(each) = &rule.each {
        let selection = (each.collection.select)(facts);
        found.members = Some(selection.subjects.len());
        for subject in selection.subjects {
            let label = Arc::from(subject.label);
            let subject = Subject { index: Some(subject.index), label: Some(&label) };
            if found.all(&judge, Role::Selects, &each.filter, subject) {
                found.judged += 1;
                found.cases(&judge, subject);
            }
        }
        found.doubt = selection.doubt.map(|(cause, source)| Finding {
            source: Some(source),
            ..unknown(About::Members(each.collection), cause)
        });
    } else {
        found.judged = 1;
        found.cases(&judge, HOST);
    }
    for fix in &rule.fixes {
        found.all(&judge, Role::Fix, &fix.when, HOST);
    }
    for advice in &rule.advice {
        found.all(&judge, Role::Advice, &advice.when, HOST);
    }
    found
}

impl Looks {
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Finding> {
        self.looks.iter().filter(move |look| look.role == role).map(|look| &look.finding)
    }

    /// The first case that may be the case, and what it expects.
    fn cases(&mut self, judge: &Judge<'_>, subject: Subject<'_>) {
        for case in &judge.rule.cases {
            let start = self.looks.len();
            if self.all(judge, Role::Case, &case.when, subject) {
                let is_case = self.looks.iter().skip(start).all(|it| holds(&it.finding));
                if is_case {
                    self.all(judge, Role::Expects, &case.expect, subject);
                }
                return;
            }
        }
        self.without_case += 1;
    }

    /// Looks at all of some comparisons; whether none of them certainly does not hold.
    fn all(
        &mut self,
        judge: &Judge<'_>,
        role: Role,
        tests: &[Arc<Test>],
        subject: Subject<'_>,
    ) -> bool {
        let mut may_hold = true;
        for test in tests {
            let finding = look(judge, role, test, subject);
            may_hold &= !matches!(finding.outcome, Status::Fail | Status::NotApplicable);
            self.looks.push(Look { role, finding });
        }
        may_hold
    }
}

fn holds(finding: &Finding) -> bool {
    finding.outcome == Status::Pass
}

fn look(judge: &Judge<'_>, role: Role, test: &Arc<Test>, subject: Subject<'_>) -> Finding {
    let (evidence, assumed) = judge.evidence(test, subject);
    let (outcome, found) = match evidence.reading {
        Reading::Known(value) => match compare(test, value.clone()) {
            (outcome, Found::Unreadable(cause)) => (outcome, Found::Unreadable(cause)),
            (outcome, _) => (outcome, Found::Value(value)),
        },
        Reading::Absent => (absent(test.absent), Found::Absent),
        Reading::Unreadable(cause) => (Status::Unknown, Found::Unreadable(cause)),
    };
    Finding {
        subject: subject.label.cloned(),
        about: match role {
            Role::Expects => About::Expectation(Arc::clone(test)),
            _ => About::Condition(Arc::clone(test)),
        },
        outcome,
        found,
        source: evidence.source,
        note: evidence.note,
        assumed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::rules::testing::{judged, rule, rules};

    fn said(rest: &str) -> Vec<String> {
        let rules = rules(&rule("r", rest));
        let looks = looks(rules.get("r").unwrap(), &Facts::default());
        let said = |it: &Look| {
            let subject = it.finding.subject.as_deref().unwrap_or("host");
            format!("{} {subject} {} {}", it.role, it.finding.about.name(), it.finding.outcome)
        };
        looks.looks.iter().map(said).collect()
    }

    #[test]
    fn what_a_rule_that_does_not_apply_would_look_at_is_told_all_the_same() {
        let rest = "applies = [{ fact = \"bool.false\", equals = true }]\n\
            expect = [{ fact = \"integer.five\", at-least = 9 }]";
        assert_eq!(judged(&rule("r", rest))[0].findings.len(), 0);
        assert_eq!(said(rest), ["applies host bool.false fail", "expects host integer.five fail"]);
    }

    #[test]
    fn only_the_case_that_is_the_case_is_looked_at_to_its_end() {
        let case = |when: &str, expect: &str| {
            format!(
                "[[rule.case]]\nwhen = [{{ fact = \"{when}\", equals = true }}]\n\
                 expect = [{{ fact = \"{expect}\", equals = true }}]\n"
            )
        };
        let three = case("bool.false", "bool.absent")
            + &case("bool.true", "bool.false")
            + &case("bool.true", "bool.true");
        assert_eq!(
            said(&three),
            [
                "case host bool.false fail",
                "case host bool.true pass",
                "expects host bool.false fail"
            ]
        );
        assert_eq!(
            said(&case("bool.unreadable", "bool.true")),
            ["case host bool.unreadable unknown"]
        );
    }

    #[test]
    fn a_set_is_told_whole() {
        let rules =
            rules(&rule("r", "expect = [{ fact = \"set.modules\", contains-none = [\"x\"] }]"));
        let looks = looks(rules.get("r").unwrap(), &Facts::default());
        let Found::Value(value) = &looks.looks[0].finding.found else { panic!() };
        assert_eq!(value.to_string(), "ext4, nvidia, nvidia_drm");
    }

    #[test]
    fn members_that_are_not_judged_are_counted() {
        let rest = "for-each = \"gpus.three\"\nwhere = [{ fact = \"driver\", equals = \"nvidia\" }]\n\
            expect = [{ fact = \"group\", at-least = 0 }]";
        let rules = rules(&rule("r", rest));
        let looks = looks(rules.get("r").unwrap(), &Facts::default());
        assert_eq!((looks.members, looks.judged), (Some(3), 1));
        assert_eq!(looks.of(Role::Selects).count(), 3);
        assert_eq!(looks.of(Role::Expects).count(), 1);
    }
}
