//! `rules`: the rule set, shown and checked.

use super::host::nearest;
use super::{CommandError, configuration, output, rule_set};
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::rules as show;
use crate::rules::{Catalogue, schema};

pub(super) fn run(arguments: &cli::Rules, terminal: Terminal) -> Result<Exit, CommandError> {
    let catalogue = Catalogue::built_in();
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
    match arguments {
        cli::Rules::List(files) => {
            let rules = configuration::rules(&files.rules)?;
            output::write(|out| show::list(&rules, look, out))
        }
        cli::Rules::Show { id, files } => {
            let rules = configuration::rules(&files.rules)?;
            let rule = rules.get(id).ok_or_else(|| {
                let ids = rules.rules().iter().map(|rule| &*rule.id);
                CommandError::Usage(format!("there is no rule {id}{}", nearest(id, ids)))
            })?;
            output::write(|out| show::show(&rules, rule, look, out))
        }
        cli::Rules::Lint { files } => {
            let linted = rule_set::lint(&catalogue, files)?;
            output::write(|out| show::lint(&linted.files(), linted.loaded.as_ref(), look, out))?;
            Ok(if linted.loaded.is_ok() { Exit::Ready } else { Exit::Usage })
        }
        cli::Rules::Schema => output::write(|out| {
            serde_json::to_writer_pretty(&mut *out, &schema(&catalogue))?;
            writeln!(out)
        }),
    }
}
