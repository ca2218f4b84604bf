//! What the texts ask for: the arguments of both variables, and where each is written.

use std::ops::Range;

use super::{DEFAULT, DEFAULTS, Defaults, LINUX, Refused, refused};
use crate::format::grub_cfg;
use crate::format::shell_vars::{
    Assignment, Condition, Doubt, Environment, Evaluation, Expansion, File, Kind, Known, Part,
    PartKind, Place, Script, Span, Variable, evaluate, parse,
};

/// Both variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub linux: Option<Line>,
    pub default: Option<Line>,
}

/// The value of one of the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub words: Vec<Word>,
    /// The assignment that decides the value.
    pub site: Site,
}

/// Where a value is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site {
    pub file: usize,
    /// From 1.
    pub line: u32,
    pub word: Span,
}

/// One argument, split off as GRUB splits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it stands in the value, quotes for GRUB included.
    pub raw: Vec<u8>,
    /// Without those; none where a variable of GRUB is in it.
    text: Option<Vec<u8>>,
    /// The file, the line and the bytes of each stretch; none for what no file wrote.
    pub written: Vec<Option<(usize, u32, Span)>>,
}

impl Word {
    pub(super) fn plain(text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        Self { raw: text.clone(), text: Some(text), written: Vec::new() }
    }

    /// The argument as the kernel gets it. None where that is not known here, or where GRUB quotes it for
    /// the kernel, so that it is no plain word.
    pub(super) fn kernel_text(&self) -> Option<&str> {
        let text = std::str::from_utf8(self.text.as_deref()?).ok()?;
        let is_quoted = |byte: u8| byte.is_ascii_whitespace() || b"\"'\\\x0b".contains(&byte);
        (!text.bytes().any(is_quoted)).then_some(text)
    }

    /// Whether it is written without any quotes for GRUB.
    pub(super) fn is_bare(&self) -> bool {
        self.text.as_ref() == Some(&self.raw)
    }

    /// Whether it is the `--` behind which the kernel reads no more.
    pub(super) fn ends_kernel(&self) -> bool {
        self.text.as_deref() == Some(b"--")
    }

    /// Bytes that it takes in the line that GRUB hands over. A variable of GRUB counts as it is written.
    pub(super) fn length(&self) -> usize {
        let text = self.text.as_ref().unwrap_or(&self.raw);
        let escaped = text.iter().filter(|byte| b"\"'\\".contains(byte)).count();
        text.len() + escaped + if text.contains(&b' ') { 2 } else { 0 }
    }
}

impl Asked {
    pub(super) fn read(defaults: &Defaults) -> Result<Self, Refused> {
        let files = files(defaults);
        let evaluation = evaluate(&files, Environment::grub(), defaults.dialect);
        let linux = line(defaults, &evaluation, LINUX)?;
        let default = line(defaults, &evaluation, DEFAULT)?;
        Ok(Self { linux, default })
    }

    /// All arguments, in the order of the kernel's line.
    pub(super) fn words(&self) -> impl Iterator<Item = &Word> {
        [&self.linux, &self.default].into_iter().flatten().flat_map(|line| &line.words)
    }
}

pub(super) fn files(defaults: &Defaults) -> Vec<File<'_>> {
    defaults.files.iter().map(|(path, text)| File { path, text }).collect()
}

fn line(
    defaults: &Defaults,
    evaluation: &Evaluation<'_>,
    name: &str,
) -> Result<Option<Line>, Refused> {
    let known = match evaluation.variable(name) {
        Variable::Known(known) => known,
        Variable::Unset => return Ok(None),
        Variable::NotDecidable(doubt) => {
            let why = format!("`{name}` cannot be told without running this: {}", doubt.why);
            return Err(at(&doubt, why));
        }
        Variable::Aborts(doubt) => {
            let why = format!("the shell stops here, and so does `update-grub`: {}", doubt.why);
            return Err(at(&doubt, why));
        }
    };
    let Some((place, word)) = known.assignments.last().and_then(|last| last.place.zip(last.word))
    else {
        return Err(refused(DEFAULTS, None, format!("no file assigns `{name}`")));
    };
    let site = Site { file: index(defaults, place.path), line: place.line, word };
    let words = words(defaults, &known).map_err(|what| {
        let why = format!("the value of `{name}` holds {what}");
        refused(place.path, Some(place.line), why)
    })?;
    Ok(Some(Line { words, site }))
}

fn words(defaults: &Defaults, known: &Known<'_, '_>) -> Result<Vec<Word>, &'static str> {
    let value = known.value.bytes();
    if value.iter().any(|byte| matches!(*byte, 0x0b | 0x0c | 0xa0)) {
        return Err("a byte at which the kernel splits arguments and GRUB does not");
    }
    let written = |range: Range<usize>| {
        let stretch =
            |(place, span): (Place<'_>, Span)| (index(defaults, place.path), place.line, span);
        known.written(range).into_iter().map(|one| one.map(stretch)).collect()
    };
    let word = |argument: grub_cfg::Argument| Word {
        raw: value.get(argument.range.clone()).unwrap_or_default().to_vec(),
        text: argument.text,
        written: written(argument.range),
    };
    Ok(grub_cfg::arguments(value)?.into_iter().map(word).collect())
}

fn at(doubt: &Doubt<'_>, why: String) -> Refused {
    match doubt.place {
        Some(place) => refused(place.path, Some(place.line), why),
        None => refused(DEFAULTS, None, why),
    }
}

fn index(defaults: &Defaults, path: &str) -> usize {
    defaults.files.iter().position(|(other, _)| other == path).unwrap_or_default()
}

/// The assignments at top level of one text, in order.
pub(super) fn assignments(text: &[u8]) -> Vec<Assignment<'_>> {
    let script: Script<'_> = parse(text);
    let lists = script.statements.into_iter().filter_map(|statement| match statement.kind {
        Kind::Assignments { list, .. } => Some(list),
        _ => None,
    });
    lists.flatten().collect()
}

/// Why an assignment is not of the one form that is edited: text in any quotes, behind the variable's own
/// earlier value or not.
pub(super) fn why_not_plain(assignment: &Assignment<'_>) -> Option<&'static str> {
    if assignment.append {
        return Some("it is assigned with `+=`");
    }
    let mut text_before = false;
    for part in &assignment.value.parts {
        match &part.kind {
            PartKind::Literal => text_before |= !part.span.is_empty(),
            PartKind::Expansion(expansion) if !is_own(expansion, assignment.name) => {
                return Some("it is put together from other variables");
            }
            PartKind::Expansion(_) if text_before => {
                return Some("its own earlier value stands behind other text");
            }
            PartKind::Expansion(_) => {}
            PartKind::Undecidable(why) => return Some(why),
        }
    }
    None
}

/// Whether an expansion is `$NAME`, `${NAME}` or `${NAME:+$NAME }`.
fn is_own(expansion: &Expansion<'_>, name: &str) -> bool {
    let word_is_own = |part: &Part<'_>| match &part.kind {
        PartKind::Literal => true,
        PartKind::Expansion(inner) => inner.name == name && inner.condition.is_none(),
        PartKind::Undecidable(_) => false,
    };
    let form = match expansion.condition {
        None => true,
        Some(Condition { when_set, .. }) => when_set && expansion.word.iter().all(word_is_own),
    };
    expansion.name == name && form
}
