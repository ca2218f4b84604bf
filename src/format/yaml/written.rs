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

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of all pairs of the root and of the maps in it, and their styles.
    fn parts(text: &str) -> Vec<(&str, Style, bool)> {
        let document = Document::parse(text.as_bytes()).unwrap();
        let mut open = vec![document.root()];
        let mut found = Vec::new();
        while let Some(node) = open.pop() {
            for (key, value) in document.pairs(node) {
                for node in [key, value] {
                    let Written { start, end, style, decorated } = document.written(node);
                    found.push((&text[start..end], style, decorated));
                }
                open.push(value);
            }
        }
        found
    }

    #[test]
    fn places_are_told_in_bytes() {
        use Style::{Alias, Block, BlockScalar, DoubleQuoted, Flow, Plain, SingleQuoted};

        let text = "# é 指\nmap: # c\n  - 1\n  - 'é' # d\n\n'flow': {\"a\": &x é, b: *x}\nnone:\ntext: |\n  é\n";
        assert_eq!(
            parts(text),
            [
                ("map", Plain, false),
                ("- 1\n  - 'é'", Block, false),
                ("'flow'", SingleQuoted, false),
                ("{\"a\": &x é, b: *x}", Flow, false),
                ("none", Plain, false),
                ("", Plain, false),
                ("text", Plain, false),
                ("|\n  é\n", BlockScalar, false),
                ("\"a\"", DoubleQuoted, false),
                ("&x é", Plain, true),
                ("b", Plain, false),
                ("*x", Alias, false),
            ]
        );
        assert_eq!(
            parts("{ \"é\": [1, {\"b\": 2}],\n\"c\" :null}\n"),
            [
                ("\"é\"", DoubleQuoted, false),
                ("[1, {\"b\": 2}]", Flow, false),
                ("\"c\"", DoubleQuoted, false),
                ("null", Plain, false),
            ]
        );
        assert_eq!(parts("a: |\n  b")[1], ("|\n  b", BlockScalar, false));
    }

    #[test]
    fn a_document_alone_has_nothing_but_comments_after_it() {
        let alone = |text: &str| Document::parse(text.as_bytes()).unwrap().is_alone();
        for text in ["a: 1\n", "---\na: 1\n...\n# end\n", "a: 1", "{\"a\": 1}", "# c\n{a: 1}\n"] {
            assert!(alone(text), "{text:?}");
        }
        for text in ["a: 1\n---\nb: 2\n", "a: 1\n---\n", "a: 1\n...\nb: 2\n", "a: 1\n--- {broken"] {
            assert!(!alone(text), "{text:?}");
        }
    }
}
