//! What was changed on a host, for a person and for programs: one transaction after another, and what
//! became of each.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::Verdict;
use super::page::{Ink, Look, Margin, Page};
use crate::apply::{Applied, Entry, Recovered, Recovery, RolledBack, State};
use crate::plan::ArgumentChange;

const BODY: Margin = Margin { indent: 4, label: 10 };

/// The list, oldest first.
pub fn history(entries: &[Entry], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    if entries.is_empty() {
        return page.wrapped(
            0,
            2,
            &[(Ink::Plain, "Nothing was changed on this host by ccgpu-node.")],
        );
    }
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            page.blank()?;
        }
        let (ink, word) = state(&entry.state);
        let number = entry.number.to_string();
        let when = entry.begun.map_or(String::new(), |at| format!("  {}", timestamp(at)));
        page.wrapped(
            0,
            4,
            &[(Ink::Strong, &number), (Ink::Plain, "  "), (ink, word), (Ink::Faint, &when)],
        )?;
        if let Some(why) = state_why(&entry.state) {
            page.labelled(BODY, "because", &why)?;
        }
        for step in &entry.steps {
            let rules = format!("  for {}", step.rules.join(", "));
            page.entry(BODY, "", &[(Ink::Plain, &step.what), (Ink::Faint, &rules)])?;
        }
    }
    Ok(())
}

fn state(state: &State) -> (Ink, &'static str) {
    match state {
        State::Prepared => (Ink::Unsure, "interrupted before anything was changed"),
        State::Interrupted => (Ink::Bad, "interrupted: run `ccgpu-node recover`"),
        State::Committed => (Ink::Good, "in place"),
        State::PendingReboot { .. } => (Ink::Advised, "in place, waits for a reboot"),
        State::Confirmed => (Ink::Good, "in place, and seen by a reboot"),
        State::Ineffective { .. } => (Ink::Bad, "in place, but the reboot did not bring it"),
        State::RolledBack { .. } => (Ink::Faint, "taken back"),
        State::Manual { .. } => (Ink::Bad, "needs a person"),
    }
}

fn state_why(state: &State) -> Option<String> {
    match state {
        State::Ineffective { why } | State::RolledBack { why } | State::Manual { why } => {
            Some(why.clone()).filter(|why| !why.is_empty())
        }
        State::PendingReboot { change, .. } => Some(expected(change)),
        State::Prepared | State::Interrupted | State::Committed | State::Confirmed => None,
    }
}

fn expected(change: &ArgumentChange) -> String {
    let part = |verb: &str, list: &[String]| {
        (!list.is_empty()).then(|| format!("{verb} {}", list.join(" ")))
    };
    let parts = [part("with", &change.add), part("without", &change.remove)];
    match parts.into_iter().flatten().collect::<Vec<_>>().as_slice() {
        [] => "it takes effect at the next boot".to_owned(),
        parts => format!("the next boot has to come {}", parts.join(" and ")),
    }
}

/// The day and the time in UTC, as `2026-11-25 14:03:09 UTC`.
pub(crate) fn timestamp(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|at| Timestamp::from_second(at).ok());
    time.map_or_else(|| format!("@{seconds}"), |time| time.strftime("%F %T UTC").to_string())
}

/// What `recover` did, a line each.
pub fn recovered(recovery: &Recovery, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let all = &recovery.transactions;
    if all.is_empty() && look.verbose {
        return page.wrapped(0, 2, &[(Ink::Plain, "Nothing to recover.")]);
    }
    for one in all {
        let (number, ink, word, text) = match one {
            Recovered::Discarded { number } => {
                (number, Ink::Good, "FORGOTTEN", "it had changed nothing yet".to_owned())
            }
            Recovered::RolledBack { number, restored, restart, reboot } => {
                let units = restart.join(", ");
                let units = (!units.is_empty()).then(|| format!("restart {units} yourself"));
                let reboot = reboot.then(|| "a reboot is needed for it to take effect".to_owned());
                let parts = [Some(restored_words(restored)), units, reboot];
                let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
                (number, Ink::Advised, "TAKEN BACK", text)
            }
            Recovered::Finished { number, pending: false } => {
                (number, Ink::Good, "FINISHED", "all of it was in place".to_owned())
            }
            Recovered::Finished { number, pending: true } => (
                number,
                Ink::Advised,
                "FINISHED",
                "all of it is in place, and waits for a reboot".to_owned(),
            ),
            Recovered::Confirmed { number } => {
                (number, Ink::Good, "CONFIRMED", "the reboot brought what it should".to_owned())
            }
            Recovered::Ineffective { number, why } => (
                number,
                Ink::Bad,
                "INEFFECTIVE",
                format!("the reboot did not bring what it should: {why}"),
            ),
            Recovered::Manual { number, why } => (number, Ink::Bad, "NEEDS A PERSON", why.clone()),
            Recovered::Postponed { number, why } => {
                (number, Ink::Bad, "POSTPONED", format!("it could not be ended now: {why}"))
            }
        };
        let text = format!(" transaction {number}: {text}");
        page.headed((ink, word), &[(Ink::Plain, &text)])?;
    }
    notice(&mut page, recovery.notice.as_deref())
}

/// What could not be done besides.
fn notice(page: &mut Page<'_>, notice: Option<&str>) -> io::Result<()> {
    let Some(notice) = notice else { return Ok(()) };
    page.headed((Ink::Advised, "NOTE"), &[(Ink::Plain, notice)])
}

fn restored_words(paths: &[String]) -> String {
    match paths {
        [] => "every file was as before already".to_owned(),
        paths => format!("as before again: {}", paths.join(", ")),
    }
}

/// What `rollback` did.
pub fn rolled_back(done: &RolledBack, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    page.blank()?;
    let text = format!(" transaction {}: {}", done.number, restored_words(&done.restored));
    page.headed((Ink::Good, "TAKEN BACK"), &[(Ink::Plain, &text)])?;
    if done.reboot {
        page.wrapped(2, 2, &[(Ink::Advised, "A reboot is needed for it to take effect.")])?;
    }
    notice(&mut page, done.notice.as_deref())
}

/// What a host is after a fix.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub verdict: Verdict,
    /// It is a tree that does not run.
    pub offline: bool,
    /// Another run would find something to do, which only shows now.
    pub more: bool,
}

/// What `fix` did, and what the host is now.
pub fn applied(
    applied: &Applied,
    standing: Standing,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, look);
    page.blank()?;
    let undo = format!("`ccgpu-node rollback {}` takes it back.", applied.number);
    let (ink, text) = match &applied.pending {
        None if standing.offline => (Ink::Good, "All files are as planned. ".to_owned()),
        None => (Ink::Good, "All of it is in place, and was seen to work. ".to_owned()),
        Some(change) => (
            Ink::Advised,
            format!(
                "All of it is in place; {}. Drain the node and reboot it when it suits you. ",
                expected(change)
            ),
        ),
    };
    page.headed((ink, "DONE"), &[(Ink::Plain, &text), (Ink::Faint, &undo)])?;
    notice(&mut page, applied.notice.as_deref())?;
    if standing.more {
        let text = "More can be mended now that this is: run `ccgpu-node fix` again.";
        page.headed((Ink::Advised, "MORE"), &[(Ink::Plain, text)])?;
    }
    let (ink, word) = match standing.verdict {
        Verdict::Ready => (Ink::Good, "READY"),
        Verdict::NotReady if applied.pending.is_some() => return Ok(()),
        Verdict::NotReady => (Ink::Bad, "NOT READY"),
        Verdict::RebootRequired => (Ink::Advised, "READY AFTER A REBOOT"),
        Verdict::CannotTell => (Ink::Unsure, "CANNOT TELL"),
    };
    page.wrapped(0, 2, &[(ink, word), (Ink::Plain, ": the host as `ccgpu-node check` sees it now")])
}

/// The list for programs: an array of transactions.
pub fn history_json(entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    let list: Vec<Transaction<'_>> = entries.iter().map(Transaction::of).collect();
    serde_json::to_writer_pretty(&mut *out, &list)?;
    writeln!(out)
}

#[derive(Serialize)]
struct Transaction<'e> {
    number: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Seconds since 1970.
    begun: Option<u64>,
    program: &'e str,
    plan: Option<String>,
    steps: Vec<TransactionStep<'e>>,
}

#[derive(Serialize)]
struct TransactionStep<'e> {
    what: &'e str,
    rules: &'e [String],
    paths: &'e [String],
}

impl<'e> Transaction<'e> {
    fn of(entry: &'e Entry) -> Self {
        Self {
            number: entry.number,
            state: match entry.state {
                State::Prepared => "prepared",
                State::Interrupted => "interrupted",
                State::Committed => "committed",
                State::PendingReboot { .. } => "pending-reboot",
                State::Confirmed => "confirmed",
                State::Ineffective { .. } => "ineffective",
                State::RolledBack { .. } => "rolled-back",
                State::Manual { .. } => "manual",
            },
            why: state_why(&entry.state),
            begun: entry.begun,
            program: &entry.program,
            plan: entry.plan.map(|digest| digest.to_string()),
            steps: entry
                .steps
                .iter()
                .map(|step| TransactionStep {
                    what: &step.what,
                    rules: &step.rules,
                    paths: &step.paths,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_date() {
        // `date -u -d @N '+%F %T UTC'`
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_615_389, "2026-11-25 14:03:09 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }
}
