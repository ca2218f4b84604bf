//! The rules themselves for a person: all in a list, one in full, and what is wrong in a rule file.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::page::{Ink, Look, Margin, Page};
use crate::rules::{AbsentIs, LoadError, Problem, Rule, RuleFile, RuleSet, SHOWN, Tee, Test, Word};

const BODY: Margin = Margin { indent: 2, label: 10 };

/// One line for each rule, in the order of causes; lines are never broken, so that they can be searched.
pub fn list(rules: &RuleSet, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let widest = rules.rules().iter().map(|rule| rule.id.width()).max().unwrap_or(0);
    let row = |id: &str, severity: &str, stage: &str, tee: &str| {
        format!("{id:widest$}  {severity:11}  {stage:8}  {tee:7}  ")
    };
    let head = row("ID", "SEVERITY", "STAGE", "TEE") + "TITLE";
    page.verbatim(0, &[(Ink::Faint, &head)])?;
    for rule in rules.rules() {
        let severity = if rule.is_disabled() { "disabled" } else { rule.severity.word() };
        let row = row(&rule.id, severity, rule.stage.word(), &tees(rule));
        let (id, rest) = row.split_at(rule.id.len());
        page.verbatim(0, &[(Ink::Strong, id), (Ink::Plain, rest), (Ink::Plain, &rule.title)])?;
    }
    Ok(())
}

/// All that is known of a rule without a host.
pub fn show(rules: &RuleSet, rule: &Rule, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let title = format!(": {}", rule.title);
    page.wrapped(0, 2, &[(Ink::Strong, &rule.id), (Ink::Plain, &title)])?;
    let mut entry = |label: &str, text: &str| page.entry(BODY, label, &[(Ink::Plain, text)]);
    let class = format!(
        "{}, stage {}, tee {}, group {}",
        rule.severity,
        rule.stage,
        tees(rule),
        rule.group
    );
    entry("class", &class)?;
    if let Some(good) = &rule.good {
        entry("passes if", good)?;
    }
    conditions(&mut page, "about", "hosts where", &rule.applies)?;
    if let Some(each) = &rule.each {
        let collection = each.collection;
        let text = format!("each {} of {}: {}", collection.item, collection.name, collection.doc);
        page.entry(BODY, "for", &[(Ink::Plain, &text)])?;
        conditions(&mut page, "", "if", &each.filter)?;
    }
    for case in &rule.cases {
        conditions(&mut page, "case", "when", &case.when)?;
        let mut label = "expects";
        for test in &case.expect {
            page.entry(BODY, label, &[(Ink::Plain, &sentence(test))])?;
            label = "";
        }
    }
    page.labelled(BODY, "why", &rule.why)?;
    if let Some(symptom) = &rule.symptom {
        page.labelled(BODY, "leads to", symptom)?;
    }
    for fix in &rule.fixes {
        conditions(&mut page, "fix", "when", &fix.when)?;
        let edits: Vec<String> = fix.edits.iter().map(ToString::to_string).collect();
        let text = format!("{} ({})", edits.join(", "), fix.safety);
        page.labelled(BODY, if fix.when.is_empty() { "fix" } else { "" }, &text)?;
    }
    for advice in &rule.advice {
        conditions(&mut page, "do", "when", &advice.when)?;
        page.labelled(BODY, if advice.when.is_empty() { "do" } else { "" }, &advice.text)?;
        for line in advice.command.iter().flat_map(|command| command.trim().lines()) {
            let indent = BODY.indent + BODY.label;
            page.verbatim(indent, &[(Ink::Faint, "$ "), (Ink::Command, line)])?;
        }
    }
    if let Some(resolution) = rule.resolved_by {
        let text = format!("goes away with a {}", resolution.word());
        page.entry(BODY, "a failure", &[(Ink::Plain, &text)])?;
    }
    relations(&mut page, rules, rule)
}

/// Which rules it needs, which need it, where it comes from.
fn relations(page: &mut Page<'_>, rules: &RuleSet, rule: &Rule) -> io::Result<()> {
    let mut entry = |label: &str, text: &str| page.entry(BODY, label, &[(Ink::Plain, text)]);
    if !rule.needs.is_empty() {
        entry("needs", &rule.needs.join(", "))?;
    }
    let blocked = rules.rules().iter().filter(|other| other.needs.contains(&rule.id));
    let blocked: Vec<&str> = blocked.map(|other| &*other.id).collect();
    if !blocked.is_empty() {
        entry("blocks", &blocked.join(", "))?;
    }
    for address in &rule.docs {
        entry("docs", address)?;
    }
    if let Some(since) = &rule.since {
        entry("since", &format!("version {since}"))?;
    }
    for revision in &rule.changed {
        entry("changed", &format!("in {}: {}", revision.version, revision.what))?;
    }
    entry("defined", &format!("{}:{}", rule.origin.file, rule.origin.line))?;
    if let Some(change) = &rule.overridden {
        let what = match change.instead_of {
            Some(severity) => format!("{} instead of {severity}", rule.severity),
            None => "disabled".to_owned(),
        };
        let at = format!("{}:{}", change.origin.file, change.origin.line);
        entry("site", &format!("{what} ({at}): {}", change.reason))?;
    }
    Ok(())
}

fn conditions(
    page: &mut Page<'_>,
    label: &str,
    word: &str,
    tests: &[std::sync::Arc<Test>],
) -> io::Result<()> {
    let mut label = label;
    let mut word = word;
    for test in tests {
        page.entry(
            BODY,
            label,
            &[(Ink::Faint, word), (Ink::Plain, " "), (Ink::Plain, &sentence(test))],
        )?;
        (label, word) = ("", "and");
    }
    Ok(())
}

fn sentence(test: &Test) -> String {
    let absent = match test.absent {
        AbsentIs::Fail => "",
        AbsentIs::Pass => ", or is absent",
        AbsentIs::NotApplicable => ", if it is there",
    };
    format!("{} is {}{absent}", test.fact.name(), test.operator)
}

pub(super) fn tees(rule: &Rule) -> String {
    if rule.tees.len() == Tee::ALL.len() {
        return "any".to_owned();
    }
    rule.tees.iter().map(|tee| tee.word()).collect::<Vec<_>>().join(",")
}

/// What is wrong with rule files, each problem with the line that it is in.
pub fn lint(
    files: &[RuleFile<'_>],
    loaded: Result<&RuleSet, &LoadError>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let error = match loaded {
        Err(error) => error,
        Ok(rules) => {
            for file in files {
                let own = rules.rules().iter().filter(|rule| *rule.origin.file == *file.name);
                let changed = rules.rules().iter().filter_map(|rule| rule.overridden.as_ref());
                let changed = changed.filter(|change| *change.origin.file == *file.name);
                let text = format!(
                    ": {}, {}",
                    counted(own.count(), "rule"),
                    counted(changed.count(), "override")
                );
                let ok = (Ink::Good, "ok");
                page.headed(ok, &[(Ink::Strong, file.name), (Ink::Plain, &text)])?;
            }
            return Ok(());
        }
    };
    for problem in error.problems.iter().take(SHOWN) {
        let source = files.iter().find(|each| *each.name == *problem.file);
        self::problem(&mut page, problem, source.map(|each| each.text))?;
    }
    if error.problems.len() > SHOWN {
        let text = format!("and {} more", error.problems.len() - SHOWN);
        page.wrapped(0, 0, &[(Ink::Plain, &text)])?;
    }
    page.blank()?;
    page.wrapped(0, 0, &[(Ink::Bad, &counted(error.problems.len(), "problem"))])
}

/// One problem of a file, with the line that it is in.
pub(super) fn problem(
    page: &mut Page<'_>,
    problem: &Problem,
    text: Option<&str>,
) -> io::Result<()> {
    let Problem { file, line, column, message } = problem;
    let place = format!("{file}:{line}:{column}: ");
    page.wrapped(0, 4, &[(Ink::Strong, &place), (Ink::Plain, message)])?;
    match text.and_then(|text| line_of(text, *line)) {
        Some(source) => excerpt(page, source, *line, *column),
        None => Ok(()),
    }
}

/// Longer lines are cut on both sides of the problem.
const EXCERPT: usize = 72;

/// The line of a problem, and a mark below its place.
fn excerpt(page: &mut Page<'_>, source: &str, line: u32, column: u32) -> io::Result<()> {
    let column = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let start = if column < EXCERPT { 0 } else { column - EXCERPT / 2 };
    let before: String = source.chars().skip(start).take(column - start).collect();
    let behind: String =
        source.chars().skip(column).take(EXCERPT - before.chars().count()).collect();
    let number = format!("{line:>6} | ");
    let shown = super::visible::visible(&before).width();
    page.verbatim(0, &[(Ink::Faint, &number), (Ink::Plain, &before), (Ink::Plain, &behind)])?;
    page.verbatim(number.len() + shown, &[(Ink::Bad, "^")])
}

fn line_of(text: &str, line: u32) -> Option<&str> {
    text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)
}

pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
