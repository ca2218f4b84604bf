//! `rules`: the rule set, shown and checked.

use super::{CommandError, output, rule_set};
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
            let rules = rule_set::load(&catalogue, &files.rules)?;
            output::write(|out| show::list(&rules, look, out))
        }
        cli::Rules::Show { id, files } => {
            let rules = rule_set::load(&catalogue, &files.rules)?;
            let rule = rules.find(id)?;
            output::write(|out| show::show(rule, look, out))
        }
        cli::Rules::Lint { files } => {
            rule_set::lint(&catalogue, files)?;
            output::write(|out| writeln!(out, "{} rule files are in order", files.len()))
        }
        cli::Rules::Schema => output::write(|out| {
            serde_json::to_writer_pretty(&mut *out, &schema(&catalogue))?;
            writeln!(out)
        }),
    }
}
