//! Whether a new boot menu is the old one with other arguments, and with nothing else.
//!
//! Two looks, since neither sees all: the entries, as GRUB reads them, for the words of a refusal; and
//! every line that is no comment, which must be the same to the byte but for the words of the change in
//! those that boot a kernel. That also refuses what a person changed in the generator's settings and never
//! generated: it takes effect by their own hand and not as a surprise of ours.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::error::shown;
use crate::format::cmdline::{Cmdline, Param, normal_key};
use crate::format::grub_cfg::{GrubCfg, Item, Kernel};
use crate::plan::ArgumentChange;

/// Why the menus differ in more than `change`, or why the new one does not have it, in words.
pub fn compare(old: &[u8], new: &[u8], change: &ArgumentChange) -> Result<(), String> {
    let change = Change::of(change);
    let before = Menu::read(old).map_err(|why| format!("the menu that boots now {why}"))?;
    let after = Menu::read(new).map_err(|why| format!("the new menu {why}"))?;
    same_kernels(&before, &after)?;
    same_entries(&before, &after, &change)?;
    same_lines(&before, &after, &change)?;
    let takes_effect = after
        .config
        .entries()
        .filter(|item| !item.is_recovery())
        .any(|item| item.kernels.iter().all(|kernel| change.is_made(&after.words(kernel))));
    if takes_effect {
        return Ok(());
    }
    Err(format!("no entry of the new menu has what was asked for: {}", change.in_words()))
}

struct Menu<'a> {
    text: &'a [u8],
    config: GrubCfg,
}

impl<'a> Menu<'a> {
    fn read(text: &'a [u8]) -> Result<Self, String> {
        let config = GrubCfg::parse(text)
            .map_err(|error| format!("cannot be read, line {}: {error}", error.line()))?;
        if config.entries().next().is_none() {
            return Err("boots no Linux".to_owned());
        }
        Ok(Self { text, config })
    }

    /// What a kernel is given, word by word; variables whose value the boot decides as they are named.
    fn words(&self, kernel: &Kernel) -> Vec<String> {
        let arguments = self.config.arguments(kernel, None);
        let line = Cmdline::parse(&arguments.line);
        let certain = line.with_init().map(|param| word(&param));
        let maybe = arguments.maybe.iter().map(|word| String::from_utf8_lossy(word).into_owned());
        let hidden = arguments.undecided.iter().map(|name| format!("${name}"));
        certain.chain(maybe).chain(hidden).collect()
    }

    /// The lines that count, with their numbers from 1: no comment, and not empty. What a `linux` command
    /// says of the change is left out; a word that a variable or a `;` clings to is another word.
    fn lines(&self, change: &Change) -> impl Iterator<Item = (usize, Cow<'a, [u8]>)> {
        let kernels: BTreeSet<usize> = self
            .config
            .items
            .iter()
            .flat_map(|item| &item.kernels)
            .filter_map(|kernel| usize::try_from(kernel.line).ok())
            .collect();
        let lines = (1..).zip(self.text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii));
        lines.filter(|(_, line)| !(line.is_empty() || line.starts_with(b"#"))).map(
            move |(number, line)| {
                if !kernels.contains(&number) {
                    return (number, Cow::Borrowed(line));
                }
                let words = line.split(u8::is_ascii_whitespace).filter(|text| {
                    let words = Cmdline::parse(text);
                    !(text.is_empty() || words.params().any(|param| change.concerns(&word(&param))))
                });
                (number, Cow::Owned(words.collect::<Vec<_>>().join(&b' ')))
            },
        )
    }
}

/// A parameter in the one way of writing it: `-` and `_` are the same in its name, quotes are not part of
/// it.
fn word(param: &Param<'_>) -> String {
    match param.value {
        Some(value) => format!("{}={value}", normal_key(param.key)),
        None => normal_key(param.key),
    }
}

/// The change, in that way of writing.
struct Change {
    add: Vec<String>,
    /// Without what is also added, as a word that only moves.
    remove: Vec<String>,
}

impl Change {
    fn of(change: &ArgumentChange) -> Self {
        let words = |texts: &[String]| -> Vec<String> {
            let words = |text: &String| -> Vec<String> {
                Cmdline::parse(text.as_bytes()).with_init().map(|param| word(&param)).collect()
            };
            texts.iter().flat_map(words).collect()
        };
        let add = words(&change.add);
        let mut remove = words(&change.remove);
        remove.retain(|word| !add.contains(word));
        Self { add, remove }
    }

    fn is_made(&self, words: &[String]) -> bool {
        self.add.iter().all(|word| words.contains(word))
            && !self.remove.iter().any(|word| words.contains(word))
    }

    fn concerns(&self, word: &String) -> bool {
        self.add.contains(word) || self.remove.contains(word)
    }

    /// Whether `after` is `before` with the change, with a part of it, or with none of it.
    fn explains(&self, before: &[String], after: &[String]) -> Result<(), String> {
        let others = |words: &[String]| -> Vec<String> {
            words.iter().filter(|word| !self.concerns(word)).cloned().collect()
        };
        let (old, new) = (others(before), others(after));
        if old != new {
            let missing = |from: &[String], other: &[String]| {
                from.iter().find(|word| !other.contains(word)).cloned()
            };
            return Err(match (missing(&old, &new), missing(&new, &old)) {
                (Some(gone), Some(come)) => format!("{} became {}", shown(&gone), shown(&come)),
                (Some(gone), None) => format!("{} is gone", shown(&gone)),
                (None, Some(come)) => format!("{} has come", shown(&come)),
                (None, None) => "the same arguments stand in another order or number".to_owned(),
            });
        }
        // What is to come must not go, and the other way round.
        if let Some(word) = self.add.iter().find(|it| before.contains(it) && !after.contains(it)) {
            return Err(format!("{} is gone, which was to be there", shown(word)));
        }
        match self.remove.iter().find(|it| !before.contains(it) && after.contains(it)) {
            Some(word) => Err(format!("{} has come, which was to be gone", shown(word))),
            None => Ok(()),
        }
    }

    fn in_words(&self) -> String {
        let add = self.add.iter().map(|word| format!("with {}", shown(word)));
        let remove = self.remove.iter().map(|word| format!("without {}", shown(word)));
        add.chain(remove).collect::<Vec<_>>().join(", ")
    }
}

/// The files that are booted. A kernel that came or went since is the difference that is met most.
fn same_kernels(before: &Menu<'_>, after: &Menu<'_>) -> Result<(), String> {
    let paths = |menu: &Menu<'_>| -> Result<BTreeSet<String>, String> {
        let kernels = menu.config.entries().flat_map(|item| &item.kernels);
        kernels
            .map(|kernel| {
                kernel.path().ok_or_else(|| {
                    format!("line {}: the path of the kernel cannot be told", kernel.line)
                })
            })
            .collect()
    };
    let (old, new) = (paths(before)?, paths(after)?);
    if let Some(path) = old.difference(&new).next() {
        return Err(format!("the kernel {} is no longer in it", shown(path)));
    }
    match new.difference(&old).next() {
        Some(path) => Err(format!(
            "the kernel {} is in it, which the menu that boots now does not have",
            shown(path)
        )),
        None => Ok(()),
    }
}

fn same_entries(before: &Menu<'_>, after: &Menu<'_>, change: &Change) -> Result<(), String> {
    let mut new = after.config.items.iter();
    for old in &before.config.items {
        let Some(new) = new.next() else {
            return Err(format!("the entry {} is gone", named(old)));
        };
        if (&old.title, &old.id, old.parent, old.is_submenu)
            != (&new.title, &new.id, new.parent, new.is_submenu)
        {
            return Err(format!("{} stands where {} was", named(new), named(old)));
        }
        if old.kernels.len() != new.kernels.len() {
            return Err(format!("the entry {} boots in another way", named(old)));
        }
        for (old_kernel, new_kernel) in old.kernels.iter().zip(&new.kernels) {
            if old_kernel.path() != new_kernel.path() {
                return Err(format!("the entry {} boots another kernel", named(old)));
            }
            change
                .explains(&before.words(old_kernel), &after.words(new_kernel))
                .map_err(|why| format!("in the entry {}, {why}", named(old)))?;
        }
    }
    match new.next() {
        Some(new) => Err(format!("the entry {} has come", named(new))),
        None => Ok(()),
    }
}

fn named(item: &Item) -> String {
    format!("\"{}\"", shown(&item.title))
}

fn same_lines(before: &Menu<'_>, after: &Menu<'_>, change: &Change) -> Result<(), String> {
    let (mut old, mut new) = (before.lines(change), after.lines(change));
    loop {
        let text = |line: &[u8]| shown(&String::from_utf8_lossy(line));
        return match (old.next(), new.next()) {
            (Some((_, old)), Some((_, new))) if old == new => continue,
            (Some((_, old)), Some((number, new))) => {
                Err(format!("line {number} is \"{}\" and was \"{}\"", text(&new), text(&old)))
            }
            (Some((number, old)), None) => {
                Err(format!("line {number}, \"{}\", is gone", text(&old)))
            }
            (None, Some((number, new))) => {
                Err(format!("line {number}, \"{}\", has come", text(&new)))
            }
            (None, None) => Ok(()),
        };
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
