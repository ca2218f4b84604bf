//! Prometheus' text format, for the textfile collector of `node_exporter` and for `/metrics`.
//!
//! Enumerations are one series for each state, 1 for the one that holds, as `node_exporter` and
//! kube-state-metrics have them; a state that ends goes to 0 instead of away. No sample has a timestamp:
//! the collector refuses a whole file for one. A baseline changes nothing here, since a metric says what
//! is so.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::{Report, Status, Verdict, visible};
use crate::config::Mode;
use crate::publish::Snapshot;
use crate::rules::Word;

/// Bytes of a label's value. Every different value is a series in somebody's database.
const LONGEST: usize = 200;

/// When a host was judged, in seconds since 1970, and how long that took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub at: u64,
    pub took: Duration,
}

/// Writes all metrics of one judgement.
pub fn render(report: &Report, measured: Measured, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(judgement(report, measured).as_bytes())
}

/// Writes them, and those that only the daemon knows.
pub fn render_snapshot(snapshot: &Snapshot<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Snapshot { report, judged, .. } = snapshot;
    let mut text = judgement(report, Measured { at: judged.wall, took: judged.took });
    service(&mut text, snapshot);
    out.write_all(text.as_bytes())
}

fn judgement(report: &Report, measured: Measured) -> String {
    let mut text = String::new();
    let header = &report.header;
    let unknown = || "unknown".to_owned();
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(unknown);
    family(&mut text, "ccgpu_node_info", "What was judged, as what; always 1.");
    let tee = header.platform.tee.map_or_else(unknown, |tee| tee.to_string());
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("host", &header.host),
        ("os", &or_unknown(&header.os)),
        ("kernel", &or_unknown(&header.kernel)),
        ("gpus", &or_unknown(&header.gpus)),
        ("stage", header.platform.stage.word()),
        ("tee", &tee),
    ];
    sample(&mut text, "ccgpu_node_info", &labels, "1");

    family(
        &mut text,
        "ccgpu_node_verdict",
        "Whether the host is fit: 1 for the verdict that holds.",
    );
    for verdict in Verdict::ALL {
        let labels = [("verdict", verdict.word())];
        sample(&mut text, "ccgpu_node_verdict", &labels, one_hot(*verdict == report.verdict));
    }

    family(
        &mut text,
        "ccgpu_node_rule_status",
        "How each rule was judged: 1 for the status that holds.",
    );
    for result in &report.results {
        let rule = &result.rule;
        for status in Status::ALL {
            let labels = [
                ("rule", &*rule.id),
                ("severity", rule.severity.word()),
                ("group", rule.group.word()),
                ("status", status.word()),
            ];
            sample(&mut text, "ccgpu_node_rule_status", &labels, one_hot(*status == result.status));
        }
    }

    let when = "When the host was judged, in seconds since 1970.";
    family(&mut text, "ccgpu_node_check_timestamp_seconds", when);
    sample(&mut text, "ccgpu_node_check_timestamp_seconds", &[], &measured.at.to_string());
    family(
        &mut text,
        "ccgpu_node_check_duration_seconds",
        "How long reading and judging the host took.",
    );
    let took = format!("{:.6}", measured.took.as_secs_f64());
    sample(&mut text, "ccgpu_node_check_duration_seconds", &[], &took);
    text
}

/// How the daemon fares, and how things stand with mending.
fn service(text: &mut String, snapshot: &Snapshot<'_>) {
    let standing = snapshot.standing;
    let single = |text: &mut String, name: &str, help: &str, value: &str| {
        family(text, name, help);
        sample(text, name, &[], value);
    };
    single(
        text,
        "ccgpu_node_valid_until_timestamp_seconds",
        "Until when the verdict holds without a newer one, in seconds since 1970.",
        &snapshot.judged.until().to_string(),
    );
    let name = "ccgpu_node_rule_transitions_total";
    counter(text, name, "How many rules changed their status since the daemon started.");
    sample(text, name, &[], &snapshot.transitions.to_string());
    let name = "ccgpu_node_fixes_total";
    counter(text, name, "How many fixes ended how.");
    let outcomes = &standing.outcomes;
    for (outcome, count) in [
        ("fixed", outcomes.fixed),
        ("rolled-back", outcomes.rolled_back),
        ("needs-person", outcomes.needs_person),
        ("refused", outcomes.refused),
    ] {
        sample(text, name, &[("outcome", outcome)], &count.to_string());
    }
    let name = "ccgpu_node_remediation_mode";
    family(
        text,
        name,
        "What is done about failures that can be mended: 1 for the mode that holds.",
    );
    for mode in Mode::ALL {
        sample(text, name, &[("mode", mode.word())], one_hot(*mode == standing.mode));
    }
    single(
        text,
        "ccgpu_node_remediation_paused",
        "Whether a pause file stands.",
        one_hot(standing.paused),
    );
    single(
        text,
        "ccgpu_node_remediation_breaker_open",
        "Whether nothing is mended because a fix did not do what it should.",
        one_hot(standing.breaker_open_since.is_some()),
    );
    single(
        text,
        "ccgpu_node_reboot_pending",
        "Whether a change waits for a reboot.",
        one_hot(standing.pending_reboot),
    );
}

fn one_hot(holds: bool) -> &'static str {
    if holds { "1" } else { "0" }
}

/// The two lines before the samples of a metric. Writing to a String does not fail.
fn family(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn counter(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    text.push_str(name);
    for (place, (label, value)) in labels.iter().enumerate() {
        let before = if place == 0 { '{' } else { ',' };
        let _ = write!(text, "{before}{label}=\"{}\"", escaped(&capped(value)));
    }
    let end = if labels.is_empty() { "" } else { "}" };
    let _ = writeln!(text, "{end} {value}");
}

/// The text without what a terminal obeys, cut where it is too long.
fn capped(text: &str) -> String {
    let shown = visible(text);
    if shown.len() <= LONGEST {
        return shown.into_owned();
    }
    let end = (0..=LONGEST - 3).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...", shown.get(..end).unwrap_or_default())
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
#[path = "prometheus_tests.rs"]
mod tests;
