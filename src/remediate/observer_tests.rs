//! Checks one after the other, with made-up rules on a made-up host.

use super::super::Outcomes;
use super::*;
use crate::rules::testing::{judged, report, rule};

const OVER: u64 = 300;

fn settings() -> Remediate {
    Remediate {
        mode: Mode::Auto,
        rules: vec!["a".to_owned(), "b".to_owned(), "hard".to_owned(), "risky".to_owned()],
        observations: 3,
        over: seconds(OVER),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn standing() -> Standing {
    Standing {
        mode: Mode::Auto,
        paused: false,
        breaker_open_since: None,
        outcomes: Outcomes::default(),
        pending_reboot: false,
    }
}

/// A host on which these rules fail; `hard` has no fix, the fix of `risky` is not safe, `other` is not
/// allowed.
fn failing(rules: &[&str]) -> Report {
    let text: String = ["a", "b", "hard", "risky", "other"]
        .map(|id| {
            let wanted = if rules.contains(&id) { 6 } else { 5 };
            let fix = match id {
                "hard" => "",
                "risky" => {
                    "[[rule.fix]]\nsafety = \"unsafe\"\nedits = [{ restart-kubelet = true }]"
                }
                _ => "[[rule.fix]]\nsafety = \"safe\"\nedits = [{ restart-kubelet = true }]",
            };
            rule(id, &format!("[[rule.expect]]\nfact = \"integer.five\"\nequals = {wanted}\n{fix}"))
        })
        .concat();
    report(judged(&text))
}

fn request(rules: &[&str]) -> Decision {
    Decision::Request { rules: rules.iter().map(|&rule| rule.to_owned()).collect() }
}

fn why(decision: &Decision) -> &HoldBack {
    match decision {
        Decision::HeldBack { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_failures_in_enough_checks_over_enough_time_are_asked_about_once() {
    let mut observer = Observer::new(&settings());
    let report = failing(&["b", "a", "hard", "risky", "other"]);
    let mut observe = |at| observer.observe(&report, seconds(at), &standing());
    for at in [1_000, 1_001, 1_002, 1_299] {
        assert!(matches!(why(&observe(at)), HoldBack::NotYet { .. }));
    }
    assert_eq!(observe(1_300), request(&["a", "b"]));
    for at in [1_301, 1_302, 1_303] {
        assert!(matches!(why(&observe(at)), HoldBack::NotYet { .. }));
    }
    let left = seconds(1_800 - 400);
    assert_eq!(why(&observe(1_700)), &HoldBack::BackOff { left });
    assert_eq!(observe(1_300 + 1_800), request(&["a", "b"]));
}

#[test]
fn the_wait_after_a_request_doubles_up_to_a_day_and_not_for_ever() {
    let mut observer = Observer::new(&settings());
    let mut requests = Vec::new();
    for minute in 0..8 * 24 * 60 {
        let at = minute * 60;
        if observer.observe(&failing(&["a"]), seconds(at), &standing()) == request(&["a"]) {
            requests.push(at / 60);
        }
    }
    let waits: Vec<u64> = requests.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..8], [30, 60, 120, 240, 480, 960, 1440, 1440]);
    // All was well for a moment: the next wait is short again.
    let last = requests.last().unwrap() * 60;
    let end = 8 * 24 * 3600;
    observer.observe(&failing(&[]), seconds(end), &standing());
    let mut next = end + 60;
    while observer.observe(&failing(&["a"]), seconds(next), &standing()) != request(&["a"]) {
        next += 60;
    }
    assert!(next >= last + 1_800 && next < end + 3_600, "{last} {next}");
}

#[test]
fn a_check_that_is_shown_again_counts_once() {
    let mut observer = Observer::new(&Remediate { over: Duration::ZERO, ..settings() });
    for _ in 0..100 {
        let decision = observer.observe(&failing(&["a"]), seconds(50), &standing());
        assert!(matches!(why(&decision), HoldBack::NotYet { seen: 1, .. }), "{decision:?}");
        // An older one even less.
        observer.observe(&failing(&["b"]), seconds(40), &standing());
    }
    observer.observe(&failing(&["a"]), seconds(51), &standing());
    assert_eq!(observer.observe(&failing(&["a"]), seconds(52), &standing()), request(&["a"]));
}

#[test]
fn other_failures_are_counted_from_the_start() {
    let mut observer = Observer::new(&settings());
    for (at, rules) in [(0, ["a"].as_slice()), (200, &["a"]), (400, &["a", "b"]), (600, &["a"])] {
        let decision = observer.observe(&failing(rules), seconds(at), &standing());
        assert!(matches!(why(&decision), HoldBack::NotYet { .. }), "{at}: {decision:?}");
    }
    // One that is none of ours changes nothing.
    observer.observe(&failing(&["a", "other"]), seconds(700), &standing());
    let decision = observer.observe(&failing(&["a", "hard"]), seconds(900), &standing());
    assert_eq!(decision, request(&["a"]));
}

#[test]
fn nothing_is_asked_where_nothing_may_be_mended() {
    let mut observer = Observer::new(&Remediate { over: Duration::ZERO, ..settings() });
    let off = Standing { mode: Mode::Off, ..standing() };
    let plan = Standing { mode: Mode::Plan, ..standing() };
    for at in 0..10 {
        let rules = &["hard", "risky", "other"];
        let decision = observer.observe(&failing(rules), seconds(at), &standing());
        assert_eq!(decision, Decision::Nothing);
    }
    for at in 10..20 {
        let decision = observer.observe(&failing(&["a"]), seconds(at), &off);
        assert_eq!(decision, Decision::Nothing);
    }
    for at in 20..30 {
        let decision = observer.observe(&failing(&["a"]), seconds(at), &plan);
        assert_eq!(decision, Decision::Would { rules: vec!["a".to_owned()] });
    }
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_asked() {
    let mut observer = Observer::new(&Remediate { over: Duration::ZERO, ..settings() });
    let cases = [
        (Standing { paused: true, ..standing() }, HoldBack::Paused),
        (Standing { breaker_open_since: Some(0), ..standing() }, HoldBack::BreakerOpen),
        (Standing { pending_reboot: true, ..standing() }, HoldBack::PendingReboot),
    ];
    for (at, (standing, expected)) in (0..).step_by(5).zip(&cases) {
        for at in at..at + 5 {
            let decision = observer.observe(&failing(&["a"]), seconds(at), standing);
            assert_eq!(why(&decision), expected);
        }
    }
    assert_eq!(observer.observe(&failing(&["a"]), seconds(99), &standing()), request(&["a"]));
}

#[test]
fn other_settings_count_anew_and_a_back_off_goes_on() {
    let mut observer = Observer::new(&Remediate { over: Duration::ZERO, ..settings() });
    for at in 0..2 {
        observer.observe(&failing(&["a"]), seconds(at), &standing());
    }
    assert_eq!(observer.observe(&failing(&["a"]), seconds(2), &standing()), request(&["a"]));
    let one = Remediate { over: Duration::ZERO, observations: 1, ..settings() };
    observer.configure(&one);
    let decision = observer.observe(&failing(&["a"]), seconds(3), &standing());
    assert!(matches!(why(&decision), HoldBack::BackOff { .. }), "{decision:?}");
    observer.configure(&one);
    let decision = observer.observe(&failing(&["a"]), seconds(1_802), &standing());
    assert_eq!(decision, request(&["a"]));
}

#[test]
fn checks_at_the_times_that_it_asks_for_are_enough() {
    let mut observer = Observer::new(&settings());
    assert_eq!(observer.next_check(), None);
    let mut at = seconds(1_000);
    for _ in 0..2 {
        observer.observe(&failing(&["a"]), at, &standing());
        at = observer.next_check().unwrap();
    }
    assert_eq!(observer.observe(&failing(&["a"]), at, &standing()), request(&["a"]));
    assert!(at < seconds(1_000 + OVER + 10));
    observer.observe(&failing(&[]), seconds(5_000), &standing());
    assert_eq!(observer.next_check(), None);
}
