//! A plan for a person: what is done about each failure, every change as a unified difference, and what
//! follows from it.

use std::io::{self, Write};

use super::page::{Ink, Look, Margin, Page};
use super::{Report, RuleResult, Status};
use crate::plan::{Action, Fate, FileChange, Plan, Proposal, StepKind};
use crate::rules::Severity;

const BODY: Margin = Margin { indent: 4, label: 10 };

/// What is shown besides the proposal.
#[derive(Debug, Default)]
pub struct Setting<'a> {
    /// What the host calls itself.
    pub host: &'a str,
    /// The tree, where it is not the running machine.
    pub tree: Option<&'a str>,
    /// Commands that are left to be run on the machine itself.
    pub left_to_run: &'a [String],
    /// What the host's own kubelet said of its new configuration.
    pub kubelet_says: Option<&'a str>,
}

/// Writes the whole plan.
pub fn render(
    report: &Report,
    proposal: &Proposal,
    setting: &Setting<'_>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let place = setting.tree.map_or(String::new(), |tree| format!(" in {tree}"));
    page.wrapped(0, 2, &[(Ink::Strong, setting.host), (Ink::Plain, &place)])?;
    for (number, step) in (1..).zip(&proposal.plan.steps) {
        page.blank()?;
        let rules: Vec<&str> = step.rules.iter().map(|rule| &**rule).collect();
        let (verb, what) = words(&step.kind);
        page.wrapped(
            0,
            3,
            &[
                (Ink::Faint, &format!("{number}. ")),
                (Ink::Strong, verb),
                (Ink::Plain, &format!(" {what}")),
                (Ink::Faint, &format!(" ({})", rules.join(", "))),
            ],
        )?;
        if let StepKind::Write(change) = &step.kind {
            difference(&mut page, change)?;
        }
    }
    others(&mut page, report, proposal)?;
    untold(&mut page, report)?;
    page.blank()?;
    effects(&mut page, &proposal.plan, setting)
}

fn words(kind: &StepKind) -> (&'static str, String) {
    match kind {
        StepKind::Write(change) => match (&change.before, &change.after) {
            (None, _) => ("create", change.path.clone()),
            (Some(_), Some(_)) => ("change", change.path.clone()),
            (Some(_), None) => ("remove", change.path.clone()),
        },
        StepKind::Act(Action::GenerateBootMenu(menu)) => (
            "generate",
            format!(
                "{} with {}, beside it, and swap it in if nothing but the arguments differs",
                menu.target, menu.generator
            ),
        ),
        StepKind::Act(action @ Action::UpdateLoaderEntries(_)) => {
            ("update", format!("the loader entries: {}", action.command()))
        }
        StepKind::Act(action @ Action::RebuildInitramfs(_)) => {
            ("rebuild", format!("the initramfs of every kernel: {}", action.command()))
        }
        StepKind::Act(Action::RestartKubelet { unit }) => {
            ("restart", format!("{unit}, and watch it until it is sure to stay up"))
        }
    }
}

/// A unified difference in colours.
fn difference(page: &mut Page<'_>, change: &FileChange) -> io::Result<()> {
    for line in change.difference().lines() {
        let ink = match line.as_bytes().first() {
            Some(b'-') => Ink::Removed,
            Some(b'+') => Ink::Added,
            Some(b'@' | b'\\') => Ink::Faint,
            _ => Ink::Plain,
        };
        page.verbatim(3, &[(ink, line)])?;
    }
    Ok(())
}

/// The failures that the plan does nothing about, and why.
fn others(page: &mut Page<'_>, report: &Report, proposal: &Proposal) -> io::Result<()> {
    for (rule, fate) in &proposal.fates {
        let result = report.results.iter().find(|result| result.rule.id == rule.id);
        let (ink, word, why) = match fate {
            Fate::Planned => continue,
            Fate::InPlace => (Ink::Advised, "DONE", "is written, and takes effect at a reboot"),
            Fate::Withheld => (Ink::Advised, "UNSAFE", "has a fix that takes --unsafe"),
            Fate::LeftOut => (Ink::Advised, "LEFT", "has a fix, and is left to a person"),
            Fate::Refused(_) => (Ink::Bad, "REFUSED", "cannot be mended here"),
            Fate::Manual if result.is_some_and(RuleResult::waits_for_a_reboot) => {
                (Ink::Advised, "REBOOT", "takes effect at a reboot")
            }
            Fate::Manual => (Ink::Command, "MANUAL", "needs a person"),
        };
        page.blank()?;
        page.headed((ink, word), &[(Ink::Strong, &rule.id), (Ink::Plain, &format!(" {why}"))])?;
        if let Some(fix) = result.and_then(RuleResult::fix).filter(|_| *fate == Fate::Withheld) {
            let edits: Vec<String> = fix.edits.iter().map(ToString::to_string).collect();
            page.labelled(BODY, "would", &edits.join(", "))?;
        }
        if let Fate::Refused(refusal) = fate {
            page.labelled(BODY, "because", &refusal.why.to_string())?;
            commands(page, refusal.instead.iter().map(String::as_str))?;
        }
        if *fate == Fate::Manual || matches!(fate, Fate::Refused(it) if it.instead.is_empty()) {
            result.map_or(Ok(()), |result| advice(page, result))?;
        }
    }
    Ok(())
}

/// Of what could not be judged nothing is known that could be mended, and nothing is said to be right.
fn untold(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for result in report.with(Severity::Required, Status::Unknown) {
        page.blank()?;
        let text = " could not be judged; `ccgpu-node check` says why";
        page.headed(
            (Ink::Unsure, "UNKNOWN"),
            &[(Ink::Strong, &result.rule.id), (Ink::Plain, text)],
        )?;
    }
    Ok(())
}

fn advice(page: &mut Page<'_>, result: &RuleResult) -> io::Result<()> {
    for advice in result.advice() {
        page.labelled(BODY, "do", &advice.text)?;
        commands(page, advice.command.iter().flat_map(|command| command.trim().lines()))?;
    }
    Ok(())
}

fn commands<'c>(page: &mut Page<'_>, lines: impl Iterator<Item = &'c str>) -> io::Result<()> {
    let indent = BODY.indent + BODY.label;
    lines
        .into_iter()
        .try_for_each(|line| page.verbatim(indent, &[(Ink::Faint, "$ "), (Ink::Command, line)]))
}

fn effects(page: &mut Page<'_>, plan: &Plan, setting: &Setting<'_>) -> io::Result<()> {
    if plan.is_empty() && setting.left_to_run.is_empty() {
        return page.wrapped(0, 2, &[(Ink::Strong, "Nothing to change"), (Ink::Plain, " here.")]);
    }
    if let Some(said) = setting.kubelet_says {
        page.wrapped(0, 2, &[(Ink::Plain, &format!("The host's own kubelet: {said}."))])?;
    }
    if plan.restarts_kubelet() {
        let text =
            "The kubelet restarts; pods keep running, and it is put back if it does not stay up.";
        page.wrapped(0, 2, &[(Ink::Plain, text)])?;
    }
    if plan.needs_reboot() {
        let text = "A reboot is needed, and is not done here.";
        page.wrapped(0, 2, &[(Ink::Advised, text)])?;
    }
    if !setting.left_to_run.is_empty() {
        page.wrapped(0, 2, &[(Ink::Advised, "Left to be run on the machine itself:")])?;
        commands(page, setting.left_to_run.iter().map(String::as_str))?;
    }
    if plan.is_empty() {
        return Ok(());
    }
    page.wrapped(0, 2, &[(Ink::Faint, "plan "), (Ink::Plain, &plan.digest().to_string())])
}
