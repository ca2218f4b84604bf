//! A TOML file as a tree of values that remember where they stand: a rule file, or the configuration.
//!
//! The build script compiles this file too: it writes the tree of each built-in file into the binary
//! as constants, so that no TOML is parsed at start. It must therefore use nothing of this crate, and
//! it must not know what a rule is.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) at: Position,
    pub(crate) node: Node,
}

/// The values of TOML that such a file may hold; all others are named by their type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(Cow<'static, str>),
    Integer(i64),
    Bool(bool),
    Array(Cow<'static, [Item]>),
    Table(Cow<'static, [Entry]>),
    Other(&'static str),
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Bool(_) => "true or false",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: Cow<'static, str>,
    pub(crate) at: Position,
    pub(crate) value: Item,
}

/// What the TOML parser objects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: Position,
    pub(crate) message: String,
}

/// Reads a text as far as it is TOML, with every objection to the rest.
pub(crate) fn parse(text: &str) -> (Item, Vec<SyntaxError>) {
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let errors = errors
        .iter()
        .map(|error| SyntaxError {
            at: lines.position(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })
        .collect();
    let node = Node::Table(Cow::Owned(entries(root.get_ref(), &lines)));
    (Item { at: Position { line: 1, column: 1 }, node }, errors)
}

fn entries(table: &DeTable<'_>, lines: &Lines<'_>) -> Vec<Entry> {
    table
        .iter()
        .map(|(key, value)| Entry {
            key: Cow::Owned(key.get_ref().clone().into_owned()),
            at: lines.position(key.span().start),
            value: item(value.get_ref(), value.span().start, lines),
        })
        .collect()
}

/// The parser bounds how deep values nest, and so this recursion.
fn item(value: &DeValue<'_>, start: usize, lines: &Lines<'_>) -> Item {
    let node = match value {
        DeValue::String(text) => Node::Text(Cow::Owned(text.clone().into_owned())),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Node::Other("an integer beyond 64 bits"), Node::Integer),
        DeValue::Boolean(value) => Node::Bool(*value),
        DeValue::Float(_) => Node::Other("a number with a fraction"),
        DeValue::Datetime(_) => Node::Other("a date"),
        DeValue::Array(items) => Node::Array(Cow::Owned(
            items.iter().map(|each| item(each.get_ref(), each.span().start, lines)).collect(),
        )),
        DeValue::Table(table) => Node::Table(Cow::Owned(entries(table, lines))),
    };
    Item { at: lines.position(start), node }
}

/// Turns byte offsets into lines and columns.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        // In a very long line bytes must do: counting its characters for each of its values would take
        // the square of its length. So must they for an offset inside a character.
        let before = self.text.get(start..offset).filter(|before| before.len() <= LONG_LINE);
        let column = before.map_or(offset.saturating_sub(start), |before| before.chars().count());
        Position { line: count(line), column: count(column + 1) }
    }
}

const LONG_LINE: usize = 4096;

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
