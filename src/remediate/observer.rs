//! Whether a failure has been seen often and long enough to ask for a fix. Its memory goes with the daemon:
//! it spares the fixer useless starts and the host hasty ones, and no bound rests on it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::Standing;
use super::moment::Spoken;
use crate::config::{Mode, Remediate};
use crate::report::{Report, Status};
use crate::rules::Safety;

/// After a request that did not help, the next one; each time twice as long, up to [`LONGEST`].
const BACK_OFF: Duration = Duration::from_secs(30 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to be done about what was seen. Rules are named by id, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing fails that may be mended here, or nothing may.
    Nothing,
    /// Only told: these would be mended.
    Would {
        rules: Vec<String>,
    },
    /// The fixer is to be asked, once.
    Request {
        rules: Vec<String>,
    },
    HeldBack {
        rules: Vec<String>,
        why: HoldBack,
    },
}

/// Why the fixer is not asked, though something fails that it may mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldBack {
    /// The same failures were seen so often and for so long, and that is not enough yet.
    NotYet {
        seen: u32,
        of: u32,
        since: Duration,
        over: Duration,
    },
    Paused,
    BreakerOpen,
    /// What a reboot brings comes first.
    PendingReboot,
    /// It was asked, and is not asked again before this much time has passed.
    BackOff {
        left: Duration,
    },
}

impl fmt::Display for HoldBack {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { seen, of, since, over } => write!(
                out,
                "seen in {seen} of {of} checks in a row, for {} of {}",
                Spoken(*since),
                Spoken(*over)
            ),
            Self::Paused => out.write_str("mending is paused"),
            Self::BreakerOpen => out.write_str("an earlier fix failed; `ccgpu-node reset` goes on"),
            Self::PendingReboot => out.write_str("a change waits for a reboot"),
            Self::BackOff { left } => {
                write!(out, "the fixer was asked; not again within {}", Spoken(*left))
            }
        }
    }
}

/// Looks at one check after the other.
#[derive(Debug, Clone)]
pub struct Observer {
    settings: Remediate,
    /// What failed in the last check, and could be mended.
    failing: BTreeSet<String>,
    /// Checks in a row that saw just that.
    seen: u32,
    /// When the first and the last of them was made.
    first: Duration,
    last: Option<Duration>,
    requested: Option<Duration>,
    back_off: Duration,
}

impl Observer {
    pub fn new(settings: &Remediate) -> Self {
        Self {
            settings: settings.clone(),
            failing: BTreeSet::new(),
            seen: 0,
            first: Duration::ZERO,
            last: None,
            requested: None,
            back_off: BACK_OFF,
        }
    }

    /// Takes other settings, and counts anew by them. A back-off goes on.
    pub fn configure(&mut self, settings: &Remediate) {
        if self.settings != *settings {
            self.settings = settings.clone();
            self.failing.clear();
            self.seen = 0;
        }
    }

    /// Takes the result of a check that was made at this time since boot. A check that was seen before
    /// counts once.
    pub fn observe(&mut self, report: &Report, uptime: Duration, standing: &Standing) -> Decision {
        if self.last.is_none_or(|last| uptime > last) {
            self.take(self.mendable(report), uptime);
        }
        if self.failing.is_empty() || standing.mode == Mode::Off {
            return Decision::Nothing;
        }
        let rules: Vec<String> = self.failing.iter().cloned().collect();
        if let Some(why) = self.why_not(uptime, standing) {
            return Decision::HeldBack { rules, why };
        }
        if standing.mode == Mode::Plan {
            return Decision::Would { rules };
        }
        if self.requested.is_some() {
            self.back_off = (self.back_off * 2).min(LONGEST);
        }
        self.requested = Some(uptime);
        self.seen = 0;
        Decision::Request { rules }
    }

    /// When the next check would tell more than the last: `None` where nothing waits to be seen again.
    pub fn next_check(&self) -> Option<Duration> {
        let waits = !self.failing.is_empty()
            && self.settings.mode != Mode::Off
            && !self.seen_enough(self.last?);
        let between = self.settings.over / self.settings.observations.saturating_sub(1).max(1);
        // Time that is measured by two clocks must not fall short by a hair.
        waits.then(|| self.last.map(|last| last + between + Duration::from_secs(1)))?
    }

    fn take(&mut self, failing: BTreeSet<String>, uptime: Duration) {
        self.last = Some(uptime);
        if failing.is_empty() && !self.failing.is_empty() {
            // All is mended, whoever did it.
            self.back_off = BACK_OFF;
        }
        if failing != self.failing {
            self.failing = failing;
            self.seen = 0;
        }
        if self.seen == 0 {
            self.first = uptime;
        }
        self.seen = self.seen.saturating_add(1);
    }

    fn seen_enough(&self, uptime: Duration) -> bool {
        self.seen >= self.settings.observations.max(1)
            && uptime.saturating_sub(self.first) >= self.settings.over
    }

    fn why_not(&self, uptime: Duration, standing: &Standing) -> Option<HoldBack> {
        if standing.paused {
            return Some(HoldBack::Paused);
        }
        if standing.breaker_open_since.is_some() {
            return Some(HoldBack::BreakerOpen);
        }
        if standing.pending_reboot {
            return Some(HoldBack::PendingReboot);
        }
        let last = self.last.unwrap_or(uptime);
        if !self.seen_enough(last) {
            return Some(HoldBack::NotYet {
                seen: self.seen,
                of: self.settings.observations.max(1),
                since: last.saturating_sub(self.first),
                over: self.settings.over,
            });
        }
        let waited = uptime.saturating_sub(self.requested?);
        let left = self.back_off.checked_sub(waited).filter(|left| !left.is_zero())?;
        Some(HoldBack::BackOff { left })
    }

    /// The rules that fail, are allowed to be mended here, and have a fix that is safe.
    fn mendable(&self, report: &Report) -> BTreeSet<String> {
        let results = report.results.iter().filter(|result| {
            result.status == Status::Fail
                && result.fix().is_some_and(|fix| fix.safety == Safety::Safe)
                && self.settings.rules.iter().any(|rule| **rule == *result.rule.id)
        });
        results.map(|result| result.rule.id.to_string()).collect()
    }
}

#[cfg(test)]
#[path = "observer_tests.rs"]
mod tests;
