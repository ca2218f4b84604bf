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
    insta::assert_snapshot!(shown(&before, &after));
}

#[test]
fn reports_that_say_the_same_show_no_difference() {
    let same = of("bool.true", "a", "");
    insta::assert_snapshot!(shown(&same, &same));
}
