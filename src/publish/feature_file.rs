//! The feature file of Node Feature Discovery, whose local source turns each line into a label of the
//! node. Pure: a snapshot gives a text.
//!
//! The first line is the directive that ends all others, so that the labels of a daemon that died go
//! away. Names are written with their namespace, because the one that NFD puts before bare names is
//! announced to go. A value that Kubernetes would refuse makes NFD drop the label, so each is made to fit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::Snapshot;
use crate::facts::catalogue;
use crate::facts::{Facts, Reading, Value};
use crate::report::{Report, Status};
use crate::rules::{Severity, Stage, Word as _};

/// The namespace that NFD's master allows without being asked.
const NAMESPACE: &str = "feature.node.kubernetes.io";

/// What the GPU Operator reads to decide what to deploy; NFD's master must be told to allow it.
const WORKLOAD_CONFIG: &str = "nvidia.com/gpu.workload.config=vm-passthrough";

/// Characters that the value of a label may have.
const LONGEST: usize = 63;

/// The whole file; `None` where the wall clock shows no time that could be written as an end, since
/// labels without one would outlive everything.
pub(super) fn render(snapshot: &Snapshot<'_>, workload_config: bool) -> Option<String> {
    let Snapshot { report, facts, judged, .. } = snapshot;
    let mut text = format!("# +expiry-time={}\n", timestamp(judged.until())?);
    let platform = report.header.platform;
    let mut label = |name: &str, value: &str| {
        if let Some(value) = label_value(value) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{NAMESPACE}/ccgpu-node.{name}={value}");
        }
    };
    label("verdict", report.verdict.word());
    label("stage", platform.stage.word());
    label("tee", platform.tee.map_or("unknown", |tee| tee.word()));
    if let Some(id) = first_failing(report) {
        label("first-failing-rule", id);
    }
    if report.scope.left_out > 0 {
        label("left-out", &report.scope.left_out.to_string());
    }
    if let Some(models) = models(facts) {
        label("gpu.count", &models.values().sum::<usize>().to_string());
        match models.keys().collect::<Vec<_>>().as_slice() {
            [] => {}
            [model] => label("gpu.model", model),
            _ => label("gpu.model", "mixed"),
        }
    }
    if workload_config && host_stage_passes(report) {
        let _ = writeln!(text, "{WORKLOAD_CONFIG}");
    }
    Some(text)
}

/// Seconds since 1970 in RFC 3339, UTC.
pub(super) fn timestamp(seconds: u64) -> Option<String> {
    let seconds = i64::try_from(seconds).ok()?;
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

/// Whether every required rule of the host stage passed. It is asked of these rules and not of the
/// verdict: a host whose later stages fail may need just what the operator will deploy, and a verdict
/// about a choice of rules says nothing about the others.
fn host_stage_passes(report: &Report) -> bool {
    let mut any = false;
    let of_host = report.results.iter().filter(|result| {
        result.rule.stage == Stage::Host && result.rule.severity == Severity::Required
    });
    for result in of_host {
        match result.status {
            Status::Pass => any = true,
            Status::NotApplicable => {}
            Status::Fail | Status::Unknown | Status::Blocked => return false,
        }
    }
    any && report.scope.left_out == 0 && report.header.platform.tee.is_some()
}

fn first_failing(report: &Report) -> Option<&str> {
    let of = |status| report.with(Severity::Required, status);
    let first = of(Status::Fail).chain(of(Status::Unknown)).next();
    first.map(|result| &*result.rule.id)
}

/// The models of the GPUs and how many there are of each; `None` where not all GPUs can be told.
fn models(facts: &Facts) -> Option<BTreeMap<String, usize>> {
    let collection = catalogue::collection("pci.gpus")?;
    let name = collection.facts.iter().find(|fact| fact.name == "name")?;
    let selection = (collection.select)(facts);
    if selection.doubt.is_some() {
        return None;
    }
    let mut models = BTreeMap::new();
    for subject in selection.subjects {
        let model = match (name.read)(facts, subject.index).reading {
            Reading::Known(Value::Text(text)) => text,
            _ => "unknown".to_owned(),
        };
        *models.entry(model).or_default() += 1;
    }
    Some(models)
}

/// The text as the value of a label: other characters become `-`, runs of them one, and it begins and
/// ends with a letter or a digit. `None` where nothing is left.
fn label_value(text: &str) -> Option<String> {
    let mut value = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
        if !(c == '-' && value.ends_with('-')) {
            value.push(c);
        }
    }
    let ends = |c: char| !c.is_ascii_alphanumeric();
    let value = value.trim_start_matches(ends);
    let value = value.get(..LONGEST).unwrap_or(value).trim_end_matches(ends);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
#[path = "feature_file_tests.rs"]
mod tests;
