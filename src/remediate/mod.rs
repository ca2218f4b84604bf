//! Whether the host may be mended without a person, now. Pure: it takes observations and clocks and gives
//! a decision; the fixer carries it out, with the state on disk that makes it hold over restarts.

use crate::config::Mode;

/// How things stand with mending, for whoever wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub mode: Mode,
    /// A pause file stands.
    pub paused: bool,
    /// A fix did not do what it should; nothing is mended before `reset`. Seconds since 1970.
    pub breaker_open_since: Option<u64>,
    pub outcomes: Outcomes,
    /// A change waits for a reboot.
    pub pending_reboot: bool,
}

/// How many fixes ended how, since the state was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub fixed: u64,
    pub rolled_back: u64,
    pub needs_person: u64,
    pub refused: u64,
}
