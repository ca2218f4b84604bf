use std::sync::Arc;

use super::text::render;
use super::*;
use crate::facts::Facts;
use crate::report::human::Look;
use crate::rules::testing::{SNP, report, rule, rules};
use crate::rules::{Filter, judge, looks};

/// The explanation of one of some rules on the host of the tests.
fn explained(text: &str, id: &str, change: impl FnOnce(&mut Explanation)) -> String {
    let rules = rules(text);
    let rule = rules.get(id).unwrap();
    let facts = Facts::default();
    let mut results = judge(&rules.choose(&Filter::default(), SNP).unwrap(), &facts);
    let mut take = |id: &str| {
        let place = results.iter().position(|result| &*result.rule.id == id)?;
        Some(results.remove(place))
    };
    let result = take(id);
    let related = |each: &Arc<Rule>, direct: bool, result: Option<RuleResult>| Related {
        result,
        rule: Arc::clone(each),
        direct,
    };
    let causes = rules.causes(id).into_iter();
    let causes = causes.map(|each| related(each, rule.needs.contains(&each.id), take(&each.id)));
    let causes = causes.collect();
    let behind = rules.consequences(id).into_iter();
    let behind = behind.map(|each| related(each, each.needs.contains(&rule.id), take(&each.id)));
    let consequences = behind.collect();
    let mut explanation = Explanation {
        header: report(Vec::new()).header,
        looks: looks(rule, &facts),
        rule: Arc::clone(rule),
        result,
        before: None,
        left_out_by: None,
        causes,
        consequences,
    };
    change(&mut explanation);
    let mut out = Vec::new();
    render(&explanation, Look::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn sample() -> String {
    rule("before", "expect = [{ fact = \"bool.true\", equals = true }]")
        + &rule(
            "modules",
            "needs = [\"before\"]\nsymptom = \"the pod stays Pending\"\ndocs = [\"https://a.test\"]\n\
             since = \"0.1.0\"\nchanged = [{ version = \"0.2.0\", what = \"asks for ext4, too\" }]\n\
             applies = [{ fact = \"cpu.vendor\", equals = \"amd\" }]\n\
             expect = [{ fact = \"set.modules\", contains-none = [\"nvidia\"] }, \
               { fact = \"text.hostile\", equals = \"x\" }]\n\
             fix = [{ safety = \"unsafe\", edits = [{ deny-modules = [\"nvidia\"] }] }]\n\
             advice = [{ text = \"Look.\", command = \"lsmod\" }, \
               { text = \"Never shown.\" }]",
        )
        + &rule(
            "behind",
            "needs = [\"modules\"]\nsymptom = \"it fails later\"\n\
             expect = [{ fact = \"bool.true\", equals = true }]",
        )
        + &rule(
            "gpus",
            "tee = [\"snp\"]\nfor-each = \"gpus.partly-hidden\"\n\
             where = [{ fact = \"group\", at-least = 0 }]\n\
             expect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
        )
        + &rule(
            "intel",
            "tee = [\"tdx\"]\nexpect = [{ fact = \"bool.unreadable\", equals = true }]",
        )
}

#[test]
fn a_failure_is_told_with_its_evidence_its_fix_and_what_waits_for_it() {
    insta::assert_snapshot!(explained(&sample(), "modules", |_| {}));
}

#[test]
fn a_rule_over_members_tells_who_is_judged_and_who_may_be_missing() {
    insta::assert_snapshot!(explained(&sample(), "gpus", |_| {}));
}

#[test]
fn what_is_not_about_the_host_is_told_with_the_reason_and_the_evidence() {
    insta::assert_snapshot!(explained(&sample(), "intel", |_| {}));
}

#[test]
fn a_rule_that_waits_or_is_of_a_later_stage_or_is_left_out_says_so() {
    let waiting = explained(&sample(), "behind", |_| {});
    assert!(waiting.starts_with("WAIT  behind: "), "{waiting}");
    assert!(waiting.contains("it is not judged until modules passes"), "{waiting}");
    let later = explained(&sample(), "gpus", |it| {
        it.before = Some(crate::rules::Stage::Host);
        it.left_out_by = Some("only in /etc/x:3".to_owned());
    });
    assert!(later.starts_with("LATER  gpus: "), "{later}");
    assert!(later.contains("at that\n              stage it could not be judged"), "{later}");
    assert!(later.contains("`check` leaves it out here, by only in /etc/x:3"), "{later}");
    let disabled = explained(&sample(), "before", |it| it.result = None);
    assert!(disabled.contains("it is disabled on this site"), "{disabled}");
}
