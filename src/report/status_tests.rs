use serde_json::Value as Json;

use super::*;
use crate::publish::last::Stale;
use crate::publish::testing::{author, with_snapshot};
use crate::report::{Report, json, npd, status_json};
use crate::rules::testing::{judged, report, rule};

fn stored(report: &Report, edit: impl FnOnce(&mut Json)) -> Stored {
    let mut out = Vec::new();
    with_snapshot(report, |snapshot| {
        json::render_snapshot(&snapshot, &author(), &mut out).unwrap();
    });
    let mut document = serde_json::from_slice(&out).unwrap();
    edit(&mut document);
    Stored::parse(document.to_string().as_bytes()).unwrap()
}

fn bad() -> Report {
    let fix = "fix = [{ safety = \"safe\", edits = [{ add-kernel-argument = \"a=b\" }] }]";
    let text =
        rule("bad", &format!("expect = [{{ fact = \"bool.false\", equals = true }}]\n{fix}"))
            + &rule("hidden", "expect = [{ fact = \"bool.unreadable\", equals = true }]")
            + &rule(
                "leaf",
                "needs = [\"bad\"]\nexpect = [{ fact = \"bool.true\", equals = true }]",
            );
    report(judged(&text))
}

fn good() -> Report {
    report(judged(&rule("good", "expect = [{ fact = \"bool.true\", equals = true }]")))
}

fn fresh(report: Stored) -> Last {
    let age = Some(Duration::from_secs(12));
    Last { report: Some(report), age, daemon: Daemon::Running(Some(4711)), stale: None }
}

fn stale(report: Option<Stored>) -> Last {
    let age = Some(Duration::from_secs(11_000));
    Last { report, age, daemon: Daemon::NotRunning, stale: Some(Stale::NotRunning) }
}

fn shown(last: &Last) -> String {
    let mut out = Vec::new();
    render(last, Look::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn line(last: &Last) -> String {
    let mut out = Vec::new();
    npd::render_last(last, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_host_that_is_not_ready() {
    let last = fresh(stored(&bad(), |document| {
        document["remediation"]["mode"] = "auto".into();
        document["remediation"]["paused"] = true.into();
        document["remediation"]["breaker_open_since"] = 1_764_000_000.into();
        document["remediation"]["pending_reboot"] = true.into();
    }));
    insta::assert_snapshot!(shown(&last), @r#"
    gpu-node-07: NOT READY for stage host, judged 12 s ago
    FAIL  bad: bad is wrong
          $ ccgpu-node fix --only bad
    UNKNOWN  hidden: hidden is wrong
      rules    1 waits for another
      details  ccgpu-node check says why and what to do
      daemon   running, pid 4711
      mending  auto, paused
               stopped since 2025-11-24 16:00:00 UTC: a fix did not do what it
               should
               $ ccgpu-node history
      reboot   a change waits for a reboot
    "#);
    assert_eq!(line(&last), "bad: bad is wrong\n");
}

#[test]
fn a_host_that_is_ready() {
    let last = fresh(stored(&good(), |_| ()));
    insta::assert_snapshot!(shown(&last), @r#"
    gpu-node-07: READY for stage host, judged 12 s ago
      daemon   running, pid 4711
      mending  off
    "#);
    assert_eq!(line(&last), "ready for stage host\n");
}

#[test]
fn what_is_stale_is_never_shown_as_what_holds() {
    let last = stale(Some(stored(&good(), |_| ())));
    insta::assert_snapshot!(shown(&last), @r#"
    CANNOT TELL: the daemon is not running
      last     ready 3 h 3 min ago (2025-11-24T16:00:00Z)
               $ systemctl status ccgpu-node
               $ ccgpu-node check
      daemon   not running
    "#);
    assert_eq!(line(&last), "cannot tell: the daemon is not running\n");
    insta::assert_snapshot!(shown(&stale(None)), @r#"
    CANNOT TELL: the daemon is not running
               $ systemctl status ccgpu-node
               $ ccgpu-node check
      daemon   not running
    "#);
}

#[test]
fn the_status_is_as_its_schema_says() {
    let validator = jsonschema::validator_for(&status_json::schema()).unwrap();
    for (last, verdict, exit) in [
        (fresh(stored(&bad(), |_| ())), "not-ready", 1),
        (fresh(stored(&good(), |_| ())), "ready", 0),
        (stale(Some(stored(&good(), |_| ()))), "cannot-tell", 3),
        (stale(None), "cannot-tell", 3),
    ] {
        let mut out = Vec::new();
        status_json::render(&last, &mut out).unwrap();
        let instance: Json = serde_json::from_slice(&out).unwrap();
        let errors: Vec<String> = validator.iter_errors(&instance).map(|e| e.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!((&instance["verdict"], &instance["exit_code"]), (&verdict.into(), &exit.into()));
        assert_eq!(instance["stale"].is_null(), exit != 3);
    }
}

#[test]
fn a_hostile_report_moves_no_cursor() {
    let hostile = "\x1b[2J\r\u{202e}";
    let last = fresh(stored(&bad(), |document| {
        document["host"]["name"] = hostile.into();
        document["rules"][0]["id"] = hostile.into();
        document["rules"][0]["title"] = hostile.repeat(1_000).into();
        document["judged"]["at"] = hostile.into();
    }));
    let mut json = Vec::new();
    status_json::render(&last, &mut json).unwrap();
    let verdict = crate::report::visible::is_treacherous;
    let old = stale(last.report.clone());
    let json = String::from_utf8(json).unwrap();
    for text in [shown(&last), shown(&old), line(&last), json] {
        assert!(!text.contains(|c: char| c != '\n' && verdict(c)), "{text}");
    }
    assert!(line(&last).len() <= 80);
}

#[test]
fn an_age_has_at_most_two_units() {
    for (seconds, text) in [
        (0, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h 0 min ago"),
        (90_000, "1 d 1 h ago"),
    ] {
        assert_eq!(ago(Duration::from_secs(seconds)), text);
    }
}
