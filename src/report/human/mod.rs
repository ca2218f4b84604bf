//! The report for a person at a terminal: what is wrong first, in the order of causes, each with why it
//! matters and what to do; then the verdict, which is the last line one sees.

pub(super) mod evidence;
mod result;
mod summary;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::next_step::fix_command;
use super::page::{Ink, Margin, Page, Piece};
use super::{Assumed, Header, HostOrigin, NextStep, Report, RuleResult, Status};
use crate::rules::Severity;

pub use super::page::Look;
pub(super) use result::{not_concerned, passed, plain_word as word};

/// How many members of a list are shown, unless all are asked for.
const LISTED: usize = 5;

/// Writes the whole report.
pub fn render(report: &Report, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    header(&mut page, &report.header)?;
    now(&mut page, report)?;
    let of = |severity, status| report.with(severity, status);
    let wrong = of(Severity::Required, Status::Fail)
        .chain(of(Severity::Required, Status::Unknown))
        .chain(of(Severity::Recommended, Status::Fail))
        .chain(of(Severity::Recommended, Status::Unknown))
        .chain(of(Severity::Info, Status::Fail))
        .chain(of(Severity::Info, Status::Unknown));
    // What the baseline knows comes after what got worse.
    let (known, new): (Vec<_>, Vec<_>) = wrong.partition(|result| report.is_known(result));
    for result in new.into_iter().chain(known) {
        page.blank()?;
        result::block(&mut page, report, result, look)?;
    }
    result::held_up_by_unshown(&mut page, report)?;
    if look.verbose {
        quiet(&mut page, report)?;
    }
    page.blank()?;
    summary::write(&mut page, report, look)
}

const HEADER: Margin = Margin { indent: 2, label: 9 };

fn header(page: &mut Page<'_>, header: &Header) -> io::Result<()> {
    page.wrapped(0, 2, &[(Ink::Strong, &header.host)])?;
    let kernel = header.kernel.as_deref().map(|kernel| format!("kernel {kernel}"));
    let system = [header.os.as_deref(), kernel.as_deref(), header.virtualization.as_deref()];
    let system: Vec<&str> = system.into_iter().flatten().collect();
    let mut line = |label: &str, text: &str| page.entry(HEADER, label, &[(Ink::Plain, text)]);
    if !system.is_empty() {
        line("system", &system.join(", "))?;
    }
    if let Some(cpu) = &header.cpu {
        line("cpu", cpu)?;
    }
    if let Some(gpus) = &header.gpus {
        line("gpus", gpus)?;
    }
    line("stage", &because(header.platform.stage.to_string(), &header.stage_why))?;
    let tee = header.platform.tee.map_or("not known".to_owned(), |tee| tee.to_string());
    line("tee", &because(tee, &header.tee_why))?;
    for Assumed { fact, value, by } in &header.assumed {
        line("assumed", &format!("{fact} is {value}: not read, but vouched for {by}"))?;
    }
    match &header.origin {
        HostOrigin::Live => Ok(()),
        HostOrigin::Directory(path) => line("read", &format!("from {path}, not from this machine")),
        HostOrigin::Capture(path) => line("read", &format!("from {path}, a captured host")),
    }
}

/// What to do, before what is wrong. A host that is ready is told so by the last line.
fn now(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let step = NextStep::of(report);
    if matches!(step, NextStep::Nothing) {
        return Ok(());
    }
    page.blank()?;
    let mut say = |pieces: &[Piece<'_>]| page.headed((Ink::Strong, "NOW"), pieces);
    match step {
        NextStep::Nothing => Ok(()),
        NextStep::Reboot => say(&[(Ink::Plain, "drain the node and reboot it")]),
        NextStep::Fix(cause, fix) => say(&[(Ink::Command, &fix_command(&cause.rule.id, fix))]),
        NextStep::Mend(cause) => {
            let advice = cause.advice().next();
            let what = advice.map_or(&cause.rule.title, |advice| &advice.text);
            let what = format!(": {}", what.split_whitespace().collect::<Vec<_>>().join(" "));
            say(&[(Ink::Strong, &cause.rule.id), (Ink::Plain, &what)])?;
            let command = advice.and_then(|advice| advice.command.as_deref());
            command_lines(page, 6, command)
        }
        NextStep::BecomeRoot => say(&[(Ink::Plain, permission(&report.header.origin))]),
        NextStep::FindOut(result) => say(&[
            (Ink::Plain, "find out what "),
            (Ink::Strong, &result.rule.id),
            (Ink::Plain, " could not tell"),
        ]),
        NextStep::JudgeMore => {
            say(&[(Ink::Plain, "judge more: nothing that was judged answers the question")])
        }
    }
}

fn permission(origin: &HostOrigin) -> &'static str {
    match origin {
        HostOrigin::Live => "run it again with sudo: some of it only root may read",
        HostOrigin::Directory(_) | HostOrigin::Capture(_) => {
            "run it again as one who may read all of it"
        }
    }
}

/// What to type, line by line.
fn command_lines(page: &mut Page<'_>, indent: usize, command: Option<&str>) -> io::Result<()> {
    for line in command.iter().flat_map(|command| command.trim().lines()) {
        page.verbatim(indent, &[(Ink::Faint, "$ "), (Ink::Command, line)])?;
    }
    Ok(())
}

fn because(what: String, why: &str) -> String {
    if why.is_empty() { what } else { format!("{what} ({why})") }
}

/// What is as it should be, or not about this host: a line each.
fn quiet(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for status in [Status::Pass, Status::NotApplicable] {
        let results: Vec<&RuleResult> =
            report.results.iter().filter(|result| result.status == status).collect();
        if !results.is_empty() {
            page.blank()?;
        }
        for result in results {
            result::line(page, report, result)?;
        }
    }
    Ok(())
}
