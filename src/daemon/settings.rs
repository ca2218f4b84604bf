//! What the daemon works by until the next reload: the configuration and the rules, read together, so that
//! one half of a site's change is never used without the other.

use crate::commands::{CommandError, host, judgement::Wanted, rule_set};
use crate::config::Config;
use crate::facts::Assumptions;
use crate::rules::{Catalogue, Filter, RuleSet};

/// All of it, checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) rules: RuleSet,
    pub(super) wanted: Wanted,
    pub(super) assumed: Assumptions,
}

impl Settings {
    /// Reads all files of the site. An error says which is wrong and why.
    pub(super) fn load() -> Result<Self, CommandError> {
        let config = Config::default();
        let rules = rule_set::load(&Catalogue::built_in(), &config.check.rules)?;
        let assumed = host::assumptions(&config.check.assume)?;
        let wanted = Wanted {
            filter: Filter { only: config.check.only.clone(), skip: config.check.skip.clone() },
            stage: config.check.stage,
            tee: config.check.tee,
        };
        Ok(Self { config, rules, wanted, assumed })
    }
}
