//! One line for node-problem-detector's custom plugins, which cut what they read to 80 bytes: ASCII, the
//! first failing rule first. The exit code that belongs to it is `exit::Npd`.

use std::io::{self, Write};

use super::{Report, RuleResult, Status, Verdict, visible};
use crate::rules::Severity;

/// What node-problem-detector keeps by default, less a line break.
const LONGEST: usize = 79;

/// Writes one line, at most 80 bytes with its line break.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", line(report))
}

fn line(report: &Report) -> String {
    let counts = |status| {
        let of = report.with(Severity::Required, status);
        of.filter(|result| !report.is_known(result)).collect::<Vec<&RuleResult>>()
    };
    let text = match report.gate() {
        Verdict::Ready => ready(report),
        Verdict::NotReady => first(&counts(Status::Fail), ""),
        Verdict::RebootRequired => first(&counts(Status::Fail), "wants a reboot: "),
        Verdict::CannotTell => {
            match [counts(Status::Unknown), counts(Status::Blocked)].concat().as_slice() {
                [] => "cannot tell: nothing required could be judged".to_owned(),
                results => first(results, "cannot tell whether not: "),
            }
        }
    };
    cut(&ascii(&text))
}

/// A known failure is never called ready.
fn ready(report: &Report) -> String {
    match &report.baseline {
        Some(comparison) if comparison.known_failures > 0 => {
            format!("no worse than the baseline; {} known failures", comparison.known_failures)
        }
        _ => format!("ready for stage {}", report.header.platform.stage),
    }
}

/// The id leads, since a cut takes the end.
fn first(results: &[&RuleResult], what: &str) -> String {
    let [first, others @ ..] = results else { return what.to_owned() };
    let more = match others.len() {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    format!("{}{more}: {what}{}", first.rule.id, first.rule.title)
}

fn ascii(text: &str) -> String {
    visible(text).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

fn cut(text: &str) -> String {
    match text.get(..LONGEST) {
        Some(_) if text.len() > LONGEST => {
            format!("{}...", text.get(..LONGEST - 3).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}
