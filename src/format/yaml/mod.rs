//! YAML 1.1 and JSON texts as Go programs see them, with the line of every value.
//!
//! The parser is a port of the one that Go's own YAML package descends from, and scalars get the types
//! that package gives them (`yes` is true, `0x10` is 16, `null` is no value). Texts come from hosts that
//! nobody vouches for, so aliases stay references, depth is bounded, and nothing here recurses. What a
//! document means is not known here.

mod compose;
mod flatten;
mod json;
mod scalar;
mod text;
mod written;

use std::borrow::Cow;
use std::collections::HashSet;

pub use flatten::Entry;
pub use written::{Style, Written};

/// Levels of nesting; Go's YAML and JSON readers both stop here.
const MAX_DEPTH: usize = 10_000;

/// One document: nodes that refer to each other by index.
#[derive(Debug)]
pub struct Document {
    nodes: Vec<Node>,
    root: NodeId,
    syntax: Syntax,
    /// Whether nothing but comments follows it.
    alone: bool,
}

/// A node of one [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// What a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Yaml,
    Json,
}

#[derive(Debug)]
struct Node {
    line: u32,
    written: Written,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Scalar(Scalar),
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias(NodeId),
}

/// A value without parts, by the type that Go gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Integer(i128),
    /// A number that no integer field takes.
    Float(f64),
    Text(String),
    /// The key `<<`, unquoted.
    Merge,
}

/// A node's value, aliases followed.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Scalar(&'a Scalar),
    Sequence(&'a [NodeId]),
    Mapping,
}

impl Value<'_> {
    /// What it is called in a message.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Scalar(Scalar::Null) => "null",
            Self::Scalar(Scalar::Bool(_)) => "a bool",
            Self::Scalar(Scalar::Integer(_) | Scalar::Float(_)) => "a number",
            Self::Scalar(Scalar::Text(_) | Scalar::Merge) => "a string",
            Self::Sequence(_) => "a list",
            Self::Mapping => "a map",
        }
    }
}

/// Why a text is no document. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    #[error("no valid YAML: {what}")]
    Syntax { line: Option<u32>, what: String },
    #[error("no valid JSON: {what}")]
    Json { line: u32, what: &'static str },
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep { line: u32 },
    #[error("unknown anchor {name:?}")]
    UnknownAnchor { line: u32, name: String },
    #[error("an anchor that contains itself")]
    Cycle { line: u32 },
    #[error("excessive aliasing")]
    Aliasing { line: u32 },
    #[error("cannot be taken for {tag}")]
    Tag { line: u32, tag: String },
    #[error("a key that is {what}")]
    Key { line: u32, what: &'static str },
    #[error("only a map can be merged with <<")]
    Merge { line: u32 },
    #[error("{what} cannot be written as JSON")]
    NotJson { line: u32, what: &'static str },
    /// Valid, but not read by this program.
    #[error("{what} is not understood here")]
    Unsupported { line: u32, what: String },
}

impl YamlError {
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Syntax { line, .. } => *line,
            Self::Json { line, .. }
            | Self::TooDeep { line }
            | Self::UnknownAnchor { line, .. }
            | Self::Cycle { line }
            | Self::Aliasing { line }
            | Self::Tag { line, .. }
            | Self::Key { line, .. }
            | Self::Merge { line }
            | Self::NotJson { line, .. }
            | Self::Unsupported { line, .. } => Some(*line),
        }
    }
}

/// Two times the same key in one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    pub line: u32,
    pub key: String,
}

impl Document {
    /// Reads a text as Kubernetes programs do: strict JSON where the first byte that is no blank is `{`,
    /// YAML otherwise. Of several YAML documents only the first is read. An empty text is the null value.
    pub fn parse(text: &[u8]) -> Result<Self, YamlError> {
        if first_visible(text) == Some(b'{') { json::parse(text) } else { compose::parse(text) }
    }

    pub fn root(&self) -> NodeId {
        self.root
    }

    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    pub fn line(&self, node: NodeId) -> u32 {
        self.node(node).line
    }

    pub fn value(&self, node: NodeId) -> Value<'_> {
        match &self.node(self.target(node)).kind {
            Kind::Scalar(scalar) => Value::Scalar(scalar),
            Kind::Sequence(items) => Value::Sequence(items),
            // An alias leads to a node that is none, so that this arm only serves mappings.
            Kind::Mapping(_) | Kind::Alias(_) => Value::Mapping,
        }
    }

    /// The first key that stands twice in one map, wherever that map is; merged keys count.
    pub fn first_duplicate(&self) -> Option<Duplicate> {
        let mut seen = HashSet::new();
        (0..self.nodes.len()).find_map(|index| {
            let node = NodeId(u32::try_from(index).ok()?);
            if !matches!(self.node(node).kind, Kind::Mapping(_)) {
                return None;
            }
            seen.clear();
            self.entries(node).into_iter().find_map(|entry| {
                let Entry { key, line, .. } = entry;
                (!seen.insert(key.clone())).then(|| Duplicate { line, key: key.into_owned() })
            })
        })
    }

    fn node(&self, node: NodeId) -> &Node {
        // Ids are made only by this module, together with their node.
        &self.nodes[node.0 as usize]
    }

    fn target(&self, node: NodeId) -> NodeId {
        match self.node(node).kind {
            Kind::Alias(target) => target,
            _ => node,
        }
    }

    /// A key as the text that it becomes in JSON; `None` where it cannot become one.
    fn key_text(&self, key: NodeId) -> Option<Cow<'_, str>> {
        match &self.node(self.target(key)).kind {
            Kind::Scalar(Scalar::Text(text)) => Some(Cow::Borrowed(text)),
            Kind::Scalar(Scalar::Bool(value)) => {
                Some(Cow::Borrowed(if *value { "true" } else { "false" }))
            }
            Kind::Scalar(Scalar::Integer(value)) => Some(Cow::Owned(value.to_string())),
            Kind::Scalar(Scalar::Float(value)) => Some(Cow::Owned(value.to_string())),
            Kind::Scalar(Scalar::Merge) => Some(Cow::Borrowed("<<")),
            _ => None,
        }
    }
}

/// The first byte that is no blank; blanks are what Go's `unicode.IsSpace` takes for such in ASCII.
fn first_visible(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))
}

/// The line after so many line ends, counting from 1.
fn line_number(lines_before: u64) -> u32 {
    u32::try_from(lines_before.saturating_add(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
