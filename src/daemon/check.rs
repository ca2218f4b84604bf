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
use crate::remediate::State;

/// How much longer than two rounds of the timer a verdict holds: a check may have to wait for a slow one.
const SLACK: Duration = Duration::from_secs(60);

/// A host as it was judged at one moment.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) judgement: Judgement,
    pub(super) judged: Judged,
    /// What stands on its disk about mending.
    pub(super) state: State,
}

pub(super) fn check(settings: &Settings, root: Option<&Path>) -> Result<Checked, CommandError> {
    let stopwatch = Stopwatch::start();
    let policy = &settings.policy;
    let opened = host::open(root, None)?;
    // The clocks of before the reading: what is read later is no older than they say.
    let (wall, uptime) = (now(), uptime());
    let judgement = judgement(&opened, &policy.rules, &policy.wanted, |_| Needs::NONE)?;
    let state = State::read(&opened.root);
    let valid_for = settings.config.daemon.interval * 2 + SLACK;
    let judged = Judged { wall, uptime, took: stopwatch.elapsed(), valid_for };
    Ok(Checked { judgement, judged, state })
}
