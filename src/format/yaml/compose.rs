//! YAML events into a tree of nodes.

use std::collections::HashMap;

use libyaml_safer::{Error, Event, EventData, Parser};

use super::scalar::{self, Presentation};
use super::{Document, Kind, MAX_DEPTH, Node, NodeId, Scalar, Syntax, YamlError, line_number};

pub(super) fn parse(text: &[u8]) -> Result<Document, YamlError> {
    refuse_many_tags(text)?;
    refuse_tag_before_comma(text)?;
    let mut input = text;
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut composer = Composer::default();
    loop {
        let event = parser.parse().map_err(|error| syntax(&error))?;
        let line = line_number(event.start_mark.line);
        match event.data {
            EventData::DocumentStart { version_directive: Some(version), .. }
                if (version.major, version.minor) != (1, 1) =>
            {
                return Err(YamlError::Syntax {
                    line: Some(line),
                    what: "only %YAML 1.1 is read".to_owned(),
                });
            }
            EventData::DocumentEnd { .. } | EventData::StreamEnd => break,
            _ => composer.take(event, line)?,
        }
    }
    let document = composer.finish();
    document.check_use()?;
    Ok(document)
}

/// The parser compares every `%TAG` line with all others, so that their number must be bounded. No
/// configuration has one.
fn refuse_many_tags(text: &[u8]) -> Result<(), YamlError> {
    const LIMIT: usize = 100;
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).zip(1..);
    match lines.by_ref().filter(|(line, _)| line.starts_with(b"%TAG")).nth(LIMIT) {
        Some((_, line)) => Err(YamlError::Unsupported { line, tag: "%TAG".to_owned() }),
        None => Ok(()),
    }
}

/// A tag with a comma right behind it, as in `[!a,b]`, is an error to Go and makes the parser panic. What
/// only looks so, in a comment or a quoted text, is refused as well: no configuration has any.
fn refuse_tag_before_comma(text: &[u8]) -> Result<(), YamlError> {
    let wide = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    // What can stand right before a tag: a blank, of which some are not ASCII, or the end of a token.
    let ends = |byte: u8| wide || !byte.is_ascii_graphic() || b"[]{},:?\"'".contains(&byte);
    let (mut line, mut before, mut in_tag) = (1, b' ', false);
    for &byte in text {
        match byte {
            0 if wide => continue,
            b',' if in_tag => {
                let what = "did not find expected whitespace or line break".to_owned();
                return Err(YamlError::Syntax { line: Some(line), what });
            }
            0 | b' ' | b'\t' | b'\r' | b'\n' | b'"' => in_tag = false,
            b'!' => in_tag |= ends(before),
            _ => {}
        }
        line = line.saturating_add(u32::from(byte == b'\n'));
        before = byte;
    }
    Ok(())
}

/// The parser's words without its name for the stage and without the place, which is told apart.
fn syntax(error: &Error) -> YamlError {
    let text = error.to_string();
    let words = text.split_once(": ").map_or(text.as_str(), |(_, words)| words);
    let words = match words.split_once(": ") {
        Some((place, words)) if place.starts_with("line ") => words,
        _ => words,
    };
    YamlError::Syntax {
        line: error.problem_mark().map(|mark| line_number(mark.line)),
        what: words.to_owned(),
    }
}

#[derive(Default)]
struct Composer {
    nodes: Vec<Node>,
    anchors: HashMap<String, NodeId>,
    open: Vec<Open>,
    root: Option<NodeId>,
}

/// A sequence or mapping that has not ended yet, and its children so far.
struct Open {
    node: NodeId,
    children: Vec<NodeId>,
}

impl Composer {
    fn take(&mut self, event: Event, line: u32) -> Result<(), YamlError> {
        match event.data {
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                let presentation = match tag {
                    // "No specific tag" makes even a quoted scalar plain.
                    Some(tag) if tag == "!" => Presentation::Plain,
                    Some(tag) => Presentation::Tagged(tag),
                    None if plain_implicit => Presentation::Plain,
                    None => Presentation::Quoted,
                };
                let scalar = scalar::resolve(value, presentation, line)?;
                let node = self.add(Kind::Scalar(scalar), line);
                self.name(anchor, node);
                self.attach(node);
            }
            EventData::Alias { anchor } => {
                let Some(target) = self.anchors.get(&anchor).copied() else {
                    return Err(YamlError::UnknownAnchor { line, name: anchor });
                };
                let node = self.add(Kind::Alias(target), line);
                self.attach(node);
            }
            EventData::SequenceStart { anchor, .. } => {
                self.begin(Kind::Sequence(Vec::new()), anchor, line)?;
            }
            EventData::MappingStart { anchor, .. } => {
                self.begin(Kind::Mapping(Vec::new()), anchor, line)?;
            }
            EventData::SequenceEnd | EventData::MappingEnd => self.end(),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, line: u32) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { line, kind });
        id
    }

    /// An anchor may be given again; the alias means the one above it.
    fn name(&mut self, anchor: Option<String>, node: NodeId) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node);
        }
    }

    fn attach(&mut self, node: NodeId) {
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn begin(&mut self, kind: Kind, anchor: Option<String>, line: u32) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::TooDeep { line });
        }
        let node = self.add(kind, line);
        self.name(anchor, node);
        self.attach(node);
        self.open.push(Open { node, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        if let Some(Open { node, children: found }) = self.open.pop()
            && let Kind::Sequence(children) | Kind::Mapping(children) =
                &mut self.nodes[node.0 as usize].kind
        {
            *children = found;
        }
    }

    fn finish(mut self) -> Document {
        let root = match self.root {
            Some(root) => root,
            None => self.add(Kind::Scalar(Scalar::Null), 1),
        };
        Document { nodes: self.nodes, root, syntax: Syntax::Yaml }
    }
}
