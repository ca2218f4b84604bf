//! A small document of texts, lists and tables, and its form in YAML and JSON.
//!
//! Every value is quoted in YAML: a pod may be called `on` or `1e3`, and must stay a text.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A value; a table keeps the order in which it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Text(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// A table of these keys.
pub(super) fn table<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Table(entries.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
}

pub(super) fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => to.collect_seq(items),
            Self::Table(entries) => {
                let mut map = to.serialize_map(Some(entries.len()))?;
                for (key, node) in entries {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

impl Node {
    /// The document in YAML, with a newline at its end.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        self.block(0, &mut out);
        out
    }

    fn block(&self, indent: usize, out: &mut String) {
        match self {
            Self::Text(text) => {
                out.push_str(&quoted(text));
                out.push('\n');
            }
            Self::List(items) => {
                for item in items {
                    out.push_str(&" ".repeat(indent));
                    out.push_str("- ");
                    item.after_dash(indent + 2, out);
                }
            }
            Self::Table(entries) => {
                for (key, node) in entries {
                    out.push_str(&" ".repeat(indent));
                    entry(key, node, indent, out);
                }
            }
        }
    }

    /// The first entry of a table stands behind the dash of the list that it is in.
    fn after_dash(&self, indent: usize, out: &mut String) {
        let Self::Table(entries) = self else {
            if matches!(self, Self::List(_)) {
                out.push('\n');
            }
            return self.block(indent, out);
        };
        for (number, (key, node)) in entries.iter().enumerate() {
            if number > 0 {
                out.push_str(&" ".repeat(indent));
            }
            entry(key, node, indent, out);
        }
    }
}

fn entry(key: &str, node: &Node, indent: usize, out: &mut String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./-_".contains(&byte);
    let letter = key.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    if letter && key.bytes().all(plain) && !is_word_of_yaml(key) {
        out.push_str(key);
    } else {
        out.push_str(&quoted(key));
    }
    out.push(':');
    match node {
        Node::Text(text) => {
            out.push(' ');
            out.push_str(&quoted(text));
            out.push('\n');
        }
        other => {
            out.push('\n');
            other.block(indent + 2, out);
        }
    }
}

/// What YAML 1.1 takes for something else than a text.
fn is_word_of_yaml(word: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    WORDS.iter().any(|it| it.eq_ignore_ascii_case(word))
}

/// A double-quoted scalar of printable ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            // Writing to a String does not fail.
            c => drop(write!(out, "\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
