//! The daemon's last verdict for a person who has little time: what holds now, since when it is known, what
//! to type. A verdict that is stale is shown as what it was, and never in its colour.

use std::io::{self, Write};
use std::time::Duration;

use super::page::{Ink, Look, Margin, Page};
use super::stored::{Stored, StoredRemediation, StoredRule};
use super::{Status, Verdict};
use crate::config::Mode;
use crate::publish::last::{Daemon, Last};
use crate::rules::Severity;

/// How many failing rules are shown, unless all are asked for.
const SHOWN: usize = 5;

const BODY: Margin = Margin { indent: 2, label: 9 };

/// Where a command stands below a rule.
const COMMAND: usize = 6;

/// Writes it.
pub fn render(last: &Last, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    match (&last.report, &last.stale) {
        (Some(report), None) => fresh(&mut page, report, last.age.unwrap_or_default(), look)?,
        (report, why) => {
            let why = why.as_ref().map_or_else(String::new, ToString::to_string);
            page.wrapped(0, 2, &[(Ink::Unsure, "CANNOT TELL"), (Ink::Plain, &format!(": {why}"))])?;
            if let Some(report) = report {
                let ago = last.age.map_or("before this boot".to_owned(), ago);
                let at = report.judged.at.as_ref().map_or(String::new(), |at| format!(" ({at})"));
                let was = format!("{} {ago}{at}", words(report.verdict).1.to_lowercase());
                page.entry(BODY, "last", &[(Ink::Plain, &was)])?;
            }
            let indent = BODY.indent + BODY.label;
            for command in ["systemctl status ccgpu-node", "ccgpu-node check"] {
                page.verbatim(indent, &[(Ink::Faint, "$ "), (Ink::Command, command)])?;
            }
        }
    }
    let daemon = match &last.daemon {
        Daemon::Running(Some(pid)) => format!("running, pid {pid}"),
        Daemon::Running(None) => "running".to_owned(),
        Daemon::NotRunning => "not running".to_owned(),
        Daemon::Unknown(why) => format!("cannot tell: {why}"),
    };
    page.entry(BODY, "daemon", &[(Ink::Plain, &daemon)])?;
    // What is stale here may have been mended or paused since.
    let current = last.report.as_ref().filter(|_| last.stale.is_none());
    match current.and_then(|report| report.remediation.as_ref()) {
        Some(remediation) => mending(&mut page, remediation),
        None => Ok(()),
    }
}

fn fresh(page: &mut Page<'_>, report: &Stored, age: Duration, look: Look) -> io::Result<()> {
    let (ink, word) = words(report.verdict);
    let host = format!("{}: ", report.host);
    let tail = format!(" for stage {}, judged {}", report.stage, ago(age));
    page.wrapped(0, 2, &[(Ink::Strong, &host), (ink, word), (Ink::Plain, &tail)])?;
    let of = |status| report.with(Severity::Required, status);
    let wrong: Vec<&StoredRule> = of(Status::Fail).chain(of(Status::Unknown)).collect();
    let shown = if look.verbose { wrong.len() } else { SHOWN };
    for rule in wrong.iter().take(shown) {
        let head = match rule.status {
            Status::Fail => (Ink::Bad, "FAIL"),
            _ => (Ink::Unsure, "UNKNOWN"),
        };
        let title = format!(": {}", rule.title);
        page.headed(head, &[(Ink::Strong, &rule.id), (Ink::Plain, &title)])?;
        if let Some(command) = rule.fix_command() {
            page.verbatim(COMMAND, &[(Ink::Faint, "$ "), (Ink::Command, &command)])?;
        }
    }
    let more = wrong.len().saturating_sub(shown);
    let waiting = of(Status::Blocked).count();
    let rest = [
        (more, "more do not pass; -v shows them"),
        (waiting, if waiting == 1 { "waits for another" } else { "wait for others" }),
        (report.not_judged, "left out or disabled: this is not the whole answer"),
    ];
    for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
        page.entry(BODY, "rules", &[(Ink::Faint, &format!("{count} {what}"))])?;
    }
    if !wrong.is_empty() {
        let why = (Ink::Faint, " says why and what to do");
        page.entry(BODY, "details", &[(Ink::Command, "ccgpu-node check"), why])?;
    }
    Ok(())
}

fn mending(page: &mut Page<'_>, remediation: &StoredRemediation) -> io::Result<()> {
    let mode = match remediation.mode {
        Mode::Off => "off",
        Mode::Plan => "plan: what would be done is reported, not done",
        Mode::Auto => "auto",
    };
    let paused = if remediation.paused { ", paused" } else { "" };
    page.entry(BODY, "mending", &[(Ink::Plain, mode), (Ink::Advised, paused)])?;
    if let Some(since) = remediation.breaker_open_since {
        let text = format!("stopped since {}: a fix did not do what it should", day(since));
        page.entry(BODY, "", &[(Ink::Bad, &text)])?;
        page.verbatim(
            BODY.indent + BODY.label,
            &[(Ink::Faint, "$ "), (Ink::Command, "ccgpu-node history")],
        )?;
    }
    if remediation.pending_reboot {
        page.entry(BODY, "reboot", &[(Ink::Advised, "a change waits for a reboot")])?;
    }
    Ok(())
}

fn words(verdict: Verdict) -> (Ink, &'static str) {
    match verdict {
        Verdict::Ready => (Ink::Good, "READY"),
        Verdict::NotReady => (Ink::Bad, "NOT READY"),
        Verdict::RebootRequired => (Ink::Advised, "READY AFTER A REBOOT"),
        Verdict::CannotTell => (Ink::Unsure, "CANNOT TELL"),
    }
}

fn day(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|at| jiff::Timestamp::from_second(at).ok());
    time.map_or_else(|| format!("@{seconds}"), |time| time.strftime("%F %T UTC").to_string())
}

/// How long ago, in at most two units: nobody counts the seconds of a day.
pub(super) fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s ago"),
        (0, 0, _) => format!("{minutes} min ago"),
        (0, _, _) => format!("{hours} h {} min ago", minutes % 60),
        _ => format!("{days} d {} h ago", hours % 24),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
