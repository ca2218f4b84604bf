//! The last lines: ready or not, in numbers, and what to do about what could not be read.

use std::io;

use super::evidence::list;
use crate::report::next_step::lacks_permission;
use crate::report::page::{Ink, Look, Page};
use crate::report::{Comparison, HostOrigin, Report, Scope, Status, Verdict};
use crate::rules::Severity;

pub(super) fn write(page: &mut Page<'_>, report: &Report, look: Look) -> io::Result<()> {
    let (ink, word) = match report.verdict {
        Verdict::Ready => (Ink::Good, "READY"),
        Verdict::NotReady => (Ink::Bad, "NOT READY"),
        Verdict::RebootRequired => (Ink::Advised, "READY AFTER A REBOOT"),
        Verdict::CannotTell => (Ink::Unsure, "CANNOT TELL"),
    };
    // Ready for one stage says nothing about the next.
    let stage = match report.verdict {
        Verdict::Ready => format!(" for stage {}", report.header.platform.stage),
        _ => String::new(),
    };
    let answer = format!("{stage}: {}", answer(report));
    page.wrapped(0, 2, &[(ink, word), (Ink::Plain, &answer)])?;
    page.wrapped(2, 2, &[(Ink::Faint, &numbers(report))])?;
    if let Some(comparison) = &report.baseline {
        compared(page, comparison)?;
    }
    if report.results.iter().any(lacks_permission) {
        let hint = match report.header.origin {
            HostOrigin::Live => "Some of it only root may read: run it again with sudo.",
            HostOrigin::Directory(_) | HostOrigin::Capture(_) => {
                "Some files may not be read by this user: run it again as one who may."
            }
        };
        page.wrapped(2, 2, &[(Ink::Strong, hint)])?;
    }
    let Scope { left_out, left_out_by, disabled } = &report.scope;
    if *left_out > 0 {
        let rules = if *left_out == 1 { "1 rule was" } else { &format!("{left_out} rules were") };
        let by = left_out_by.as_deref().unwrap_or("--only or --skip");
        let text = format!("{rules} left out by {by}: this is not the whole answer.");
        page.wrapped(2, 2, &[(Ink::Advised, &text)])?;
    }
    if !disabled.is_empty() {
        let ids = list(disabled.iter().map(|rule| &rule.id), usize::MAX);
        page.wrapped(2, 2, &[(Ink::Advised, &format!("Disabled on this site: {ids}."))])?;
    }
    let assumed = assumptions(report);
    if !assumed.is_empty() {
        let text = format!(
            "This rests on what was assumed and not read: {}.",
            list(assumed.iter(), usize::MAX)
        );
        page.wrapped(2, 2, &[(Ink::Advised, &text)])?;
    }
    if !look.verbose {
        page.wrapped(2, 2, &[(Ink::Faint, "-v shows all that was looked at.")])?;
    }
    Ok(())
}

/// What got worse, or that nothing did: beside the host's own verdict, never in its place.
fn compared(page: &mut Page<'_>, comparison: &Comparison) -> io::Result<()> {
    page.wrapped(2, 2, &[(Ink::Advised, &comparison.line())])?;
    if comparison.worse.is_empty() {
        return page.wrapped(2, 2, &[(Ink::Good, "Nothing that is required got worse.")]);
    }
    for worse in &comparison.worse {
        let why = format!(" {}", worse.why);
        let pieces = [(Ink::Bad, "worse: "), (Ink::Strong, &*worse.rule.id), (Ink::Plain, &why)];
        page.wrapped(2, 4, &pieces)?;
    }
    Ok(())
}

fn answer(report: &Report) -> String {
    let required = |status| report.with(Severity::Required, status).count();
    let (failed, unknown) = (required(Status::Fail), required(Status::Unknown));
    let (waiting, passed) = (required(Status::Blocked), required(Status::Pass));
    let rules = |count| {
        if count == 1 { "1 required rule".to_owned() } else { format!("{count} required rules") }
    };
    let mut said = Vec::new();
    if failed > 0 {
        let fail = if failed == 1 { "fails" } else { "fail" };
        let until = if report.verdict == Verdict::RebootRequired { " until then" } else { "" };
        said.push(format!("{} {fail}{until}", rules(failed)));
    }
    if unknown > 0 {
        let which = if failed == 0 { rules(unknown) } else { unknown.to_string() };
        said.push(format!("{which} could not be judged"));
    }
    if waiting > 0 {
        let which = if said.is_empty() { rules(waiting) } else { waiting.to_string() };
        let wait = if waiting == 1 { "waits for another" } else { "wait for others" };
        said.push(format!("{which} {wait}"));
    }
    if said.is_empty() {
        let chosen = report.scope.left_out > 0;
        let about = if chosen { "among those chosen" } else { "about this host" };
        return match passed {
            0 => "none of the rules judged is required, so they answer nothing".to_owned(),
            1 => format!("the 1 required rule {about} passes"),
            many => format!("all {many} required rules {about} pass"),
        };
    }
    said.join(", ")
}

fn numbers(report: &Report) -> String {
    let counts = report.counts();
    let parts = [
        (counts.pass, "passed"),
        (counts.fail, "failed"),
        (counts.unknown, "unknown"),
        (counts.blocked, "waiting"),
        (counts.not_applicable, "not about this host"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let total = report.results.len();
    let rules = if total == 1 { "rule" } else { "rules" };
    let exit = report.exit() as u8;
    format!("{total} {rules}: {}; exit code {exit}", parts.join(", "))
}

fn assumptions(report: &Report) -> Vec<&'static str> {
    let findings = report.results.iter().flat_map(|result| &result.findings);
    let mut names: Vec<&'static str> =
        findings.filter(|finding| finding.assumed).map(|finding| finding.about.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
