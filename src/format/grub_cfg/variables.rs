//! What a variable can be worth when GRUB boots an entry, and what a word becomes with it.
//!
//! A configuration is a program, and it is not run here. A variable has a value where every way through
//! the file gives it the same one; where the ways differ in literal texts, all of them are kept; anything
//! else is unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::GrubEnv;
use super::lexer::{Part, Word};

/// No value is longer, and no word becomes longer by its variables: the kernel cuts its line at half of
/// this, so that what is longer is not known rather than copied again and again.
const LIMIT: usize = 4096;

/// No variable is assigned more often than this on ways that are not certain.
const WAYS: usize = 32;

/// One assignment in the file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    /// `None` where the value is made at boot time.
    pub(super) value: Option<Vec<u8>>,
    /// Whether every boot passes here.
    pub(super) certain: bool,
    /// Whether it happens only where the variable is empty: `if [ -z "${name}" ]`.
    pub(super) only_if_empty: bool,
}

/// What a file and its environment block say of variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Variables {
    pub(super) assignments: BTreeMap<String, Vec<Assignment>>,
    /// Whether the file reads the environment block.
    pub(super) loads_env: bool,
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Worth {
    One(Vec<u8>),
    /// One of these, decided at boot time.
    OneOf(BTreeSet<Vec<u8>>),
    Unknown,
}

/// The arguments of a `linux` command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The line that the loader hands to the kernel, in the loader's own quoting, without what is below.
    pub line: Vec<u8>,
    /// Words that are there in some boots and not in others, each in the loader's quoting.
    pub maybe: Vec<Vec<u8>>,
    /// Variables whose values nothing here tells; any argument may hide in them.
    pub undecided: BTreeSet<String>,
}

impl Variables {
    pub(super) fn assign(&mut self, name: String, mut assignment: Assignment) {
        if assignment.value.as_ref().is_some_and(|value| value.len() > LIMIT) {
            assignment.value = None;
        }
        let ways = self.assignments.entry(name).or_default();
        if assignment.certain {
            // Nothing before it is left.
            ways.clear();
        } else if ways.len() >= WAYS {
            // Too many to tell apart.
            if let Some(last) = ways.last_mut() {
                last.value = None;
            }
            return;
        }
        if ways.last() != Some(&assignment) {
            ways.push(assignment);
        }
    }

    /// `env` is `None` where it could not be read.
    fn worth(&self, name: &str, env: Option<&GrubEnv>) -> Worth {
        // Positional parameters and `$?` belong to the moment.
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Worth::Unknown;
        }
        let mut values: BTreeSet<Vec<u8>> = BTreeSet::new();
        let all = self.assignments.get(name).map_or(&[][..], Vec::as_slice);
        if !all.first().is_some_and(|first| first.certain) {
            // GRUB expands a variable that was never set to nothing.
            let start = match (self.loads_env, env) {
                (false, _) => "",
                (true, Some(env)) => env.get(name).unwrap_or_default(),
                (true, None) => return Worth::Unknown,
            };
            values.insert(start.as_bytes().to_vec());
        }
        // Before any value is copied, since this may be asked often.
        if all.iter().any(|assignment| assignment.value.is_none()) {
            return Worth::Unknown;
        }
        for assignment in all {
            let Some(value) = &assignment.value else { continue };
            if assignment.only_if_empty {
                if values.remove(&Vec::new()) {
                    values.insert(value.clone());
                }
            } else {
                values.insert(value.clone());
            }
        }
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(one), None) => Worth::One(one),
            (Some(one), Some(other)) => {
                Worth::OneOf([one, other].into_iter().chain(values).collect())
            }
            (None, _) => Worth::Unknown,
        }
    }

    /// The text of a word, where it is certain.
    pub(super) fn text(&self, word: &Word, env: Option<&GrubEnv>) -> Option<String> {
        let mut text = Vec::new();
        for part in &word.parts {
            match part {
                Part::Text(part) => text.extend_from_slice(part),
                Part::Variable { name, .. } => match self.worth(name, env) {
                    Worth::One(value) => text.extend_from_slice(&value),
                    Worth::OneOf(_) | Worth::Unknown => return None,
                },
            }
            if text.len() > LIMIT {
                return None;
            }
        }
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// What the words of a `linux` command, after the kernel's path, become.
    pub(super) fn arguments(&self, words: &[Word], env: Option<&GrubEnv>) -> Arguments {
        let mut arguments = Arguments::default();
        // What variables were worth so far, so that a hostile file cannot multiply itself.
        let mut spent = 0;
        let mut first = true;
        for word in words {
            let variable = word.parts.iter().find_map(|part| match part {
                Part::Variable { name, .. } => Some(name),
                Part::Text(_) => None,
            });
            let expanded = match variable {
                Some(name) if spent > LIMIT => Expanded::Unknown(name.clone()),
                _ => self.expand(word, env),
            };
            if variable.is_some() {
                spent += 8 + expanded.length();
            }
            match expanded {
                Expanded::Words(words) => {
                    for word in words {
                        if !std::mem::take(&mut first) {
                            arguments.line.push(b' ');
                        }
                        arguments.line.extend(loader_quoted(&word));
                    }
                }
                Expanded::Maybe(words) => {
                    arguments.maybe.extend(words.iter().map(|word| loader_quoted(word)));
                }
                Expanded::Unknown(name) => {
                    arguments.undecided.insert(name);
                }
            }
        }
        arguments
    }

    fn expand(&self, word: &Word, env: Option<&GrubEnv>) -> Expanded {
        if let [Part::Text(text)] = word.parts.as_slice() {
            return Expanded::Words(vec![text.clone()]);
        }
        let mut certain = Splitter::default();
        let mut choice: Option<(&str, BTreeSet<Vec<u8>>)> = None;
        for part in &word.parts {
            match part {
                Part::Text(text) => certain.quoted(text),
                Part::Variable { name, quoted } => match self.worth(name, env) {
                    Worth::One(value) if *quoted => certain.quoted(&value),
                    Worth::One(value) => certain.split(&value),
                    Worth::OneOf(values)
                        if choice.as_ref().is_none_or(|(held, _)| held == name) =>
                    {
                        choice = Some((name, values));
                    }
                    Worth::OneOf(_) | Worth::Unknown => return Expanded::Unknown(name.clone()),
                },
            }
            if let (true, Part::Variable { name, .. }) = (certain.length > LIMIT, part) {
                return Expanded::Unknown(name.clone());
            }
        }
        match choice {
            None => Expanded::Words(certain.words),
            Some((name, values)) => self.expand_each(word, name, &values, env),
        }
    }

    /// The same word with each value of its one undecided variable.
    fn expand_each(
        &self,
        word: &Word,
        chosen: &str,
        values: &BTreeSet<Vec<u8>>,
        env: Option<&GrubEnv>,
    ) -> Expanded {
        let mut words = Vec::new();
        for value in values {
            let mut splitter = Splitter::default();
            for part in &word.parts {
                match part {
                    Part::Text(text) => splitter.quoted(text),
                    Part::Variable { name, quoted } => {
                        let value = if name == chosen {
                            value.clone()
                        } else {
                            match self.worth(name, env) {
                                Worth::One(value) => value,
                                Worth::OneOf(_) | Worth::Unknown => {
                                    return Expanded::Unknown(name.clone());
                                }
                            }
                        };
                        if *quoted {
                            splitter.quoted(&value);
                        } else {
                            splitter.split(&value);
                        }
                        if splitter.length > LIMIT {
                            return Expanded::Unknown(name.clone());
                        }
                    }
                }
            }
            words.append(&mut splitter.words);
        }
        Expanded::Maybe(words)
    }
}

enum Expanded {
    Words(Vec<Vec<u8>>),
    Maybe(Vec<Vec<u8>>),
    Unknown(String),
}

impl Expanded {
    fn length(&self) -> usize {
        match self {
            Self::Words(words) | Self::Maybe(words) => words.iter().map(Vec::len).sum(),
            Self::Unknown(_) => 0,
        }
    }
}

/// Puts the parts of one word together; the value of a variable outside quotes may make several of it.
#[derive(Default)]
struct Splitter {
    words: Vec<Vec<u8>>,
    /// Whether the next part belongs to the last word.
    joins: bool,
    length: usize,
}

impl Splitter {
    fn quoted(&mut self, text: &[u8]) {
        self.length += text.len();
        match self.words.last_mut() {
            Some(word) if self.joins => word.extend_from_slice(text),
            _ => self.words.push(text.to_vec()),
        }
        self.joins = true;
    }

    fn split(&mut self, value: &[u8]) {
        for (index, piece) in value.split(u8::is_ascii_whitespace).enumerate() {
            if index > 0 {
                self.joins = false;
            }
            if !piece.is_empty() {
                self.quoted(piece);
            }
        }
    }
}

/// An argument as grub-core/lib/cmdline.c writes it: `\`, `'` and `"` get a backslash, except in
/// `\xHH`, and an argument with a blank gets quotes around all of it.
fn loader_quoted(argument: &[u8]) -> Vec<u8> {
    let spaced = argument.contains(&b' ');
    let mut out = Vec::with_capacity(argument.len() + 2);
    if spaced {
        out.push(b'"');
    }
    let mut rest = argument;
    while let Some((&byte, after)) = rest.split_first() {
        match rest {
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.extend_from_slice(&[b'\\', b'x', *high, *low]);
                rest = after;
                continue;
            }
            _ => {}
        }
        if matches!(byte, b'\\' | b'\'' | b'"') {
            out.push(b'\\');
        }
        out.push(byte);
        rest = after;
    }
    if spaced {
        out.push(b'"');
    }
    out
}
