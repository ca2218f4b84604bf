//! Findings in words: what was found, what was wanted, where it stands. Findings that say the same of
//! many members are said once.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;

use super::LISTED;
use crate::facts::Source;
use crate::report::page::{Ink, Look, Margin, Page};
use crate::report::{About, Finding, Found, RuleResult, Status};
use crate::rules::{Offending, Spoken};

/// Findings that differ only in whom they are about and where they were read.
pub(in crate::report) struct Fold<'r> {
    pub(in crate::report) first: &'r Finding,
    pub(in crate::report) subjects: Vec<&'r str>,
    pub(in crate::report) sources: Vec<&'r Source>,
}

/// How many folds are looked at for a like one, so that many unlike findings take no more than their
/// number of steps.
const LOOKED_BACK: usize = 64;

/// Folds findings, in the order in which each thing was first said.
pub(in crate::report) fn fold<'r>(
    findings: impl IntoIterator<Item = &'r Finding>,
) -> Vec<Fold<'r>> {
    let mut folds: Vec<Fold<'r>> = Vec::new();
    for finding in findings {
        let near = folds.len().saturating_sub(LOOKED_BACK);
        let same = folds[near..].iter().rposition(|fold| say_the_same(fold.first, finding));
        let place = if let Some(place) = same {
            near + place
        } else {
            folds.push(Fold { first: finding, subjects: Vec::new(), sources: Vec::new() });
            folds.len() - 1
        };
        let fold = &mut folds[place];
        fold.subjects.extend(finding.subject.as_deref());
        fold.sources.extend(&finding.source);
    }
    for fold in &mut folds {
        fold.sources.dedup();
    }
    folds
}

fn say_the_same(one: &Finding, other: &Finding) -> bool {
    let same_test = match (one.about.test(), other.about.test()) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (None, None) => one.about.name() == other.about.name(),
        _ => false,
    };
    same_test
        && one.outcome == other.outcome
        && one.found == other.found
        && one.note == other.note
        && one.assumed == other.assumed
}

/// Writes one fold: what, whom, where.
pub(super) fn write(
    page: &mut Page<'_>,
    margin: Margin,
    label: &str,
    fold: &Fold<'_>,
    item: &str,
    look: Look,
) -> io::Result<()> {
    let finding = fold.first;
    let ink = match finding.outcome {
        Status::Fail => Ink::Bad,
        Status::Unknown => Ink::Unsure,
        _ => Ink::Good,
    };
    let subject = match fold.subjects.as_slice() {
        [only] => format!("{only}: "),
        _ => String::new(),
    };
    let Sentence { lead, key, tail, wanted } = sentence(finding, look);
    let pieces = [(Ink::Plain, &*format!("{subject}{lead}")), (ink, &*key)];
    let rest = [(Ink::Plain, &*tail), (Ink::Strong, &*wanted)];
    page.entry(margin, label, &[pieces, rest].concat())?;
    let details = Margin { indent: margin.indent + margin.label + 2, label: 0 };
    if let subjects @ [_, _, ..] = fold.subjects.as_slice() {
        let all = list(subjects.iter(), limit(look));
        let text = format!("{} {}: {all}", subjects.len(), plural(item));
        page.entry(details, "", &[(Ink::Plain, &text)])?;
    }
    if let Some(note) = &finding.note {
        page.entry(details, "", &[(Ink::Plain, note)])?;
    }
    let places = match fold.sources.as_slice() {
        [] => return Ok(()),
        all if look.verbose => list(all.iter(), usize::MAX),
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    page.entry(details, "", &[(Ink::Faint, &format!("read from {places}"))])
}

/// Sentences of one rule, unless all are asked for.
const SENTENCES: usize = 20;

/// What is wrong, a sentence for each different thing, for the formats that are laid out by others. The
/// texts are the host's, as they are.
pub(crate) fn sentences(result: &RuleResult, verbose: bool) -> Vec<String> {
    let look = Look { verbose, ..Look::default() };
    let item = result.rule.each.as_ref().map_or("", |each| each.collection.item);
    let wrong = |finding: &&Finding| matches!(finding.outcome, Status::Fail | Status::Unknown);
    let folds = fold(result.findings.iter().filter(wrong));
    let shown = if verbose { folds.len() } else { folds.len().min(SENTENCES) };
    let mut said: Vec<String> =
        folds.iter().take(shown).map(|fold| in_one_line(fold, item, look)).collect();
    if shown < folds.len() {
        said.push(format!("and {} more", folds.len() - shown));
    }
    said
}

fn in_one_line(fold: &Fold<'_>, item: &str, look: Look) -> String {
    let Sentence { lead, key, tail, wanted } = sentence(fold.first, look);
    let mut line = format!("{lead}{key}{tail}{wanted}");
    match fold.subjects.as_slice() {
        [] => {}
        [only] => line = format!("{only}: {line}"),
        many => {
            let all = list(many.iter(), limit(look));
            line = format!("{line}; {} {}: {all}", many.len(), plural(item));
        }
    }
    if let Some(note) = &fold.first.note {
        line = format!("{line}; {note}");
    }
    match fold.sources.as_slice() {
        [] => line,
        [only] => format!("{line} (read from {only})"),
        [first, others @ ..] => format!("{line} (read from {first} and {} more)", others.len()),
    }
}

fn limit(look: Look) -> usize {
    if look.verbose { usize::MAX } else { LISTED }
}

/// A finding in words; the key is what to look at first.
#[derive(Default)]
struct Sentence {
    lead: String,
    key: String,
    tail: String,
    wanted: String,
}

fn sentence(finding: &Finding, look: Look) -> Sentence {
    let name = finding.about.name();
    let wanted = finding.about.test().map(|test| test.operator.to_string()).unwrap_or_default();
    if let Found::Unreadable(cause) = &finding.found {
        let lead = match &finding.about {
            About::Members(collection) => format!("which {} there are ", plural(collection.item)),
            About::Condition(_) => format!("whether this is required depends on {name}, which "),
            About::Expectation(_) | About::Tee => format!("{name} "),
        };
        let key = "cannot be told".to_owned();
        return match finding.about {
            About::Expectation(_) => {
                Sentence { lead, key, tail: format!(": {cause}; wanted "), wanted }
            }
            _ => Sentence { lead, key, tail: format!(": {cause}"), ..Sentence::default() },
        };
    }
    let assumed = if finding.assumed { " (assumed, not read)" } else { "" };
    let (verb, key) = what_is(&finding.found, look);
    let lead = format!("{name} {verb} ");
    match finding.outcome {
        Status::Fail => Sentence { lead, key, tail: format!("{assumed}, wanted "), wanted },
        _ => Sentence { lead, key, tail: assumed.to_owned(), ..Sentence::default() },
    }
}

/// A finding on one line, for what passed.
pub(super) fn brief(finding: &Finding) -> String {
    let assumed = if finding.assumed { " (assumed)" } else { "" };
    let (verb, what) = what_is(&finding.found, Look::default());
    format!("{} {verb} {what}{assumed}", finding.about.name())
}

pub(in crate::report) fn what_is(found: &Found, look: Look) -> (&'static str, String) {
    match found {
        Found::Value(value) => ("is", shortened(&Spoken(value).to_string(), look).into_owned()),
        Found::Members(Offending::Missing(none)) if none.is_empty() => {
            ("has", "all wanted".to_owned())
        }
        Found::Members(Offending::Missing(members)) => ("lacks", list(members.iter(), limit(look))),
        Found::Members(Offending::Present(none)) if none.is_empty() => {
            ("has", "none of the unwanted".to_owned())
        }
        Found::Members(Offending::Present(members)) => ("has", list(members.iter(), limit(look))),
        Found::Absent => ("is", "absent".to_owned()),
        Found::Unreadable(cause) => ("cannot be told:", cause.to_string()),
    }
}

/// Longer values are cut: a command line can have thousands of characters.
const LONGEST: usize = 300;

fn shortened(text: &str, look: Look) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) if !look.verbose => Cow::Owned(format!("{}...", &text[..end])),
        _ => Cow::Borrowed(text),
    }
}

/// Members between commas, cut at a limit.
pub(in crate::report) fn list<T: Display>(
    items: impl ExactSizeIterator<Item = T>,
    limit: usize,
) -> String {
    let left_out = items.len().saturating_sub(limit);
    // "and 1 more" takes the place of the one.
    let shown = if left_out <= 1 { items.len() } else { limit };
    let rest = items.len() - shown;
    let shown: Vec<String> = items.take(shown).map(|item| item.to_string()).collect();
    match rest {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// More than one of a thing: `GPUs`, `NVSwitches`, `boot entries`.
pub(in crate::report) fn plural(item: &str) -> String {
    match item {
        _ if item.ends_with("ch") || item.ends_with('s') || item.ends_with('x') => {
            format!("{item}es")
        }
        _ if item.ends_with("ry") => format!("{}ies", item.trim_end_matches('y')),
        _ => format!("{item}s"),
    }
}
