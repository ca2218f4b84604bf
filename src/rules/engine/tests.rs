use super::super::choose::{Filter, FilterError, Platform};
use super::super::testing::{SNP, catalogue, judged, report, rule, rules};
use super::super::{RuleFile, RuleSet, Stage};
use super::*;
use crate::facts::{Kind, Needs};
use crate::report::Verdict;

const PASS: &str = r#"expect = [{ fact = "bool.true", equals = true }]"#;
const FAIL: &str = r#"expect = [{ fact = "bool.false", equals = true }]"#;
const UNKNOWN: &str = r#"expect = [{ fact = "bool.unreadable", equals = true }]"#;
const NOT_APPLICABLE: &str =
    r#"expect = [{ fact = "bool.absent", equals = true, absent-is = "not-applicable" }]"#;

fn status(rest: &str) -> Status {
    judged(&rule("r", rest))[0].status
}

fn statuses(text: &str) -> Vec<(String, Status)> {
    judged(text).iter().map(|result| (result.rule.id.to_string(), result.status)).collect()
}

#[test]
fn the_worst_of_several_expectations_wins() {
    let parts = [
        (r#"{ fact = "bool.true", equals = true }"#, Status::Pass),
        (r#"{ fact = "bool.false", equals = true }"#, Status::Fail),
        (r#"{ fact = "bool.unreadable", equals = true }"#, Status::Unknown),
        (
            r#"{ fact = "bool.absent", equals = true, absent-is = "not-applicable" }"#,
            Status::NotApplicable,
        ),
    ];
    let rank = |status| match status {
        Status::Fail => 0,
        Status::Unknown => 1,
        Status::Pass => 2,
        _ => 3,
    };
    for (one, of_one) in parts {
        for (other, of_other) in parts {
            let expected = if rank(of_one) < rank(of_other) { of_one } else { of_other };
            assert_eq!(status(&format!("expect = [{one}, {other}]")), expected, "{one} {other}");
        }
    }
}

#[test]
fn absent_counts_as_the_rule_says_and_by_default_as_a_failure() {
    for (absent_is, expected) in [
        ("", Status::Fail),
        (r#", absent-is = "fail""#, Status::Fail),
        (r#", absent-is = "pass""#, Status::Pass),
        (r#", absent-is = "not-applicable""#, Status::NotApplicable),
    ] {
        let text = format!(r#"expect = [{{ fact = "bool.absent", equals = false{absent_is} }}]"#);
        assert_eq!(status(&text), expected, "{absent_is}");
    }
    // No operator is satisfied by something that is not there.
    let none = r#"expect = [{ fact = "bool.absent", equals = true }]"#;
    assert_eq!(status(none), Status::Fail);
}

#[test]
fn nothing_to_look_at_is_never_a_pass() {
    for (collection, expected) in [
        ("gpus.none", Status::NotApplicable),
        ("gpus.hidden", Status::Unknown),
        ("gpus.partly-hidden", Status::Unknown),
        ("gpus.two", Status::Pass),
        ("gpus.three", Status::Fail),
    ] {
        let text = format!(
            "for-each = \"{collection}\"\nexpect = [{{ fact = \"driver\", equals = \"vfio-pci\" }}]"
        );
        assert_eq!(status(&text), expected, "{collection}");
    }
}

#[test]
fn a_failure_outranks_doubt_about_further_members() {
    let text =
        "for-each = \"gpus.partly-hidden\"\nexpect = [{ fact = \"driver\", equals = \"x\" }]";
    assert_eq!(status(text), Status::Fail);
}

#[test]
fn members_are_judged_where_they_certainly_belong() {
    let each = |filter: &str, expect: &str| {
        judged(&rule(
            "r",
            &format!("for-each = \"gpus.ten\"\nwhere = [{filter}]\nexpect = [{expect}]"),
        ))
        .remove(0)
    };
    let nvidia = r#"{ fact = "driver", equals = "nvidia" }"#;
    let some = each(nvidia, nvidia);
    assert_eq!((some.status, some.subjects), (Status::Pass, 7));
    let none = each(r#"{ fact = "driver", equals = "nouveau" }"#, nvidia);
    assert_eq!((none.status, none.subjects), (Status::NotApplicable, 0));
    // Of the third it cannot be told whether it belongs, so the rule cannot pass ...
    let doubtful = each(r#"{ fact = "group", below = 3 }"#, r#"{ fact = "group", at-least = 0 }"#);
    assert_eq!((doubtful.status, doubtful.subjects), (Status::Unknown, 2));
    // ... unless another condition certainly rules it out.
    let ruled_out = each(
        r#"{ fact = "group", below = 3 }, { fact = "driver", equals = "vfio-pci" }"#,
        r#"{ fact = "group", at-least = 0 }"#,
    );
    assert_eq!((ruled_out.status, ruled_out.subjects), (Status::Pass, 2));
    let missing = each(
        r#"{ fact = "driver", equals = "x", absent-is = "pass" }"#,
        r#"{ fact = "group", equals = 9 }"#,
    );
    assert_eq!((missing.status, missing.subjects), (Status::Pass, 1));
}

#[test]
fn the_first_case_that_holds_is_judged() {
    let case = |condition: &str, expected: &str| {
        format!(
            "[[rule.case]]\nwhen = [{{ fact = \"bool.{condition}\", equals = true }}]\n\
             expect = [{{ fact = \"bool.{expected}\", equals = true }}]\n"
        )
    };
    for (cases, expected) in [
        (vec![("true", "true"), ("true", "false")], Status::Pass),
        (vec![("false", "false"), ("true", "true")], Status::Pass),
        (vec![("false", "false")], Status::NotApplicable),
        (vec![("absent", "false")], Status::NotApplicable),
        (vec![("unreadable", "true"), ("true", "true")], Status::Unknown),
        (vec![("true", "true"), ("unreadable", "false")], Status::Pass),
        (vec![("true", "false"), ("unreadable", "true")], Status::Fail),
    ] {
        let text: String = cases.iter().map(|(when, expect)| case(when, expect)).collect();
        assert_eq!(status(&text), expected, "{cases:?}");
    }
}

#[test]
fn a_rule_applies_only_where_all_its_conditions_hold() {
    for (fact, expected) in [
        ("true", Status::Fail),
        ("false", Status::NotApplicable),
        ("absent", Status::NotApplicable),
        ("unreadable", Status::Unknown),
    ] {
        let applies = format!("applies = [{{ fact = \"bool.{fact}\", equals = true }}]\n{FAIL}");
        assert_eq!(status(&applies), expected, "{fact}");
    }
    let certain = r#"applies = [{ fact = "bool.unreadable", equals = true }, { fact = "bool.false", equals = true }]"#;
    assert_eq!(status(&format!("{certain}\n{FAIL}")), Status::NotApplicable);
}

#[test]
fn a_rule_for_another_tee_is_not_applicable_and_for_an_unknown_one_unknown() {
    let set = rules(&rule("r", &format!("tee = [\"tdx\"]\n{PASS}")));
    for (tee, expected) in [
        (Some(super::super::Tee::Tdx), Status::Pass),
        (Some(super::super::Tee::Snp), Status::NotApplicable),
        (Some(super::super::Tee::None), Status::NotApplicable),
        (None, Status::Unknown),
    ] {
        let chosen = set.choose(&Filter::default(), Platform { stage: Stage::Host, tee }).unwrap();
        assert_eq!(judge(&chosen, &Facts::default())[0].status, expected, "{tee:?}");
    }
}

#[test]
fn what_needs_a_rule_that_did_not_pass_is_blocked_by_the_root() {
    for (cause, blocked) in [(PASS, false), (NOT_APPLICABLE, false), (FAIL, true), (UNKNOWN, true)]
    {
        let text = rule("root", cause)
            + &rule("middle", &format!("needs = [\"root\"]\n{PASS}"))
            + &rule("leaf", &format!("needs = [\"middle\"]\n{PASS}"));
        let results = judged(&text);
        for result in &results[1..] {
            let expected = if blocked { Status::Blocked } else { Status::Pass };
            assert_eq!(result.status, expected, "{cause} {}", result.rule.id);
            let roots: Vec<&str> = result.blocked_by.iter().map(|root| &*root.id).collect();
            assert_eq!(roots, if blocked { vec!["root"] } else { vec![] });
        }
    }
}

#[test]
fn a_blocked_rule_that_is_not_about_this_host_waits_for_nothing() {
    let text = rule("root", FAIL)
        + &rule(
            "leaf",
            &format!(
                "needs = [\"root\"]\napplies = [{{ fact = \"bool.false\", equals = true }}]\n{PASS}"
            ),
        );
    assert_eq!(judged(&text)[1].status, Status::NotApplicable);
}

#[test]
fn a_needed_rule_that_was_left_out_still_blocks_but_is_not_shown() {
    let text = rule("root", FAIL) + &rule("leaf", &format!("needs = [\"root\"]\n{PASS}"));
    for filter in [
        Filter { only: vec!["leaf".to_owned()], skip: vec![] },
        Filter { only: vec![], skip: vec!["root".to_owned()] },
    ] {
        let results = judge(&rules(&text).choose(&filter, SNP).unwrap(), &Facts::default());
        assert_eq!(results.len(), 1);
        assert_eq!(results[0].status, Status::Blocked);
        assert_eq!(&*results[0].blocked_by[0].id, "root");
        assert_eq!(report(results).verdict, Verdict::CannotTell);
    }
}

#[test]
fn a_disabled_rule_is_neither_judged_nor_needed() {
    let text = rule("root", FAIL)
        + &rule("leaf", &format!("needs = [\"root\"]\n{PASS}"))
        + "[[override]]\nrule = \"root\"\ndisable = true\nreason = \"known broken here\"\n";
    assert_eq!(statuses(&text), [("leaf".to_owned(), Status::Pass)]);
}

#[test]
fn choosing_nothing_is_an_error_and_so_is_a_name_that_matches_nothing() {
    let set = rules(
        &(rule("iommu-active", &format!("group = \"iommu\"\n{PASS}"))
            + &rule("kata-runtime", &format!("stage = \"kata\"\n{PASS}"))),
    );
    let only = |pattern: &str| Filter { only: vec![pattern.to_owned()], skip: vec![] };
    let skip = |pattern: &str| Filter { only: vec![], skip: vec![pattern.to_owned()] };
    let empty = FilterError::EmptySelection(Stage::Host);
    assert_eq!(set.choose(&skip("*"), SNP).unwrap_err(), empty);
    assert_eq!(set.choose(&only("kata-*"), SNP).unwrap_err(), empty);
    assert_eq!(set.choose(&only("kubelet"), SNP).unwrap_err(), empty);
    assert!(set.choose(&only("kata-*"), Platform { stage: Stage::Workload, ..SNP }).is_ok());
    assert!(set.choose(&only("iommu"), SNP).is_ok());
    assert_eq!(
        set.choose(&only("iommu-actve"), SNP).unwrap_err().to_string(),
        "--only iommu-actve: no rule or group has this name; did you mean `iommu-active`?"
    );
    assert_eq!(
        set.choose(&skip("zzz*"), SNP).unwrap_err().to_string(),
        "--skip zzz*: no rule or group has this name"
    );
    let nothing = RuleSet::of(&catalogue(), &[RuleFile { name: "a", text: "schema = 1" }]).unwrap();
    assert_eq!(nothing.choose(&Filter::default(), SNP).unwrap_err(), empty);
}

#[test]
fn only_what_is_judged_is_read() {
    let timeout = r#"expect = [{ fact = "kubelet.timeout", at-least = "20m" }]"#;
    let set = rules(
        &(rule("a", PASS)
            + &rule("b", timeout)
            + &rule("c", &format!("needs = [\"b\"]\n{PASS}"))
            + &rule("d", "for-each = \"gpus.two\"\nexpect = [{ fact = \"group\", equals = 1 }]")
            + &rule("e", &format!("tee = [\"tdx\"]\n{timeout}"))),
    );
    let needs = |only: &str| {
        let filter = Filter { only: vec![only.to_owned()], skip: vec![] };
        set.choose(&filter, SNP).unwrap().needs()
    };
    assert_eq!(needs("a"), Needs::CPU);
    assert_eq!(needs("b"), Needs::KUBELET);
    assert_eq!(needs("c"), Needs::CPU.and(Needs::KUBELET));
    assert_eq!(needs("d"), Needs::PCI.and(Needs::IOMMU));
    assert_eq!(needs("e"), Needs::NONE);
}

#[test]
fn an_assumption_counts_only_where_the_host_does_not_show_the_fact() {
    let assume = |fact: &'static str, value: Value, rest: &str| {
        let facts = Facts { assumed: [(fact, value)].into(), ..Facts::default() };
        let chosen = rules(&rule("r", rest)).choose(&Filter::default(), SNP).unwrap();
        judge(&chosen, &facts).remove(0)
    };
    let timeout = r#"expect = [{ fact = "kubelet.timeout", at-least = "20m" }]"#;
    let long = Value::parse("30m", Kind::Duration).unwrap();
    let result = assume("kubelet.timeout", long, timeout);
    assert_eq!(result.status, Status::Pass);
    assert!(result.findings[0].assumed);
    let short = Value::parse("1m", Kind::Duration).unwrap();
    assert_eq!(assume("kubelet.timeout", short, timeout).status, Status::Fail);
    // What is known, and what certainly does not exist, is not a matter of opinion.
    assert_eq!(assume("bool.false", Value::Bool(true), FAIL).status, Status::Fail);
    let absent = r#"expect = [{ fact = "bool.absent", equals = true }]"#;
    assert_eq!(assume("bool.absent", Value::Bool(true), absent).status, Status::Fail);
    // A value of another kind says nothing.
    assert_eq!(assume("kubelet.timeout", Value::Bool(true), timeout).status, Status::Unknown);
}

#[test]
fn a_value_of_another_kind_than_promised_is_unknown() {
    assert_eq!(status(r#"expect = [{ fact = "integer.lies", at-least = 0 }]"#), Status::Unknown);
}

#[test]
fn advice_is_the_first_that_fits_and_all_that_may_before_it() {
    let advice = |conditions: &[&str]| {
        let all: Vec<String> = conditions
            .iter()
            .enumerate()
            .map(|(place, fact)| {
                format!(
                    "{{ when = [{{ fact = \"bool.{fact}\", equals = true }}], text = \"{place}\" }}"
                )
            })
            .collect();
        let text = rule("r", &format!("{FAIL}\nadvice = [{}]", all.join(", ")));
        judged(&text)[0].advice().map(|advice| advice.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(advice(&["true", "true"]), ["0"]);
    assert_eq!(advice(&["false", "true", "true"]), ["1"]);
    assert_eq!(advice(&["unreadable", "false", "true", "true"]), ["0", "2"]);
    assert_eq!(advice(&["false"]), Vec::<String>::new());
}

#[test]
fn a_passing_rule_gives_no_advice() {
    let text = rule("r", &format!("{PASS}\nadvice = [{{ text = \"do\" }}]"));
    assert_eq!(judged(&text)[0].advice().count(), 0);
}

#[test]
fn verdicts() {
    let reboot = format!("{FAIL}\nresolved-by = \"reboot\"");
    let weak = |rest: &str| format!("severity = \"recommended\"\n{rest}");
    let needs_r = |rest: &str| format!("needs = [\"r\"]\n{rest}");
    for (all, expected) in [
        (vec![("a", PASS.to_owned())], Verdict::Ready),
        (vec![("a", PASS.to_owned()), ("b", weak(FAIL))], Verdict::Ready),
        (vec![("a", PASS.to_owned()), ("b", weak(UNKNOWN))], Verdict::Ready),
        (vec![("a", PASS.to_owned()), ("b", NOT_APPLICABLE.to_owned())], Verdict::Ready),
        (vec![("a", NOT_APPLICABLE.to_owned())], Verdict::CannotTell),
        (vec![("a", weak(PASS))], Verdict::CannotTell),
        (vec![("a", PASS.to_owned()), ("b", UNKNOWN.to_owned())], Verdict::CannotTell),
        (vec![("a", UNKNOWN.to_owned()), ("b", FAIL.to_owned())], Verdict::NotReady),
        (vec![("a", PASS.to_owned()), ("r", reboot.clone())], Verdict::RebootRequired),
        (vec![("a", FAIL.to_owned()), ("r", reboot.clone())], Verdict::NotReady),
        (vec![("a", UNKNOWN.to_owned()), ("r", reboot.clone())], Verdict::NotReady),
        (vec![("r", reboot.clone()), ("s", needs_r(PASS))], Verdict::RebootRequired),
        (vec![("r", weak(&reboot)), ("s", needs_r(PASS))], Verdict::CannotTell),
        (
            vec![
                ("r", reboot.clone()),
                ("x", weak(FAIL)),
                ("s", format!("needs = [\"r\", \"x\"]\n{PASS}")),
            ],
            Verdict::NotReady,
        ),
    ] {
        let text: String = all.iter().map(|(id, rest)| rule(id, rest)).collect();
        assert_eq!(report(judged(&text)).verdict, expected, "{all:?}");
    }
}
