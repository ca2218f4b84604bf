//! The last word on an edit: what the texts mean before and after it, compared in full.

use std::collections::BTreeSet;

use super::argument::{self, Argument, Match};
use super::asked::{self, Asked, Line, Word};
use super::{DEFAULT, DEFAULTS, Defaults, LINUX, Refused, refused};
use crate::format::shell_vars::{Effect, Environment, Evaluation, Kind, Variable, evaluate, parse};

/// Refuses an edit after which anything but the arguments asked for has changed, or they have not.
pub(super) fn check(
    (before, asked_before): (&Defaults, &Asked),
    (after, asked_after): (&Defaults, &Asked),
    add: &[Argument<'_>],
    remove: &[Argument<'_>],
) -> Result<(), Refused> {
    let refuse = |why: String| Err(refused(DEFAULTS, None, why));
    for argument in remove {
        if argument::count(asked_after, argument) > 0 {
            return refuse(format!("`{}` would still be there", argument.text));
        }
    }
    for argument in add {
        let was_there = argument::is_effective(asked_before, argument);
        if !argument::is_effective(asked_after, argument)
            || (!was_there && argument::count(asked_after, argument) != 1)
        {
            return refuse(format!("`{}` would not be there, once and last", argument.text));
        }
    }
    let all: Vec<&Argument<'_>> = add.iter().chain(remove).collect();
    let kept = |line: &Option<Line>| kept(line.as_ref(), &all);
    if kept(&asked_before.linux) != kept(&asked_after.linux)
        || kept(&asked_before.default) != kept(&asked_after.default)
    {
        return refuse("another argument would change with it".to_owned());
    }
    others(before, after)
}

/// The other arguments of a line, in order.
fn kept(line: Option<&Line>, all: &[&Argument<'_>]) -> Vec<Vec<u8>> {
    let words = line.map(|line| line.words.as_slice()).unwrap_or_default();
    words.iter().filter_map(|word| without(word, all)).collect()
}

/// An argument without the members that are asked for; none where nothing is left.
fn without(word: &Word, all: &[&Argument<'_>]) -> Option<Vec<u8>> {
    let mut left = word.clone();
    for argument in all {
        match argument.matches(&left) {
            Match::No => {}
            Match::Whole => return None,
            Match::Member { at, rest } => {
                let key = left.kernel_text().and_then(|text| text.get(..at)).unwrap_or_default();
                left = Word::plain(&format!("{key}{rest}"));
            }
        }
    }
    Some(left.raw)
}

/// Every other variable must be what it was.
fn others(before: &Defaults, after: &Defaults) -> Result<(), Refused> {
    let names: BTreeSet<String> = [before, after].into_iter().flat_map(names).collect();
    let (files_before, files_after) = (asked::files(before), asked::files(after));
    let one = evaluate(&files_before, Environment::grub(), before.dialect);
    let two = evaluate(&files_after, Environment::grub(), after.dialect);
    match names.iter().find(|name| !is_same(&one, &two, name)) {
        Some(name) => {
            let why = format!("`{name}` takes its value from there, and would change too");
            Err(refused(DEFAULTS, None, why))
        }
        None => Ok(()),
    }
}

fn names(defaults: &Defaults) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, text) in &defaults.files {
        for statement in parse(text).statements {
            match statement.kind {
                Kind::Assignments { list, .. } => {
                    names.extend(list.iter().map(|one| one.name.to_owned()));
                }
                Kind::Opaque { effect: Effect::Names(some), .. } => {
                    names.extend(some.into_iter().map(str::to_owned));
                }
                Kind::Opaque { .. } | Kind::Aborts { .. } => {}
            }
        }
    }
    names.remove(LINUX);
    names.remove(DEFAULT);
    names
}

fn is_same(one: &Evaluation<'_>, two: &Evaluation<'_>, name: &str) -> bool {
    match (one.variable(name), two.variable(name)) {
        (Variable::Known(one), Variable::Known(two)) => one.value.bytes() == two.value.bytes(),
        (Variable::NotDecidable(one), Variable::NotDecidable(two)) => one.why == two.why,
        (one, two) => one == Variable::Unset && two == Variable::Unset,
    }
}
