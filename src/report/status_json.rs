//! Version 1 of the status for programs; the schema is in `schemas/status-v1.json`.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::stored::{Stored, StoredRemediation};
use super::{Status, Verdict, json};
use crate::config::Mode;
use crate::exit::Exit;
use crate::publish::last::{Daemon, Last};
use crate::rules::{Severity, Stage, Tee};

/// Writes it as one JSON document and a line break.
pub fn render(last: &Last, out: &mut dyn Write) -> io::Result<()> {
    json::write(&StatusV1::of(last), out)
}

/// The JSON Schema of the status.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    settings.into_generator().into_root_schema_for::<StatusV1<'static>>().to_value()
}

/// What the daemon last said, and whether that still holds.
#[derive(Serialize, JsonSchema)]
struct StatusV1<'r> {
    /// Always `ccgpu-node-status`.
    format: &'static str,
    /// Always 1.
    version: u32,
    /// What is known about now; `cannot-tell` where the last report is stale.
    verdict: Verdict,
    /// What `status` exits with.
    exit_code: u8,
    /// Why the last report says nothing about now; null while it does.
    stale: Option<String>,
    daemon: DaemonV1,
    /// Null where there is none that can be read.
    last: Option<LastV1<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct DaemonV1 {
    /// Null where it cannot be told.
    running: Option<bool>,
    pid: Option<u32>,
}

/// The last report.
#[derive(Serialize, JsonSchema)]
struct LastV1<'r> {
    host: &'r str,
    /// The verdict then; what counts is the one above.
    verdict: Verdict,
    stage: Stage,
    tee: Option<Tee>,
    /// When, by the wall clock, RFC 3339 in UTC.
    at: Option<&'r str>,
    /// How long ago, by the clock that counts from boot; null for a report of another boot.
    age_seconds: Option<f64>,
    valid_for_seconds: u64,
    /// How many rules of the stage were left out or disabled.
    not_judged: usize,
    /// The required rules that failed or could not be judged, from cause to effect.
    failing: Vec<FailingV1<'r>>,
    remediation: Option<RemediationV1>,
}

#[derive(Serialize, JsonSchema)]
struct FailingV1<'r> {
    id: &'r str,
    status: Status,
    /// What is wrong when the rule fails.
    title: &'r str,
    /// What does something about it; null where nothing can be done here.
    fix_command: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct RemediationV1 {
    mode: Mode,
    paused: bool,
    /// Seconds since 1970.
    breaker_open_since: Option<u64>,
    pending_reboot: bool,
}

impl<'r> StatusV1<'r> {
    fn of(last: &'r Last) -> Self {
        let (running, pid) = match last.daemon {
            Daemon::Running(pid) => (Some(true), pid),
            Daemon::NotRunning => (Some(false), None),
            Daemon::Unknown(_) => (None, None),
        };
        Self {
            format: "ccgpu-node-status",
            version: 1,
            verdict: last.verdict(),
            exit_code: Exit::from(last.verdict()) as u8,
            stale: last.stale.as_ref().map(ToString::to_string),
            daemon: DaemonV1 { running, pid },
            last: last.report.as_ref().map(|report| LastV1::of(report, last)),
        }
    }
}

impl<'r> LastV1<'r> {
    fn of(report: &'r Stored, last: &Last) -> Self {
        let of = |status| report.with(Severity::Required, status);
        let failing = of(Status::Fail).chain(of(Status::Unknown)).map(|rule| FailingV1 {
            id: &rule.id,
            status: rule.status,
            title: &rule.title,
            fix_command: rule.fix_command(),
        });
        Self {
            host: &report.host,
            verdict: report.verdict,
            stage: report.stage,
            tee: report.tee,
            at: report.judged.at.as_deref(),
            age_seconds: last.age.map(|age| age.as_secs_f64()),
            valid_for_seconds: report.judged.valid_for.as_secs(),
            not_judged: report.not_judged,
            failing: failing.collect(),
            remediation: report.remediation.as_ref().map(RemediationV1::of),
        }
    }
}

impl RemediationV1 {
    fn of(remediation: &StoredRemediation) -> Self {
        Self {
            mode: remediation.mode,
            paused: remediation.paused,
            breaker_open_since: remediation.breaker_open_since,
            pending_reboot: remediation.pending_reboot,
        }
    }
}
