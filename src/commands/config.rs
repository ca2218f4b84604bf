//! `config`: what the configuration comes to, and what is wrong with it.

use std::path::PathBuf;

use super::configuration::{files, named};
use super::{CommandError, configuration, output, rule_set};
use crate::cli::{self, ConfigCommand};
use crate::config::{ConfigError, ConfigFile, Loaded, load, schema};
use crate::exit::Exit;
use crate::host::{Root, Terminal};
use crate::report::configuration as show;
use crate::report::human::Look;
use crate::rules::{Catalogue, RuleSet};

pub(super) fn run(arguments: &cli::Config, terminal: Terminal) -> Result<Exit, CommandError> {
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
    match &arguments.command {
        None => {
            let loaded = configuration::read(&Root::live()?)?;
            loaded.check_against(&site_rules(&loaded, &[])?)?;
            output::write(|out| show::effective(&loaded, out))
        }
        Some(ConfigCommand::Lint { files: paths, rules }) => {
            let files = if paths.is_empty() { files(&Root::live()?) } else { named(paths) };
            let loaded = lint(&files, !paths.is_empty(), rules)?;
            output::write(|out| show::lint(&files, loaded.as_ref(), look, out))?;
            Ok(if loaded.is_ok() { Exit::Ready } else { Exit::Usage })
        }
        Some(ConfigCommand::Schema) => output::write(|out| {
            serde_json::to_writer_pretty(&mut *out, &schema())?;
            writeln!(out)
        }),
    }
}

/// Files named by the user may be meant for another machine: the rules of this one are then no part of it.
fn lint(
    files: &[ConfigFile],
    elsewhere: bool,
    more: &[PathBuf],
) -> Result<Result<Loaded, ConfigError>, CommandError> {
    let loaded = match load(files) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error)),
    };
    let rules = if elsewhere {
        rule_set::lint(&Catalogue::built_in(), more)?.loaded?
    } else {
        site_rules(&loaded, more)?
    };
    Ok(loaded.check_against(&rules).map(|()| loaded))
}

fn site_rules(loaded: &Loaded, more: &[PathBuf]) -> Result<RuleSet, CommandError> {
    let files: Vec<PathBuf> = loaded.config.check.rules.iter().chain(more).cloned().collect();
    rule_set::load(&Catalogue::built_in(), &files)
}
