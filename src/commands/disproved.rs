//! What a boot has disproved: a change that is in place, and that a reboot did not bring, does not wait for a
//! reboot. Whoever is told that it does would reboot the host for ever.

use std::sync::Arc;

use crate::apply::{Entry, State};
use crate::plan::{Fate, Refusal, Refused};
use crate::rules::{Resolution, Rule};

const BOOTED: &str = "/proc/cmdline";

/// Refuses what would be called done by a reboot, where the transaction that wrote it was ineffective.
/// `history` has the oldest transaction first.
pub(super) fn refuse(fates: &mut [(Arc<Rule>, Fate)], history: &[Entry]) {
    for (rule, fate) in fates {
        let entry = match fate {
            Fate::InPlace => history.iter().rev().find(|entry| is_for(entry, &rule.id)),
            // Of another rule's change only a boot shows what came of it, and the last word is the newest.
            Fate::Manual if rule.resolved_by == Some(Resolution::Reboot) => history.last(),
            _ => None,
        };
        if let Some(Entry { number, state: State::Ineffective { why }, .. }) = entry {
            let why =
                format!("transaction {number} is in place, but the reboot did not bring it: {why}");
            let why = Refused { path: BOOTED.to_owned(), line: None, why };
            // What the rule advises may be the reboot.
            let instead = vec![format!("ccgpu-node rollback {number}")];
            *fate = Fate::Refused(Refusal { why, instead });
        }
    }
}

fn is_for(entry: &Entry, rule: &str) -> bool {
    entry.steps.iter().any(|step| step.rules.iter().any(|it| it == rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::journal::EntryStep;
    use crate::rules::testing::{judged, report, rule};

    fn entry(number: u32, rule: &str, state: State) -> Entry {
        Entry {
            number,
            state,
            begun: None,
            program: String::new(),
            plan: None,
            steps: vec![EntryStep {
                rules: vec![rule.to_owned()],
                what: String::new(),
                paths: Vec::new(),
            }],
            taken_back: false,
            restarts_kubelet: false,
        }
    }

    fn ineffective() -> State {
        State::Ineffective { why: "another entry was booted".to_owned() }
    }

    /// What becomes of a rule `argument` whose fix is in place, and of one `reboot` that a reboot resolves.
    fn fates(history: &[Entry]) -> [String; 2] {
        let fails = "expect = [{ fact = \"bool.false\", equals = true }]";
        let rules = [
            rule("argument", fails),
            rule("reboot", &format!("resolved-by = \"reboot\"\n{fails}")),
        ];
        let report = report(judged(&rules.concat()));
        let mut fates: Vec<(Arc<Rule>, Fate)> = report
            .results
            .iter()
            .zip([Fate::InPlace, Fate::Manual])
            .map(|(result, fate)| (Arc::clone(&result.rule), fate))
            .collect();
        refuse(&mut fates, history);
        let told = |(_, fate): (_, Fate)| match fate {
            Fate::Refused(refusal) => refusal.why.to_string(),
            fate => format!("{fate:?}"),
        };
        let told: Vec<String> = fates.into_iter().map(told).collect();
        told.try_into().unwrap()
    }

    #[test]
    fn what_a_reboot_did_not_bring_does_not_wait_for_another() {
        let why = "/proc/cmdline: transaction 1 is in place, but the reboot did not bring it: another \
                   entry was booted";
        assert_eq!(fates(&[entry(1, "argument", ineffective())]), [why, why]);
    }

    #[test]
    fn what_no_boot_has_judged_waits_for_one() {
        let waits = ["InPlace", "Manual"];
        assert_eq!(fates(&[]), waits);
        assert_eq!(fates(&[entry(1, "argument", State::Committed)]), waits);
        // It was tried again since, or taken back.
        for newer in [State::Confirmed, State::RolledBack { why: String::new() }] {
            let history = [entry(1, "argument", ineffective()), entry(2, "argument", newer)];
            assert_eq!(fates(&history), waits);
        }
    }

    #[test]
    fn another_rule_s_transaction_says_nothing_about_what_is_in_place() {
        let [argument, reboot] = fates(&[entry(1, "other", ineffective())]);
        assert_eq!(argument, "InPlace");
        assert!(reboot.contains("did not bring it"), "{reboot}");
    }
}
