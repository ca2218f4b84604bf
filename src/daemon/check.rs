//! One check: the host opened, read and judged, with the clocks beside. It blocks, and may hang as long as
//! a program of the host or a device does.

use std::path::Path;
use std::time::Duration;

use super::settings::Settings;
use crate::commands::judgement::{Judgement, judgement};
use crate::commands::{CommandError, host};
use crate::facts::Needs;
use crate::host::{Stopwatch, now, uptime};
use crate::publish::Judged;

/// How much longer than two rounds of the timer a verdict holds: a check may have to wait for a slow one.
const SLACK: Duration = Duration::from_secs(60);

/// A host as it was judged at one moment.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) judgement: Judgement,
    pub(super) judged: Judged,
}

pub(super) fn check(settings: &Settings, root: Option<&Path>) -> Result<Checked, CommandError> {
    let stopwatch = Stopwatch::start();
    let opened = host::open(root, None)?;
    let (rules, assumed) = (&settings.rules, settings.assumed.clone());
    // The clocks of before the reading: what is read later is no older than they say.
    let (wall, uptime) = (now(), uptime());
    let judgement = judgement(&opened, rules, &settings.wanted, assumed, |_| Needs::NONE)?;
    let valid_for = settings.config.daemon.interval * 2 + SLACK;
    let judged = Judged { wall, uptime, took: stopwatch.elapsed(), valid_for };
    Ok(Checked { judgement, judged })
}
