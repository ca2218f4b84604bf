//! What the daemon works by until the next reload: the configuration and the rules, read together, so that
//! one half of a site's change is never used without the other.

use crate::cli;
use crate::commands::CommandError;
use crate::commands::configuration::{self, Policy};
use crate::commands::judgement::Wanted;
use crate::config::Config;
use crate::host::Root;
use crate::rules::RuleSet;

/// All of it, checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) rules: RuleSet,
    pub(super) wanted: Wanted,
}

impl Settings {
    /// Reads all files of the site. An error says which is wrong and why.
    pub(super) fn load() -> Result<Self, CommandError> {
        let site = configuration::read(&Root::live()?)?;
        let Policy { rules, wanted } = Policy::by(Some(&site), &cli::Selection::default(), &[])?;
        Ok(Self { config: site.config, rules, wanted })
    }
}
