//! `check`: gather, judge, render.

use super::judgement::judgement;
use super::{CommandError, host, output, rule_set};
use crate::cli;
use crate::exit::Exit;
use crate::facts::Needs;
use crate::host::Terminal;
use crate::report::human::{self, Look};
use crate::report::json;
use crate::rules::Catalogue;

pub(super) fn run(arguments: &cli::Check, terminal: Terminal) -> Result<Exit, CommandError> {
    let catalogue = Catalogue::built_in();
    let rules = rule_set::load(&catalogue, &arguments.selection.rules)?;
    let assumed = host::assumptions(&arguments.host.assume)?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?;
    let report = judgement(&opened, &rules, &arguments.selection, assumed, |_| Needs::NONE)?.report;
    output::write(|out| match arguments.format {
        cli::Format::Human => {
            let look = Look {
                colour: terminal.colour,
                width: terminal.width.into(),
                verbose: arguments.verbose,
            };
            human::render(&report, look, out)
        }
        cli::Format::Json => json::render(&report, out),
    })?;
    Ok(report.verdict.exit())
}
