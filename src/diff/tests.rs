use std::collections::BTreeMap;

use super::side::Key;
use super::*;
use crate::report::json;
use crate::report::{Status, Verdict};
use crate::rules::testing::{judged, report, rule};
use crate::rules::{Severity, Stage, Tee};

/// A side with rules and facts of the host, as a report or as a whole host.
fn side(name: &str, whole: bool, rules: &[(&str, Status)], facts: &[(&str, Seen)]) -> Side {
    let rules = rules.iter().map(|(id, status)| RuleSeen {
        id: (*id).to_owned(),
        title: format!("{id} is wrong"),
        status: *status,
        severity: Severity::Required,
        blocked_by: Vec::new(),
    });
    let mut side = Side {
        name: name.to_owned(),
        kind: if whole { SideKind::Capture } else { SideKind::Report },
        host: "gpu-07".to_owned(),
        stage: Stage::Host,
        tee: Some(Tee::Snp),
        verdict: Verdict::Ready,
        rules: rules.collect(),
        facts: BTreeMap::<Key, _>::new(),
        members: whole.then(BTreeMap::new),
    };
    for (fact, seen) in facts {
        side.add(None, fact, None, seen.clone());
    }
    side
}

fn known(text: &str) -> Seen {
    Seen::Known(Plain::Text(text.to_owned()))
}

#[test]
fn what_cannot_be_told_is_another_answer_than_a_value_and_than_absent() {
    let hidden = || Seen::Unreadable("permission denied".to_owned());
    let elsewhere = || Seen::Unreadable("the device does not answer".to_owned());
    for (before, after, changes, untold) in [
        (known("a"), known("a"), 0, 0),
        (known("a"), known("b"), 1, 0),
        (known("a"), Seen::Absent, 1, 0),
        (Seen::Absent, Seen::Absent, 0, 0),
        (known("a"), hidden(), 1, 0),
        (Seen::Absent, hidden(), 1, 0),
        (hidden(), hidden(), 0, 1),
        (hidden(), elsewhere(), 0, 1),
    ] {
        let a = side("a", true, &[], &[("os.id", before.clone())]);
        let b = side("b", true, &[], &[("os.id", after.clone())]);
        let difference = compare(&a, &b, false).unwrap();
        assert_eq!(difference.facts.len(), changes, "{before:?} {after:?}");
        assert_eq!(difference.not_compared.untold, untold, "{before:?} {after:?}");
        assert_eq!(difference.is_none(), changes == 0);
    }
}

#[test]
fn another_verdict_stage_or_tee_is_a_difference() {
    let same = || side("a", true, &[], &[("os.id", known("a"))]);
    let a = same();
    for b in [
        Side { verdict: Verdict::NotReady, ..same() },
        Side { stage: Stage::Kata, ..same() },
        Side { tee: None, ..same() },
    ] {
        assert!(!compare(&a, &b, false).unwrap().is_none(), "{b:?}");
    }
}

#[test]
fn rules_that_only_one_was_judged_by_are_named_and_not_compared() {
    let a = side("a", true, &[("x", Status::Pass), ("y", Status::Fail)], &[]);
    let b = side("b", true, &[("y", Status::Fail), ("z", Status::Fail)], &[]);
    let difference = compare(&a, &b, false).unwrap();
    assert!(difference.is_none());
    assert_eq!(difference.not_compared.rules_of_a, ["x"]);
    assert_eq!(difference.not_compared.rules_of_b, ["z"]);
}

#[test]
fn sides_with_nothing_in_common_are_no_pair() {
    let a = side("a", false, &[("x", Status::Pass)], &[]);
    let b = side("b", false, &[("y", Status::Pass)], &[("os.id", known("a"))]);
    let error = compare(&a, &b, false).unwrap_err().to_string();
    assert_eq!(error, "a and b have nothing in common that could be compared");
}

#[test]
fn what_a_report_does_not_hold_is_counted_and_is_no_difference() {
    let facts = [("os.id", known("a")), ("os.name", known("b"))];
    let whole = side("a", true, &[], &facts);
    let reported = side("b", false, &[], &facts[..1]);
    for (a, b) in [(&whole, &reported), (&reported, &whole)] {
        let difference = compare(a, b, false).unwrap();
        assert!(difference.is_none());
        assert_eq!(difference.not_compared.facts, 1);
    }
}

#[test]
fn a_member_of_two_collections_is_held_against_a_report_only_where_both_say_the_same() {
    let member = |name: Option<&'static str>, value: &str, side: &mut Side| {
        side.add(Some("0000:18:00.0"), "driver", name, known(value));
    };
    let mut reported = side("report", false, &[], &[("os.id", known("a"))]);
    member(None, "vfio-pci", &mut reported);
    for (one, other, changes, not_compared) in [
        ("vfio-pci", "vfio-pci", 0, 0),
        ("nouveau", "nouveau", 1, 0),
        ("vfio-pci", "nouveau", 0, 1),
    ] {
        let mut whole = side("host", true, &[], &[("os.id", known("a"))]);
        member(Some("gpus"), one, &mut whole);
        member(Some("others"), other, &mut whole);
        let difference = compare(&whole, &reported, false).unwrap();
        assert_eq!(difference.facts.len(), changes, "{one} {other}");
        assert_eq!(difference.not_compared.facts, not_compared, "{one} {other}");
    }
}

fn written(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::render(&report(judged(text)), &mut out).unwrap();
    out
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let text = rule("good", "expect = [{ fact = \"version.new\", at-least = \"1.30\" }]")
        + &rule("bad", "expect = [{ fact = \"bool.false\", equals = true }]")
        + &rule("behind", "needs = [\"bad\"]\nexpect = [{ fact = \"bool.true\", equals = true }]")
        + &rule("hidden", "expect = [{ fact = \"bool.unreadable\", equals = true }]")
        + &rule("none", "expect = [{ fact = \"bool.absent\", equals = true }]")
        + &rule("set", "expect = [{ fact = \"set.modules\", contains-none = [\"nvidia\"] }]")
        + &rule(
            "gpus",
            "for-each = \"gpus.two\"\nexpect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
        );
    let side = of_report("r.json", &written(&text)).unwrap();
    assert_eq!((side.kind, side.stage, side.tee), (SideKind::Report, Stage::Host, Some(Tee::Snp)));
    let statuses: Vec<String> =
        side.rules.iter().map(|rule| format!("{} {}", rule.id, rule.status)).collect();
    assert_eq!(
        statuses,
        [
            "good pass",
            "bad fail",
            "behind blocked",
            "hidden unknown",
            "none fail",
            "set fail",
            "gpus pass"
        ]
    );
    assert_eq!(side.rule("behind").unwrap().blocked_by, ["bad"]);
    let fact = |name: &str| {
        side.facts.get(&(None, name.to_owned())).and_then(super::side::Facets::only).cloned()
    };
    assert_eq!(fact("version.new"), Some(known("1.34")));
    assert_eq!(fact("bool.false"), Some(Seen::Known(Plain::Bool(false))));
    assert_eq!(fact("bool.absent"), Some(Seen::Absent));
    assert_eq!(fact("bool.unreadable"), Some(Seen::Unreadable("permission denied".to_owned())));
    // The report has only the members that decide, which are not the set.
    assert_eq!(fact("set.modules"), None);
    assert!(side.facts.contains_key(&(Some("0000:18:00.0".to_owned()), "driver".to_owned())));
}

#[test]
fn no_bytes_are_taken_for_a_report_that_is_none() {
    let good = written(&rule("a", "expect = [{ fact = \"bool.true\", equals = true }]"));
    for cut in 0..good.len() - 2 {
        assert!(of_report("r", &good[..cut]).is_err(), "{cut}");
    }
    let text = String::from_utf8(good).unwrap();
    let twice = {
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let first = json["rules"][0].clone();
        json["rules"].as_array_mut().unwrap().push(first);
        json.to_string()
    };
    for (text, says) in [
        (twice, "the rule \"a\" comes twice"),
        (text.replace("\"verdict\": \"ready\"", "\"verdict\": \"fine\""), "none of its words"),
        (text.replace("\"status\": \"pass\"", "\"status\": 1"), "invalid type"),
        (text.replace("\"findings\"", "\"fundings\""), "missing field `findings`"),
        (text.replace("\"state\": \"known\"", "\"state\": \"seen\""), "unknown variant"),
        (format!("{text}{text}"), "trailing characters"),
    ] {
        let error = of_report("r", text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}, not {says}");
        assert!(matches!(error, DiffError::Report { .. }), "{error:?}");
    }
}
