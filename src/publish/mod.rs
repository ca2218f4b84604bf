//! Hands a verdict to the programs that act on it: the daemon's own report file, Node Feature Discovery,
//! Prometheus. Each output can be switched off, says until when it holds or goes away with the daemon, and
//! is written whole or not at all. Nothing here judges.

mod feature_file;
mod metrics;
pub mod output_file;
mod outputs;
mod published_file;
#[cfg(test)]
pub(crate) mod testing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use outputs::{Author, Output, Outputs};

use crate::facts::Facts;
use crate::remediate::Standing;
use crate::report::Report;

/// Where the daemon keeps what it knows, and others look for it.
pub const RUNTIME_DIRECTORY: &str = "/run/ccgpu-node";

/// The last report, in the runtime directory.
pub const REPORT: &str = "report.json";

/// Locked as long as a daemon is at work, in the runtime directory.
pub const LOCK: &str = "daemon.lock";

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

impl Judged {
    /// When it ends, in seconds since 1970 by the wall clock, for readers who know no other clock.
    pub fn until(&self) -> u64 {
        self.wall.saturating_add(self.valid_for.as_secs())
    }
}

/// Why one of the outputs does not say what is known; the others do.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("cannot write {}: there is no directory {}", path.display(), directory.display())]
    NoDirectory { path: PathBuf, directory: PathBuf },
    #[error("cannot {what} {}", path.display())]
    Failed { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot write {}: it is {what}, and no regular file", path.display())]
    Unfit { path: PathBuf, what: &'static str },
    #[error("cannot write {}: the clock shows no time that could be its end", path.display())]
    NoTime { path: PathBuf },
    #[error("cannot make the text of {}", path.display())]
    Render { path: PathBuf, source: std::io::Error },
    #[error("metrics are not served on {0}: only a loopback address is allowed")]
    NotLoopback(SocketAddr),
    #[error("cannot serve metrics on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
}
