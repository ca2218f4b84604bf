//! What stands on disk about mending, for whoever may read it: the ledger, the pause file, and whether a
//! change of ours waits for a reboot. What cannot be read counts against mending.

use super::ledger::{Breaker, Ledger};
use super::{Outcomes, Standing};
use crate::config::Mode;
use crate::host::{Reading, Root};

/// Written by the fixer and `reset`, readable by all.
pub const LEDGER: &str = "/var/lib/ccgpu-node/remediation.json";
/// Stands while nothing may be mended without a person; its text says why.
pub const PAUSE: &str = "/etc/ccgpu-node/pause";
/// Who wants a reboot, one a line; a line of ours stands while a change of ours waits for one.
const REBOOT: &str = "/run/reboot-required.pkgs";
const OURS: &str = "ccgpu-node";

/// Bytes that a ledger may have. It holds a few attempts.
const CAP: u64 = 1 << 20;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The text says why the ledger cannot be used; then nothing is known of what was tried.
    pub ledger: Result<Ledger, String>,
    pub pause: Pause,
    pub pending_reboot: bool,
}

/// Whether a pause file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    No,
    /// The first line of the file.
    Because(String),
    /// Something stands there, and cannot be read.
    CannotTell(String),
}

impl State {
    /// Reads it. Nothing here needs to be root.
    pub fn read(root: &Root) -> Self {
        Self { ledger: ledger(root), pause: pause(root), pending_reboot: pending_reboot(root) }
    }

    pub fn standing(&self, mode: Mode) -> Standing {
        let (breaker_open_since, outcomes) = match &self.ledger {
            Ok(ledger) => match ledger.breaker() {
                Breaker::Closed => (None, ledger.outcomes()),
                Breaker::Open { since, .. } => (Some(*since), ledger.outcomes()),
            },
            Err(_) => (Some(0), Outcomes::default()),
        };
        Standing {
            mode,
            paused: self.pause != Pause::No,
            breaker_open_since,
            outcomes,
            pending_reboot: self.pending_reboot,
        }
    }

    /// Why the breaker is open, for people.
    pub fn breaker_why(&self) -> Option<String> {
        match &self.ledger {
            Ok(ledger) => match ledger.breaker() {
                Breaker::Closed => None,
                Breaker::Open { why, .. } => Some(why.clone()),
            },
            Err(why) => Some(why.clone()),
        }
    }
}

fn ledger(root: &Root) -> Result<Ledger, String> {
    match root.read(LEDGER, CAP) {
        Reading::Known(bytes) => {
            Ledger::parse(&bytes).map_err(|error| format!("{LEDGER} cannot be trusted: {error}"))
        }
        // Nothing was ever tried here.
        Reading::Absent => Ok(Ledger::default()),
        Reading::Unreadable(cause) => Err(format!("{LEDGER} cannot be read: {cause}")),
    }
}

fn pause(root: &Root) -> Pause {
    match root.read(PAUSE, CAP) {
        Reading::Known(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            Pause::Because(text.lines().next().unwrap_or_default().trim().to_owned())
        }
        Reading::Absent => Pause::No,
        Reading::Unreadable(cause) => Pause::CannotTell(cause.to_string()),
    }
}

fn pending_reboot(root: &Root) -> bool {
    match root.read(REBOOT, CAP) {
        Reading::Known(bytes) => {
            String::from_utf8_lossy(&bytes).lines().any(|line| line.trim() == OURS)
        }
        Reading::Absent => false,
        Reading::Unreadable(_) => true,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
#[path = "state_tests.rs"]
mod tests;
