//! `rules`: the rule set, shown and checked.

use super::{CommandError, output, rule_set};
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::rules::Catalogue;

pub(super) fn run(arguments: &cli::Rules, _terminal: Terminal) -> Result<Exit, CommandError> {
    let catalogue = Catalogue::built_in();
    match arguments {
        cli::Rules::Lint { files } => {
            rule_set::lint(&catalogue, files)?;
            output::write(|out| writeln!(out, "{} rule files are in order", files.len()))
        }
        _ => Err(CommandError::Usage("not yet".to_owned())),
    }
}
