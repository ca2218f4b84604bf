//! One check: what changed of the host is read again and all is judged, with the clocks beside. It blocks,
//! and may hang as long as a program of the host or a device does.

use std::path::Path;
use std::time::Duration;

use super::settings::Settings;
use crate::commands::CommandError;
use crate::commands::host::{self, Opened};
use crate::commands::judgement::{Judgement, judgement_again};
use crate::facts::{Facts, Needs};
use crate::host::{Stopwatch, now, uptime};
use crate::publish::Judged;
use crate::remediate::State;

/// How much longer than two rounds of the timer a verdict holds: a check may have to wait for a slow one.
const SLACK: Duration = Duration::from_secs(60);

/// A host as it was judged at one moment.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) host: Opened,
    pub(super) judgement: Judgement,
    pub(super) judged: Judged,
    /// What stands on its disk about mending.
    pub(super) state: State,
}

/// What a check begins with.
#[derive(Debug)]
pub(super) struct Before {
    host: Opened,
    facts: Facts,
}

impl From<Checked> for Before {
    fn from(Checked { host, judgement, .. }: Checked) -> Self {
        // Answers of programs are kept for a capture, which this is not.
        let run = host.run.forgetful();
        Self { host: Opened { run, ..host }, facts: judgement.facts }
    }
}

/// Reads again what may have `changed` since the check before, or everything.
pub(super) fn check(
    settings: &Settings,
    root: Option<&Path>,
    before: Option<Before>,
    changed: Needs,
) -> Result<Checked, CommandError> {
    let stopwatch = Stopwatch::start();
    let policy = &settings.policy;
    let (Before { host, facts }, changed) = if let Some(before) = before {
        (before, changed)
    } else {
        let host = host::open(root, None)?.tracing().asking_cluster(policy.wanted.cluster.clone());
        (Before { host, facts: policy.wanted.nothing_known() }, Needs::ALL)
    };
    // The clocks of before the reading: what is read later is no older than they say.
    let (wall, uptime) = (now(), uptime());
    let (rules, wanted) = (&policy.rules, &policy.wanted);
    let judgement = judgement_again(&host, rules, wanted, facts, changed, |_| Needs::NONE)?;
    let state = State::read(&host.root);
    let valid_for = settings.config.daemon.interval * 2 + SLACK;
    let judged = Judged { wall, uptime, took: stopwatch.elapsed(), valid_for };
    Ok(Checked { host, judgement, judged, state })
}
