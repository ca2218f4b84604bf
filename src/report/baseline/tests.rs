use super::*;
use crate::report::json;
use crate::rules::testing::{judged, report, rule};

fn written(report: &Report) -> Vec<u8> {
    let mut out = Vec::new();
    json::render(report, &mut out).unwrap();
    out
}

/// `now` compared with what `check` would have written `then`.
fn compared(then: &str, now: &str) -> Comparison {
    let then = written(&report(judged(then)));
    let baseline = Baseline::parse("then.json", &then).unwrap();
    compare(&report(judged(now)), &baseline).unwrap()
}

fn worse(comparison: &Comparison) -> Vec<String> {
    comparison.worse.iter().map(|worse| format!("{} {}", worse.rule.id, worse.why)).collect()
}

fn of(fact: &str) -> String {
    format!("expect = [{{ fact = \"{fact}\", equals = true }}]")
}

fn good(id: &str) -> String {
    rule(id, &of("bool.true"))
}

fn bad(id: &str) -> String {
    rule(id, &of("bool.false"))
}

fn hidden(id: &str) -> String {
    rule(id, &of("bool.unreadable"))
}

fn gpus(id: &str, collection: &str, driver: &str) -> String {
    rule(
        id,
        &format!(
            "for-each = \"{collection}\"\nexpect = [{{ fact = \"driver\", equals = \"{driver}\" }}]"
        ),
    )
}

#[test]
fn what_failed_then_is_known_and_does_not_count() {
    let both = good("a") + &bad("b") + &hidden("c");
    let comparison = compared(&both, &both);
    assert_eq!(comparison.gate, Verdict::Ready);
    assert_eq!(comparison.verdict, Verdict::NotReady);
    let known: Vec<&str> = comparison.known.iter().map(|id| &**id).collect();
    assert_eq!(known, ["b", "c"]);
    assert_eq!(
        comparison.line(),
        "compared with then.json of gpu-node-07: 2 known failures not counted"
    );
}

#[test]
fn every_way_to_get_worse_counts() {
    let waits = |id: &str| rule(id, &format!("needs = [\"root\"]\n{}", of("bool.true")));
    for (then, now, gate, why) in [
        (good("a"), bad("a"), Verdict::NotReady, "a passed then"),
        (good("a"), hidden("a"), Verdict::CannotTell, "a passed then"),
        (good("b"), good("b") + &bad("a"), Verdict::NotReady, "a was not judged then"),
        (hidden("a"), bad("a"), Verdict::NotReady, "a could not be judged then"),
        (
            gpus("a", "gpus.none", "vfio-pci"),
            gpus("a", "gpus.three", "vfio-pci"),
            Verdict::NotReady,
            "a was not about the host then",
        ),
        (
            gpus("a", "gpus.three", "vfio-pci"),
            gpus("a", "gpus.ten", "vfio-pci"),
            Verdict::NotReady,
            "a failed then, but not for 0000:4e:00.0 and 6 more",
        ),
        (
            rule(
                "a",
                "severity = \"recommended\"\nexpect = [{ fact = \"bool.false\", equals = true }]",
            ),
            bad("a"),
            Verdict::NotReady,
            "a was only recommended then",
        ),
        (
            rule("a", "expect = [{ fact = \"integer.five\", at-least = 6 }]"),
            rule("a", "expect = [{ fact = \"integer.five\", at-least = 7 }]"),
            Verdict::NotReady,
            "a failed then, but not for integer.five",
        ),
        // The root was bad before; what waits for it passed, and cannot be told now.
        (
            bad("root") + &good("leaf"),
            bad("root") + &waits("leaf"),
            Verdict::CannotTell,
            "leaf passed then",
        ),
        (
            bad("root") + &waits("leaf"),
            good("root") + &bad("leaf"),
            Verdict::NotReady,
            "leaf waited for another rule then",
        ),
        (String::new() + &good("b"), bad("b"), Verdict::NotReady, "b passed then"),
    ] {
        let comparison = compared(&then, &now);
        assert_eq!(comparison.gate, gate, "{why}");
        assert_eq!(worse(&comparison), [why]);
    }
}

#[test]
fn every_way_to_stay_as_bad_or_to_get_better_does_not_count() {
    let waits = rule("leaf", &format!("needs = [\"root\"]\n{}", of("bool.true")));
    for (then, now) in [
        (bad("a") + &good("b"), good("a") + &good("b")),
        (bad("a"), bad("a") + &good("b")),
        (bad("root") + &waits, bad("root") + &waits),
        (gpus("a", "gpus.ten", "vfio-pci"), gpus("a", "gpus.three", "vfio-pci")),
    ] {
        let comparison = compared(&then, &now);
        assert_eq!(worse(&comparison), Vec::<String>::new(), "{now}");
        assert_eq!(comparison.gate, Verdict::Ready, "{now}");
    }
}

#[test]
fn another_member_of_a_set_is_worse() {
    let modules = |unwanted: &str| {
        format!("expect = [{{ fact = \"set.modules\", contains-none = [{unwanted}] }}]")
    };
    let now = rule("a", &modules("\"nvidia\", \"nvidia_drm\""));
    let then = String::from_utf8(written(&report(judged(&now)))).unwrap();
    let fewer = then.replace("\"nvidia_drm\"\n", "\"other\"\n");
    assert_ne!(then, fewer);
    let now = report(judged(&now));
    for (then, gate) in [(then, Verdict::Ready), (fewer, Verdict::NotReady)] {
        let baseline = Baseline::parse("f", then.as_bytes()).unwrap();
        assert_eq!(compare(&now, &baseline).unwrap().gate, gate, "{then}");
    }
}

#[test]
fn a_host_that_nothing_is_known_about_is_not_excused() {
    let nothing =
        rule("a", "severity = \"info\"\nexpect = [{ fact = \"bool.true\", equals = true }]");
    assert_eq!(compared(&nothing, &nothing).gate, Verdict::CannotTell);
}

#[test]
fn an_empty_or_a_foreign_baseline_excuses_nothing_silently() {
    let mut then = report(Vec::new());
    then.header.host = "else".to_owned();
    let now = report(judged(&(good("a") + &bad("b"))));
    let baseline = Baseline::parse("f", &written(&then)).unwrap();
    let comparison = compare(&now, &baseline).unwrap();
    assert_eq!(comparison.gate, Verdict::NotReady);
    assert_eq!(
        comparison.line(),
        "compared with f of else: 0 known failures not counted; that is not this host"
    );
}

#[test]
fn what_is_no_report_of_this_kind_is_refused_and_says_so() {
    let good = String::from_utf8(written(&report(judged(&bad("a"))))).unwrap();
    let twice = {
        let mut json: serde_json::Value = serde_json::from_str(&good).unwrap();
        let first = json["rules"][0].clone();
        json["rules"].as_array_mut().unwrap().push(first);
        json.to_string()
    };
    for (text, says) in [
        (String::new(), "not a whole JSON"),
        (good[..good.len() / 2].to_owned(), "not a whole JSON"),
        (format!("{good}{good}"), "not a whole JSON"),
        ("{}".to_owned(), "no report of"),
        ("[]".to_owned(), "no report of"),
        ("[".repeat(100_000), "not a whole JSON"),
        (good.replace("ccgpu-node-report", "other"), "no report of"),
        (good.replace("\"version\": 1,", "\"version\": 2,"), "version 2"),
        (good.replace("\"status\": \"fail\"", "\"status\": \"fine\""), "none of its words"),
        (good.replace("\"findings\"", "\"fundings\""), "no report that"),
        (twice, "comes twice"),
    ] {
        let error = Baseline::parse("f", text.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}, not {says}");
    }
}

#[test]
fn another_stage_or_another_tee_cannot_be_compared() {
    let now = report(judged(&bad("a")));
    let text = String::from_utf8(written(&now)).unwrap();
    let stage = text.replacen("\"value\": \"host\"", "\"value\": \"operator\"", 1);
    let tee = text.replacen("\"value\": \"snp\"", "\"value\": null", 1);
    for (text, says) in [
        (stage, "it was judged for stage operator, and this host is judged for host"),
        (tee, "it was judged for TEE unknown, and this host is judged for snp"),
    ] {
        let baseline = Baseline::parse("f", text.as_bytes()).unwrap();
        assert_eq!(compare(&now, &baseline).unwrap_err().to_string(), says);
    }
}
