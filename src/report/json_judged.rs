//! The parts of a report that only the daemon can fill: when the host was judged and how long that holds,
//! and how things stand with mending. As in [`super::json`], these structs are the format.

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Mode;
use crate::publish::{Author, Snapshot};

/// When the host was judged, and until when that holds.
#[derive(Serialize, JsonSchema)]
pub(super) struct JudgedV1<'r> {
    /// By the wall clock, RFC 3339 in UTC; null where that clock shows no date.
    at: Option<String>,
    /// By the clock that counts from boot, sleep included, which nobody can set.
    uptime_seconds: f64,
    /// How long reading and judging took.
    took_seconds: f64,
    /// After this long without a newer report, this one says nothing any more.
    valid_for_seconds: u64,
    /// The kernel's name for the boot that the uptime counts from.
    boot_id: &'r str,
    /// The daemon's process.
    pid: u32,
    /// The daemon's version.
    program: &'static str,
    /// How many rules changed their status since the daemon started.
    transitions: u64,
}

/// How things stand with mending.
#[derive(Serialize, JsonSchema)]
pub(super) struct RemediationV1 {
    mode: Mode,
    /// A pause file stands.
    paused: bool,
    /// Since when nothing is mended because a fix did not do what it should, in seconds since 1970;
    /// null where all is well.
    breaker_open_since: Option<u64>,
    /// A change waits for a reboot.
    pending_reboot: bool,
    outcomes: OutcomesV1,
}

/// How many fixes ended how.
#[derive(Serialize, JsonSchema)]
struct OutcomesV1 {
    fixed: u64,
    rolled_back: u64,
    needs_person: u64,
    refused: u64,
}

impl<'r> JudgedV1<'r> {
    pub(super) fn of(snapshot: &Snapshot<'_>, author: &'r Author) -> Self {
        let judged = &snapshot.judged;
        let at = i64::try_from(judged.wall).ok();
        let at = at.and_then(|at| jiff::Timestamp::from_second(at).ok());
        Self {
            at: at.map(|at| at.to_string()),
            uptime_seconds: judged.uptime.as_secs_f64(),
            took_seconds: judged.took.as_secs_f64(),
            valid_for_seconds: judged.valid_for.as_secs(),
            boot_id: &author.boot_id,
            pid: author.pid,
            program: env!("CARGO_PKG_VERSION"),
            transitions: snapshot.transitions,
        }
    }
}

impl RemediationV1 {
    pub(super) fn of(snapshot: &Snapshot<'_>) -> Self {
        let standing = snapshot.standing;
        let outcomes = standing.outcomes;
        Self {
            mode: standing.mode,
            paused: standing.paused,
            breaker_open_since: standing.breaker_open_since,
            pending_reboot: standing.pending_reboot,
            outcomes: OutcomesV1 {
                fixed: outcomes.fixed,
                rolled_back: outcomes.rolled_back,
                needs_person: outcomes.needs_person,
                refused: outcomes.refused,
            },
        }
    }
}
