//! What lies in `deploy/`, held against the programs that it is for and against what this program writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{command, fixture, has, outcome, run};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}

fn promtool(arguments: &[&str], directory: &Path) {
    let output = Command::new("promtool").args(arguments).current_dir(directory).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

/// All names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let word = regex::Regex::new(r"\bccgpu_node_[a-z_]+").unwrap();
    word.find_iter(text).map(|name| name.as_str().to_owned()).collect()
}

/// All that this program can write: the metrics of `check`, and those that only the daemon has.
fn written() -> BTreeSet<String> {
    let host = fixture("h200x8-snp").display().to_string();
    let text = run(&["check", "--format", "prometheus", "--host", &host]).stdout;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/prometheus.rs");
    &metrics(&text) | &metrics(&std::fs::read_to_string(source).unwrap())
}

/// Each alert with its part of the file.
fn alerts(rules: &str) -> Vec<(&str, &str)> {
    let parts = rules.split("- alert: ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn alert_rules_pass_promtool_and_their_unit_tests() {
    if !has("promtool") {
        return;
    }
    let directory = deploy("prometheus");
    promtool(&["check", "rules", "ccgpu-node.rules.yaml"], &directory);
    promtool(&["test", "rules", "ccgpu-node.rules.test.yaml"], &directory);
}

#[test]
fn every_alert_is_told_in_full_tried_in_both_directions_and_explained() {
    let (rules, tests) =
        (text("prometheus/ccgpu-node.rules.yaml"), text("prometheus/ccgpu-node.rules.test.yaml"));
    let page = text("README.md");
    let alerts = alerts(&rules);
    assert_eq!(alerts.len(), 9);
    for (name, part) in alerts {
        assert!(name.starts_with("CcgpuNode") && name.chars().all(char::is_alphanumeric), "{name}");
        for key in ["severity:", "summary:", "description:", "runbook_url:"] {
            assert_eq!(part.matches(key).count(), 1, "{name}: {key}");
        }
        assert!(part.contains(&format!("#{}\n", name.to_lowercase())), "{name}");
        assert!(page.contains(&format!("`{name}`")), "{name} is not in deploy/README.md");
        let silent = format!("alertname: {name}, exp_alerts: []");
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels");
        assert!(tests.contains(&silent) && tests.contains(&fires), "{name} is not tried");
    }
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_are_written() {
    let written = written();
    for name in ["prometheus/ccgpu-node.rules.yaml", "grafana/ccgpu-node.json"] {
        let asked = metrics(&text(name));
        assert!(asked.len() > 5, "{name}: {asked:?}");
        let unknown: Vec<&String> = asked.difference(&written).collect();
        assert!(unknown.is_empty(), "{name} asks for {unknown:?}");
    }
}

/// The queries of the dashboard are written into a file of rules, which promtool reads as Prometheus does.
#[test]
fn every_query_of_the_dashboard_is_one() {
    let dashboard: Value = serde_json::from_str(&text("grafana/ccgpu-node.json")).unwrap();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let mut count = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().unwrap();
            let query = query.replace("$instance", "a|b").replace("$__rate_interval", "5m");
            assert!(!query.contains('$'), "{query}");
            let quoted = serde_json::to_string(&query).unwrap();
            let _ = writeln!(rules, "      - record: query:{count}\n        expr: {quoted}");
            count += 1;
        }
    }
    assert!(count > 15, "{count} queries");
    if has("promtool") {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("rules.yaml"), rules).unwrap();
        promtool(&["check", "rules", "rules.yaml"], directory.path());
    }
}

#[test]
fn panels_have_numbers_of_their_own_and_lie_beside_each_other() {
    let dashboard: Value = serde_json::from_str(&text("grafana/ccgpu-node.json")).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["type"] == "datasource"));
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is wider than the page");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies upon another");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

fn seconds(value: &Value) -> u64 {
    value.as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap()
}

/// As the loader of custom plugins checks it; a key that it does not know it would pass over.
#[test]
fn the_problem_monitor_is_one_and_its_command_ends_in_codes_that_it_knows() {
    let monitor: Value =
        serde_json::from_str(&text("node-problem-detector/ccgpu-node.json")).unwrap();
    let keys = |value: &Value, known: &[&str]| {
        for key in value.as_object().unwrap().keys() {
            assert!(known.contains(&key.as_str()), "{key}");
        }
    };
    keys(
        &monitor,
        &["plugin", "pluginConfig", "source", "metricsReporting", "conditions", "rules"],
    );
    let config = &monitor["pluginConfig"];
    keys(
        config,
        &[
            "invoke_interval",
            "timeout",
            "max_output_length",
            "concurrency",
            "enable_message_change_based_condition_update",
            "skip_initial_status",
        ],
    );
    assert_eq!(monitor["plugin"], "custom");
    // Else a node is told to be fit until it has been asked.
    assert_eq!(config["skip_initial_status"], true);
    let condition = &monitor["conditions"][0];
    keys(condition, &["type", "reason", "message"]);
    for rule in monitor["rules"].as_array().unwrap() {
        keys(rule, &["type", "condition", "reason", "path", "args", "timeout"]);
        assert_eq!(rule["type"], "permanent");
        assert_eq!(rule["condition"], condition["type"]);
        assert!(seconds(&rule["timeout"]) <= seconds(&config["timeout"]));
        let arguments = rule["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let directory = tempfile::tempdir().unwrap();
        let mut command = command();
        command.args(arguments).arg("--runtime-directory").arg(directory.path());
        let outcome = outcome(command.output().unwrap());
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (2, "cannot tell: the daemon is not running\n")
        );
    }
    let readiness = text("node-readiness/confidential-gpu.yaml");
    let wanted =
        format!("type: {}\n      requiredStatus: \"False\"", condition["type"].as_str().unwrap());
    assert!(readiness.contains(&wanted), "{readiness}");
}

#[test]
fn the_configuration_that_the_page_writes_is_understood() {
    let page = text("README.md");
    let written: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("printf '")?.split_once('\''))
        .map(|(text, _)| text.replace("\\n", "\n"))
        .collect();
    assert!(!written.is_empty());
    let directory = tempfile::tempdir().unwrap();
    for (place, configuration) in written.iter().enumerate() {
        let path = directory.path().join(format!("{place}.toml"));
        std::fs::write(&path, configuration).unwrap();
        let linted = outcome(command().args(["config", "lint"]).arg(path).output().unwrap());
        assert_eq!(linted.code, 0, "{configuration}\n{}", linted.stderr);
    }
}
