//! A page for a pull request or a job's summary: what fails first in a table, the rest folded away.
//!
//! The page is shown by sites that turn names into links and notify people. So every text of a host or of
//! a rule stands in `<code>`, where no mention and no issue number is looked for, with each character
//! that Markdown or HTML gives a meaning written as a number.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::human::evidence::sentences;
use super::{Assumed, HostOrigin, Report, RuleResult, Status, Verdict, visible};
use crate::rules::{Severity, Word as _};

/// Writes the page.
pub fn render(report: &Report, verbose: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut page = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut page, report, verbose);
    out.write_all(page.as_bytes())
}

fn write(page: &mut String, report: &Report, verbose: bool) -> std::fmt::Result {
    let header = &report.header;
    writeln!(page, "### {} {}\n", code(&header.host), verdict(report.verdict))?;
    let tee = header.platform.tee.map_or("not known", |tee| tee.word());
    write!(page, "Judged at stage **{}** for TEE **{tee}**", header.platform.stage)?;
    if let Some(gpus) = &header.gpus {
        write!(page, ", GPUs {}", code(gpus))?;
    }
    match &header.origin {
        HostOrigin::Live => writeln!(page, ".")?,
        HostOrigin::Directory(path) | HostOrigin::Capture(path) => {
            writeln!(page, ", read from {}.", code(path))?;
        }
    }
    for Assumed { fact, value, .. } in &header.assumed {
        writeln!(page, "\nAssumed, not read: {}.", code(&format!("{fact} is {value}")))?;
    }
    scope(page, report)?;
    let attention = attention(report);
    if attention.is_empty() {
        writeln!(page, "\nNothing is wrong among the rules that were judged.")?;
    } else {
        writeln!(page, "\n| | rule | what |\n|---|---|---|")?;
        for result in &attention {
            let rule = &result.rule;
            let title = code(&what(result));
            writeln!(page, "| {} | {} | {title} |", word(report, result), code(&rule.id))?;
        }
    }
    let counts = report.counts();
    writeln!(
        page,
        "\n{} rules: {} passed, {} failed, {} unknown, {} waiting, {} not about this host; exit code {}.",
        report.results.len(),
        counts.pass,
        counts.fail,
        counts.unknown,
        counts.blocked,
        counts.not_applicable,
        report.exit() as u8
    )?;
    for result in attention {
        details(page, report, result, verbose)?;
    }
    waiting(page, report)
}

/// What was left out, and what a baseline excuses: never folded away.
fn scope(page: &mut String, report: &Report) -> std::fmt::Result {
    if report.scope.left_out > 0 {
        let many = report.scope.left_out;
        match &report.scope.left_out_by {
            Some(by) => writeln!(page, "\n{many} rules were left out by {}.", code(by))?,
            None => writeln!(page, "\n{many} rules were left out by `--only` or `--skip`.")?,
        }
    }
    if !report.scope.disabled.is_empty() {
        let ids: Vec<String> = report.scope.disabled.iter().map(|rule| code(&rule.id)).collect();
        writeln!(page, "\nDisabled on this site: {}.", ids.join(", "))?;
    }
    if let Some(comparison) = &report.baseline {
        writeln!(page, "\n{}", code(&comparison.line()))?;
        for worse in &comparison.worse {
            writeln!(page, "- worse: {} {}", code(&worse.rule.id), code(&worse.why))?;
        }
    }
    Ok(())
}

/// What fails or cannot be told: what counts before what is known, then by severity.
fn attention(report: &Report) -> Vec<&RuleResult> {
    let order = |result: &RuleResult| match (result.rule.severity, result.status) {
        (_, Status::Fail | Status::Unknown) if report.is_known(result) => Some(6),
        (Severity::Required, Status::Fail) => Some(0),
        (Severity::Required, Status::Unknown) => Some(1),
        (Severity::Recommended, Status::Fail) => Some(2),
        (Severity::Recommended, Status::Unknown) => Some(3),
        (Severity::Info, Status::Fail) => Some(4),
        (Severity::Info, Status::Unknown) => Some(5),
        _ => None,
    };
    let mut ordered: Vec<(u8, &RuleResult)> =
        report.results.iter().filter_map(|result| Some((order(result)?, result))).collect();
    ordered.sort_by_key(|(order, _)| *order);
    ordered.into_iter().map(|(_, result)| result).collect()
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "is ready",
        Verdict::NotReady => "is not ready",
        Verdict::RebootRequired => "is ready after a reboot",
        Verdict::CannotTell => "cannot be judged",
    }
}

fn word(report: &Report, result: &RuleResult) -> &'static str {
    match (result.status, result.rule.severity) {
        (Status::Fail | Status::Unknown, _) if report.is_known(result) => "known",
        (Status::Fail, Severity::Required) => "**fail**",
        (Status::Fail, Severity::Recommended) => "warn",
        (Status::Fail, Severity::Info) => "note",
        _ => "unknown",
    }
}

fn what(result: &RuleResult) -> String {
    let rule = &result.rule;
    match result.status {
        Status::Unknown => {
            format!("cannot tell whether {}", rule.good.as_deref().unwrap_or(&rule.title))
        }
        _ => rule.title.clone(),
    }
}

fn details(
    page: &mut String,
    report: &Report,
    result: &RuleResult,
    verbose: bool,
) -> std::fmt::Result {
    let rule = &result.rule;
    let (word, id) = (word(report, result).trim_matches('*'), code(&rule.id));
    writeln!(page, "\n<details><summary>{word} {id}</summary>\n")?;
    for said in sentences(result, verbose) {
        writeln!(page, "- found {}", code(&said))?;
    }
    writeln!(page, "- why: {}", code(&one_line(&rule.why)))?;
    if let Some(symptom) = &rule.symptom {
        writeln!(page, "- leads to: {}", code(&one_line(symptom)))?;
    }
    for advice in result.advice() {
        writeln!(page, "- do: {}", code(&one_line(&advice.text)))?;
        for line in advice.command.iter().flat_map(|command| command.trim().lines()) {
            writeln!(page, "  - {}", code(line))?;
        }
    }
    writeln!(page, "\n</details>")
}

fn waiting(page: &mut String, report: &Report) -> std::fmt::Result {
    let blocked = report.results.iter().filter(|result| result.status == Status::Blocked);
    let blocked: Vec<&RuleResult> = blocked.collect();
    if blocked.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n<details><summary>{} rules wait for others</summary>\n", blocked.len())?;
    for result in blocked {
        let roots: Vec<String> = result.blocked_by.iter().map(|root| code(&root.id)).collect();
        writeln!(page, "- {} waits for {}", code(&result.rule.id), roots.join(", "))?;
    }
    writeln!(page, "\n</details>")
}

/// Line breaks of a rule's prose are the author's.
fn one_line(prose: &str) -> String {
    prose.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters of one text; a page has a size that its site refuses to go beyond.
const LONGEST: usize = 2_000;

/// A text that means nothing but itself.
fn code(text: &str) -> String {
    let mut shown = String::from("<code>");
    for (place, c) in visible(text).chars().enumerate() {
        if place == LONGEST {
            shown.push_str("...");
            break;
        }
        match c {
            ' ' | '-' | ',' | '/' | '=' | ';' | '+' | '%' | '(' | ')' => shown.push(c),
            // Addresses of mail are looked for after numbers were read, in whole pieces of text.
            '@' => shown.push_str("<wbr>&#64;<wbr>"),
            c if c.is_ascii_punctuation() => drop(write!(shown, "&#{};", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown.push_str("</code>");
    shown
}
