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
    /// The end of each piece, and the number of the assignment whose text it is.
    pieces: Vec<(usize, usize)>,
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
        self.bytes.len() + self.pieces.len() * size_of::<(usize, usize)>()
    }

    pub(super) fn push(&mut self, bytes: &[u8], origin: usize) {
        self.bytes.extend_from_slice(bytes);
        let end = self.bytes.len();
        match self.pieces.last_mut() {
            Some((last, same)) if *same == origin => *last = end,
            _ if bytes.is_empty() => {}
            _ => self.pieces.push((end, origin)),
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        let mut start = 0;
        for &(end, origin) in &other.pieces {
            self.push(other.bytes.get(start..end).unwrap_or_default(), origin);
            start = end;
        }
    }

    /// The assignments whose text stands in a range of bytes, in its order; one may come twice.
    pub(super) fn origins(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let first = self.pieces.partition_point(|(end, _)| *end <= range.start);
        let mut start = first.checked_sub(1).and_then(|i| self.pieces.get(i)).map_or(0, |p| p.0);
        self.pieces.iter().skip(first).map_while(move |&(end, origin)| {
            let begins = std::mem::replace(&mut start, end);
            (begins < range.end).then_some(origin)
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
