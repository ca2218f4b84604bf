use std::sync::Arc;

use super::*;
use crate::plan::{Action, ArgumentChange, BootMenu, FileChange, Step, StepKind};
use crate::rules::testing::{judged, report, rule};

/// A report on rules that are in these states, in this order; `extra` is added to each rule's text.
fn host(rules: &[(&str, &str)], extra: &str) -> Report {
    let text = rules.iter().map(|(id, state)| {
        let rest = match *state {
            "pass" => "expect = [{ fact = \"bool.true\", equals = true }]".to_owned(),
            "fail" => "expect = [{ fact = \"bool.false\", equals = true }]".to_owned(),
            "unknown" => "expect = [{ fact = \"bool.unreadable\", equals = true }]".to_owned(),
            needed => format!(
                "needs = [\"{needed}\"]\nexpect = [{{ fact = \"bool.true\", equals = true }}]"
            ),
        };
        rule(id, &format!("{extra}{rest}"))
    });
    report(judged(&text.collect::<String>()))
}

fn write(rule: &str) -> Step {
    let change = FileChange {
        path: "/etc/x".to_owned(),
        before: None,
        after: Some(Vec::new()),
        new_mode: 0o644,
    };
    Step { rules: vec![rule.into()], kind: StepKind::Write(change) }
}

fn boots(rule: &str) -> Step {
    let menu = BootMenu {
        generator: "grub-mkconfig",
        target: "/boot/grub/grub.cfg".to_owned(),
        change: ArgumentChange { add: vec!["intel_iommu=on".to_owned()], remove: Vec::new() },
    };
    Step { rules: vec![rule.into()], kind: StepKind::Act(Action::GenerateBootMenu(menu)) }
}

/// A plan for all rules that fail in a report.
fn planned(before: &Report, steps: Vec<Step>) -> Proposal {
    let failed = before.results.iter().filter(|result| result.status == Status::Fail);
    let fates = failed.map(|result| (Arc::clone(&result.rule), Fate::Planned)).collect();
    Proposal { plan: Plan { steps }, fates, unproven: Vec::new() }
}

fn nothing() -> Proposal {
    Proposal { plan: Plan::default(), fates: Vec::new(), unproven: Vec::new() }
}

fn failed(why: &str) -> Verification {
    Verification::Failed { why: why.to_owned() }
}

#[test]
fn a_rule_that_passes_afterwards_holds() {
    let before = host(&[("a", "fail")], "");
    let plan = planned(&before, vec![write("a")]);
    let after = |state| host(&[("a", state)], "");
    assert_eq!(verdict(&before, &plan, &after("pass"), &nothing(), false), Verification::Holds);
    assert_eq!(
        verdict(&before, &plan, &after("fail"), &nothing(), false),
        failed("a is fail afterwards")
    );
    assert_eq!(
        verdict(&before, &plan, &after("unknown"), &nothing(), false),
        failed("a is unknown afterwards")
    );
}

#[test]
fn what_only_a_boot_can_show_waits_for_it() {
    let before = host(&[("a", "fail")], "");
    let plan = planned(&before, vec![write("a"), boots("a")]);
    assert_eq!(verdict(&before, &plan, &before, &nothing(), false), Verification::AwaitsReboot);
    let unknown = host(&[("a", "unknown")], "");
    assert_eq!(
        verdict(&before, &plan, &unknown, &nothing(), false),
        failed("a is unknown afterwards")
    );
}

#[test]
fn a_rule_behind_one_that_waits_for_a_boot_waits_too_and_behind_another_does_not() {
    let before = host(&[("root", "pass"), ("a", "fail")], "");
    let after = host(&[("root", "fail"), ("a", "root")], "");
    let plan = planned(&before, vec![write("a"), boots("root")]);
    assert_eq!(
        verdict(&before, &plan, &after, &nothing(), false),
        failed("root passed before, and does not now")
    );
    let reboot = "resolved-by = \"reboot\"\n";
    let (before, after) = (
        host(&[("root", "pass"), ("a", "fail")], reboot),
        host(&[("root", "fail"), ("a", "root")], reboot),
    );
    let plan = planned(&before, vec![write("a")]);
    assert_eq!(verdict(&before, &plan, &after, &nothing(), false), Verification::AwaitsReboot);
    let after = host(&[("root", "fail"), ("a", "root")], "");
    assert_eq!(
        verdict(&before, &plan, &after, &nothing(), false),
        failed("a is blocked afterwards")
    );
}

#[test]
fn a_plan_that_would_be_made_again_did_not_do_what_it_should() {
    let before = host(&[("a", "fail")], "");
    let plan = planned(&before, vec![boots("a")]);
    let again = planned(&before, vec![boots("a")]);
    assert_eq!(
        verdict(&before, &plan, &before, &again, false),
        failed("there is still something to change for a")
    );
    // What another rule asks for was not promised.
    let other = Proposal { plan: Plan { steps: vec![write("b")] }, ..nothing() };
    assert_eq!(verdict(&before, &plan, &before, &other, false), Verification::AwaitsReboot);
}

#[test]
fn what_was_right_must_not_be_wrong_or_untold_now() {
    let before = host(&[("a", "fail"), ("b", "pass")], "");
    let plan = planned(&before, vec![write("a")]);
    for state in ["fail", "unknown"] {
        let after = host(&[("a", "pass"), ("b", state)], "");
        assert_eq!(
            verdict(&before, &plan, &after, &nothing(), false),
            failed("b passed before, and does not now")
        );
    }
    // It was wrong before.
    let wrong = host(&[("a", "fail"), ("b", "unknown")], "");
    let after = host(&[("a", "pass"), ("b", "fail")], "");
    assert_eq!(verdict(&wrong, &plan, &after, &nothing(), false), Verification::Holds);
}

#[test]
fn a_tree_whose_programs_are_left_to_be_run_waits_for_them() {
    let before = host(&[("a", "fail"), ("b", "pass")], "");
    let plan = planned(&before, vec![write("a")]);
    let after = host(&[("a", "fail"), ("b", "fail")], "");
    assert_eq!(verdict(&before, &plan, &after, &nothing(), true), Verification::AwaitsReboot);
}
