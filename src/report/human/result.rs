//! One rule of the report: a block for what is wrong, a line for what is not.

use std::collections::BTreeSet;
use std::io;

use super::command_lines;
use super::evidence::{self, Fold, brief, fold, list, plural};
use crate::report::next_step::fix_command;
use crate::report::page::{Ink, Look, Margin, Page};
use crate::report::{Report, RuleResult, Status};
use crate::rules::{Rule, Severity};

const BODY: Margin = Margin { indent: 4, label: 10 };

/// How many different findings of a rule are shown, unless all are asked for.
const SAID: usize = 8;

/// The first word, which says how bad it is.
fn word(report: &Report, result: &RuleResult) -> (Ink, &'static str) {
    if report.is_known(result) { (Ink::Faint, "KNOWN") } else { plain_word(result) }
}

/// The same without a baseline.
pub(in crate::report) fn plain_word(result: &RuleResult) -> (Ink, &'static str) {
    match (result.status, result.rule.severity) {
        (Status::Fail, Severity::Required) => (Ink::Bad, "FAIL"),
        (Status::Fail, Severity::Recommended) => (Ink::Advised, "WARN"),
        (Status::Fail, Severity::Info) => (Ink::Command, "NOTE"),
        (Status::Unknown, _) => (Ink::Unsure, "UNKNOWN"),
        (Status::Pass, _) => (Ink::Good, "PASS"),
        (Status::NotApplicable, _) => (Ink::Faint, "N/A"),
        (Status::Blocked, _) => (Ink::Faint, "WAIT"),
    }
}

/// What is wrong, why it matters, what to do.
pub(super) fn block(
    page: &mut Page<'_>,
    report: &Report,
    result: &RuleResult,
    look: Look,
) -> io::Result<()> {
    let rule = &result.rule;
    let (ink, word) = word(report, result);
    let title = match result.status {
        Status::Unknown => {
            format!(": cannot tell whether {}", rule.good.as_deref().unwrap_or(&rule.title))
        }
        _ => format!(": {}", rule.title),
    };
    page.headed((ink, word), &[(Ink::Strong, &rule.id), (Ink::Plain, &title)])?;
    if report.is_known(result) && !look.verbose {
        return Ok(());
    }
    findings(page, result, look)?;
    if result.status == Status::Fail || look.verbose {
        page.labelled(BODY, "why", &rule.why)?;
    }
    if let Some(symptom) = &rule.symptom {
        page.labelled(BODY, "leads to", symptom)?;
    }
    if let Some(fix) = result.fix() {
        let edits: Vec<String> = fix.edits.iter().map(ToString::to_string).collect();
        page.labelled(BODY, "fix", &edits.join(", "))?;
        let command = fix_command(&rule.id, fix);
        command_lines(page, BODY.indent + BODY.label, Some(&command))?;
    }
    for advice in result.advice() {
        page.labelled(BODY, "do", &advice.text)?;
        command_lines(page, BODY.indent + BODY.label, advice.command.as_deref())?;
    }
    if result.waits_for_a_reboot() {
        let label = if result.advice.is_empty() { "do" } else { "" };
        let text = match rule.resolved_by {
            Some(_) => "A reboot puts this right.",
            None => {
                "The boot loader's configuration is in order already; a reboot puts this right."
            }
        };
        page.labelled(BODY, label, text)?;
    }
    consequences(page, report, result, look)?;
    if look.verbose {
        for address in &rule.docs {
            page.entry(BODY, "docs", &[(Ink::Faint, address)])?;
        }
    }
    if let Some(change) = &rule.overridden {
        let text = format!("severity set by {}: {}", change.origin.file, change.reason);
        page.entry(BODY, "site", &[(Ink::Faint, &text)])?;
    }
    if let (Some(setting), Some(bound)) = (rule.setting, &rule.bound) {
        let text = format!("{setting} = {} in {}", bound.value, bound.by);
        page.entry(BODY, "site", &[(Ink::Faint, &text)])?;
    }
    Ok(())
}

fn findings(page: &mut Page<'_>, result: &RuleResult, look: Look) -> io::Result<()> {
    let item = result.rule.each.as_ref().map_or("", |each| each.collection.item);
    let is_wrong = |outcome| matches!(outcome, Status::Fail | Status::Unknown);
    let wrong: Vec<Fold<'_>> =
        fold(result.findings.iter().filter(|finding| is_wrong(finding.outcome)));
    let mut label = "found";
    let said = if look.verbose { wrong.len() } else { wrong.len().min(SAID) };
    for fold in &wrong[..said] {
        evidence::write(page, BODY, label, fold, item, look)?;
        label = "";
    }
    if said < wrong.len() {
        let text = format!("and {} more; -v shows them", wrong.len() - said);
        page.entry(BODY, "", &[(Ink::Faint, &text)])?;
    }
    let affected: BTreeSet<&str> =
        wrong.iter().flat_map(|fold| fold.subjects.iter().copied()).collect();
    let passed = result.findings.iter().filter(|finding| finding.outcome == Status::Pass);
    let others: BTreeSet<&str> = passed
        .filter_map(|finding| finding.subject.as_deref())
        .filter(|subject| !affected.contains(subject))
        .collect();
    if !others.is_empty() {
        let text = match (others.len(), affected.is_empty()) {
            (1, false) => format!("1 other {item} is as wanted"),
            (many, false) => format!("{many} other {} are as wanted", plural(item)),
            (1, true) => format!("the 1 {item} that was found is as wanted"),
            (many, true) => format!("the {many} {} that were found are as wanted", plural(item)),
        };
        page.entry(BODY, label, &[(Ink::Faint, &text)])?;
    }
    Ok(())
}

/// What is not judged because of a rule; in full, with the error that each would lead to.
fn consequences(
    page: &mut Page<'_>,
    report: &Report,
    result: &RuleResult,
    look: Look,
) -> io::Result<()> {
    let waiting = held_up_by(report, &result.rule.id);
    if waiting.is_empty() {
        return Ok(());
    }
    if !look.verbose {
        let text = format!("{}: not judged until this passes", ids(&waiting));
        return page.entry(BODY, "blocks", &[(Ink::Plain, &text)]);
    }
    page.entry(BODY, "blocks", &[(Ink::Plain, "not judged until this passes:")])?;
    for rule in waiting {
        let leads_to = rule.symptom.as_ref().map(|symptom| format!(", which leads to: {symptom}"));
        let leads_to = leads_to.unwrap_or_default();
        page.entry(BODY, "", &[(Ink::Strong, &rule.id), (Ink::Plain, &leads_to)])?;
    }
    Ok(())
}

/// The shown rules that wait for one.
fn held_up_by<'r>(report: &'r Report, id: &str) -> Vec<&'r Rule> {
    let waits = |result: &&RuleResult| result.blocked_by.iter().any(|root| &*root.id == id);
    report.results.iter().filter(waits).map(|result| &*result.rule).collect()
}

fn ids(rules: &[&Rule]) -> String {
    list(rules.iter().map(|rule| &rule.id), usize::MAX)
}

/// What waits for rules that are not shown: said once for each of them.
pub(super) fn held_up_by_unshown(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let mut said: Vec<&str> = Vec::new();
    for root in report.results.iter().flat_map(|result| &result.blocked_by) {
        let shown = report.results.iter().any(|result| result.rule.id == root.id);
        if shown || said.contains(&&*root.id) {
            continue;
        }
        said.push(&root.id);
        let waiting = ids(&held_up_by(report, &root.id));
        let tail = format!(", which was left out but did not pass: {waiting}");
        page.blank()?;
        let why = "not judged because of ";
        page.headed(
            (Ink::Unsure, "WAIT"),
            &[(Ink::Plain, why), (Ink::Strong, &root.id), (Ink::Plain, &tail)],
        )?;
    }
    Ok(())
}

/// A rule that asks for no attention.
pub(super) fn line(page: &mut Page<'_>, report: &Report, result: &RuleResult) -> io::Result<()> {
    let rule = &result.rule;
    let (ink, word) = word(report, result);
    let (what, evidence) = match result.status {
        Status::Pass => (rule.good.as_deref().unwrap_or("as wanted"), passed(result)),
        _ => ("not about this host", not_concerned(report, result)),
    };
    let what = format!(": {what} ");
    page.headed(
        (ink, word),
        &[(Ink::Strong, &rule.id), (Ink::Plain, &what), (Ink::Faint, &evidence)],
    )
}

pub(in crate::report) fn passed(result: &RuleResult) -> String {
    let folds = fold(result.findings.iter().filter(|finding| finding.outcome == Status::Pass));
    let said: Vec<String> = folds.iter().map(|fold| brief(fold.first)).collect();
    match &result.rule.each {
        Some(each) if result.subjects == 1 => {
            let label = result.findings.iter().find_map(|finding| finding.subject.as_deref());
            format!("({}: {})", label.unwrap_or(each.collection.item), list(said.iter(), 3))
        }
        Some(each) => {
            let items = plural(each.collection.item);
            format!("({} {items}: {})", result.subjects, list(said.iter(), 3))
        }
        None => format!("({})", list(said.iter(), 3)),
    }
}

pub(in crate::report) fn not_concerned(report: &Report, result: &RuleResult) -> String {
    let rule = &result.rule;
    match (report.header.platform.tee, &rule.each) {
        (Some(tee), _) if !rule.tees.contains(&tee) => {
            format!("(only for {})", list(rule.tees.iter(), usize::MAX))
        }
        (_, Some(each)) if result.subjects == 0 && rule.applies.is_empty() => {
            format!("(no {} that it asks about)", each.collection.item)
        }
        _ => String::new(),
    }
}
