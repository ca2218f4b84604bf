//! What was tried without a person, and what may still be tried. An attempt is in it, on disk, before the
//! first change, and its outcome after the last, so that an end at any moment counts as a failure.
//!
//! The bounds: a rule once in 24 hours; a restart of the kubelet once in 30 minutes and twice in 24 hours.
//! A failed change counts as two restarts, since it takes one more to go back: so no third change begins in
//! a day, and a third restart is only ever the way back to what worked. The bounds hold whatever was reset.
//! The breaker: the first attempt that does not do what it should is the last one until a person has
//! looked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Outcomes;
use super::moment::{Anchor, Moment, Spoken};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two attempts that restart the kubelet.
const PAUSE: Duration = Duration::from_secs(30 * 60);
/// Restarts of the kubelet in a day.
const RESTARTS: u32 = 2;
/// Attempts that are kept for people to read, though they no longer count.
const KEPT: usize = 20;
const VERSION: u32 = 1;

/// The content of `/var/lib/ccgpu-node/remediation.json`. Nothing in it may be left out or added: what is
/// not understood as a whole is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    version: u32,
    breaker: Breaker,
    outcomes: Outcomes,
    /// Oldest first.
    attempts: Vec<Attempt>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Breaker {
    Closed,
    Open {
        /// Seconds since 1970 by the wall clock.
        since: u64,
        why: String,
    },
}

/// One fix without a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Seconds since 1970 by the wall clock as it began, for people.
    pub wall: u64,
    /// Where its age is counted from: its end, or its beginning while it has none.
    pub anchor: Anchor,
    pub rules: Vec<String>,
    pub restarts_kubelet: bool,
    pub outcome: Outcome,
    /// A person has looked since: it counts for the bounds, and opens no breaker.
    pub reset: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It is being made, or it was interrupted.
    Unfinished,
    /// Verified; what a reboot has to bring is still to come. `transaction` is its number in `history`.
    Fixed {
        transaction: u32,
    },
    /// Nothing was changed.
    Refused {
        why: String,
    },
    RolledBack {
        why: String,
    },
    NeedsPerson {
        why: String,
    },
    /// It was found unfinished.
    Interrupted,
}

/// Why a ledger cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// With line and column.
    #[error("{0}")]
    Syntax(String),
    #[error("it is of version {0}, and this program knows 1")]
    Version(u32),
}

/// Why something may not be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spent {
    Rule {
        rule: String,
        left: Duration,
    },
    /// The kubelet was restarted lately.
    Pause {
        left: Duration,
    },
    /// It was restarted as often as may be in a day.
    Day {
        left: Duration,
    },
}

impl std::fmt::Display for Spent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rule { rule, left } => write!(
                out,
                "{rule} was tried within 24 h, and may be tried again in {}",
                Spoken(*left)
            ),
            Self::Pause { left } => write!(
                out,
                "the kubelet was restarted within 30 min, and may be again in {}",
                Spoken(*left)
            ),
            Self::Day { left } => write!(
                out,
                "the kubelet was restarted {RESTARTS} times within 24 h, and may be again in {}",
                Spoken(*left)
            ),
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            version: VERSION,
            breaker: Breaker::Closed,
            outcomes: Outcomes::default(),
            attempts: Vec::new(),
        }
    }
}

impl Ledger {
    pub fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let ledger: Self = serde_json::from_slice(bytes)
            .map_err(|error| LedgerError::Syntax(error.to_string()))?;
        if ledger.version != VERSION {
            return Err(LedgerError::Version(ledger.version));
        }
        Ok(ledger)
    }

    pub fn render(&self) -> Result<Vec<u8>, LedgerError> {
        let text = serde_json::to_vec_pretty(self);
        let mut text = text.map_err(|error| LedgerError::Syntax(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }

    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    pub fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// Those that still count, and some more; oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Whether an attempt has no end.
    pub fn is_unfinished(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.outcome == Outcome::Unfinished)
    }

    /// Why a rule may not be tried now.
    pub fn forbids_rule(&self, rule: &str, now: &Moment) -> Option<Spent> {
        let tried = self.attempts.iter().filter(|it| it.rules.iter().any(|each| each == rule));
        let left = tried.filter_map(|attempt| left(attempt, DAY, now)).max()?;
        Some(Spent::Rule { rule: rule.to_owned(), left })
    }

    /// Why the kubelet may not be restarted now.
    pub fn forbids_restart(&self, now: &Moment) -> Option<Spent> {
        let of_kubelet = || self.attempts.iter().filter(|attempt| attempt.restarts_kubelet);
        let today = of_kubelet().filter_map(|attempt| Some((left(attempt, DAY, now)?, attempt)));
        if today.clone().map(|(_, attempt)| restarts(attempt)).sum::<u32>() >= RESTARTS {
            // One that no longer counts makes room.
            let left = today.map(|(left, _)| left).min()?;
            return Some(Spent::Day { left });
        }
        let left = of_kubelet().filter_map(|attempt| left(attempt, PAUSE, now)).max()?;
        Some(Spent::Pause { left })
    }

    /// An attempt begins. To be on disk before anything is changed.
    pub fn begin(&mut self, rules: &[String], restarts_kubelet: bool, now: &Moment) {
        self.look(now);
        self.attempts.push(Attempt {
            wall: now.wall,
            anchor: Anchor::at(now),
            rules: rules.to_vec(),
            restarts_kubelet,
            outcome: Outcome::Unfinished,
            reset: false,
        });
    }

    /// The attempt that was begun last has ended. A bad end opens the breaker.
    pub fn end(&mut self, outcome: Outcome, now: &Moment) {
        let Some(attempt) =
            self.attempts.iter_mut().rev().find(|attempt| attempt.outcome == Outcome::Unfinished)
        else {
            return;
        };
        let (count, bad) = match &outcome {
            Outcome::Fixed { .. } => (&mut self.outcomes.fixed, None),
            Outcome::Refused { .. } => (&mut self.outcomes.refused, None),
            Outcome::RolledBack { why } => {
                (&mut self.outcomes.rolled_back, Some(format!("a fix was taken back: {why}")))
            }
            Outcome::NeedsPerson { why } => {
                (&mut self.outcomes.needs_person, Some(format!("a fix needs a person: {why}")))
            }
            Outcome::Unfinished | Outcome::Interrupted => {
                (&mut self.outcomes.needs_person, Some("a fix was interrupted".to_owned()))
            }
        };
        *count = count.saturating_add(1);
        attempt.outcome = match outcome {
            Outcome::Unfinished => Outcome::Interrupted,
            other => other,
        };
        // What the fix did last, it may have done just now.
        attempt.anchor = Anchor::at(now);
        if let Some(why) = bad {
            self.open(why, now);
        }
        self.look(now);
    }

    /// Opens the breaker. The first reason stands.
    pub fn open(&mut self, why: String, now: &Moment) {
        if self.breaker == Breaker::Closed {
            self.breaker = Breaker::Open { since: now.wall, why };
        }
    }

    /// Closes the breaker. What was tried stays tried.
    pub fn reset(&mut self, now: &Moment) {
        while self.is_unfinished() {
            self.end(Outcome::Interrupted, now);
        }
        self.breaker = Breaker::Closed;
        for attempt in &mut self.attempts {
            attempt.reset = true;
        }
        self.look(now);
    }

    /// Keeps what has gone by in this boot, and forgets what no longer counts. Says whether something
    /// changed that is worth a write.
    pub fn look(&mut self, now: &Moment) -> bool {
        let counts = |attempt: &Attempt| attempt.anchor.age(now) < DAY;
        let stale =
            self.attempts.iter().any(|attempt| counts(attempt) && attempt.anchor.is_stale(now));
        for attempt in &mut self.attempts {
            attempt.anchor = attempt.anchor.seen(now);
        }
        let mut surplus = self.attempts.len().saturating_sub(KEPT);
        self.attempts.retain(|attempt| {
            let goes = surplus > 0 && !counts(attempt) && attempt.outcome != Outcome::Unfinished;
            surplus -= usize::from(goes);
            !goes
        });
        stale
    }
}

/// How long an attempt still counts.
fn left(attempt: &Attempt, during: Duration, now: &Moment) -> Option<Duration> {
    during.checked_sub(attempt.anchor.age(now)).filter(|left| !left.is_zero())
}

/// How often it restarted the kubelet, at most: one that did not go well, once more to go back.
fn restarts(attempt: &Attempt) -> u32 {
    match (attempt.restarts_kubelet, &attempt.outcome) {
        (false, _) => 0,
        (true, Outcome::Fixed { .. } | Outcome::Refused { .. }) => 1,
        (true, _) => 2,
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
