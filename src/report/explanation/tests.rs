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
    insta::assert_snapshot!(explained(&sample(), "modules", |_| {}), @r"
    FAIL  modules: modules is wrong
        class     required, stage host, tee any, group site
        host      gpu-node-07
        here      it fails; judged at stage host (Kata Containers is not installed),
                  for tee snp (the CPU has SEV-SNP)
        applies   cpu.vendor is amd; holds: amd
                    read from /sys/known
        found     set.modules has nvidia; wanted one without nvidia
                    its members: ext4, nvidia, nvidia_drm
                    read from /sys/known
                  text.hostile is a\x1b[31m\nb\u{202e}c; wanted x
                    read from /sys/known
        why       because
        leads to  the pod stays Pending
        fix       keep from loading: nvidia
                  $ ccgpu-node fix --unsafe --only modules
        do        Look.
                  $ lsmod
        needs     before: passes
        blocks    behind: not judged until this passes
                    it would show as: it fails later
        source    https://a.test
        since     version 0.1.0
        changed   in 0.2.0: asks for ext4, too
        defined   test.toml:8
    ");
}

#[test]
fn a_rule_over_members_tells_who_is_judged_and_who_may_be_missing() {
    insta::assert_snapshot!(explained(&sample(), "gpus", |_| {}), @r"
    UNKNOWN  gpus: gpus is wrong
        class     required, stage host, tee snp, group site
        host      gpu-node-07
        here      it cannot be judged, because something that decides cannot be
                  told; judged at stage host (Kata Containers is not installed), for
                  tee snp (the CPU has SEV-SNP)
        about     2 GPUs of gpus.partly-hidden, 2 of them judged
                  which GPUs there are cannot be told: permission denied
                    read from /sys/bus/pci/devices
        selects   0000:18:00.0: group is 0; holds: at least 0
                    read from /sys/known
                  0000:2a:00.0: group is 1; holds: at least 0
                    read from /sys/known
        found     2 GPUs: driver is vfio-pci; as wanted: vfio-pci
                    0000:18:00.0, 0000:2a:00.0
                    read from /sys/bus/pci/devices/0/driver and 1 more
        why       because
        fix       `fix` does nothing about it
        defined   test.toml:30
    ");
}

#[test]
fn what_is_not_about_the_host_is_told_with_the_reason_and_the_evidence() {
    insta::assert_snapshot!(explained(&sample(), "intel", |_| {}), @r"
    N/A   intel: intel is wrong
        class     required, stage host, tee tdx, group site
        host      gpu-node-07
        here      it is not about this host: it is only for tdx, and the host is
                  judged for snp; judged at stage host (Kata Containers is not
                  installed), for tee snp (the CPU has SEV-SNP)
        found     bool.unreadable cannot be told: permission denied; asked was true
                    read from /etc/secret:3
        why       because
        fix       `fix` does nothing about it
        defined   test.toml:39
    ");
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
    assert!(later.contains("at that stage it could\n              not be judged"), "{later}");
    assert!(later.contains("`check` leaves it out here, by only in /etc/x:3"), "{later}");
    let disabled = explained(&sample(), "before", |it| it.result = None);
    assert!(disabled.contains("it is disabled on this site"), "{disabled}");
}
