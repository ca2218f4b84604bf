//! Hands a verdict to the programs that act on it: the daemon's own report file, Node Feature Discovery,
//! Prometheus. Each output can be switched off, says until when it holds or goes away with the daemon, and
//! is written whole or not at all. Nothing here judges.

pub mod output_file;

use std::time::Duration;

use crate::facts::Facts;
use crate::remediate::Standing;
use crate::report::Report;

/// What is known at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub report: &'a Report,
    pub facts: &'a Facts,
    pub judged: Judged,
    /// How many rules changed their status since the daemon started.
    pub transitions: u64,
    pub standing: &'a Standing,
}

/// When a host was judged, and until when that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Seconds since 1970 by the wall clock.
    pub wall: u64,
    /// Since boot, sleep counted: no clock that somebody sets.
    pub uptime: Duration,
    pub took: Duration,
    /// After this long without a newer one, it says nothing any more.
    pub valid_for: Duration,
}
