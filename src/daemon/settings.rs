//! What the daemon works by until the next reload: the configuration and the rules, read together, so that
//! one half of a site's change is never used without the other.

use crate::cli::Selection;
use crate::commands::CommandError;
use crate::commands::configuration::{self, Policy};
use crate::config::Config;
use crate::host::Root;

/// All of it, checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) policy: Policy,
}

impl Settings {
    /// Reads all files of the site. An error says which is wrong and why.
    pub(super) fn load() -> Result<Self, CommandError> {
        let site = configuration::read(&Root::live()?)?;
        let policy = Policy::by(Some(&site), &Selection::default(), &[])?;
        Ok(Self { config: site.config, policy })
    }
}
