//! Gathers and judges a host, as `check` shows it and as `fix` plans from it and proves itself by.

use super::host::Opened;
use super::{CommandError, header, platform};
use crate::cli;
use crate::facts::{Assumptions, Facts, Needs, gather_again};
use crate::report::Report;
use crate::rules::{Chosen, Filter, Platform, RuleSet, Stage, Tee, judge};

/// A host as it was found, and how it was judged.
pub(super) struct Judgement {
    pub(super) report: Report,
    pub(super) facts: Facts,
}

/// Which rules count, and as what the host is judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) filter: Filter,
    /// What the host shows, where it is not given.
    pub(super) stage: Option<Stage>,
    /// That of the CPU's vendor, where it is not given.
    pub(super) tee: Option<Tee>,
}

impl From<&cli::Selection> for Wanted {
    fn from(selection: &cli::Selection) -> Self {
        Self {
            filter: Filter::from(selection),
            stage: selection.stage.map(Stage::from),
            tee: selection.tee.map(Tee::from),
        }
    }
}

/// `more` says what has to be read besides, of the rules that are judged.
pub(super) fn judgement(
    opened: &Opened,
    rules: &RuleSet,
    wanted: &Wanted,
    assumed: Assumptions,
    more: fn(&Chosen) -> Needs,
) -> Result<Judgement, CommandError> {
    let previous = Facts { assumed, ..Facts::default() };
    judgement_again(opened, rules, wanted, previous, Needs::ALL, more)
}

/// The same for a host that was judged before, by the same rules: only what may have changed since is read
/// again.
pub(super) fn judgement_again(
    opened: &Opened,
    rules: &RuleSet,
    wanted: &Wanted,
    previous: Facts,
    changed: Needs,
    more: fn(&Chosen) -> Needs,
) -> Result<Judgement, CommandError> {
    if let Some(stage) = wanted.stage
        && !rules.has_stage(stage)
    {
        return Err(CommandError::Usage(format!(
            "--stage {stage}: no rule belongs to it, and what the stages before it say proves \
             nothing about it"
        )));
    }
    // What the rules need depends on the platform, and the platform on the host: so all that any stage
    // could need is read, each file once.
    let widest = Platform { stage: wanted.stage.unwrap_or(Stage::Workload), tee: wanted.tee };
    let possible = rules.choose(&wanted.filter, widest)?;
    let needs = possible.needs().and(more(&possible)).and(platform::NEEDS).and(header::NEEDS);
    let facts = gather_again(&opened.root, &opened.run, needs, previous, changed);

    let chosen = platform::choose(wanted, &facts);
    let judged = rules.choose(&wanted.filter, chosen.platform)?;
    let results = judge(&judged, &facts);
    let header = header::header(&facts, chosen, opened.origin.clone());
    Ok(Judgement { report: Report::new(header, judged.scope, results), facts })
}
