//! `check`: gather, judge, render.

use super::{CommandError, header, host, output, platform, rule_set};
use crate::cli;
use crate::exit::Exit;
use crate::facts::gather;
use crate::host::Terminal;
use crate::report::human::{self, Look};
use crate::report::{Report, json};
use crate::rules::{Catalogue, Filter, Platform, Stage, judge};

pub(super) fn run(arguments: &cli::Check, terminal: Terminal) -> Result<Exit, CommandError> {
    let catalogue = Catalogue::built_in();
    let rules = rule_set::load(&catalogue, &arguments.selection.rules)?;
    let filter = Filter::from(&arguments.selection);
    if let Some(stage) = arguments.selection.stage.map(Stage::from)
        && !rules.has_stage(stage)
    {
        return Err(CommandError::Usage(format!(
            "--stage {stage}: no rule belongs to it, and what the stages before it say proves \
             nothing about it"
        )));
    }
    let assumed = host::assumptions(&arguments.host)?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?;

    // What the rules need depends on the platform, and the platform on the host: so all that any stage
    // could need is read, each file once.
    let widest = Platform {
        stage: arguments.selection.stage.map_or(Stage::Workload, Stage::from),
        tee: arguments.selection.tee.map(Into::into),
    };
    let needs = rules.choose(&filter, widest)?.needs().and(platform::NEEDS).and(header::NEEDS);
    let facts = gather(&opened.root, &opened.run, needs, assumed);

    let chosen = platform::choose(&arguments.selection, &facts);
    let judged = rules.choose(&filter, chosen.platform)?;
    let results = judge(&judged, &facts);
    let report = Report::new(header::header(&facts, chosen, opened.origin), judged.scope, results);
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
