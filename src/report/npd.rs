//! One line for node-problem-detector's custom plugins, which cut what they read to 80 bytes: ASCII, the
//! first failing rule first. The exit code that belongs to it is `exit::Npd`.

use std::io::{self, Write};

use super::stored::StoredRule;
use super::{Report, RuleResult, Status, Verdict, visible};
use crate::publish::last::Last;
use crate::rules::Severity;

/// What node-problem-detector keeps by default, less a line break.
const LONGEST: usize = 79;

/// Writes one line, at most 80 bytes with its line break.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", line(report))
}

/// Writes the same line of what the daemon knows; of a report that is stale, why.
pub fn render_last(last: &Last, out: &mut dyn Write) -> io::Result<()> {
    let text = match (&last.report, &last.stale) {
        (Some(report), None) => {
            told(report.verdict, &format!("ready for stage {}", report.stage), |status| {
                let name =
                    |rule: &StoredRule| Named { id: rule.id.clone(), title: rule.title.clone() };
                report.with(Severity::Required, status).map(name).collect()
            })
        }
        (_, Some(why)) => format!("cannot tell: {why}"),
        (None, None) => "cannot tell".to_owned(),
    };
    writeln!(out, "{}", cut(&ascii(&text)))
}

/// A rule that counts.
struct Named {
    id: String,
    title: String,
}

fn line(report: &Report) -> String {
    let text = told(report.gate(), &ready(report), |status| {
        let of = report.with(Severity::Required, status);
        let name = |result: &RuleResult| Named {
            id: result.rule.id.to_string(),
            title: result.rule.title.clone(),
        };
        of.filter(|result| !report.is_known(result)).map(name).collect()
    });
    cut(&ascii(&text))
}

fn told(verdict: Verdict, ready: &str, counts: impl Fn(Status) -> Vec<Named>) -> String {
    match verdict {
        Verdict::Ready => ready.to_owned(),
        Verdict::NotReady => first(&counts(Status::Fail), ""),
        Verdict::RebootRequired => first(&counts(Status::Fail), "wants a reboot: "),
        Verdict::CannotTell => {
            let unknown = counts(Status::Unknown).into_iter();
            match unknown.chain(counts(Status::Blocked)).collect::<Vec<_>>().as_slice() {
                [] => "cannot tell: nothing required could be judged".to_owned(),
                results => first(results, "cannot tell whether not: "),
            }
        }
    }
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
fn first(results: &[Named], what: &str) -> String {
    let [first, others @ ..] = results else { return what.to_owned() };
    let more = match others.len() {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    format!("{}{more}: {what}{}", first.id, first.title)
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
