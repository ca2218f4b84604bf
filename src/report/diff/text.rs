//! The difference for a person at a terminal: what changed for the worse first, then facts, in the way of
//! a unified diff, then what could not be compared.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::diff::{Difference, FactChange, MemberChange, Plain, RuleChange, Seen, Side, SideKind};
use crate::report::human::evidence::{list, plural};
use crate::report::page::{Ink, Look, Page};
use crate::report::{Status, Verdict};

/// Members of a set, and ids in a list, that are shown before the rest is only counted.
const LISTED: usize = 12;
/// Characters of a value.
const LONGEST: usize = 400;

pub fn render(difference: &Difference<'_>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    side(&mut page, (Ink::Removed, "--- "), difference.a)?;
    side(&mut page, (Ink::Added, "+++ "), difference.b)?;
    rules(&mut page, difference)?;
    members(&mut page, &difference.members)?;
    let (one_sided, facts): (Vec<&FactChange<'_>>, Vec<&FactChange<'_>>) =
        difference.facts.iter().partition(|change| change.is_one_sided());
    section(&mut page, "Facts", &facts)?;
    section(&mut page, "Known on one side only", &one_sided)?;
    summary(&mut page, difference)
}

fn side(page: &mut Page<'_>, mark: (Ink, &str), side: &Side) -> io::Result<()> {
    let what = match side.kind {
        SideKind::Machine => "this machine",
        SideKind::Directory => "a directory",
        SideKind::Capture => "a captured host",
        SideKind::Report => "a report",
    };
    let tee = side.tee.map_or("not known".to_owned(), |tee| tee.to_string());
    let text = format!(": {}, {what}, judged at stage {} for tee {tee}: ", side.host, side.stage);
    let (ink, word) = match side.verdict {
        Verdict::Ready => (Ink::Good, "READY"),
        Verdict::NotReady => (Ink::Bad, "NOT READY"),
        Verdict::RebootRequired => (Ink::Advised, "READY AFTER A REBOOT"),
        Verdict::CannotTell => (Ink::Unsure, "CANNOT TELL"),
    };
    page.wrapped(0, 4, &[mark, (Ink::Strong, &side.name), (Ink::Plain, &text), (ink, word)])
}

fn heading(page: &mut Page<'_>, text: &str) -> io::Result<()> {
    page.blank()?;
    page.wrapped(0, 0, &[(Ink::Strong, text)])
}

/// What got worse, what got better, what is only otherwise; what waits for a rule is folded under it.
fn rules(page: &mut Page<'_>, difference: &Difference<'_>) -> io::Result<()> {
    if difference.rules.is_empty() {
        return Ok(());
    }
    heading(page, "Verdicts")?;
    let all = || difference.rules.iter();
    let now_waits = |it: &&RuleChange<'_>| it.after.status == Status::Blocked;
    // What waited for a rule that got better is no news of its own, unless it is bad.
    let released = |it: &&RuleChange<'_>| {
        let by = |root: &RuleChange<'_>| {
            root.is_better()
                && root.before.status != Status::Blocked
                && it.before.blocked_by.contains(&root.before.id)
        };
        it.before.status == Status::Blocked
            && matches!(it.after.status, Status::Pass | Status::NotApplicable)
            && all().any(by)
    };
    let waiting: Vec<&RuleChange<'_>> = all().filter(now_waits).collect();
    let free: Vec<&RuleChange<'_>> = all().filter(released).collect();
    let plain = || all().filter(|it| !now_waits(it) && !released(it));
    let worse = plain().filter(|it| it.is_worse());
    let better = plain().filter(|it| it.is_better());
    let other = plain().filter(|it| !it.is_worse() && !it.is_better());
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for (ink, word, change) in worse
        .map(|it| (Ink::Bad, "worse", it))
        .chain(better.map(|it| (Ink::Good, "better", it)))
        .chain(other.map(|it| (Ink::Plain, "other", it)))
    {
        let text = format!(": {}", words(change));
        let title = match change.after.status {
            Status::Fail => format!(": {}", change.after.title),
            _ => String::new(),
        };
        page.wrapped(
            2,
            4,
            &[
                (ink, word),
                (Ink::Plain, "  "),
                (Ink::Strong, &change.after.id),
                (Ink::Plain, &text),
                (Ink::Plain, &title),
            ],
        )?;
        let behind: Vec<&str> = waiting
            .iter()
            .filter(|it| it.after.blocked_by.contains(&change.after.id))
            .map(|it| it.after.id.as_str())
            .collect();
        if !behind.is_empty() {
            let text = format!("now waiting for it: {}", list(behind.iter(), LISTED));
            page.wrapped(4, 6, &[(Ink::Faint, &text)])?;
            said.extend(behind);
        }
        let waited: Vec<&str> = free
            .iter()
            .filter(|it| it.before.blocked_by.contains(&change.before.id))
            .map(|it| it.after.id.as_str())
            .collect();
        if !waited.is_empty() {
            let text = format!("good now, after waiting for it: {}", list(waited.iter(), LISTED));
            page.wrapped(4, 6, &[(Ink::Faint, &text)])?;
        }
    }
    let others: Vec<&str> =
        waiting.iter().map(|it| it.after.id.as_str()).filter(|id| !said.contains(id)).collect();
    if !others.is_empty() {
        let text = format!("now waiting for others: {}", list(others.iter(), LISTED));
        page.wrapped(2, 4, &[(Ink::Faint, &text)])?;
    }
    Ok(())
}

/// `pass -> fail`, with the severities where they differ too.
fn words(change: &RuleChange<'_>) -> String {
    let (before, after) = (change.before, change.after);
    if before.severity == after.severity {
        return format!("{} -> {}", before.status, after.status);
    }
    format!("{} ({}) -> {} ({})", before.status, before.severity, after.status, after.severity)
}

fn members(page: &mut Page<'_>, changes: &[MemberChange<'_>]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    heading(page, "Members")?;
    for change in changes {
        for (ink, mark, labels) in
            [(Ink::Removed, "- ", &change.only_a), (Ink::Added, "+ ", &change.only_b)]
        {
            if !labels.is_empty() {
                let items =
                    if labels.len() == 1 { change.item.to_owned() } else { plural(change.item) };
                let text = format!("{} {items}: {}", labels.len(), list(labels.iter(), LISTED));
                page.wrapped(2, 6, &[(ink, mark), (ink, &text)])?;
            }
        }
    }
    Ok(())
}

/// Changes of members that say the same are said once.
struct Fold<'c> {
    change: &'c FactChange<'c>,
    subjects: Vec<&'c str>,
}

fn section(page: &mut Page<'_>, title: &str, changes: &[&FactChange<'_>]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    heading(page, title)?;
    let mut folds: Vec<Fold<'_>> = Vec::new();
    for change in changes {
        let alike = |fold: &&mut Fold<'_>| {
            let one = fold.change;
            one.subject.is_some() == change.subject.is_some()
                && one.fact == change.fact
                && one.collection == change.collection
                && one.before == change.before
                && one.after == change.after
        };
        match folds.iter_mut().find(alike) {
            Some(fold) => fold.subjects.extend(change.subject),
            None => {
                folds.push(Fold { change, subjects: change.subject.into_iter().collect() });
            }
        }
    }
    for fold in &folds {
        write(page, fold)?;
    }
    Ok(())
}

fn write(page: &mut Page<'_>, fold: &Fold<'_>) -> io::Result<()> {
    let change = fold.change;
    let whom = match fold.subjects.as_slice() {
        [] => String::new(),
        [only] => format!(" of {only}"),
        many => format!(" of {} ({})", many.len(), list(many.iter(), LISTED)),
    };
    let volatile = change.volatile.map(|why| format!(" (volatile: {why})")).unwrap_or_default();
    page.wrapped(
        2,
        6,
        &[(Ink::Strong, change.fact), (Ink::Plain, &whom), (Ink::Faint, &volatile)],
    )?;
    if let (Seen::Known(Plain::Set(before)), Seen::Known(Plain::Set(after))) =
        (change.before, change.after)
    {
        let gone: Vec<&String> = before.difference(after).collect();
        let new: Vec<&String> = after.difference(before).collect();
        for (ink, mark, members) in [(Ink::Removed, "- ", gone), (Ink::Added, "+ ", new)] {
            if !members.is_empty() {
                let text = list(members.iter(), LISTED);
                page.wrapped(4, 6, &[(ink, mark), (ink, &text)])?;
            }
        }
        return Ok(());
    }
    page.wrapped(4, 6, &[(Ink::Removed, "- "), (Ink::Removed, &words_of(change.before))])?;
    page.wrapped(4, 6, &[(Ink::Added, "+ "), (Ink::Added, &words_of(change.after))])
}

fn words_of(seen: &Seen) -> String {
    match seen {
        Seen::Known(Plain::Bool(value)) => value.to_string(),
        Seen::Known(Plain::Integer(value)) => value.to_string(),
        Seen::Known(Plain::Text(text)) if text.is_empty() => "an empty text".to_owned(),
        Seen::Known(Plain::Text(text)) => cut(text).into_owned(),
        Seen::Known(Plain::Set(members)) if members.is_empty() => "none".to_owned(),
        Seen::Known(Plain::Set(members)) => list(members.iter(), LISTED),
        Seen::Absent => "absent".to_owned(),
        Seen::Unreadable(why) => format!("cannot be told: {why}"),
    }
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

fn summary(page: &mut Page<'_>, difference: &Difference<'_>) -> io::Result<()> {
    page.blank()?;
    let Difference { a, b, rules, members, facts, not_compared } = difference;
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    };
    if difference.is_none() {
        page.wrapped(0, 2, &[(Ink::Good, "No difference"), (Ink::Plain, " in what both have.")])?;
    } else {
        let members: usize = members.iter().map(|it| it.only_a.len() + it.only_b.len()).sum();
        let text = format!(
            "{} changed, {} only on one side, {} different.",
            count(rules.len(), "verdict"),
            count(members, "member"),
            count(facts.len(), "fact"),
        );
        page.wrapped(0, 2, &[(Ink::Strong, &text)])?;
    }
    let mut said = |text: &str| page.wrapped(2, 2, &[(Ink::Faint, text)]);
    if not_compared.volatile > 0 {
        let text = format!(
            "{} that change by themselves differ, too: --all shows them.",
            count(not_compared.volatile, "fact")
        );
        said(&text)?;
    }
    for (side, rules) in [(a, &not_compared.rules_of_a), (b, &not_compared.rules_of_b)] {
        if !rules.is_empty() {
            let text = format!(
                "Not compared, as only {} was judged by them: {}.",
                side.name,
                list(rules.iter(), LISTED)
            );
            said(&text)?;
        }
    }
    if not_compared.facts > 0 {
        let text = format!(
            "Not compared, as a report holds only what its rules looked at: {}.",
            count(not_compared.facts, "fact")
        );
        said(&text)?;
    }
    if a.members.is_none() || b.members.is_none() {
        said("Not compared, as a report does not tell them: which members there are.")?;
    }
    if not_compared.untold > 0 {
        let text = format!(
            "Not compared, as neither side could tell: {}.",
            count(not_compared.untold, "fact")
        );
        said(&text)?;
    }
    Ok(())
}
