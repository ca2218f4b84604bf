//! What the loader accepts, what it rejects, and how it says so.

use proptest::prelude::*;

use super::catalogue::Catalogue;
use super::rule::{Bound, Setting};
use super::set::{RuleFile, RuleSet};
use super::test::{Operator, Pattern};
use super::testing::{catalogue, rule, rules};
use super::words::{Group, Severity, Stage, Tee};
use crate::facts::{Kind, Value};
use crate::format::duration::GoDuration;

fn load(text: &str) -> Result<RuleSet, String> {
    let file = RuleFile { name: "site.toml", text };
    RuleSet::of(&catalogue(), &[file]).map_err(|error| {
        let lines: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        lines.join("\n") + "\n"
    })
}

fn problems(text: &str) -> String {
    load(text).expect_err("the file is wrong")
}

const GOOD: &str = r#"
schema = 1

[[rule]]
id = "gpu-driver"
title = "a GPU is held by a host driver"
good = "every GPU is held by vfio-pci"
severity = "recommended"
stage = "kata"
tee = ["snp", "tdx"]
group = "drivers"
why = """
  A host driver that owns the GPU
  keeps vfio-pci from binding it.
"""
symptom = "vfio: no group"
docs = ["https://example.org/a"]
applies = [{ fact = "cpu.vendor", one-of = ["amd", "intel"] }]
for-each = "gpus.ten"
where = [{ fact = "group", at-least = 0 }]
advice = [{ when = [{ fact = "bool.true", equals = true }], text = "Unbind it.", command = "true" }]
resolved-by = "reboot"

[[rule.case]]
when = [{ fact = "version.new", at-least = "1.30" }, { fact = "driver", matches = "vfio.*" }]
expect = [{ fact = "driver", equals = "vfio-pci", absent-is = "not-applicable" }]
"#;

#[test]
fn everything_that_a_rule_may_say_is_read() {
    let set = load(GOOD).unwrap();
    let rule = set.get("gpu-driver").unwrap();
    assert_eq!(rule.title, "a GPU is held by a host driver");
    assert_eq!(rule.severity, Severity::Recommended);
    assert_eq!((rule.stage, rule.group), (Stage::Kata, Group::Drivers));
    assert_eq!(rule.tees, [Tee::Snp, Tee::Tdx]);
    assert_eq!(rule.why, "A host driver that owns the GPU\n  keeps vfio-pci from binding it.");
    assert_eq!(rule.origin.line, 4);
    assert_eq!(rule.each.as_ref().unwrap().filter.len(), 1);
    assert_eq!(rule.cases[0].when.len(), 2);
    assert_eq!(rule.tests().count(), 6);
}

#[test]
fn every_problem_of_a_file_is_said_at_once() {
    let text = r#"schema = 2
[[rule]]
id = "Driver_1"
titel = "a word too many"
severity = "critical"
stage = "hots"
group = "iomu"
why = "  "
docs = []
needs = ["later", "nowhere"]
expect = [
  { fact = "text.wrod", equals = "x" },
  { fact = "text.word", at-least = "x" },
  { fact = "duration.short", at-least = 20 },
  { fact = "version.new", below = "one" },
  { fact = "bool.true", equals = "true" },
  { fact = "set.modules", contains_none = ["nvidia"] },
  { fact = "text.word", equals = "a", one-of = ["a"] },
  { fact = "integer.five", one-of = [] },
  { fact = "text.word", matches = "a(b" },
  { fact = "integer.five", equals = 1.5, absent-is = "fine" },
]

[[rule]]
id = "later"
title = "t"
severity = "info"
why = "w"
for-each = "gpus.too"
expect = [{ fact = "driver", equals = "vfio-pci" }]

[[rule]]
id = "later"
title = "t"
severity = "info"
why = "w"
needs = ["later"]
for-each = "gpus.two"
where = [{ fact = "drivr", equals = "x", absent-is = "not-applicable" }]
expect = [{ fact = "cpu.vendor", equals = "amd" }]

[[rule]]
id = "kubelet"
title = ["t"]
severity = "info"
why = "w"
where = []
case = [{ when = [{ fact = "text.word", equals = "a" }] }]
advice = ["reboot"]

[[override]]
rule = "latr"
severity = "info"

[[override]]
rule = "later"
reason = "because"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    site.toml:1:10: `schema` must be 1, the only one that this version knows
    site.toml:3:6: the id `Driver_1` is not kebab-case, like `iommu-active`
    site.toml:4:1: unknown key `titel` in a rule; did you mean `title`?
    site.toml:5:12: unknown severity `critical`; it can be required, recommended, info
    site.toml:6:9: unknown stage `hots`; did you mean `host`?
    site.toml:7:9: unknown group `iomu`; did you mean `iommu`?
    site.toml:8:7: `why` is empty
    site.toml:9:8: `docs` is an empty array
    site.toml:10:10: `later` stands after this rule: put causes first
    site.toml:10:19: unknown rule `nowhere`
    site.toml:12:12: unknown fact `text.wrod`; did you mean `text.word`?
    site.toml:13:25: `at-least` cannot judge `text.word`, a text; it takes equals, one-of, matches
    site.toml:14:41: `duration.short` is a duration, written like "20m", not the integer 20
    site.toml:15:35: `version.new` is a version, written like "1.34", not "one"
    site.toml:16:34: `bool.true` is true or false, not "true"
    site.toml:17:27: unknown key `contains_none` in a comparison; did you mean `contains-none`?
    site.toml:18:3: a comparison has one operator, not equals and one-of
    site.toml:19:37: `one-of` is an empty array
    site.toml:20:35: not a regular expression: unclosed group
    site.toml:21:37: `integer.five` is an integer, not a number with a fraction
    site.toml:21:54: unknown absent-is `fine`; it can be pass, fail, not-applicable
    site.toml:29:12: unknown collection `gpus.too`; did you mean `gpus.two`?
    site.toml:33:6: the id `later` is taken by the rule at site.toml:24
    site.toml:39:10: in a condition, `absent-is` is pass (it holds) or fail (it does not)
    site.toml:39:19: unknown fact of a member of gpus.two `drivr`; did you mean `driver`?
    site.toml:40:20: `cpu.vendor` is about the host, not about each GPU: name it in `applies`, in a case's `when`, or in a rule of its own
    site.toml:43:6: the id `kubelet` is the name of a group
    site.toml:44:9: `title` takes text, not an array
    site.toml:47:9: `where` without `for-each` selects from nothing
    site.toml:48:9: a case has no `expect`
    site.toml:49:11: advice is a table, not a text
    site.toml:51:1: an override has no `reason`
    site.toml:52:8: unknown rule `latr`; did you mean `later`?
    site.toml:55:1: an override changes the `severity` or says `disable = true`
    "#);
}

#[test]
fn syntax_errors_do_not_hide_problems_nor_invent_them() {
    let text = r#"schema = 1
[[rule]]
id = "a"
title = oops
severity = "requird"
why = "w"
expect = [{ fact = "bool.true", equals = true }
"#;
    insta::assert_snapshot!(problems(text), @r#"
    site.toml:4:9: string values must be quoted, expected literal string
    site.toml:5:12: unknown severity `requird`; did you mean `required`?
    site.toml:7:48: unclosed array, expected `]`
    "#);
}

#[test]
fn operators_fit_kinds_as_documented() {
    let literals = [
        (Kind::Bool, "bool.true", "true"),
        (Kind::Integer, "integer.five", "5"),
        (Kind::Text, "text.word", "\"word\""),
        (Kind::Version, "version.new", "\"1.34\""),
        (Kind::Duration, "duration.short", "\"2m\""),
        (Kind::Set, "set.modules", "[\"ext4\"]"),
    ];
    for (kind, fact, literal) in literals {
        let mut accepted = Vec::new();
        for key in Operator::KEYS {
            let value = match key {
                "one-of" => format!("[{literal}]"),
                "contains-all" | "contains-none" => "[\"ext4\"]".to_owned(),
                "matches" => "\"a\"".to_owned(),
                _ => literal.to_owned(),
            };
            let expect = format!("expect = [{{ fact = \"{fact}\", {key} = {value} }}]");
            if load(&format!("schema = 1\n{}", rule("r", &expect))).is_ok() {
                accepted.push(key);
            }
        }
        let expected: &[&str] = match kind {
            Kind::Bool => &["equals"],
            Kind::Integer | Kind::Version | Kind::Duration => {
                &["equals", "one-of", "at-least", "below"]
            }
            Kind::Text => &["equals", "one-of", "matches"],
            Kind::Set => &["equals", "contains-all", "contains-none"],
        };
        assert_eq!(accepted, expected, "{}", kind.name());
    }
}

#[test]
fn operators_compare_values_and_not_their_text() {
    let value = |text: &str, kind| Value::parse(text, kind).unwrap();
    let set = |text: &str| match value(text, Kind::Set) {
        Value::Set(members) => members,
        _ => unreachable!(),
    };
    let matches = |pattern: &str| Operator::Matches(Pattern::checked(pattern).unwrap());
    for (operator, found, expected) in [
        // As texts, "2m" is more than "20m" and "1.9" more than "1.34".
        (Operator::AtLeast(value("20m", Kind::Duration)), value("2m", Kind::Duration), Some(false)),
        (Operator::AtLeast(value("1.34", Kind::Version)), value("1.9", Kind::Version), Some(false)),
        (Operator::AtLeast(value("1.34", Kind::Version)), value("1.34", Kind::Version), Some(true)),
        (Operator::Below(value("1.34", Kind::Version)), value("1.34", Kind::Version), Some(false)),
        (Operator::Equals(value("1.34", Kind::Version)), value("v1.34", Kind::Version), Some(true)),
        (
            Operator::OneOf(vec![Value::Integer(1), Value::Integer(5)]),
            Value::Integer(5),
            Some(true),
        ),
        (Operator::OneOf(vec![Value::Integer(1)]), Value::Integer(5), Some(false)),
        (Operator::Equals(Value::Bool(true)), Value::Text("true".to_owned()), None),
        (Operator::ContainsAll(set("a,b")), Value::Set(set("a,b,c")), Some(true)),
        (Operator::ContainsAll(set("a,b")), Value::Set(set("a")), Some(false)),
        (Operator::ContainsNone(set("a,b")), Value::Set(set("c")), Some(true)),
        (Operator::ContainsNone(set("a,b")), Value::Set(set("")), Some(true)),
        (Operator::ContainsNone(set("a,b")), Value::Set(set("b,c")), Some(false)),
        (Operator::ContainsNone(set("a,b")), Value::Text("c".to_owned()), None),
        // The whole text must match, whatever the pattern.
        (matches("a|ab"), Value::Text("ab".to_owned()), Some(true)),
        (matches("a"), Value::Text("ab".to_owned()), Some(false)),
        (matches("a"), Value::Text("a\n".to_owned()), Some(false)),
        (Operator::Matches(Pattern::trusted("a(")), Value::Text("a(".to_owned()), None),
    ] {
        assert_eq!(operator.holds(&found), expected, "{operator} of {found}");
    }
}

#[test]
fn a_pattern_cannot_break_out_of_the_whole() {
    for pattern in ["a)|(b", "(?x) a # comment", "a{99999}{99999}", "["] {
        assert!(Pattern::checked(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn an_override_changes_a_severity_or_disables_with_a_reason() {
    let pass = "expect = [{ fact = \"bool.true\", equals = true }]";
    let set = rules(
        &(rule("a", pass)
            + &rule("b", pass)
            + "[[override]]\nrule = \"a\"\nseverity = \"info\"\nreason = \"ours is older\"\n"
            + "[[override]]\nrule = \"b\"\ndisable = true\nreason = \"not here\"\n"),
    );
    let a = set.get("a").unwrap();
    assert_eq!(a.severity, Severity::Info);
    let change = a.overridden.as_ref().unwrap();
    assert_eq!(change.instead_of, Some(Severity::Required));
    assert_eq!(change.reason, "ours is older");
    assert!(set.get("b").unwrap().is_disabled());
}

#[test]
fn overrides_that_say_nothing_or_too_much_are_problems() {
    let base =
        format!("schema = 1\n{}", rule("a", "expect = [{ fact = \"bool.true\", equals = true }]"));
    let with = |change: &str| problems(&format!("{base}[[override]]\nreason = \"r\"\n{change}"));
    insta::assert_snapshot!(
        [
            with("rule = \"a\""),
            with("rule = \"a\"\ndisable = false"),
            with("rule = \"a\"\ndisable = true\nseverity = \"info\""),
            with("rule = \"a\"\ndisable = 1"),
            with("rule = \"b\"\ndisable = true"),
            with("rule = \"a\"\nseverity = \"info\"\n[[override]]\nrule = \"a\"\nreason = \"r\"\ndisable = true"),
        ]
        .concat(),
        @r#"
    site.toml:8:1: an override changes the `severity` or says `disable = true`
    site.toml:8:1: an override changes the `severity` or says `disable = true`
    site.toml:8:1: a disabled rule has no severity: give one of the two
    site.toml:11:11: `disable` is true or false, not an integer
    site.toml:10:8: unknown rule `b`; did you mean `a`?
    site.toml:13:8: `a` is already overridden at site.toml:10
    "#
    );
}

#[test]
fn what_a_file_says_is_safe_to_show_in_messages() {
    let text = problems("schema = 1\n\"a\\u001b[31m\\n\" = 1\n");
    assert_eq!(
        text,
        "site.toml:2:1: unknown key `a\\x1b[31m\\n` in a rule file; it can be schema, rule, override\n"
    );
}

#[test]
fn a_setting_of_the_site_takes_the_place_of_a_rules_durations() {
    let bound = Bound { value: GoDuration::from_minutes(30), by: "config.toml:3".to_owned() };
    let rules = RuleSet::with_site(&Catalogue::built_in(), &[]).unwrap();
    let before: Vec<String> = rules.rules().iter().map(|rule| format!("{rule:?}")).collect();
    let after = rules.with_setting(Setting::ImagePullBudget, &bound);
    let mut changed = Vec::new();
    for (rule, before) in after.rules().iter().zip(before) {
        if format!("{rule:?}") == before {
            continue;
        }
        changed.push(&*rule.id);
        let wanted = rule.cases[0].expect[0].operator.to_string();
        assert_eq!(wanted, "at least 30m0s", "{}", rule.id);
        let edits: Vec<String> = rule.fixes[0].edits.iter().map(ToString::to_string).collect();
        assert!(edits[0].ends_with("to 30m0s"), "{edits:?}");
        assert_eq!(rule.bound.as_ref(), Some(&bound));
    }
    assert_eq!(changed, ["kubelet-runtime-request-timeout", "image-pull-time"]);
}

#[test]
fn a_need_stands_before_what_needs_it() {
    let rule = |id: &str, stage: &str, needs: &str| {
        rule(
            id,
            &format!(
                "stage = \"{stage}\"\nneeds = [\"{needs}\"]\nexpect = [{{ fact = \"bool.true\", equals = true }}]"
            ),
        )
    };
    let text = format!(
        "schema = 1\n{}{}{}{}",
        rule("a", "host", "b"),
        rule("b", "kata", "a"),
        rule("c", "host", "c"),
        rule("d", "host", "b"),
    );
    insta::assert_snapshot!(problems(&text), @r#"
    site.toml:8:10: `b` stands after this rule: put causes first
    site.toml:24:10: a rule cannot need itself
    site.toml:32:10: `b` belongs to the later stage kata
    "#);
}

#[test]
fn a_site_adds_to_the_built_in_rules_and_cannot_replace_them() {
    let site = format!(
        "schema = 1\n{}",
        rule("of-site", "expect = [{ fact = \"bool.true\", equals = true }]")
    );
    let file = RuleFile { name: "site.toml", text: &site };
    let two = RuleSet::of(&catalogue(), &[file, RuleFile { name: "b.toml", text: &site }]);
    assert_eq!(
        two.unwrap_err().to_string(),
        "the rules are wrong: b.toml:3:6: the id `of-site` is taken by the rule at site.toml:2"
    );
}

#[test]
fn the_built_in_rules_load_and_their_patterns_compile() {
    let set = RuleSet::built_in(&Catalogue::built_in()).unwrap_or_else(|error| panic!("{error}"));
    for rule in set.rules() {
        assert_ne!(rule.group, Group::Site, "{}", rule.id);
        for test in rule.tests() {
            if let Operator::Matches(pattern) = &test.operator {
                assert!(Pattern::checked(pattern.text()).is_ok(), "{}", rule.id);
            }
        }
    }
}

#[test]
fn deep_nesting_and_long_names_are_problems_and_nothing_worse() {
    let deep = format!("schema = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(load(&deep).is_err());
    let tables = format!("schema = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000));
    assert!(load(&tables).is_err());
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert!(load(&dotted).is_err());
    let long = format!("schema = 1\n{} = 1", "a".repeat(1_000_000));
    assert!(load(&long).is_err());
    let one_line = format!("schema = 1\nrule = [{}]", "{ x = 1 }, ".repeat(50_000));
    assert!(load(&one_line).is_err());
    let expect = "needs = [\"nowhere\"]\nexpect = [{ fact = \"bool.true\", equals = true }]";
    let many: String = (0..5_000).map(|number| rule(&format!("rule-{number}"), expect)).collect();
    assert!(load(&format!("schema = 1\n{many}")).is_err());
}

proptest! {
    #[test]
    fn no_change_to_a_file_makes_the_loader_panic(
        cuts in proptest::collection::vec((0usize..1200, 0usize..40, "[ -~\n\u{e9}]{0,8}"), 1..6),
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, new) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, new.chars());
        }
        let _ = load(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_values_in_the_place_of_others_are_problems_or_rules(
        key in proptest::sample::select(super::load::RULE_KEYS.to_vec()),
        value in proptest::sample::select(vec![
            "1", "-9223372036854775808", "99999999999999999999", "1.5", "nan", "true", "\"\"", "\"x\"", "[]",
            "[1]", "[[]]", "{}", "[{}]", "[{ fact = 1 }]", "[{ fact = \"bool.true\" }]", "1979-05-27",
            "[{ expect = [{}] }]", "[{ when = [], expect = [{ fact = \"bool.true\", equals = true }] }]",
            "'''\n\n'''", "[\"a\", 1]",
        ]),
    ) {
        let text = format!("schema = 1\n[[rule]]\n{key} = {value}\n");
        prop_assert!(load(&text).is_err());
    }
}
