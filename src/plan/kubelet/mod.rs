//! The kubelet's configuration: gates and the request timeout, set where they take effect.
//!
//! [`wanted`] says what the configuration of this kubelet should hold, [`read`] fetches the files that
//! decide it, [`changes`] says which of them change and how. Where a distribution, a flag or another file
//! would win over the change, none is made: the reason names what wins.

mod candidate;
mod check;
mod flow;
mod map;
mod native;
#[cfg(test)]
mod oracle;
mod place;
mod sources;
mod splice;
mod text;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use super::{FileChange, Refused};
pub use candidate::{Candidate, candidate};
pub use place::changes;
pub use sources::{Files, SourceFile, read};
pub use text::{Role, edit};
pub use versions::{Ask, wanted};

/// What the configuration shall say. Nothing else in it changes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// By name; `None` takes the gate out.
    pub gates: BTreeMap<String, Option<bool>>,
    /// As the kubelet writes durations: `20m`.
    pub runtime_request_timeout: Option<String>,
    /// Gates among them of which nothing is known for so new a kubelet. They may only be written after
    /// the kubelet itself has loaded the candidate.
    pub unproven: BTreeSet<String>,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty() && self.runtime_request_timeout.is_none()
    }
}

/// Why a text is not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Doubt {
    /// From 1.
    pub line: Option<u32>,
    pub why: String,
}

impl Doubt {
    fn new(why: impl Into<String>) -> Self {
        Self { line: None, why: why.into() }
    }

    fn at(line: u32, why: impl Into<String>) -> Self {
        Self { line: Some(line), why: why.into() }
    }

    fn in_file(self, path: &str) -> Refused {
        Refused { path: path.to_owned(), line: self.line, why: self.why }
    }
}
