//! Whether a host is as a plan promised, judged by the rules alone: no file is looked at here.

use crate::apply::Verification;
use crate::plan::{Fate, Plan, Proposal};
use crate::report::{Report, Status};
use crate::rules::{Resolution, Rule, Severity};

/// What judging again says of a plan that was carried out. `commands_left` where the tree is not the
/// running machine, so that what only a program brings about is still to come.
pub(super) fn verdict(
    before: &Report,
    proposal: &Proposal,
    after: &Report,
    again: &Proposal,
    commands_left: bool,
) -> Verification {
    let failed = |why: String| Verification::Failed { why };
    if let Some(step) = again.plan.steps.iter().find(|step| of_plan(&proposal.plan, &step.rules)) {
        let rules: Vec<&str> = step.rules.iter().map(|rule| &**rule).collect();
        return failed(format!("there is still something to change for {}", rules.join(", ")));
    }
    let mut waits = false;
    for (rule, _) in proposal.fates.iter().filter(|(_, fate)| *fate == Fate::Planned) {
        let Some(result) = after.results.iter().find(|result| result.rule.id == rule.id) else {
            continue;
        };
        match result.status {
            Status::Pass | Status::NotApplicable => {}
            // Nothing is left to change for it, so only a boot can show it.
            Status::Fail if reboots(&proposal.plan, &rule.id) || commands_left => waits = true,
            Status::Blocked
                if commands_left
                    || result.blocked_by.iter().all(|root| {
                        waits_for_a_reboot(after, root) || reboots(&proposal.plan, &root.id)
                    }) =>
            {
                waits = true;
            }
            status => return failed(format!("{} is {status} afterwards", rule.id)),
        }
    }
    let was = |id: &str, status| {
        before.results.iter().any(|result| &*result.rule.id == id && result.status == status)
    };
    let worse = after.results.iter().find(|result| {
        result.rule.severity == Severity::Required
            && matches!(result.status, Status::Fail | Status::Unknown)
            && was(&result.rule.id, Status::Pass)
            && !result.waits_for_a_reboot()
            && !commands_left
    });
    match worse {
        Some(result) => failed(format!("{} passed before, and does not now", result.rule.id)),
        None if waits => Verification::AwaitsReboot,
        None => Verification::Holds,
    }
}

/// Whether what a rule says goes away with a reboot. Of one that is not shown, only its nature is known.
fn waits_for_a_reboot(report: &Report, rule: &Rule) -> bool {
    match report.results.iter().find(|result| result.rule.id == rule.id) {
        Some(result) => result.waits_for_a_reboot(),
        None => rule.resolved_by == Some(Resolution::Reboot),
    }
}

fn of_plan(plan: &Plan, rules: &[Box<str>]) -> bool {
    plan.steps.iter().any(|step| step.rules.iter().any(|rule| rules.contains(rule)))
}

/// Whether the steps for a rule take effect with a reboot.
fn reboots(plan: &Plan, rule: &str) -> bool {
    let steps = plan.steps.iter().filter(|step| step.rules.iter().any(|each| &**each == rule));
    Plan { steps: steps.cloned().collect() }.needs_reboot()
}

#[cfg(test)]
#[path = "verification_tests.rs"]
mod tests;
