//! TOML files laid over each other, with the file and line of every value.
//!
//! Kata Containers, containerd and CRI-O all read a main file and further files after it. Tables are
//! merged key by key; any other value replaces what stood there. What a key means is not known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub file: Arc<str>,
    /// Counts from 1.
    pub line: u32,
    pub value: Value,
}

/// The values that are looked at; all others are named by their type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Bool(bool),
    Array(Vec<Item>),
    Table(Table),
    Other(&'static str),
}

/// Keys and their values, in the order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, Item>);

/// Why a text is no TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no valid TOML: {what}")]
pub struct TomlError {
    /// Counts from 1.
    pub line: u32,
    pub what: String,
}

impl Value {
    /// What it is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Bool(_) => "a bool",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Table {
    /// Reads a text; `file` is what its values are said to come from. A mark at its start is no part of it.
    pub fn parse(file: &str, text: &str) -> Result<Self, TomlError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let reader = Reader { file: Arc::from(file), starts: line_starts(text) };
        match DeTable::parse(text) {
            Ok(table) => Ok(reader.table(table.get_ref())),
            Err(error) => Err(TomlError {
                line: reader.line(error.span().map_or(0, |span| span.start)),
                what: error.message().to_owned(),
            }),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Item> {
        self.0.get(key)
    }

    /// What stands at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Item> {
        let (last, tables) = path.split_last()?;
        let mut table = self;
        for key in tables {
            table = table.get(key)?.value.table()?;
        }
        table.get(last)
    }

    /// The table at the end of a path of keys.
    pub fn table_at(&self, path: &[&str]) -> Option<&Self> {
        self.at(path).and_then(|item| item.value.table())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.0.iter().map(|(key, item)| (key.as_str(), item))
    }

    pub fn remove(&mut self, key: &str) -> Option<Item> {
        self.0.remove(key)
    }

    pub fn insert(&mut self, key: &str, item: Item) {
        self.0.insert(key.to_owned(), item);
    }

    /// The table below a key, to be changed.
    pub fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.0.get_mut(key)?.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Lays a later file over this one.
    pub fn lay_over(&mut self, later: Self) {
        // Not by recursion: depth is bounded by the parser, but so it costs no stack at all.
        let mut open: Vec<(Vec<String>, Self)> = vec![(Vec::new(), later)];
        while let Some((path, later)) = open.pop() {
            let Some(here) = path.iter().try_fold(&mut *self, |table, key| table.table_mut(key))
            else {
                continue;
            };
            for (key, item) in later.0 {
                match (here.0.get(&key).map(|item| &item.value), item.value) {
                    (Some(Value::Table(_)), Value::Table(table)) => {
                        let below = path.iter().cloned().chain([key]).collect();
                        open.push((below, table));
                    }
                    (_, value) => {
                        here.0.insert(key, Item { value, ..item });
                    }
                }
            }
        }
    }
}

struct Reader {
    file: Arc<str>,
    starts: Vec<usize>,
}

impl Reader {
    fn table(&self, table: &DeTable<'_>) -> Table {
        let item = |value: &toml::Spanned<DeValue<'_>>, start| self.item(value.get_ref(), start);
        Table(
            table
                .iter()
                .map(|(key, value)| {
                    (key.get_ref().clone().into_owned(), item(value, key.span().start))
                })
                .collect(),
        )
    }

    /// The parser bounds how deep values nest, and so this recursion.
    fn item(&self, value: &DeValue<'_>, start: usize) -> Item {
        let value = match value {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Value::Other("an integer beyond 64 bits"), Value::Integer),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => Value::Array(
                items.iter().map(|each| self.item(each.get_ref(), each.span().start)).collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Item { file: Arc::clone(&self.file), line: self.line(start), value }
    }

    fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
}

#[cfg(test)]
#[path = "toml_tree_tests.rs"]
mod tests;
