//! One map of a text, between brackets or by indentation, and how a pair of it comes, changes and goes.

use std::collections::HashSet;

use super::Doubt;
use super::flow::{after_value, is_blank};
use super::splice::{Lines, Splice};
use crate::format::yaml::{Document, NodeId, Scalar, Style, Syntax, Value, Written};

/// Spaces of one level, where the text does not show its own.
const INDENT: usize = 2;

/// Whether a value is written between quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    InJson,
}

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: NodeId,
    pub(super) value: NodeId,
}

/// A map that may be edited: no name of it stands twice, nothing is merged into it, nothing refers to it.
pub(super) struct Map<'a> {
    pub(super) text: &'a str,
    pub(super) document: &'a Document,
    pub(super) written: Written,
    pub(super) pairs: Vec<Pair>,
}

impl<'a> Map<'a> {
    pub(super) fn new(text: &'a str, document: &'a Document, node: NodeId) -> Result<Self, Doubt> {
        let (written, line) = (document.written(node), document.line(node));
        if written.decorated || !matches!(written.style, Style::Block | Style::Flow) {
            return Err(Doubt::at(line, "a map with an anchor or a tag, or an alias of one"));
        }
        let pairs: Vec<Pair> =
            document.pairs(node).map(|(key, value)| Pair { key, value }).collect();
        let map = Self { text, document, written, pairs };
        let mut seen = HashSet::new();
        for pair in &map.pairs {
            let line = document.line(pair.key);
            if let Value::Scalar(Scalar::Merge) = document.value(pair.key) {
                return Err(Doubt::at(line, "another map is merged into this one with <<"));
            }
            if let Some(name) = map.name(*pair)
                && !seen.insert(name)
            {
                return Err(Doubt::at(line, format!("the key {name} stands twice")));
            }
        }
        Ok(map)
    }

    fn name(&self, pair: Pair) -> Option<&'a str> {
        match self.document.value(pair.key) {
            Value::Scalar(Scalar::Text(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn is_block(&self) -> bool {
        self.written.style == Style::Block
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn lines(&self) -> Lines<'a> {
        Lines(self.text)
    }

    pub(super) fn is_json(&self) -> bool {
        self.document.syntax() == Syntax::Json
    }

    pub(super) fn key(&self, pair: Pair) -> Written {
        self.document.written(pair.key)
    }

    pub(super) fn value(&self, pair: Pair) -> Written {
        self.document.written(pair.value)
    }

    pub(super) fn doubt(&self, pair: Pair, why: impl Into<String>) -> Doubt {
        Doubt::at(self.document.line(pair.key), why)
    }

    /// The pair of this name, where it is written plainly.
    pub(super) fn find(&self, name: &str) -> Result<Option<Pair>, Doubt> {
        let Some(pair) = self.pairs.iter().copied().find(|pair| self.name(*pair) == Some(name))
        else {
            return Ok(None);
        };
        let key = self.key(pair);
        if key.decorated || key.style == Style::Alias {
            return Err(self.doubt(pair, format!("the key {name} has an anchor or a tag")));
        }
        Ok(Some(pair))
    }

    /// Refuses a value that is more than a word or a quoted word on the line of its key.
    pub(super) fn plain(&self, pair: Pair, value: NodeId) -> Result<Written, Doubt> {
        let written = self.document.written(value);
        let scalar =
            matches!(written.style, Style::Plain | Style::SingleQuoted | Style::DoubleQuoted);
        if written.decorated || !scalar {
            return Err(self.doubt(pair, "the value has an anchor or a tag, or is no plain word"));
        }
        if self.lines().between(self.key(pair).start, written.end).contains('\n') {
            return Err(self.doubt(pair, "the value does not stand on the line of its key"));
        }
        Ok(written)
    }

    pub(super) fn replace(&self, pair: Pair, word: &str) -> Result<Vec<Splice>, Doubt> {
        let value = self.plain(pair, pair.value)?;
        if value.start < value.end {
            return Ok(vec![Splice { range: value.start..value.end, with: word.to_owned() }]);
        }
        if !self.is_block() {
            return Err(self.doubt(pair, "a key without a value"));
        }
        Ok(vec![self.after_colon(pair, &format!(" {word}"))?])
    }

    /// Puts a text right behind the colon of a pair.
    pub(super) fn after_colon(&self, pair: Pair, text: &str) -> Result<Splice, Doubt> {
        Ok(Splice::insert(self.colon(pair)?, text))
    }

    /// The place behind the colon.
    fn colon(&self, pair: Pair) -> Result<usize, Doubt> {
        let end = self.key(pair).end;
        let rest = self.lines().between(end, self.text.len());
        let blank = rest.len() - rest.trim_start_matches(' ').len();
        match rest.as_bytes().get(blank) {
            Some(b':') => Ok(end + blank + 1),
            _ => Err(self.doubt(pair, "no colon right after the key")),
        }
    }

    /// A pair more, after the last one.
    pub(super) fn add(&self, name: &str, word: &str, quotes: Quotes) -> Result<Vec<Splice>, Doubt> {
        if !self.is_block() {
            let word = match quotes {
                Quotes::InJson if self.is_json() => format!("\"{word}\""),
                _ => word.to_owned(),
            };
            return self.add_flow(name, &word);
        }
        let indentation = self.indentation()?;
        let line = format!("{indentation}{name}: {word}");
        Ok(vec![self.lines().insert_below(self.written.end, &[line])])
    }

    /// A section more, with one pair in it.
    pub(super) fn add_section(
        &self,
        section: &str,
        name: &str,
        word: &str,
    ) -> Result<Vec<Splice>, Doubt> {
        if !self.is_block() {
            return self.add_flow(section, &self.braces(name, word));
        }
        let indentation = self.indentation()?;
        let lines = [
            format!("{indentation}{section}:"),
            format!("{indentation}{}{name}: {word}", " ".repeat(self.level())),
        ];
        Ok(vec![self.lines().insert_below(self.written.end, &lines)])
    }

    /// The first pair of a section that says null, nothing or `{}`.
    pub(super) fn fill_section(
        &self,
        section: Pair,
        name: &str,
        word: &str,
    ) -> Result<Vec<Splice>, Doubt> {
        let value = self.value(section);
        if !self.is_block() {
            if value.start == value.end {
                return Err(self.doubt(section, "a key without a value"));
            }
            let with = self.braces(name, word);
            return Ok(vec![Splice { range: value.start..value.end, with }]);
        }
        let key = self.key(section);
        let lines = self.lines();
        if lines.between(key.start, value.end).contains('\n') {
            return Err(self.doubt(section, "the value does not stand on the line of its key"));
        }
        let indentation = self.indentation()?;
        let line = format!("{indentation}{}{name}: {word}", " ".repeat(self.level()));
        let colon = self.colon(section)?;
        let mut splices = vec![lines.insert_below(key.end, &[line])];
        if value.start < value.end {
            splices.push(Splice::delete(colon..value.end));
        }
        Ok(splices)
    }

    pub(super) fn remove(&self, pair: Pair) -> Result<Vec<Splice>, Doubt> {
        let value = self.plain(pair, pair.value)?;
        if !self.is_block() {
            return self.remove_flow(pair);
        }
        let (key, lines) = (self.key(pair), self.lines());
        let after = lines.between(value.end.max(self.colon(pair)?), lines.end(value.end));
        if lines.indentation(key.start, false).is_none() || !is_blank(after) {
            return Err(self.doubt(pair, "more than this setting stands on its line"));
        }
        Ok(vec![lines.delete(key.start)])
    }

    /// What stands before the keys of a map by indentation.
    fn indentation(&self) -> Result<&'a str, Doubt> {
        let Some(first) = self.pairs.first().copied() else {
            return Err(Doubt::new("a map without keys"));
        };
        self.lines()
            .indentation(self.key(first).start, false)
            .ok_or_else(|| self.doubt(first, "the first key does not stand alone before its value"))
    }

    /// Spaces by which the text indents a map in this one.
    fn level(&self) -> usize {
        let column = |node: NodeId| {
            let start = self.document.written(node).start;
            start - self.lines().start(start)
        };
        self.pairs
            .iter()
            .filter(|pair| self.value(**pair).style == Style::Block)
            .filter_map(|pair| {
                let (first, _) = self.document.pairs(pair.value).next()?;
                column(first).checked_sub(column(pair.key))
            })
            .find(|level| (1..=16).contains(level))
            .unwrap_or(INDENT)
    }

    /// Whether the value of the pair ends at this place, or at a comma after it: both places.
    pub(super) fn end_of(&self, pair: Pair) -> Result<(usize, Option<usize>), Doubt> {
        let end = self.value(pair).end.max(self.key(pair).end);
        let rest = self.lines().between(end, self.written.end);
        let comma = after_value(rest, !self.is_json())
            .map_err(|()| self.doubt(pair, "something unexpected stands after the value"))?;
        Ok((end, comma.map(|comma| end + comma)))
    }
}
