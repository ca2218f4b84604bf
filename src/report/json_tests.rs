use serde_json::{Value as Json, json};

use super::*;
use crate::rules::testing::{judged, report, rule};
use crate::rules::{Catalogue, RuleFile, RuleSet};

fn sample() -> Report {
    let text = rule(
        "root",
        "expect = [{ fact = \"bool.false\", equals = true }]\nadvice = [{ text = \"do\", command = \"c\" }]",
    ) + &rule(
        "leaf",
        "needs = [\"root\"]\nexpect = [{ fact = \"bool.true\", equals = true }]",
    ) + &rule(
        "modules",
        "expect = [{ fact = \"set.modules\", contains-none = [\"nvidia\"] }, { fact = \"set.modules\", contains-all = [\"ext4\"] }, { fact = \"set.empty\", equals = [] }]",
    ) + &rule(
        "timeout",
        "expect = [{ fact = \"kubelet.timeout\", at-least = \"20m\" }]",
    ) + &rule(
        "others",
        "expect = [{ fact = \"version.new\", at-least = \"1.30\" }, { fact = \"integer.five\", below = 9 }, { fact = \"bool.absent\", equals = true, absent-is = \"pass\" }]",
    ) + &rule(
        "gpus",
        "for-each = \"gpus.partly-hidden\"\nexpect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
    ) + &rule(
        "hostile",
        "severity = \"info\"\nexpect = [{ fact = \"text.hostile\", equals = \"x\" }]",
    );
    report(judged(&text))
}

fn text(report: &Report) -> String {
    let mut out = Vec::new();
    render(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_report_is_as_its_schema_says() {
    let instance: Json = serde_json::from_str(&text(&sample())).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&instance).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(instance["format"], "ccgpu-node-report");
    assert_eq!(instance["version"], 1);
    assert_eq!(instance["verdict"], "not-ready");
    assert_eq!(instance["exit_code"], 1);
    assert_eq!(
        instance["counts"],
        json!({ "pass": 1, "fail": 3, "unknown": 2, "not_applicable": 0, "blocked": 1 })
    );
    assert_eq!(instance["rules"][1]["blocked_by"], json!(["root"]));
}

#[test]
fn a_rule_in_json() {
    let instance: Json = serde_json::from_str(&text(&sample())).unwrap();
    let findings = serde_json::to_string_pretty(&instance["rules"][3]["findings"][0]).unwrap();
    insta::assert_snapshot!(findings, @r#"
    {
      "assumed": false,
      "fact": "kubelet.timeout",
      "found": {
        "cause": "permission",
        "state": "unreadable",
        "text": "permission denied"
      },
      "note": null,
      "outcome": "unknown",
      "role": "expectation",
      "source": {
        "line": 3,
        "path": "/etc/secret"
      },
      "subject": null,
      "wanted": "at least 20m0s"
    }
    "#);
    let found: Vec<String> = ["modules", "others", "gpus"]
        .iter()
        .flat_map(|id| {
            let rules = instance["rules"].as_array().unwrap().iter();
            let rule = rules.filter(move |rule| rule["id"] == **id);
            rule.flat_map(|rule| rule["findings"].as_array().unwrap())
        })
        .map(|finding| format!("{} {}", finding["fact"], finding["found"]))
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    "set.modules" {"members":["nvidia"],"state":"present"}
    "set.modules" {"members":[],"state":"missing"}
    "set.empty" {"state":"known","value":[]}
    "version.new" {"state":"known","value":"1.34"}
    "integer.five" {"state":"known","value":5}
    "bool.absent" {"state":"absent"}
    "driver" {"state":"known","value":"vfio-pci"}
    "driver" {"state":"known","value":"vfio-pci"}
    "gpus.partly-hidden" {"cause":"permission","state":"unreadable","text":"permission denied"}
    "#);
}

#[test]
fn what_a_terminal_would_obey_is_escaped_and_means_the_same() {
    let text = text(&sample());
    assert!(!text.replace('\n', "").contains(crate::report::visible::is_treacherous));
    let instance: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(instance["rules"][6]["findings"][0]["found"]["value"], "a\x1b[31m\nb\u{202e}c");
}

#[test]
fn the_rule_schema_accepts_what_the_loader_accepts() {
    let catalogue = crate::rules::testing::catalogue();
    let validator = jsonschema::validator_for(&crate::rules::schema(&catalogue)).unwrap();
    let head = "schema = 1\n";
    let with = |rest: &str| format!("{head}{}", rule("r", rest));
    let files = [
        (with("expect = [{ fact = \"bool.true\", equals = true }]"), true),
        (with("expect = [{ fact = \"set.empty\", equals = [] }]"), true),
        (with("for-each = \"gpus.two\"\nexpect = [{ fact = \"driver\", one-of = [\"a\"] }]"), true),
        (
            with(
                "case = [{ when = [{ fact = \"version.new\", below = \"2\" }], expect = [{ fact = \"duration.short\", at-least = \"1m\" }] }]",
            ),
            true,
        ),
        (head.to_owned(), true),
        (with(""), false),
        (with("expect = []"), false),
        (with("expect = [{ fact = \"bool.ture\", equals = true }]"), false),
        (with("expect = [{ fact = \"bool.true\", equals = \"true\" }]"), false),
        (with("expect = [{ fact = \"bool.true\" }]"), false),
        (with("expect = [{ fact = \"text.word\", at-least = \"a\" }]"), false),
        (with("expect = [{ fact = \"text.word\", equals = \"a\", one-of = [\"a\"] }]"), false),
        (with("expect = [{ fact = \"set.modules\", contains-none = [] }]"), false),
        (with("for-each = \"gpus.too\"\nexpect = [{ fact = \"driver\", equals = \"a\" }]"), false),
        (
            with(
                "where = [{ fact = \"driver\", equals = \"a\" }]\nexpect = [{ fact = \"bool.true\", equals = true }]",
            ),
            false,
        ),
        (with("stage = \"hots\"\nexpect = [{ fact = \"bool.true\", equals = true }]"), false),
        ("[[override]]\nrule = \"a\"\ndisable = true\n".to_owned(), false),
    ];
    for (text, good) in files {
        let instance: Json = toml::from_str(&text).unwrap();
        assert_eq!(validator.is_valid(&instance), good, "schema: {text}");
        let file = RuleFile { name: "a", text: &text };
        assert_eq!(RuleSet::of(&catalogue, &[file]).is_ok(), good, "loader: {text}");
    }
}

fn committed(name: &str, schema: &Json) -> (std::path::PathBuf, String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    (path, serde_json::to_string_pretty(schema).unwrap() + "\n")
}

fn schemas() -> [(std::path::PathBuf, String); 8] {
    [
        committed("config-v1.json", &crate::config::schema()),
        committed("diff-v1.json", &crate::report::diff::json::schema()),
        committed("explain-v1.json", &crate::report::explanation::json::schema()),
        committed("fix-v1.json", &crate::report::plan_json::schema()),
        committed("report-v1.json", &schema()),
        committed("rules-v1.json", &crate::rules::schema(&Catalogue::built_in())),
        committed("status-v1.json", &crate::report::status_json::schema()),
        committed("topology-v1.json", &crate::topology::schema()),
    ]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "reads the source tree, not a host")]
fn the_committed_schemas_are_the_generated_ones() {
    for (path, generated) in schemas() {
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is out of date: cargo test --lib write_the_schemas -- --ignored",
            path.display()
        );
    }
}

#[test]
#[ignore = "writes the source tree"]
#[expect(clippy::disallowed_methods, reason = "writes the source tree, not a host")]
fn write_the_schemas() {
    for (path, generated) in schemas() {
        std::fs::write(path, generated).unwrap();
    }
}
