use super::super::{Attempt, CcMode, End, Log, Mode};
use super::*;
use crate::facts::cluster::Cluster;

const NOW: i64 = 1_767_000_000;

/// A node with these labels, whose cc-manager began to set a mode so many seconds ago.
fn told(
    labels: &[(&str, &str)],
    mode: Mode,
    ago: i64,
    has_ended: bool,
) -> (Reading<bool>, Option<String>) {
    let since = NOW - ago;
    let end = has_ended.then_some(End::Applied(since + 40));
    let attempt = Attempt { mode, since, line: 3, end };
    let log = Log { attempt: Some(attempt), last: Some(NOW), host_refused: false };
    let labels: Vec<String> =
        labels.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
    let node =
        format!("{{\"metadata\": {{\"name\": \"n\", \"labels\": {{{}}}}}}}", labels.join(","));
    let node = Reading::Known(serde_json::from_str(&node).unwrap());
    agree(&Facts {
        cc_mode: Some(CcMode {
            log: Reading::Known(log),
            source: Source::file("/var/log/pods/x/0.log"),
            uptime: Reading::Absent,
        }),
        cluster: Some(Cluster { asked: true, node, classes: Reading::Absent }),
        ..Facts::default()
    })
}

#[test]
fn labels_and_log_that_name_one_mode_agree() {
    let labels = [(WANTED, "ppcie"), (STATE, "ppcie")];
    assert_eq!(told(&labels, Mode::Ppcie, 900, true).0, Reading::Known(true));
    // The default of the cluster, for which no label is needed.
    assert_eq!(told(&labels[1..], Mode::Ppcie, 900, true).0, Reading::Known(true));
}

#[test]
fn a_mode_that_was_not_set_differs_from_the_wanted_one() {
    for (labels, words) in [
        ([(WANTED, "on"), (STATE, "failed")], "nvidia.com/cc.mode.state is failed"),
        (
            [(WANTED, "off"), (STATE, "on")],
            "nvidia.com/cc.mode is off, nvidia.com/cc.mode.state is on",
        ),
        (
            [(WANTED, "off"), (STATE, "off")],
            "nvidia.com/cc.mode.state is off, cc-manager's log says on",
        ),
    ] {
        let (reading, note) = told(&labels, Mode::On, 900, true);
        assert_eq!((reading, note.as_deref()), (Reading::Known(false), Some(words)));
    }
}

#[test]
fn a_change_has_two_minutes() {
    let labels = [(WANTED, "on"), (STATE, "off")];
    let (reading, _) = told(&labels, Mode::On, 60, false);
    let words = reading.cause().unwrap().to_string();
    assert!(words.contains("began 60 s ago and takes up to two minutes"), "{words}");
    assert_eq!(told(&labels, Mode::On, 121, false).0, Reading::Known(false));
    // A change to another mode than this says nothing about it.
    assert_eq!(told(&labels, Mode::Off, 60, false).0, Reading::Known(false));
}

#[test]
fn where_nothing_was_set_or_nobody_was_asked_nothing_disagrees() {
    assert_eq!(told(&[(WANTED, "on")], Mode::On, 900, true).0, Reading::Absent);
    let nobody = Cluster { asked: false, node: Reading::Absent, classes: Reading::Absent };
    let facts = Facts { cluster: Some(nobody), ..Facts::default() };
    assert_eq!(agree(&facts).0, Reading::Absent);
    assert!(agree(&Facts::default()).0.cause().is_some());
}
