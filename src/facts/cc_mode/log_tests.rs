//! Logs as cc-manager writes them, and others.

use proptest::prelude::*;

use super::*;

const START: i64 = 1_767_000_000;

/// A log of these messages, ten seconds apart.
fn log(messages: &[&str]) -> String {
    let line = |(number, message): (i64, &&str)| {
        let time = Timestamp::from_second(START + 10 * number).unwrap();
        format!("{time} stderr F 2026-01-01 00:00:00,000 - k8s-cc-manager - INFO - {message}\n")
    };
    (0..).zip(messages).map(line).collect()
}

fn attempt(messages: &[&str]) -> Option<(Mode, i64, Option<End>)> {
    let log = parse(&log(messages));
    log.attempt.map(|it| (it.mode, it.since - START, it.end))
}

#[test]
fn a_mode_that_was_set_or_stood_already_is_applied() {
    let applied = |mode, since, at| Some((mode, since, Some(End::Applied(START + at))));
    for (messages, expected) in [
        (
            &[
                "Applying default CC mode: on",
                "Setting CC mode to 'on' on 8 GPU(s)",
                "Successfully set CC mode to 'on' on all GPUs",
            ][..],
            applied(Mode::On, 0, 20),
        ),
        (
            &[
                "Initialized CC Manager for node: a",
                "All gpus already set to cc devtools, skipping",
            ],
            applied(Mode::Devtools, 10, 10),
        ),
        (
            &[
                "All gpus already set to cc on, skipping",
                "Label changed: 'on' -> 'ppcie' (event: MODIFIED)",
                "Evicting GPU operator components before PPCIe mode change",
                "Setting PPCIe mode on 12 device(s)",
                "Setting PPCIe mode on 0000:18:00.0 from 'off' to 'on'",
                "Successfully set PPCIe mode on all devices",
            ],
            applied(Mode::Ppcie, 10, 50),
        ),
        (&["All devices already in PPCIe mode, skipping"], applied(Mode::Ppcie, 0, 0)),
    ] {
        assert_eq!(attempt(messages), expected, "{messages:?}");
    }
}

#[test]
fn a_change_has_no_end_before_it_ends() {
    for messages in [
        &["All gpus already set to cc off, skipping", "Label changed: 'off' -> 'on' (event: X)"][..],
        &["Label changed: '' -> 'off'", "Setting CC mode to 'on' on 1 GPU(s)"],
        &["Starting watch on node 'a'", "Setting CC mode to 'on' on 1 GPU(s)", "Resetting GPU x"],
    ] {
        assert_eq!(attempt(messages), Some((Mode::On, 10, None)), "{messages:?}");
    }
    // A label that was taken away is followed by the default.
    let taken = ["All gpus already set to cc on, skipping", "Label changed: 'on' -> '' (event: X)"];
    assert_eq!(attempt(&taken).unwrap().0, Mode::On);
}

#[test]
fn a_failure_ends_what_was_begun_and_nothing_that_was_done() {
    let failed = attempt(&[
        "Label changed: 'off' -> 'ppcie' (event: MODIFIED)",
        "Some devices do not support PPCIe mode: {'0000:18:00.0'}",
        "Fatal error: again",
    ]);
    let Some((Mode::Ppcie, 0, Some(End::Failed(at, reason)))) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(at, START + 10);
    assert!(reason.starts_with("Some devices"), "{reason}");
    let applied =
        attempt(&["All gpus already set to cc on, skipping", "Fatal error: Watch failed after 10"]);
    assert_eq!(applied, Some((Mode::On, 0, Some(End::Applied(START)))));
}

#[test]
fn only_whole_sentences_of_the_program_itself_count() {
    for line in [
        "",
        "Successfully set CC mode to 'on' on all GPUs",
        "2026-01-01T00:00:00Z stderr F Successfully set CC mode to 'on' on all GPUs",
        "2026-01-01T00:00:00Z stderr F 2026 - other - INFO - Successfully set CC mode to 'on' on all",
        "yesterday stderr F 2026 - k8s-cc-manager - INFO - Successfully set CC mode to 'on' on all",
        "2026-01-01T00:00:00Z stderr F 2026 - k8s-cc-manager - INFO - Successfully set CC mode to 'o",
        "2026-01-01T00:00:00Z stderr F 2026 - k8s-cc-manager - INFO - Setting CC mode to 'onward'",
    ] {
        assert_eq!(parse(line).attempt, None, "{line}");
    }
    let text = "2026-01-01T01:00:00.123456789+01:00 stdout P x - k8s-cc-manager - I - y";
    assert_eq!(parse(text).last, Some(1_767_225_600));
}

#[test]
fn a_host_that_cannot_is_told() {
    let text = "Overriding default CC mode: on to off because the host does not support CC";
    let log = parse(&log(&[text, "Applying default CC mode: off"]));
    assert!(log.host_refused);
    assert_eq!(log.attempt.unwrap().mode, Mode::Off);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    /// What a capture leaves out decides nothing.
    #[test]
    fn what_is_shown_of_the_lines_says_the_same(picks in proptest::collection::vec(0..9_usize, 0..12)) {
        const ALL: [&str; 9] = [
            "Applying default CC mode: on",
            "Setting CC mode to 'off' on 8 GPU(s)",
            "Successfully set CC mode to 'off' on all GPUs",
            "Label changed: 'on' -> 'ppcie' (event: MODIFIED)",
            "Successfully set PPCIe mode on all devices",
            "GPU error setting CC mode: no",
            "Starting watch from ResourceVersion: 12",
            "Found CC-capable GPU: 0000:18:00.0 - H100",
            "Label changed: 'on' -> '' (event: MODIFIED)",
        ];
        let messages: Vec<&str> = picks.iter().filter_map(|pick| ALL.get(*pick).copied()).collect();
        let whole = log(&messages);
        let kept: String = whole.lines().map(|line| shown(line) + "\n").collect();
        prop_assert!(!kept.contains("no") && !kept.contains("0000:18"), "{}", kept);
        let strip = |mut log: Log| {
            if let Some(Attempt { end: Some(End::Failed(_, reason)), .. }) = &mut log.attempt {
                reason.clear();
            }
            log
        };
        prop_assert_eq!(strip(parse(&kept)), strip(parse(&whole)));
    }
}
