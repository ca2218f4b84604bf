//! Version 1 of the report for programs. These structs are the format and nothing else: what the rest of
//! the program does must not change them. A change that could break a reader takes a new version; the
//! schema is in `schemas/report-v1.json`.

use std::io::{self, Write};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::harmless::Harmless;
use super::json_judged::{JudgedV1, RemediationV1};
use super::{
    About, Assumed, Comparison, Counts, Finding, Found, Header, HostOrigin, Report, RuleResult,
    Status, Verdict,
};
use crate::facts::{Cause, Source, Value};
use crate::publish::{Author, Snapshot};
use crate::rules::{Fix, Group, Offending, Rule, Safety, Severity, Stage, Tee};

/// The name of the format.
pub(crate) const FORMAT: &str = "ccgpu-node-report";
pub(crate) const VERSION: u32 = 1;

/// Writes the report as one JSON document and a line break. Control characters and direction marks are
/// escaped, so that the output may be shown on a terminal.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    write(&ReportV1::of(report), out)
}

/// Writes the same document with what the daemon knows besides.
pub fn render_snapshot(
    snapshot: &Snapshot<'_>,
    author: &Author,
    out: &mut dyn Write,
) -> io::Result<()> {
    let judged = Some(JudgedV1::of(snapshot, author));
    let remediation = Some(RemediationV1::of(snapshot));
    write(&ReportV1 { judged, remediation, ..ReportV1::of(snapshot.report) }, out)
}

pub(crate) fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut json = serde_json::Serializer::with_formatter(&mut *out, Harmless::default());
    document.serialize(&mut json)?;
    writeln!(out)
}

/// The JSON Schema of the report.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    settings.into_generator().into_root_schema_for::<ReportV1<'static>>().to_value()
}

/// Whether a host is fit to run confidential GPU workloads, and why not.
#[derive(Serialize, JsonSchema)]
struct ReportV1<'r> {
    /// Always `ccgpu-node-report`.
    format: &'static str,
    /// Always 1.
    version: u32,
    host: HostV1<'r>,
    stage: StageV1<'r>,
    tee: TeeV1<'r>,
    verdict: Verdict,
    /// What `check` exits with; with a baseline it counts only what got worse.
    exit_code: u8,
    /// What the rules were compared with; null without `--baseline`.
    baseline: Option<BaselineV1<'r>>,
    /// How many of the rules below ended in which status.
    counts: CountsV1,
    /// How many rules of the stage were left out on the command line: the verdict is no wider than what
    /// was judged.
    left_out: usize,
    /// The rules of the stage that the site disabled.
    disabled: Vec<DisabledV1<'r>>,
    /// From cause to effect.
    rules: Vec<RuleV1<'r>>,
    /// When, and for how long it holds; null in a report that no daemon wrote.
    judged: Option<JudgedV1<'r>>,
    /// How things stand with mending; null in a report that no daemon wrote.
    remediation: Option<RemediationV1>,
}

/// An earlier report that this one was compared with.
#[derive(Serialize, JsonSchema)]
struct BaselineV1<'r> {
    file: &'r str,
    /// The host that it is about.
    host: &'r str,
    /// Whether that is the name of this host.
    same_host: bool,
    /// The verdict then.
    verdict: Verdict,
    /// The rules that are no worse than they were; they do not count.
    known: Vec<&'r str>,
    /// How many of them are required, and fail or cannot be judged.
    known_failures: usize,
    /// The required rules that got worse; these alone make the exit code.
    worse: Vec<WorseV1<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct WorseV1<'r> {
    id: &'r str,
    why: &'r str,
}

#[derive(Serialize, JsonSchema)]
struct DisabledV1<'r> {
    id: &'r str,
    reason: Option<&'r str>,
}

#[derive(Serialize, JsonSchema)]
struct HostV1<'r> {
    name: &'r str,
    os: Option<&'r str>,
    kernel: Option<&'r str>,
    cpu: Option<&'r str>,
    virtualization: Option<&'r str>,
    gpus: Option<&'r str>,
    origin: OriginV1,
    /// The directory or the captured host; null for this machine.
    path: Option<&'r str>,
    /// Facts that the host does not show and the user vouches for.
    assumed: Vec<AssumedV1<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct AssumedV1<'r> {
    fact: &'static str,
    value: &'r str,
}

/// Where the facts come from.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum OriginV1 {
    Live,
    Directory,
    Capture,
}

/// The stage that the host was judged at, and why at that.
#[derive(Serialize, JsonSchema)]
struct StageV1<'r> {
    value: Stage,
    why: &'r str,
}

/// The TEE that the host was judged for, and why for that; null where it cannot be told.
#[derive(Serialize, JsonSchema)]
struct TeeV1<'r> {
    value: Option<Tee>,
    why: &'r str,
}

#[derive(Serialize, JsonSchema)]
struct CountsV1 {
    pass: usize,
    fail: usize,
    unknown: usize,
    not_applicable: usize,
    blocked: usize,
}

#[derive(Serialize, JsonSchema)]
struct RuleV1<'r> {
    id: &'r str,
    status: Status,
    severity: Severity,
    group: Group,
    stage: Stage,
    /// What is wrong when the rule fails.
    title: &'r str,
    why: &'r str,
    /// The error that a user meets later if this is ignored.
    symptom: Option<&'r str>,
    docs: &'r [String],
    /// How many things the rule looked at.
    subjects: usize,
    findings: Vec<FindingV1<'r>>,
    /// The rules at the root of what blocks this one.
    blocked_by: Vec<&'r str>,
    /// What a person must do.
    advice: Vec<AdviceV1<'r>>,
    /// What the command `fix` would do; null where it can do nothing.
    fix: Option<FixV1>,
    /// A reboot alone puts a failure right.
    resolved_by_reboot: bool,
    /// Why the site changed the rule's severity.
    override_reason: Option<&'r str>,
}

#[derive(Serialize, JsonSchema)]
struct AdviceV1<'r> {
    text: &'r str,
    command: Option<&'r str>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FixV1 {
    /// Whether it takes `--unsafe`.
    safety: Safety,
    /// In words.
    edits: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FindingV1<'r> {
    /// The member of a collection that it is about; null for the host.
    subject: Option<&'r str>,
    role: RoleV1,
    /// The name of a fact or of a collection, or `tee`.
    fact: &'static str,
    outcome: Status,
    found: FoundV1<'r>,
    wanted: Option<String>,
    source: Option<SourceV1<'r>>,
    note: Option<&'r str>,
    /// The user vouched for the value; the host does not show it.
    assumed: bool,
}

/// Why one looked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum RoleV1 {
    /// A rule expects it.
    Expectation,
    /// It decides whether something is judged.
    Condition,
    /// It says which members there are.
    Members,
    /// It says which TEE the host is for.
    Tee,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub(super) enum FoundV1<'r> {
    Known {
        value: ValueV1<'r>,
    },
    /// The members that a set lacks of those wanted.
    Missing {
        members: &'r [String],
    },
    /// The members that a set has of those not wanted.
    Present {
        members: &'r [String],
    },
    Absent,
    Unreadable {
        cause: CauseV1,
        text: String,
    },
}

/// Versions and durations are texts.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ValueV1<'r> {
    Bool(bool),
    Integer(i64),
    Text(&'r str),
    Written(String),
    Set(Vec<&'r str>),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CauseV1 {
    Permission,
    /// Not the kind of file that it should be.
    FileKind,
    TooLarge,
    DeviceGone,
    System,
    NotCaptured,
    Malformed,
    /// The text is a program, whose result cannot be told without running it.
    NotDecidable,
    NoAnswer,
    NotGathered,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SourceV1<'r> {
    pub(super) path: &'r str,
    /// From 1.
    pub(super) line: Option<u32>,
}

impl<'r> ReportV1<'r> {
    fn of(report: &'r Report) -> Self {
        let Header { platform, stage_why, tee_why, .. } = &report.header;
        Self {
            format: FORMAT,
            version: VERSION,
            host: HostV1::of(&report.header),
            stage: StageV1 { value: platform.stage, why: stage_why },
            tee: TeeV1 { value: platform.tee, why: tee_why },
            verdict: report.verdict,
            exit_code: report.exit() as u8,
            baseline: report.baseline.as_ref().map(BaselineV1::of),
            counts: CountsV1::of(report.counts()),
            left_out: report.scope.left_out,
            disabled: report.scope.disabled.iter().map(DisabledV1::of).collect(),
            rules: report.results.iter().map(RuleV1::of).collect(),
            judged: None,
            remediation: None,
        }
    }
}

impl<'r> BaselineV1<'r> {
    fn of(comparison: &'r Comparison) -> Self {
        let worse = comparison.worse.iter();
        Self {
            file: &comparison.file,
            host: &comparison.host,
            same_host: comparison.same_host,
            verdict: comparison.verdict,
            known: comparison.known.iter().map(|id| &**id).collect(),
            known_failures: comparison.known_failures,
            worse: worse.map(|worse| WorseV1 { id: &worse.rule.id, why: &worse.why }).collect(),
        }
    }
}

impl CountsV1 {
    fn of(counts: Counts) -> Self {
        let Counts { pass, fail, unknown, not_applicable, blocked } = counts;
        Self { pass, fail, unknown, not_applicable, blocked }
    }
}

impl<'r> DisabledV1<'r> {
    fn of(rule: &'r Arc<Rule>) -> Self {
        let reason = rule.overridden.as_ref().map(|change| change.reason.as_str());
        Self { id: &rule.id, reason }
    }
}

impl<'r> HostV1<'r> {
    fn of(header: &'r Header) -> Self {
        let (origin, path) = match &header.origin {
            HostOrigin::Live => (OriginV1::Live, None),
            HostOrigin::Directory(path) => (OriginV1::Directory, Some(path.as_str())),
            HostOrigin::Capture(path) => (OriginV1::Capture, Some(path.as_str())),
        };
        Self {
            name: &header.host,
            os: header.os.as_deref(),
            kernel: header.kernel.as_deref(),
            cpu: header.cpu.as_deref(),
            virtualization: header.virtualization.as_deref(),
            gpus: header.gpus.as_deref(),
            origin,
            path,
            assumed: header.assumed.iter().map(AssumedV1::of).collect(),
        }
    }
}

impl<'r> AssumedV1<'r> {
    fn of(Assumed { fact, value, .. }: &'r Assumed) -> Self {
        Self { fact, value }
    }
}

impl<'r> RuleV1<'r> {
    fn of(result: &'r RuleResult) -> Self {
        let rule = &result.rule;
        Self {
            id: &rule.id,
            status: result.status,
            severity: rule.severity,
            group: rule.group,
            stage: rule.stage,
            title: &rule.title,
            why: &rule.why,
            symptom: rule.symptom.as_deref(),
            docs: &rule.docs,
            subjects: result.subjects,
            findings: result.findings.iter().map(FindingV1::of).collect(),
            blocked_by: result.blocked_by.iter().map(|root| &*root.id).collect(),
            advice: result
                .advice()
                .map(|advice| AdviceV1 { text: &advice.text, command: advice.command.as_deref() })
                .collect(),
            fix: result.fix().map(FixV1::of),
            resolved_by_reboot: result.waits_for_a_reboot() || rule.resolved_by.is_some(),
            override_reason: rule.overridden.as_ref().map(|change| change.reason.as_str()),
        }
    }
}

impl FixV1 {
    pub(super) fn of(fix: &Fix) -> Self {
        Self { safety: fix.safety, edits: fix.edits.iter().map(ToString::to_string).collect() }
    }
}

impl<'r> SourceV1<'r> {
    pub(super) fn of(source: &'r Source) -> Self {
        Self { path: &source.path, line: source.line }
    }
}

impl<'r> FindingV1<'r> {
    pub(super) fn of(finding: &'r Finding) -> Self {
        Self {
            subject: finding.subject.as_deref(),
            role: match finding.about {
                About::Expectation(_) => RoleV1::Expectation,
                About::Condition(_) => RoleV1::Condition,
                About::Members(_) => RoleV1::Members,
                About::Tee => RoleV1::Tee,
            },
            fact: finding.about.name(),
            outcome: finding.outcome,
            found: FoundV1::of(&finding.found),
            wanted: finding.about.test().map(|test| test.operator.to_string()),
            source: finding.source.as_ref().map(SourceV1::of),
            note: finding.note.as_deref(),
            assumed: finding.assumed,
        }
    }
}

impl<'r> FoundV1<'r> {
    fn of(found: &'r Found) -> Self {
        match found {
            Found::Value(value) => Self::known(value),
            Found::Members(Offending::Missing(members)) => Self::Missing { members },
            Found::Members(Offending::Present(members)) => Self::Present { members },
            Found::Absent => Self::Absent,
            Found::Unreadable(cause) => Self::unreadable(cause),
        }
    }

    pub(super) fn known(value: &'r Value) -> Self {
        let value = match value {
            Value::Bool(value) => ValueV1::Bool(*value),
            Value::Integer(value) => ValueV1::Integer(*value),
            Value::Text(text) => ValueV1::Text(text),
            Value::Version(version) => ValueV1::Written(version.to_string()),
            Value::Duration(duration) => ValueV1::Written(duration.to_string()),
            Value::Set(members) => ValueV1::Set(members.iter().map(String::as_str).collect()),
        };
        Self::Known { value }
    }

    pub(super) fn unreadable(cause: &Cause) -> Self {
        Self::Unreadable { cause: CauseV1::of(cause), text: cause.to_string() }
    }
}

impl CauseV1 {
    fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Permission => Self::Permission,
            Cause::SymlinkLoop | Cause::NotAFile(_) | Cause::NotADirectory => Self::FileKind,
            Cause::TooLarge(_) => Self::TooLarge,
            Cause::DeviceGone => Self::DeviceGone,
            Cause::Os(_) => Self::System,
            Cause::NotCaptured => Self::NotCaptured,
            Cause::Malformed { .. } => Self::Malformed,
            Cause::NotDecidable { .. } => Self::NotDecidable,
            Cause::NoAnswer(_) => Self::NoAnswer,
            Cause::NotGathered => Self::NotGathered,
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
