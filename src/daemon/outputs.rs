//! All outputs together: each is tried whatever becomes of the others.

use std::path::Path;

use super::settings::Settings;
use crate::publish::Snapshot;

/// How writing each output ended, by its name; what is wrong is in words.
pub(super) type Outcomes = Vec<(&'static str, Result<(), String>)>;

/// The outputs that the configuration asks for.
#[derive(Debug, Default)]
pub(super) struct Outputs {}

impl Outputs {
    pub(super) fn new(_settings: &Settings, _directory: &Path) -> Self {
        Self {}
    }

    pub(super) fn publish(&mut self, _snapshot: &Snapshot<'_>) -> Outcomes {
        Vec::new()
    }

    /// Takes all of it away: nobody renews it any more.
    pub(super) fn withdraw(&mut self) -> Outcomes {
        Vec::new()
    }
}
