//! The only place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 by the wall clock, which may be set to anything; 0 before 1970.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
