//! The oracle is a reader of feature files, written from the documentation of the local source. It is
//! stricter: what the real one passes over with a line in its log is an error here.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::publish::testing::{judged, standing, with_snapshot};
use crate::report::RuleResult;
use crate::rules::testing::{judged as results, report, rule};

/// What a reader sees at a moment, or why it would not take the file.
fn read(text: &str, now: Timestamp) -> Result<BTreeMap<String, String>, String> {
    if text.len() > 65_536 {
        return Err("larger than 64 KiB".to_owned());
    }
    let body = text.strip_suffix('\n').ok_or("the last line has no end")?;
    let mut end = None;
    let mut labels = BTreeMap::new();
    for line in body.split('\n') {
        if let Some(directive) = line.strip_prefix("# +") {
            let value = directive.strip_prefix("expiry-time=").ok_or(directive)?;
            // In UTC and in whole seconds: both are RFC 3339, and nothing else is needed.
            if value.len() != 20 || !value.ends_with('Z') {
                return Err(format!("{value} is no time in UTC"));
            }
            end = Some(value.parse::<Timestamp>().map_err(|error| error.to_string())?);
            continue;
        }
        if line.starts_with('#') || line.is_empty() || line.trim() != line {
            return Err(format!("a line that says nothing: {line:?}"));
        }
        let end = end.ok_or("a label that never ends")?;
        let (key, value) = line.split_once('=').ok_or("a label without a value")?;
        key_is_valid(key)?;
        value_is_valid(value)?;
        if end >= now && labels.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{key} comes twice"));
        }
    }
    Ok(labels)
}

fn key_is_valid(key: &str) -> Result<(), String> {
    let (namespace, name) = key.split_once('/').ok_or("a label without a namespace")?;
    if !["feature.node.kubernetes.io", "nvidia.com"].contains(&namespace) {
        return Err(format!("the master refuses {namespace}"));
    }
    if name.is_empty() { Err("no name".to_owned()) } else { value_is_valid(name) }
}

/// `(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?`, at most 63 of them. A value that begins with `@` would
/// be the name of another feature.
fn value_is_valid(value: &str) -> Result<(), String> {
    let pattern = regex::Regex::new("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$").unwrap();
    if value.is_empty() || value.len() > 63 || !pattern.is_match(value) {
        return Err(format!("{value:?} is no value of a label"));
    }
    Ok(())
}

fn moment(offset: i64) -> Timestamp {
    Timestamp::from_second(i64::try_from(judged().wall).unwrap() + offset).unwrap()
}

fn text(report: &Report, workload_config: bool) -> String {
    with_snapshot(report, |snapshot| render(&snapshot, workload_config)).unwrap()
}

fn labels(report: &Report) -> BTreeMap<String, String> {
    read(&text(report, true), moment(0)).unwrap()
}

fn passing(id: &str, rest: &str) -> String {
    rule(id, &format!("{rest}\nexpect = [{{ fact = \"bool.true\", equals = true }}]"))
}

fn failing(id: &str, rest: &str) -> String {
    rule(id, &format!("{rest}\nexpect = [{{ fact = \"bool.false\", equals = true }}]"))
}

fn unknown(id: &str, rest: &str) -> String {
    rule(id, &format!("{rest}\nexpect = [{{ fact = \"bool.unreadable\", equals = true }}]"))
}

/// As judged at a stage at which all rules count.
fn at_workload(text: &str) -> Vec<RuleResult> {
    let platform =
        crate::rules::Platform { stage: Stage::Workload, tee: Some(crate::rules::Tee::Snp) };
    let chosen =
        crate::rules::testing::rules(text).choose(&crate::rules::Filter::default(), platform);
    crate::rules::judge(&chosen.unwrap(), &Facts::default())
}

#[test]
fn the_labels_say_the_verdict_and_end_with_it() {
    let report = report(results(&(failing("bad", "") + &passing("good", ""))));
    let text = text(&report, false);
    let labels = read(&text, moment(0)).unwrap();
    let label = |name: &str| labels.get(&format!("feature.node.kubernetes.io/ccgpu-node.{name}"));
    let expected = [
        ("verdict", "not-ready"),
        ("stage", "host"),
        ("tee", "snp"),
        ("first-failing-rule", "bad"),
    ];
    for (name, value) in expected {
        assert_eq!(label(name).unwrap(), value, "{text}");
    }
    let valid_for = i64::try_from(judged().valid_for.as_secs()).unwrap();
    assert_eq!(read(&text, moment(valid_for)).unwrap(), labels);
    assert!(read(&text, moment(valid_for + 1)).unwrap().is_empty());
}

/// GPUs that could not be looked for are not zero GPUs.
#[test]
fn what_cannot_be_told_about_gpus_has_no_label() {
    let labels = labels(&report(results(&passing("good", ""))));
    assert!(!labels.keys().any(|key| key.contains("gpu.count")), "{labels:?}");
}

#[test]
fn the_operator_is_told_to_deploy_only_while_every_required_host_rule_passes() {
    let deploys = |results: Vec<RuleResult>| {
        labels(&report(results)).contains_key("nvidia.com/gpu.workload.config")
    };
    let good = passing("good", "");
    assert!(deploys(results(&good)));
    assert!(!deploys(results(&(good.clone() + &failing("bad", "")))));
    assert!(!deploys(results(&(good.clone() + &unknown("hidden", "")))));
    let blocked = passing("leaf", "needs = [\"aside\"]");
    let aside = failing("aside", "severity = \"info\"");
    assert!(!deploys(results(&(good.clone() + &aside + &blocked))));
    // What the operator will deploy may be just what a later stage lacks.
    let later = failing("later", "stage = \"operator\"");
    assert!(deploys(at_workload(&(good.clone() + &later))));
    // Rules of later stages alone say nothing about the host.
    let later = passing("later", "stage = \"operator\"");
    assert!(!deploys(at_workload(&later)));
    let recommended = failing("advice", "severity = \"recommended\"");
    assert!(deploys(results(&(good.clone() + &recommended))));

    let mut narrow = report(results(&good));
    narrow.scope.left_out = 1;
    assert!(!labels(&narrow).contains_key("nvidia.com/gpu.workload.config"));
    let mut unsure = report(results(&good));
    unsure.header.platform.tee = None;
    assert!(!labels(&unsure).contains_key("nvidia.com/gpu.workload.config"));
    assert!(!text(&report(results(&good)), false).contains("nvidia.com"));
}

#[test]
fn a_clock_without_a_date_gives_no_labels_that_never_end() {
    let report = report(results(&passing("good", "")));
    let (facts, standing) = (Facts::default(), standing());
    for (wall, valid_for) in [(u64::MAX, 60), (1_764_000_000, u64::MAX), (1 << 60, 1)] {
        let judged =
            crate::publish::Judged { wall, valid_for: Duration::from_secs(valid_for), ..judged() };
        let snapshot = Snapshot {
            report: &report,
            facts: &facts,
            judged,
            transitions: 0,
            standing: &standing,
        };
        assert_eq!(render(&snapshot, true), None);
    }
}

#[test]
fn names_of_gpus_become_values() {
    for (text, value) in [
        ("H100 SXM5 80GB", Some("H100-SXM5-80GB")),
        ("GH100 [H100 SXM5 80GB]", Some("GH100-H100-SXM5-80GB")),
        ("@other", Some("other")),
        ("  ", None),
        ("日本", None),
        ("a\nb=c", Some("a-b-c")),
    ] {
        assert_eq!(label_value(text).as_deref(), value, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_becomes_a_valid_value_or_none(text in any::<String>()) {
        if let Some(value) = label_value(&text) {
            prop_assert_eq!(value_is_valid(&value), Ok(()));
        }
    }

    #[test]
    fn a_long_text_is_cut_to_a_valid_value(text in "[-._a-z ]{50,200}") {
        if let Some(value) = label_value(&text) {
            prop_assert_eq!(value_is_valid(&value), Ok(()));
        }
    }
}
