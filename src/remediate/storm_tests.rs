//! A day with a kubelet that never comes up, and a daemon that is killed again and again: all decisions
//! together, with the disk between the daemon's lives.

use std::time::Duration;

use super::*;
use crate::config::Remediate;
use crate::rules::testing::{judged, report, rule};

const RULES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Debug, Default)]
struct Day {
    requests: u32,
    restarts: u32,
    lives: u32,
}

/// Simulates 24 hours in steps of five seconds. The daemon is killed each `life` seconds; a person who
/// looks at nothing resets every `reset` seconds; the machine reboots every `reboot` seconds.
fn day(life: u64, reset: Option<u64>, reboot: Option<u64>, eager: bool) -> Day {
    let settings = Remediate {
        mode: Mode::Auto,
        rules: RULES.map(str::to_owned).to_vec(),
        observations: 3,
        over: Duration::from_secs(30),
    };
    // Each failure is another rule's, as if the next one showed only when the one before was tried.
    let failing = |count: u32| {
        let text: String = RULES
            .iter()
            .zip(0..)
            .map(|(id, place)| {
                let wanted = if place == count % 5 { 6 } else { 5 };
                let test = format!("[[rule.expect]]\nfact = \"integer.five\"\nequals = {wanted}\n");
                rule(
                    id,
                    &(test
                        + "[[rule.fix]]\nsafety = \"safe\"\nedits = [{ restart-kubelet = true }]"),
                )
            })
            .collect();
        report(judged(&text))
    };
    let reports: Vec<_> = (0..5).map(failing).collect();
    let mut disk = Ledger::default().render().unwrap();
    let mut day = Day::default();
    let mut observer = Observer::new(&settings);
    let mut booted = 0;
    for time in (0..86_400).step_by(5) {
        if reboot.is_some_and(|every| time % every == 0) {
            booted = time;
            observer = Observer::new(&settings);
        }
        // A wall clock that nobody can rely on.
        let wall = if time % 7 == 0 { 1_000 } else { 1_700_000_000 + time * 365 };
        let boot = booted.to_string();
        let now = Moment { wall, boot, uptime: Duration::from_secs(time - booted) };
        if time % life == 0 {
            observer = Observer::new(&settings);
            day.lives += 1;
        }
        let mut ledger = Ledger::parse(&disk).unwrap();
        if reset.is_some_and(|every| time % every == 0) {
            ledger.reset(&now);
            disk = ledger.render().unwrap();
        }
        let report = &reports[usize::try_from(day.restarts / 2 % 5).unwrap()];
        let state = State { ledger: Ok(ledger), pause: Pause::No, pending_reboot: false };
        let decision = observer.observe(report, now.uptime, &state.standing(Mode::Auto));
        if !eager && !matches!(decision, Decision::Request { .. }) {
            continue;
        }
        day.requests += 1;
        let mut ledger = Ledger::parse(&disk).unwrap();
        let rule = RULES[usize::try_from(day.restarts / 2 % 5).unwrap()];
        if *ledger.breaker() != Breaker::Closed
            || ledger.forbids_rule(rule, &now).is_some()
            || ledger.forbids_restart(&now).is_some()
        {
            continue;
        }
        ledger.begin(&[rule.to_owned()], true, &now);
        day.restarts += 2;
        ledger.end(Outcome::RolledBack { why: "it did not come up".to_owned() }, &now);
        disk = ledger.render().unwrap();
    }
    day
}

#[test]
fn a_kubelet_that_never_comes_up_is_restarted_twice_a_day_and_the_second_time_to_go_back() {
    // Killed 1,000 times and more.
    let killed = day(85, None, None, false);
    assert!(killed.lives >= 1_000, "{killed:?}");
    assert!(killed.requests >= 1, "{killed:?}");
    assert_eq!(killed.restarts, 2, "{killed:?}");
}

#[test]
fn no_eager_requester_no_reset_by_the_clock_and_no_reboots_make_it_more() {
    let quiet = day(86_400, Some(600), None, false);
    assert_eq!(quiet.restarts, 2, "{quiet:?}");
    for (reset, reboot) in
        [(None, None), (Some(60), None), (Some(60), Some(900)), (Some(5), Some(40))]
    {
        let eager = day(85, reset, reboot, true);
        assert!(eager.requests > 10_000, "{eager:?}");
        assert_eq!(eager.restarts, 2, "{eager:?}");
    }
}
