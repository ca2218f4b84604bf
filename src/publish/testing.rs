//! Snapshots for the tests of what is published.

use std::time::Duration;

use super::{Author, Judged, Snapshot};
use crate::config::Mode;
use crate::facts::Facts;
use crate::remediate::{Outcomes, Standing};
use crate::report::Report;

pub(crate) fn author() -> Author {
    Author { boot_id: "6f1d3c0e-0000-4000-8000-000000000001".to_owned(), pid: 4711 }
}

pub(crate) fn judged() -> Judged {
    Judged {
        wall: 1_764_000_000,
        uptime: Duration::from_secs(5_000),
        took: Duration::from_micros(3_210),
        valid_for: Duration::from_secs(1_260),
    }
}

pub(crate) fn standing() -> Standing {
    Standing {
        mode: Mode::Off,
        paused: false,
        breaker_open_since: None,
        outcomes: Outcomes { fixed: 2, rolled_back: 1, needs_person: 0, refused: 3 },
        pending_reboot: false,
    }
}

/// Hands a snapshot of this report to a test.
pub(crate) fn with_snapshot<T>(report: &Report, test: impl FnOnce(Snapshot<'_>) -> T) -> T {
    let (facts, standing) = (Facts::default(), standing());
    let judged = judged();
    test(Snapshot { report, facts: &facts, judged, transitions: 7, standing: &standing })
}
