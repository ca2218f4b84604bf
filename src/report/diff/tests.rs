use super::text::render;
use crate::diff::{compare, of_report};
use crate::report::human::Look;
use crate::report::json;
use crate::rules::testing::{judged, report, rule};

fn written(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    json::render(&report(judged(text)), &mut out).unwrap();
    out
}

fn shown(before: &str, after: &str) -> String {
    let a = of_report("then.json", &written(before)).unwrap();
    let b = of_report("now\u{1b}.json", &written(after)).unwrap();
    let mut out = Vec::new();
    render(&compare(&a, &b, false).unwrap(), Look::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn of(fact: &str, id: &str, needs: &str) -> String {
    rule(id, &format!("{needs}\nexpect = [{{ fact = \"{fact}\", equals = true }}]"))
}

#[test]
fn what_got_worse_comes_first_with_what_waits_for_it() {
    let needs = "needs = [\"root\"]";
    let before = of("bool.true", "root", "")
        + &of("bool.true", "leaf", needs)
        + &of("bool.true", "twig", needs)
        + &of("bool.false", "other", "")
        + &of("bool.true", "gone", "")
        + &rule(
            "gpus",
            "for-each = \"gpus.two\"\nexpect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
        );
    let after = of("bool.false", "root", "")
        + &of("bool.true", "leaf", needs)
        + &of("bool.true", "twig", needs)
        + &of("bool.true", "other", "")
        + &rule(
            "gpus",
            "for-each = \"gpus.three\"\nexpect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
        );
    insta::assert_snapshot!(shown(&before, &after), @r"
    --- then.json: gpu-node-07, a report, judged at stage host for tee snp: NOT
        READY
    +++ now\x1b.json: gpu-node-07, a report, judged at stage host for tee snp: NOT
        READY

    Verdicts
      worse root: pass -> fail: root is wrong
        now waiting for it: leaf, twig
      worse gpus: pass -> fail: gpus is wrong
      better other: fail -> pass

    5 verdicts changed, 0 members only on one side, 0 facts different.
      Not compared, as only then.json was judged by them: gone.
      Not compared, as a report holds only what its rules looked at: 1 fact.
      Not compared, as a report does not tell them: which members there are.
    ");
}

#[test]
fn reports_that_say_the_same_show_no_difference() {
    let same = of("bool.true", "a", "");
    insta::assert_snapshot!(shown(&same, &same), @r"
    --- then.json: gpu-node-07, a report, judged at stage host for tee snp: READY
    +++ now\x1b.json: gpu-node-07, a report, judged at stage host for tee snp: READY

    No difference in what both have.
      Not compared, as a report does not tell them: which members there are.
    ");
}
