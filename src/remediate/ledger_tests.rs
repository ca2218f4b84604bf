//! Bounds and breaker, on machines whose clocks somebody sets. What really happened is kept by the test.

use proptest::prelude::*;

use super::*;

fn moment(uptime: u64) -> Moment {
    Moment { wall: 1_700_000_000, boot: "a".to_owned(), uptime: Duration::from_secs(uptime) }
}

fn names(rules: &[&str]) -> Vec<String> {
    rules.iter().map(|&rule| rule.to_owned()).collect()
}

fn failed() -> Outcome {
    Outcome::RolledBack { why: "the kubelet did not come up".to_owned() }
}

/// A ledger with an attempt that took a minute.
fn tried(ledger: &mut Ledger, rule: &str, at: u64, outcome: Outcome) {
    ledger.begin(&names(&[rule]), true, &moment(at));
    ledger.end(outcome, &moment(at + 60));
}

const HOUR: u64 = 3_600;

#[test]
fn a_rule_is_tried_once_in_a_day() {
    let mut ledger = Ledger::default();
    tried(&mut ledger, "a", 0, Outcome::Fixed { transaction: 1 });
    assert_eq!(ledger.forbids_rule("b", &moment(61)), None);
    let spent = ledger.forbids_rule("a", &moment(60 + HOUR)).unwrap();
    assert_eq!(spent.to_string(), "a was tried within 24 h, and may be tried again in 23 h");
    assert!(ledger.forbids_rule("a", &moment(59 + 24 * HOUR)).is_some());
    assert_eq!(ledger.forbids_rule("a", &moment(60 + 24 * HOUR)), None);
}

#[test]
fn the_kubelet_is_restarted_once_in_half_an_hour_and_twice_a_day() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.forbids_restart(&moment(0)), None);
    tried(&mut ledger, "a", 0, Outcome::Fixed { transaction: 1 });
    let spent = ledger.forbids_restart(&moment(60)).unwrap();
    assert_eq!(
        spent.to_string(),
        "the kubelet was restarted within 30 min, and may be again in 30 min"
    );
    assert_eq!(ledger.forbids_restart(&moment(60 + 1_800)), None);
    tried(&mut ledger, "b", 60 + 1_800, Outcome::Fixed { transaction: 2 });
    let spent = ledger.forbids_restart(&moment(3 * HOUR)).unwrap();
    assert!(matches!(spent, Spent::Day { .. }), "{spent}");
    assert_eq!(ledger.forbids_restart(&moment(60 + 24 * HOUR)), None);
}

#[test]
fn one_that_fails_takes_the_restart_that_goes_back_with_it() {
    for outcome in [failed(), Outcome::NeedsPerson { why: String::new() }, Outcome::Interrupted] {
        let mut ledger = Ledger::default();
        tried(&mut ledger, "a", 0, outcome);
        ledger.reset(&moment(70));
        assert_eq!(*ledger.breaker(), Breaker::Closed);
        let spent = ledger.forbids_restart(&moment(23 * HOUR)).unwrap();
        assert!(matches!(spent, Spent::Day { .. }), "{spent}");
        assert_eq!(ledger.forbids_restart(&moment(60 + 24 * HOUR)), None);
    }
}

#[test]
fn one_that_restarts_no_kubelet_takes_nothing_from_those_that_do() {
    let mut ledger = Ledger::default();
    ledger.begin(&names(&["boot"]), false, &moment(0));
    ledger.end(Outcome::Fixed { transaction: 1 }, &moment(1));
    assert_eq!(ledger.forbids_restart(&moment(2)), None);
    assert!(ledger.forbids_rule("boot", &moment(2)).is_some());
}

#[test]
fn the_first_failure_opens_the_breaker_and_only_a_reset_closes_it() {
    for outcome in [failed(), Outcome::NeedsPerson { why: String::new() }, Outcome::Interrupted] {
        let mut ledger = Ledger::default();
        tried(&mut ledger, "a", 0, outcome.clone());
        assert!(matches!(ledger.breaker(), Breaker::Open { since: 1_700_000_000, .. }));
        let first = ledger.breaker().clone();
        ledger.open("another reason".to_owned(), &moment(99));
        ledger.look(&moment(1_000 * HOUR));
        assert_eq!(*ledger.breaker(), first, "{outcome:?}");
        ledger.reset(&moment(100));
        assert_eq!(*ledger.breaker(), Breaker::Closed);
        assert!(ledger.attempts().iter().all(|attempt| attempt.reset));
    }
    for outcome in
        [Outcome::Fixed { transaction: 1 }, Outcome::Refused { why: "immutable".to_owned() }]
    {
        let mut ledger = Ledger::default();
        tried(&mut ledger, "a", 0, outcome);
        assert_eq!(*ledger.breaker(), Breaker::Closed);
    }
}

#[test]
fn each_end_is_counted_once() {
    let mut ledger = Ledger::default();
    tried(&mut ledger, "a", 0, Outcome::Fixed { transaction: 1 });
    ledger.end(failed(), &moment(70));
    tried(&mut ledger, "b", 100, failed());
    tried(&mut ledger, "c", 200, Outcome::Refused { why: String::new() });
    tried(&mut ledger, "d", 300, Outcome::NeedsPerson { why: String::new() });
    ledger.begin(&names(&["e"]), false, &moment(400));
    assert!(ledger.is_unfinished());
    ledger.reset(&moment(500));
    assert!(!ledger.is_unfinished());
    let Outcomes { fixed, rolled_back, needs_person, refused } = ledger.outcomes();
    assert_eq!((fixed, rolled_back, needs_person, refused), (1, 1, 2, 1));
}

#[test]
fn what_is_not_understood_as_a_whole_is_not_understood() {
    let mut ledger = Ledger::default();
    tried(&mut ledger, "a", 0, failed());
    ledger.begin(&names(&["b"]), false, &moment(400));
    let text = String::from_utf8(ledger.render().unwrap()).unwrap();
    assert_eq!(Ledger::parse(text.as_bytes()), Ok(ledger));
    for (old, new) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"version\": 1,", ""),
        ("\"breaker\"", "\"braker\""),
        ("\"state\": \"open\"", "\"state\": \"ajar\""),
        ("\"restarts_kubelet\": true,", ""),
        ("\"reset\": false", "\"reset\": false, \"more\": 1"),
        ("\"attempts\"", "\"tries\""),
        ("\"age\": 0", "\"age\": -1"),
        ("\"kind\": \"unfinished\"", "\"kind\": \"fixed\""),
    ] {
        assert!(text.contains(old), "{old} is not in {text}");
        Ledger::parse(text.replace(old, new).as_bytes()).unwrap_err();
    }
    for length in 0..text.len() - 1 {
        Ledger::parse(&text.as_bytes()[..length]).unwrap_err();
    }
    assert!(Ledger::parse(&vec![b'['; 100_000]).is_err());
}

#[test]
fn a_ledger_stays_small_and_forgets_nothing_that_counts() {
    let mut ledger = Ledger::default();
    for day in 0..1_000 {
        let at = day * 25 * HOUR;
        tried(&mut ledger, "a", at, Outcome::Fixed { transaction: 1 });
        assert!(ledger.forbids_rule("a", &moment(at + HOUR)).is_some());
    }
    assert!(ledger.attempts().len() <= KEPT + 1);
    let at = 25_000 * HOUR;
    for number in 0..100 {
        tried(&mut ledger, &number.to_string(), at, Outcome::Fixed { transaction: 1 });
    }
    for number in 0..100 {
        assert!(ledger.forbids_rule(&number.to_string(), &moment(at + HOUR)).is_some());
    }
}

/// What happens to a machine with an eager fixer.
#[derive(Debug, Clone)]
enum Event {
    /// Minutes.
    Passes(u64),
    /// Off for so many minutes.
    Reboot(u64),
    /// By so many seconds.
    SetWall(i64),
    /// Somebody wants rule 0, 1 or 2 to be mended; it goes well or not, or the fixer is killed.
    Fix(u8, End),
    Reset,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Well,
    Badly,
    Killed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let year = 366_i64 * 86_400;
    let end = prop_oneof![5 => Just(End::Well), 2 => Just(End::Badly), 1 => Just(End::Killed)];
    proptest::collection::vec(
        prop_oneof![
            6 => (0_u64..600).prop_map(Event::Passes),
            1 => (0_u64..3_000).prop_map(Event::Reboot),
            1 => (-year..year).prop_map(Event::SetWall),
            8 => (0_u8..3, end).prop_map(|(rule, end)| Event::Fix(rule, end)),
            3 => Just(Event::Reset),
        ],
        0..120,
    )
}

/// The fixer, as it uses a ledger that is written and read each time.
#[derive(Debug)]
struct Machine {
    /// Seconds that only the test knows.
    truth: u64,
    booted: u64,
    boot: u32,
    wall: i64,
    disk: Vec<u8>,
    /// When each rule was tried,
    tries: Vec<(u8, u64)>,
    /// the kubelet was restarted for a change,
    forward: Vec<u64>,
    /// and to take one back.
    back: Vec<u64>,
}

impl Machine {
    fn now(&self) -> Moment {
        let wall = self.wall + i64::try_from(self.truth).unwrap();
        Moment {
            wall: u64::try_from(wall).unwrap_or(0),
            boot: self.boot.to_string(),
            uptime: Duration::from_secs(self.truth - self.booted),
        }
    }

    /// What `fix --automatic` does, in the same order.
    fn fix(&mut self, rule: u8, end: End) {
        let mut ledger = Ledger::parse(&self.disk).unwrap();
        let now = self.now();
        if ledger.is_unfinished() {
            ledger.end(Outcome::Interrupted, &now);
            self.disk = ledger.render().unwrap();
            // Recovery, once.
            self.back.push(self.truth);
        }
        if *ledger.breaker() != Breaker::Closed {
            return;
        }
        let name = rule.to_string();
        if ledger.forbids_rule(&name, &now).is_some() || ledger.forbids_restart(&now).is_some() {
            if ledger.look(&now) {
                self.disk = ledger.render().unwrap();
            }
            return;
        }
        ledger.begin(&[name], true, &now);
        self.disk = ledger.render().unwrap();
        self.tries.push((rule, self.truth));
        self.forward.push(self.truth);
        self.truth += 60;
        let outcome = match end {
            End::Well => Outcome::Fixed { transaction: 1 },
            End::Badly => {
                self.back.push(self.truth);
                failed()
            }
            End::Killed => return,
        };
        ledger.end(outcome, &self.now());
        self.disk = ledger.render().unwrap();
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Passes(minutes) => self.truth += minutes * 60,
            Event::Reboot(minutes) => {
                self.truth += minutes * 60;
                self.booted = self.truth;
                self.boot += 1;
            }
            Event::SetWall(by) => self.wall += by,
            Event::Fix(rule, end) => self.fix(*rule, *end),
            Event::Reset => {
                let mut ledger = Ledger::parse(&self.disk).unwrap();
                ledger.reset(&self.now());
                self.disk = ledger.render().unwrap();
            }
        }
    }
}

fn most_in(window: u64, times: &[u64]) -> usize {
    let within = |&start: &u64| times.iter().filter(move |&&it| it >= start && it < start + window);
    times.iter().map(|start| within(start).count()).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_kill_reboot_reset_or_clock_goes_past_a_bound(events in events()) {
        let mut machine = Machine {
            truth: 1_000,
            booted: 0,
            boot: 0,
            wall: 1_700_000_000,
            disk: Ledger::default().render().unwrap(),
            tries: Vec::new(),
            forward: Vec::new(),
            back: Vec::new(),
        };
        for event in &events {
            machine.happens(event);
        }
        for rule in 0..3 {
            let of_rule = machine.tries.iter().filter(|(it, _)| *it == rule).map(|(_, at)| *at);
            prop_assert!(most_in(86_400, &of_rule.collect::<Vec<_>>()) <= 1);
        }
        prop_assert!(most_in(86_400, &machine.forward) <= 2);
        prop_assert!(most_in(1_800, &machine.forward) <= 1);
        // And after a day without anything in one boot, nothing is forbidden any more.
        let mut ledger = Ledger::parse(&machine.disk).unwrap();
        ledger.reset(&machine.now());
        machine.wall -= 1_700_000_000;
        machine.truth += 86_400;
        prop_assert_eq!(ledger.forbids_restart(&machine.now()), None);
        for rule in ["0", "1", "2"] {
            prop_assert_eq!(ledger.forbids_rule(rule, &machine.now()), None);
        }
    }
}
