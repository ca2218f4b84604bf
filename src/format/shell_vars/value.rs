//! Values with the lines that they came from, and the answers given about a variable.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::script::Span;

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place<'t> {
    pub path: &'t str,
    /// From 1.
    pub line: u32,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.path, self.line)
    }
}

/// Why a variable cannot be told, or why the shell stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt<'t> {
    /// The line to blame; none where the variable comes from outside all files.
    pub place: Option<Place<'t>>,
    pub why: Cow<'static, str>,
}

/// The bytes of a variable. They may be anything, a carriage return of a CRLF file among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// A stretch of a value that stands in a text as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Behind its last byte in the value.
    end: usize,
    /// The number of the assignment whose text it is.
    origin: usize,
    /// Where its first byte stands in the text of that assignment's file.
    at: usize,
}

impl Value {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value as text, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// What it costs to copy the value, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() + self.pieces.len() * size_of::<Piece>()
    }

    /// Adds bytes that stand at `at` in the text of an assignment.
    pub(super) fn push(&mut self, bytes: &[u8], origin: usize, at: usize) {
        if bytes.is_empty() {
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        let before = self.pieces.len().checked_sub(2).and_then(|i| self.pieces.get(i));
        let begins = before.map_or(0, |piece| piece.end);
        match self.pieces.last_mut() {
            Some(last) if last.origin == origin && last.at + (start - begins) == at => {
                last.end = end;
            }
            _ => self.pieces.push(Piece { end, origin, at }),
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        let mut start = 0;
        for &Piece { end, origin, at } in &other.pieces {
            self.push(other.bytes.get(start..end).unwrap_or_default(), origin, at);
            start = end;
        }
    }

    /// The assignments whose text stands in a range of bytes, in its order; one may come twice.
    pub(super) fn origins(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        self.stretches(range).map(|(origin, _)| origin)
    }

    /// The same with the place of each stretch in the text of its assignment's file.
    fn stretches(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Span)> {
        let first = self.pieces.partition_point(|piece| piece.end <= range.start);
        let mut start = first.checked_sub(1).and_then(|i| self.pieces.get(i)).map_or(0, |p| p.end);
        self.pieces.iter().skip(first).map_while(move |&Piece { end, origin, at }| {
            let begins = std::mem::replace(&mut start, end);
            let from = begins.max(range.start);
            let to = end.min(range.end);
            let span = Span { start: at + (from - begins), end: at + (to.max(from) - begins) };
            (begins < range.end).then_some((origin, span))
        })
    }
}

/// One assignment of a variable, or a statement that may have assigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned<'e, 't> {
    /// None for a variable that was set before the first file.
    pub place: Option<Place<'t>>,
    /// The value's word in the text of its file; none for a statement that is not evaluated.
    pub word: Option<Span>,
    /// The value it gave at that point, where that can be told.
    pub value: Option<&'e Value>,
    /// The later assignment that put something else in its place, rather than adding to it.
    pub overridden_by: Option<Place<'t>>,
}

/// A variable's value and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<'e, 't> {
    pub value: &'e Value,
    /// Every assignment in the order of execution; the last one gave the value.
    pub assignments: Vec<Assigned<'e, 't>>,
    /// The place of every assignment of the evaluation, by number.
    pub(super) places: &'e [Option<Place<'t>>],
}

/// A stretch of a value between white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'e, 't> {
    pub bytes: &'e [u8],
    /// The lines that contributed to it, in its order.
    pub from: Vec<Place<'t>>,
}

impl<'e, 't> Known<'e, 't> {
    /// The lines that contributed a range of the value's bytes, in its order, each once.
    pub fn places(&self, range: Range<usize>) -> Vec<Place<'t>> {
        let mut places = Vec::new();
        for origin in self.value.origins(range) {
            if let Some(place) = self.places.get(origin).copied().flatten()
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        places
    }

    /// Where a range of the value's bytes is written, in its order: the assignment's line, and the bytes in
    /// the text of that file. None is a variable that was set before the first file. Quotes, escaping
    /// backslashes and continued lines lie between.
    pub fn written(&self, range: Range<usize>) -> Vec<Option<(Place<'t>, Span)>> {
        let place = |(origin, span)| {
            let place = self.places.get(origin).copied().flatten()?;
            Some((place, span))
        };
        self.value.stretches(range).map(place).collect()
    }

    /// The words between white space. Quotes within the value are not looked at: they mean something to
    /// the reader of the value only.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'e, 't>> {
        let bytes = self.value.bytes();
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = bytes.get(at..)?;
            let start = at + rest.iter().position(|byte| !is_space(*byte))?;
            let rest = bytes.get(start..)?;
            let length = rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len());
            at = start + length;
            Some(Token { bytes: bytes.get(start..at)?, from: self.places(start..at) })
        })
    }
}

/// White space as the kernel counts it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
