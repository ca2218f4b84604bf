//! The explanation for a person at a terminal.

use std::io::{self, Write};

use super::{Explanation, FactExplanation, Related, reason};
use crate::facts::{Reading, Source, Value};
use crate::report::human::evidence::{fold, list, plural, what_is};
use crate::report::next_step::fix_command;
use crate::report::page::{Ink, Look, Margin, Page};
use crate::report::rules::tees;
use crate::report::{About, Finding, Found, Header, HostOrigin, RuleResult, Status};
use crate::rules::{Advice, Fix, Resolution, Role, Safety, Spoken};

const BODY: Margin = Margin { indent: 4, label: 10 };
const DETAILS: Margin = Margin { indent: 16, label: 0 };

/// How many unlike findings of one comparison are shown, unless all are asked for.
const SAID: usize = 12;

/// Writes the explanation of a rule.
pub fn render(explanation: &Explanation, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let rule = &explanation.rule;
    let title = format!(": {}", rule.title);
    page.headed(word(explanation), &[(Ink::Strong, &rule.id), (Ink::Plain, &title)])?;
    let class = format!(
        "{}, stage {}, tee {}, group {}",
        rule.severity,
        rule.stage,
        tees(rule),
        rule.group
    );
    page.entry(BODY, "class", &[(Ink::Plain, &class)])?;
    page.entry(BODY, "host", &[(Ink::Plain, &host(&explanation.header))])?;
    standing(&mut page, explanation)?;
    evidence(&mut page, explanation, look)?;
    if let Some(good) = &rule.good {
        page.entry(BODY, "wanted", &[(Ink::Plain, good)])?;
    }
    page.labelled(BODY, "why", &rule.why)?;
    if let Some(symptom) = &rule.symptom {
        page.labelled(BODY, "leads to", symptom)?;
    }
    remedies(&mut page, explanation)?;
    related(&mut page, "needs", &explanation.causes, look)?;
    consequences(&mut page, explanation, look)?;
    for address in &rule.docs {
        page.entry(BODY, "source", &[(Ink::Faint, address)])?;
    }
    history(&mut page, explanation)
}

/// The first word, as in a report.
fn word(explanation: &Explanation) -> (Ink, &'static str) {
    let Some(result) = &explanation.result else { return (Ink::Faint, "OFF") };
    if explanation.before.is_some() {
        return (Ink::Faint, "LATER");
    }
    crate::report::human::word(result)
}

fn host(header: &Header) -> String {
    let from = match &header.origin {
        HostOrigin::Live => String::new(),
        HostOrigin::Directory(path) => format!(", read from {path}"),
        HostOrigin::Capture(path) => format!(", read from {path}, a captured host"),
    };
    format!("{}{from}", header.host)
}

/// What came of it here, and as what the host was judged.
fn standing(page: &mut Page<'_>, explanation: &Explanation) -> io::Result<()> {
    let Header { platform, stage_why, tee_why, .. } = &explanation.header;
    let tee = platform.tee.map_or("not known".to_owned(), |tee| tee.to_string());
    let judged = match explanation.before {
        None => format!(
            "it {}; judged at stage {} ({stage_why}), for tee {tee} ({tee_why})",
            reason(explanation),
            platform.stage
        ),
        Some(now) => format!(
            "not judged: it belongs to stage {}, and the host is at stage {now} ({stage_why}); at \
             that stage it {}",
            explanation.rule.stage,
            match &explanation.result {
                Some(result) => would(result.status),
                None => "is disabled".to_owned(),
            }
        ),
    };
    page.entry(BODY, "here", &[(Ink::Plain, &judged)])?;
    if let Some(by) = &explanation.left_out_by {
        let text = format!("`check` leaves it out here, by {by}");
        page.entry(BODY, "", &[(Ink::Advised, &text)])?;
    }
    if let Some(change) = &explanation.rule.overridden {
        let at = format!("{}:{}", change.origin.file, change.origin.line);
        let what = match change.instead_of {
            Some(severity) => format!("{} instead of {severity}", explanation.rule.severity),
            None => "disabled".to_owned(),
        };
        let text = format!("{what} ({at}): {}", change.reason);
        page.entry(BODY, "site", &[(Ink::Advised, &text)])?;
    }
    Ok(())
}

fn would(status: Status) -> String {
    match status {
        Status::Pass => "would pass",
        Status::Fail => "would fail",
        Status::Unknown => "could not be judged",
        Status::NotApplicable => "would not be about this host",
        Status::Blocked => "would wait for others",
    }
    .to_owned()
}

/// Everything that was read, by what it decides.
fn evidence(page: &mut Page<'_>, explanation: &Explanation, look: Look) -> io::Result<()> {
    let looks = &explanation.looks;
    let each = explanation.rule.each.as_ref();
    if let (Some(each), Some(members)) = (each, looks.members) {
        let items = if members == 1 { each.collection.item } else { &plural(each.collection.item) };
        let text = format!(
            "{members} {items} of {}, {} of them judged",
            each.collection.name, looks.judged
        );
        page.entry(BODY, "about", &[(Ink::Plain, &text)])?;
    }
    if let Some(doubt) = &looks.doubt {
        said(page, "", &[doubt], "", false, look)?;
    }
    let item = each.map_or("", |each| each.collection.item);
    for (role, label) in [
        (Role::Applies, "applies"),
        (Role::Selects, "selects"),
        (Role::Case, "if"),
        (Role::Expects, "found"),
        (Role::Fix, "fix if"),
        (Role::Advice, "do if"),
    ] {
        // Conditions of a fix and of advice decide nothing where nothing is wrong.
        let idle = matches!(role, Role::Fix | Role::Advice)
            && explanation.result.as_ref().is_none_or(|result| result.status != Status::Fail);
        if idle && !look.verbose {
            continue;
        }
        let findings: Vec<&Finding> = looks.of(role).collect();
        said(page, label, &findings, item, role == Role::Expects, look)?;
    }
    Ok(())
}

fn said(
    page: &mut Page<'_>,
    label: &str,
    findings: &[&Finding],
    item: &str,
    judged: bool,
    look: Look,
) -> io::Result<()> {
    let folds = fold(findings.iter().copied());
    let shown = if look.verbose { folds.len() } else { folds.len().min(SAID) };
    let mut label = label;
    for fold in folds.iter().take(shown) {
        let finding = fold.first;
        let found = offending(finding, look);
        let (verb, value) = what_is(&found, look);
        let subject = match fold.subjects.as_slice() {
            [] => String::new(),
            [only] => format!("{only}: "),
            many => format!("{} {}: ", many.len(), plural(item)),
        };
        let (ink, answer) = answer(finding, judged);
        let lead = match &finding.about {
            About::Members(collection) => {
                format!("which {} there are {verb} ", plural(collection.item))
            }
            about => format!("{subject}{} {verb} ", about.name()),
        };
        let assumed = if finding.assumed { " (assumed, not read)" } else { "" };
        let tail = match finding.about.test() {
            Some(test) => format!("{assumed}; {answer} {}", test.operator),
            None => assumed.to_owned(),
        };
        page.entry(BODY, label, &[(Ink::Plain, &lead), (ink, &value), (Ink::Plain, &tail)])?;
        label = "";
        if let many @ [_, _, ..] = fold.subjects.as_slice() {
            let limit = if look.verbose { usize::MAX } else { 8 };
            page.entry(DETAILS, "", &[(Ink::Faint, &list(many.iter(), limit))])?;
        }
        if let Some(note) = &finding.note {
            page.entry(DETAILS, "", &[(Ink::Plain, note)])?;
        }
        if let (Found::Members(_), Found::Value(Value::Set(members))) = (&found, &finding.found) {
            let all = list(members.iter(), 8);
            let text = if members.is_empty() {
                "no member".to_owned()
            } else {
                format!("its members: {all}")
            };
            page.entry(DETAILS, "", &[(Ink::Faint, &text)])?;
        }
        read_from(page, &fold.sources, look)?;
    }
    if shown < folds.len() {
        let text = format!("and {} more; -v shows them", folds.len() - shown);
        page.entry(BODY, "", &[(Ink::Faint, &text)])?;
    }
    Ok(())
}

/// What decides about a set; all else is found as it is.
fn offending(finding: &Finding, look: Look) -> Found {
    let of_set = match (&finding.found, finding.about.test()) {
        (Found::Value(value @ Value::Set(_)), Some(test)) if !look.verbose => {
            test.operator.offending(value)
        }
        _ => None,
    };
    of_set.map_or_else(|| finding.found.clone(), Found::Members)
}

fn read_from(page: &mut Page<'_>, sources: &[&Source], look: Look) -> io::Result<()> {
    let places = match sources {
        [] => return Ok(()),
        all if look.verbose => list(all.iter(), usize::MAX),
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    page.entry(DETAILS, "", &[(Ink::Faint, &format!("read from {places}"))])
}

/// How the value stands to what it was compared with.
fn answer(finding: &Finding, judged: bool) -> (Ink, &'static str) {
    match (finding.outcome, &finding.found) {
        (Status::Pass, Found::Absent) => (Ink::Good, "which is as good as"),
        (Status::Pass, _) if judged => (Ink::Good, "as wanted:"),
        (Status::Pass, _) => (Ink::Good, "holds:"),
        (Status::Fail, _) if judged => (Ink::Bad, "wanted"),
        (Status::Fail, _) => (Ink::Plain, "does not hold:"),
        (Status::NotApplicable, _) => (Ink::Plain, "does not count; asked was"),
        (Status::Unknown | Status::Blocked, _) => (Ink::Unsure, "asked was"),
    }
}

/// What `fix` does about it, and what a person does.
fn remedies(page: &mut Page<'_>, explanation: &Explanation) -> io::Result<()> {
    let rule = &explanation.rule;
    let failed = explanation.result.as_ref().filter(|result| result.status == Status::Fail);
    let here = failed.and_then(|result| result.fix());
    let shown: Vec<&Fix> = match (failed, here) {
        (_, Some(fix)) => vec![fix],
        (Some(_), None) => Vec::new(),
        (None, None) => rule.fixes.iter().collect(),
    };
    for (place, fix) in shown.iter().enumerate() {
        let edits: Vec<String> = fix.edits.iter().map(ToString::to_string).collect();
        let text = if failed.is_some() {
            edits.join(", ")
        } else {
            format!("of a failure: {}{}", edits.join(", "), conditions(&fix.when))
        };
        page.labelled(BODY, if place == 0 { "fix" } else { "" }, &text)?;
        if failed.is_some() {
            let command = fix_command(&rule.id, fix);
            page.verbatim(14, &[(Ink::Faint, "$ "), (Ink::Command, &command)])?;
        } else if fix.safety == Safety::Unsafe {
            page.entry(BODY, "", &[(Ink::Faint, "only with --unsafe")])?;
        }
    }
    if shown.is_empty() {
        let text = match rule.fixes.len() {
            _ if failed.is_some_and(RuleResult::waits_for_a_reboot) => {
                "nothing is left for `fix` to do"
            }
            0 => "`fix` does nothing about it",
            _ => "what `fix` could do about it does not fit this host",
        };
        page.entry(BODY, "fix", &[(Ink::Plain, text)])?;
    }
    let advice: Vec<&Advice> = match failed {
        Some(result) => result.advice().collect(),
        None => rule.advice.iter().collect(),
    };
    for advice in advice {
        let when = if failed.is_some() { String::new() } else { conditions(&advice.when) };
        page.labelled(BODY, "do", &format!("{}{when}", advice.text))?;
        for line in advice.command.iter().flat_map(|command| command.trim().lines()) {
            page.verbatim(14, &[(Ink::Faint, "$ "), (Ink::Command, line)])?;
        }
    }
    match failed {
        Some(result) if result.waits_for_a_reboot() => {
            page.entry(BODY, "do", &[(Ink::Plain, "A reboot puts this right.")])?;
        }
        None if rule.resolved_by == Some(Resolution::Reboot) => {
            page.entry(BODY, "do", &[(Ink::Plain, "A reboot alone puts a failure right.")])?;
        }
        _ => {}
    }
    Ok(())
}

/// ` (where x is y and ...)`; nothing without conditions.
fn conditions(when: &[std::sync::Arc<crate::rules::Test>]) -> String {
    let said: Vec<String> =
        when.iter().map(|test| format!("{} is {}", test.fact.name(), test.operator)).collect();
    if said.is_empty() { String::new() } else { format!(" (where {})", said.join(" and ")) }
}

fn related(page: &mut Page<'_>, label: &str, rules: &[Related], look: Look) -> io::Result<()> {
    let mut label = label;
    for each in rules.iter().filter(|each| each.direct || look.verbose) {
        let status = each.result.as_ref().map(|result| result.status);
        let (ink, word) = match status {
            Some(Status::Pass) => (Ink::Good, "passes"),
            Some(Status::Fail) => (Ink::Bad, "fails"),
            Some(Status::Unknown) => (Ink::Unsure, "cannot be judged"),
            Some(Status::Blocked) => (Ink::Faint, "waits for others"),
            Some(Status::NotApplicable) => (Ink::Faint, "not about this host"),
            None => (Ink::Faint, "disabled"),
        };
        let through = if each.direct { "" } else { " (through others)" };
        let id = format!("{}{through}: ", each.rule.id);
        page.entry(BODY, label, &[(Ink::Plain, &id), (ink, word)])?;
        label = "";
    }
    Ok(())
}

/// What is folded under a failure here, each with what a user would see; without one, what would be.
fn consequences(page: &mut Page<'_>, explanation: &Explanation, look: Look) -> io::Result<()> {
    let id = &explanation.rule.id;
    let (waiting, others): (Vec<&Related>, Vec<&Related>) =
        explanation.consequences.iter().partition(|each| each.waits_for(id));
    let mut label = "blocks";
    for each in &waiting {
        let text = format!("{}: not judged until this passes", each.rule.id);
        page.entry(BODY, label, &[(Ink::Plain, &text)])?;
        if let Some(symptom) = &each.rule.symptom {
            page.labelled(DETAILS, "", &format!("it would show as: {symptom}"))?;
        }
        label = "";
    }
    if !others.is_empty() && (waiting.is_empty() || look.verbose) {
        let ids = list(others.iter().map(|each| &each.rule.id), usize::MAX);
        let text = format!("a failure would hold up {ids}");
        page.entry(BODY, "behind it", &[(Ink::Plain, &text)])?;
    }
    Ok(())
}

/// Since when there is the rule, what changed about it, where it is written.
fn history(page: &mut Page<'_>, explanation: &Explanation) -> io::Result<()> {
    let rule = &explanation.rule;
    if let Some(since) = &rule.since {
        page.entry(BODY, "since", &[(Ink::Plain, &format!("version {since}"))])?;
    }
    for revision in &rule.changed {
        page.labelled(BODY, "changed", &format!("in {}: {}", revision.version, revision.what))?;
    }
    let at = format!("{}:{}", rule.origin.file, rule.origin.line);
    page.entry(BODY, "defined", &[(Ink::Faint, &at)])
}

/// Writes the explanation of a fact.
pub fn render_fact(of: &FactExplanation<'_>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let fact = of.fact;
    page.wrapped(0, 4, &[(Ink::Strong, fact.name), (Ink::Plain, ": "), (Ink::Plain, fact.doc)])?;
    page.entry(BODY, "kind", &[(Ink::Plain, fact.kind.name())])?;
    page.entry(BODY, "host", &[(Ink::Plain, &of.host)])?;
    let (ink, value) = match (&of.assumed, &of.evidence.reading) {
        (Some(value), _) => (Ink::Advised, format!("{} (assumed, not read)", Spoken(value))),
        (None, Reading::Known(value)) => (Ink::Strong, Spoken(value).to_string()),
        (None, Reading::Absent) => (Ink::Plain, "absent: it certainly is not there".to_owned()),
        (None, Reading::Unreadable(cause)) => (Ink::Unsure, format!("cannot be told: {cause}")),
    };
    page.entry(BODY, "value", &[(ink, &value)])?;
    if let Some(note) = &of.evidence.note {
        page.entry(BODY, "note", &[(Ink::Plain, note)])?;
    }
    if let Some(source) = &of.evidence.source {
        page.entry(BODY, "read from", &[(Ink::Plain, &source.to_string())])?;
    }
    if let Some(why) = fact.volatile() {
        page.entry(BODY, "volatile", &[(Ink::Plain, why)])?;
    }
    let rules = list(of.rules.iter().map(|rule| &rule.id), usize::MAX);
    let rules = if rules.is_empty() { "no rule".to_owned() } else { rules };
    page.entry(BODY, "asked by", &[(Ink::Plain, &rules)])
}
