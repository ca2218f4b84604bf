//! Whether the host may be mended without a person, now. It decides and writes nothing: the daemon asks for
//! a fix and cannot make one, and the fixer, which runs as root, carries it out under the ledger on disk.
//!
//! | question | module |
//! |---|---|
//! | has a failure been seen often and long enough to ask for a fix? | [`observer`] |
//! | what was tried before, and what may still be tried? | [`ledger`] |
//! | how long ago was that, whatever somebody did to the clocks? | [`moment`] |
//! | what stands on disk? | [`state`] |
//!
//! Nothing that the daemon does or remembers counts for the bounds. Whoever kills it a thousand times, or
//! asks in its place, only starts a fixer that refuses.

pub mod ledger;
pub mod moment;
pub mod observer;
pub mod state;

#[cfg(test)]
mod storm_tests;

use crate::config::Mode;
pub use ledger::{Attempt, Breaker, Ledger, LedgerError, Outcome, Spent};
pub use moment::{Anchor, Moment};
pub use observer::{Decision, HoldBack, Observer};
pub use state::{Pause, State};

/// The file in the daemon's own directory whose change starts the fixer. What is in it is for people; the
/// fixer does not open it.
pub const REQUEST: &str = "/run/ccgpu-node/fix-request";

/// How things stand with mending, for whoever wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub mode: Mode,
    /// A pause file stands, or it cannot be told whether one does.
    pub paused: bool,
    /// A fix did not do what it should; nothing is mended before `reset`. Seconds since 1970; 0 where the
    /// ledger cannot be used, so that it is not known since when.
    pub breaker_open_since: Option<u64>,
    pub outcomes: Outcomes,
    /// A change waits for a reboot.
    pub pending_reboot: bool,
}

/// How many fixes ended how, since the state was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    pub fixed: u64,
    pub rolled_back: u64,
    /// Those that were interrupted, and nobody knows how far they came, among them.
    pub needs_person: u64,
    /// Those that began and then changed nothing. What is refused before it begins is not counted.
    pub refused: u64,
}
