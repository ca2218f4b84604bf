//! `JUnit` XML for CI systems: a suite for each group, a case for each rule.
//!
//! A lab's CI paints a run red for one `failure` or `error`, whatever the exit code was. So a report has
//! one exactly where `check` does not exit with 0:
//!
//! - a required rule that fails is a `failure`, one that cannot be judged an `error`;
//! - a recommended rule that fails is `skipped` with its title: a `failure` would make people mute the
//!   gate, and a plain pass would hide it;
//! - so is what a baseline knows, what waits for another rule, and what is not about the host;
//! - where all that leaves nothing red though the host is not ready, a case of its own says so.
//!
//! No text of a host brings in markup or a character that XML 1.0 forbids. There are no times here: the
//! same host gives the same file.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::human::evidence::sentences;
use super::{Report, RuleResult, Status, Verdict, visible};
use crate::rules::{Group, Severity, Word as _};

/// The name of the whole, and the first part of each case's class.
const NAME: &str = "ccgpu-node";

/// Writes one XML document.
pub fn render(report: &Report, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut whole = quick_junit::Report::new(NAME);
    for group in Group::ALL {
        let results: Vec<&RuleResult> =
            report.results.iter().filter(|result| result.rule.group == *group).collect();
        if !results.is_empty() {
            let mut suite = suite(report, group.word());
            suite.add_test_cases(results.into_iter().map(|result| case(report, result, verbose)));
            whole.add_test_suite(suite);
        }
    }
    let red = whole.failures + whole.errors > 0;
    if !red && report.gate() != Verdict::Ready {
        let mut suite = suite(report, "verdict");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("nothing that was judged shows that the host is ready");
        status.set_type(report.gate().word());
        suite.add_test_case(named("verdict", "verdict", status));
        whole.add_test_suite(suite);
    }
    whole.serialize(&mut *out).map_err(io::Error::other)
}

fn suite(report: &Report, group: &str) -> TestSuite {
    let platform = &report.header.platform;
    let tee = platform.tee.map_or("unknown", |tee| tee.word());
    let mut suite = TestSuite::new(group);
    suite.add_properties([
        Property::new("host", &*visible(&report.header.host)),
        Property::new("verdict", report.verdict.word()),
        Property::new("stage", platform.stage.word()),
        Property::new("tee", tee),
    ]);
    if let Some(comparison) = &report.baseline {
        suite.add_property(Property::new("baseline", &*visible(&comparison.line())));
    }
    suite
}

fn named(group: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{NAME}.{group}"));
    case
}

fn case(report: &Report, result: &RuleResult, verbose: bool) -> TestCase {
    let rule = &result.rule;
    let (mut status, message) = outcome(report, result);
    if let Some(message) = message {
        status.set_message(&*visible(&message));
        if matches!(result.status, Status::Fail | Status::Unknown) {
            status.set_type(rule.severity.word());
            status.set_description(details(result, verbose));
        }
    }
    named(rule.group.word(), &visible(&rule.id), status)
}

/// The status with its message; none for what passed.
fn outcome(report: &Report, result: &RuleResult) -> (TestCaseStatus, Option<String>) {
    let rule = &result.rule;
    let skipped = TestCaseStatus::skipped;
    let what = match result.status {
        Status::Pass => return (TestCaseStatus::success(), None),
        Status::NotApplicable => return (skipped(), Some("not about this host".to_owned())),
        Status::Blocked => {
            let roots: Vec<&str> = result.blocked_by.iter().map(|root| &*root.id).collect();
            let message = format!("not judged until {} passes", roots.join(", "));
            return (skipped(), Some(message));
        }
        Status::Unknown => {
            format!("cannot tell whether {}", rule.good.as_deref().unwrap_or(&rule.title))
        }
        Status::Fail => rule.title.clone(),
    };
    if report.is_known(result) {
        return (skipped(), Some(format!("known: {what}")));
    }
    match (rule.severity, result.status) {
        (Severity::Required, Status::Fail) => {
            (TestCaseStatus::non_success(NonSuccessKind::Failure), Some(what))
        }
        (Severity::Required, _) => (TestCaseStatus::non_success(NonSuccessKind::Error), Some(what)),
        (severity, _) => (skipped(), Some(format!("{severity}: {what}"))),
    }
}

/// Findings, why, and what to do, a line each.
fn details(result: &RuleResult, verbose: bool) -> String {
    let rule = &result.rule;
    let mut lines: Vec<String> = vec![rule.title.clone()];
    lines.extend(sentences(result, verbose).iter().map(|said| format!("found: {said}")));
    lines.push(format!("why: {}", one_line(&rule.why)));
    lines.extend(rule.symptom.iter().map(|symptom| format!("leads to: {}", one_line(symptom))));
    for advice in result.advice() {
        lines.push(format!("do: {}", one_line(&advice.text)));
        let commands = advice.command.iter().flat_map(|command| command.trim().lines());
        lines.extend(commands.map(|command| format!("  $ {command}")));
    }
    let shown: Vec<_> = lines.iter().map(|line| visible(line)).collect();
    shown.join("\n")
}

/// Line breaks of a rule's prose are the author's.
fn one_line(prose: &str) -> String {
    prose.split_whitespace().collect::<Vec<_>>().join(" ")
}
