//! Where and how the nodes of a document are written, for editors that change a few bytes of it.

use super::{Document, Kind, NodeId};

/// The place of a node in its text, in bytes from the text's start (after a byte order mark, where there
/// is one; a text in UTF-16 counts as UTF-8), and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its anchor and tag are within.
    pub start: usize,
    /// After its last byte; a block collection ends with its last part. A value that is left out is empty.
    pub end: usize,
    pub style: Style,
    /// Whether it has an anchor or a tag.
    pub decorated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// A literal or folded scalar, over lines of its own.
    BlockScalar,
    /// A collection by indentation.
    Block,
    /// A collection between brackets.
    Flow,
    Alias,
}

impl Document {
    pub fn written(&self, node: NodeId) -> Written {
        self.node(node).written
    }

    /// Whether this is the only document of its text.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// The pairs of a map as they are written, merges among them; empty for anything but a map, and for
    /// an alias.
    pub fn pairs(&self, map: NodeId) -> impl DoubleEndedIterator<Item = (NodeId, NodeId)> {
        let parts = match &self.node(map).kind {
            Kind::Mapping(parts) => parts.as_slice(),
            _ => &[],
        };
        parts.as_chunks().0.iter().map(|[key, value]| (*key, *value))
    }
}
