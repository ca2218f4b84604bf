//! Gathers and judges a host, as `check` shows it and as `fix` plans from it and proves itself by.

use super::host::Opened;
use super::{CommandError, header, platform};
use crate::cli;
use crate::facts::{Assumptions, Facts, Needs, gather};
use crate::report::Report;
use crate::rules::{Chosen, Filter, Platform, RuleSet, Stage, judge};

/// A host as it was found, and how it was judged.
pub(super) struct Judgement {
    pub(super) report: Report,
    pub(super) facts: Facts,
}

/// `more` says what has to be read besides, of the rules that are judged.
pub(super) fn judgement(
    opened: &Opened,
    rules: &RuleSet,
    selection: &cli::Selection,
    assumed: Assumptions,
    more: fn(&Chosen) -> Needs,
) -> Result<Judgement, CommandError> {
    let filter = Filter::from(selection);
    if let Some(stage) = selection.stage.map(Stage::from)
        && !rules.has_stage(stage)
    {
        return Err(CommandError::Usage(format!(
            "--stage {stage}: no rule belongs to it, and what the stages before it say proves \
             nothing about it"
        )));
    }
    // What the rules need depends on the platform, and the platform on the host: so all that any stage
    // could need is read, each file once.
    let widest = Platform {
        stage: selection.stage.map_or(Stage::Workload, Stage::from),
        tee: selection.tee.map(Into::into),
    };
    let possible = rules.choose(&filter, widest)?;
    let needs = possible.needs().and(more(&possible)).and(platform::NEEDS).and(header::NEEDS);
    let facts = gather(&opened.root, &opened.run, needs, assumed);

    let chosen = platform::choose(selection, &facts);
    let judged = rules.choose(&filter, chosen.platform)?;
    let results = judge(&judged, &facts);
    let header = header::header(&facts, chosen, opened.origin.clone());
    Ok(Judgement { report: Report::new(header, judged.scope, results), facts })
}
