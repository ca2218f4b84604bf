use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::publish::testing::{author, judged, with_snapshot};
use crate::report::json;
use crate::rules::testing::{judged as results, report, rule};

fn text(rules: &str) -> Vec<u8> {
    let mut out = Vec::new();
    with_snapshot(&report(results(rules)), |snapshot| {
        json::render_snapshot(&snapshot, &author(), &mut out).unwrap();
    });
    out
}

fn good() -> String {
    rule("good", "expect = [{ fact = \"bool.true\", equals = true }]")
}

fn bad() -> String {
    rule(
        "bad",
        "expect = [{ fact = \"bool.false\", equals = true }]\nfix = [{ safety = \"unsafe\", edits = [{ add-kernel-argument = \"a=b\" }] }]",
    )
}

/// A report that says ready, changed in one place.
fn changed(change: impl FnOnce(&mut Json)) -> Result<Stored, StoredError> {
    let mut report: Json = serde_json::from_slice(&text(&good())).unwrap();
    change(&mut report);
    Stored::parse(report.to_string().as_bytes())
}

#[test]
fn what_the_daemon_wrote_is_read_back() {
    let stored = Stored::parse(&text(&(good() + &bad()))).unwrap();
    assert_eq!(stored.verdict, Verdict::NotReady);
    assert_eq!((stored.stage, stored.tee), (Stage::Host, Some(Tee::Snp)));
    assert_eq!((stored.host.as_str(), stored.live, stored.not_judged), ("gpu-node-07", true, 0));
    assert_eq!(stored.judged.uptime, judged().uptime);
    assert_eq!(stored.judged.valid_for, judged().valid_for);
    assert_eq!(stored.judged.boot_id, author().boot_id);
    assert_eq!(stored.judged.at.as_deref(), Some("2025-11-24T16:00:00Z"));
    let failing: Vec<&StoredRule> = stored.with(Severity::Required, Status::Fail).collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(failing[0].title, "bad is wrong");
    assert_eq!(failing[0].fix_command().as_deref(), Some("ccgpu-node fix --unsafe --only bad"));
    assert_eq!(stored.remediation.unwrap().mode, Mode::Off);
}

#[test]
fn a_report_with_the_daemons_part_is_as_its_schema_says() {
    let instance: Json = serde_json::from_slice(&text(&(good() + &bad()))).unwrap();
    let validator = jsonschema::validator_for(&json::schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&instance).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn a_report_of_check_has_no_daemon() {
    let mut out = Vec::new();
    json::render(&report(results(&good())), &mut out).unwrap();
    assert!(matches!(Stored::parse(&out), Err(StoredError::NoDaemon)));
}

#[test]
fn a_ready_that_its_own_rules_contradict_is_refused() {
    assert_eq!(changed(|_| ()).unwrap().verdict, Verdict::Ready);
    for status in ["fail", "unknown", "blocked", "not-applicable"] {
        let stored = changed(|report| report["rules"][0]["status"] = json!(status));
        assert!(matches!(stored, Err(StoredError::Inconsistent(_))), "{status}: {stored:?}");
    }
    let stored = changed(|report| report["rules"] = json!([]));
    assert!(matches!(stored, Err(StoredError::Inconsistent(_))), "{stored:?}");
}

#[test]
fn words_and_numbers_that_mean_nothing_are_refused() {
    let pointers = [
        ("/verdict", json!("fine")),
        ("/stage/value", json!("hots")),
        ("/tee/value", json!("")),
        ("/rules/0/status", json!("passed")),
        ("/rules/0/severity", json!(null)),
        ("/judged/uptime_seconds", json!(-1)),
        ("/judged/uptime_seconds", json!(1e300)),
        ("/judged/pid", json!(-1)),
        ("/remediation/mode", json!("on")),
    ];
    for (pointer, value) in pointers {
        let stored = changed(|report| *report.pointer_mut(pointer).unwrap() = value.clone());
        assert!(matches!(stored, Err(StoredError::Inconsistent(_))), "{pointer}: {stored:?}");
    }
    let stored = changed(|report| report["version"] = json!(2));
    assert!(matches!(stored, Err(StoredError::NotAReport)), "{stored:?}");
}

#[test]
fn fields_of_a_later_program_are_passed_over() {
    let stored = changed(|report| {
        report["later"] = json!({ "a": [1] });
        report["judged"]["later"] = json!(1);
    });
    assert_eq!(stored.unwrap().verdict, Verdict::Ready);
}

#[test]
fn a_report_that_is_cut_anywhere_is_refused() {
    let whole = text(&good());
    let end = whole.len() - 2;
    for length in 0..end {
        assert!(Stored::parse(&whole[..length]).is_err(), "{length} bytes");
    }
    let nested = "[".repeat(100_000);
    assert!(Stored::parse(nested.as_bytes()).is_err());
    // The same field twice: which one counts is a matter of taste.
    let twice = String::from_utf8(whole).unwrap().replacen('{', "{\"verdict\":\"ready\",", 1);
    assert!(Stored::parse(twice.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in any::<Vec<u8>>(), at in 0usize..4_000, len in 0usize..40) {
        let _ = Stored::parse(&bytes);
        let mut text = text(&good());
        let at = at.min(text.len());
        let end = (at + len).min(text.len());
        text.splice(at..end, bytes);
        let _ = Stored::parse(&text);
    }
}
