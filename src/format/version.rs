//! Versions of kernels and of Kubernetes, and their order.

use std::fmt;

/// Numeric parts in order, and the text they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid version {0:?}")]
pub struct VersionError(pub String);

impl Version {
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let bare = text.trim_start_matches('v');
        let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
        let numbers: Result<Vec<u64>, _> =
            bare[..end].trim_end_matches('.').split('.').map(str::parse).collect();
        match numbers {
            Ok(numbers) => Ok(Self { text: text.to_owned(), numbers }),
            Err(_) => Err(VersionError(text.to_owned())),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}
