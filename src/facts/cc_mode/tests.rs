//! Which log is looked at, and what is told of the time.

use super::super::testing::tree;
use super::*;
use crate::facts::{Assumptions, Facts, Needs, Value, catalogue, gather as gather_facts};
use crate::host::Run;

const POD: &str = "var/log/pods/gpu-operator_nvidia-cc-manager-x7k2p_0d4f";
const BOOT: i64 = 1_767_000_000;

fn line(second: i64, message: &str) -> String {
    let time = jiff::Timestamp::from_second(BOOT + second).unwrap();
    format!("{time} stderr F 0 - k8s-cc-manager - INFO - {message}\n")
}

fn facts(files: &[(&str, &str)]) -> Facts {
    let host = tree(files);
    let root = Root::directory(host.path()).unwrap();
    let needs = Needs::CC_MODE.and(Needs::OPERATOR_FILES);
    gather_facts(&root, &Run::on(&root), needs, Assumptions::default())
}

fn applied(facts: &Facts) -> Reading<Value> {
    (catalogue::fact("cc.applied-mode").unwrap().read)(facts).reading
}

#[test]
fn the_log_of_the_last_restart_counts() {
    let (old, new) = (
        line(60, "All gpus already set to cc on, skipping"),
        line(90, "All gpus already set to cc off, skipping"),
    );
    let paths = [
        format!("{POD}/nvidia-cc-manager/9.log"),
        format!("{POD}/nvidia-cc-manager/10.log"),
        format!("{POD}/nvidia-cc-manager/9.log.20260101-000000.gz"),
        format!("{POD}/nvidia-cc-manager/notes.log"),
        "var/log/pods/kube-system_other_1/other/0.log".to_owned(),
    ];
    let texts = [&*old, &*new, "", "", ""];
    let files: Vec<(&str, &str)> = paths.iter().map(String::as_str).zip(texts).collect();
    let facts = facts(&files);
    assert_eq!(applied(&facts), Reading::Known(Value::Text("off".to_owned())));
    let source = &facts.cc_mode.as_ref().unwrap().source;
    assert_eq!(&*source.path, format!("/{}", paths[1]));
}

#[test]
fn of_two_pods_the_one_that_spoke_last_counts() {
    let (early, late) = (
        line(60, "All gpus already set to cc on, skipping"),
        line(90, "All gpus already set to cc ppcie, skipping"),
    );
    for names in [["a", "b"], ["b", "a"]] {
        let paths = names.map(|name| format!("{POD}{name}/nvidia-cc-manager/0.log"));
        let facts = facts(&[(&paths[0], &early), (&paths[1], &late)]);
        assert_eq!(applied(&facts), Reading::Known(Value::Text("ppcie".to_owned())));
    }
}

#[test]
fn without_a_log_nothing_is_told() {
    for files in [
        &[("var/log/pods/", "")][..],
        &[("etc/hostname", "x")],
        &[("var/log/pods", "a file")],
        &[(&*format!("{POD}/nvidia-cc-manager/"), "")],
        &[(&*format!("{POD}/nvidia-cc-manager/0.log"), "\u{fffd}\nno time\n")],
    ] {
        assert!(applied(&facts(files)).cause().is_some(), "{files:?}");
    }
}

#[test]
fn a_change_is_given_two_minutes_by_the_clock_of_the_host() {
    let text = line(100, "Label changed: 'off' -> 'on' (event: MODIFIED)");
    let path = format!("{POD}/nvidia-cc-manager/0.log");
    let stat = format!("cpu 0\nbtime {BOOT}\n");
    let at = |uptime: &str, text: &str| {
        applied(&facts(&[(&path, text), ("proc/stat", &stat), ("proc/uptime", uptime)]))
    };
    assert!(at("160.1 9.0\n", &text).cause().is_some());
    assert!(at("220.9 9.0\n", &text).cause().is_some());
    let pending = Reading::Known(Value::Text("pending".to_owned()));
    assert_eq!(at("221.0 9.0\n", &text), pending);
    // A log that goes on tells the time too, and a clock that makes no sense tells none.
    let later = format!("{text}{}", line(300, "Resetting GPU 0000:18:00.0"));
    assert_eq!(at("x\n", &later), pending);
    assert!(at("x\n", &text).cause().is_some());
}

#[test]
fn what_was_said_before_the_boot_confirms_nothing() {
    let path = format!("{POD}/nvidia-cc-manager/0.log");
    let stat = format!("btime {BOOT}\n");
    let confirmed = |second: i64, ready: bool| {
        let text = line(second, "All gpus already set to cc on, skipping");
        let file = "run/nvidia/validations/.cc-manager-ctr-ready";
        let mut files =
            vec![(&*path, &*text), ("proc/stat", &*stat), ("run/nvidia/validations/x", "")];
        if ready {
            files.push((file, ""));
        }
        (catalogue::fact("cc.confirmed").unwrap().read)(&facts(&files)).reading
    };
    // The files of the tree are made now, which is after that boot.
    assert_eq!(confirmed(60, true), Reading::Known(Value::Bool(true)));
    assert_eq!(confirmed(-3600, true), Reading::Known(Value::Bool(false)));
    assert_eq!(confirmed(60, false), Reading::Known(Value::Bool(false)));
}
