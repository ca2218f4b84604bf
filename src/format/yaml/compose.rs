//! YAML events into a tree of nodes.

use std::collections::HashMap;

use libyaml_safer::{
    Encoding, Error, Event, EventData, MappingStyle, Parser, ScalarStyle, SequenceStyle,
};

use super::scalar::{self, Presentation};
use super::text;
use super::{
    Document, Kind, MAX_DEPTH, Node, NodeId, Scalar, Style, Syntax, Written, YamlError, line_number,
};

pub(super) fn parse(bytes: &[u8]) -> Result<Document, YamlError> {
    let text = text::prepare(bytes)?;
    let end = text.text.len() as u64;
    let mut input = text.text.as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut input);
    let mut composer = Composer::default();
    loop {
        let mut event = parser.parse().map_err(|error| syntax(&error, &text.text))?;
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
            EventData::DocumentEnd { .. } => {
                // What follows is not read, so that nothing in it is an error.
                composer.alone =
                    parser.parse().is_ok_and(|event| matches!(event.data, EventData::StreamEnd));
                break;
            }
            EventData::StreamEnd => break,
            EventData::Scalar {
                ref mut value,
                style: ScalarStyle::Literal | ScalarStyle::Folded,
                ..
            } if text.completed && event.end_mark.index >= end => {
                // The line break at its end is not the file's.
                if value.ends_with('\n') {
                    value.pop();
                }
                composer.take(event, line)?;
            }
            _ => composer.take(event, line)?,
        }
    }
    let document = composer.finish(text.text.len() - usize::from(text.completed));
    document.check_use()?;
    Ok(document)
}

/// The parser's words without its name for the stage and without the place, which is told apart.
fn syntax(error: &Error, text: &str) -> YamlError {
    let message = error.to_string();
    let words = message.split_once(": ").map_or(message.as_str(), |(_, words)| words);
    let words = match words.split_once(": ") {
        Some((place, words)) if place.starts_with("line ") => words,
        _ => words,
    };
    // The end of a text counts for its last line.
    let last = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    let line = error.problem_mark().map(|mark| line_number(mark.line).min(last.max(1)));
    match line {
        // Go takes `{a:, b: 1}`.
        Some(line) if words.starts_with("found unexpected ':'") => {
            YamlError::Unsupported { line, what: "a colon right before a comma".to_owned() }
        }
        _ => YamlError::Syntax { line, what: words.to_owned() },
    }
}

#[derive(Default)]
struct Composer {
    nodes: Vec<Node>,
    anchors: HashMap<String, NodeId>,
    open: Vec<Open>,
    root: Option<NodeId>,
    alone: bool,
}

/// A sequence or mapping that has not ended yet, and its children so far.
struct Open {
    node: NodeId,
    /// Between brackets, as all within it is then.
    flow: bool,
    children: Vec<NodeId>,
}

impl Composer {
    fn take(&mut self, event: Event, line: u32) -> Result<(), YamlError> {
        let mut written = Written {
            start: place(event.start_mark.index),
            end: place(event.end_mark.index),
            style: Style::Plain,
            decorated: false,
        };
        match event.data {
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                let plain = style == ScalarStyle::Plain;
                written.style = match style {
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::BlockScalar,
                    _ => Style::Plain,
                };
                written.decorated = anchor.is_some() || tag.is_some();
                // Here the parser is newer than Go's.
                if plain && value.contains('?') && self.open.last().is_some_and(|open| open.flow) {
                    let what = "a question mark inside a flow collection".to_owned();
                    return Err(YamlError::Syntax { line: Some(line), what });
                }
                let presentation = match tag {
                    Some(tag) => Presentation::Tagged(tag),
                    None if plain_implicit => Presentation::Plain,
                    None => Presentation::Quoted,
                };
                let scalar = match presentation {
                    Presentation::Tagged(tag) if tag == "!" && value == "<<" => Scalar::Merge,
                    presentation => scalar::resolve(value, presentation, line)?,
                };
                let node = self.add(Kind::Scalar(scalar), line, written);
                self.name(anchor, node);
                self.attach(node);
            }
            EventData::Alias { anchor } => {
                let Some(target) = self.anchors.get(&anchor).copied() else {
                    return Err(YamlError::UnknownAnchor { line, name: anchor });
                };
                written.style = Style::Alias;
                let node = self.add(Kind::Alias(target), line, written);
                self.attach(node);
            }
            EventData::SequenceStart { anchor, tag, style, .. } => {
                let flow = style == SequenceStyle::Flow;
                written.style = if flow { Style::Flow } else { Style::Block };
                written.decorated = anchor.is_some() || tag.is_some();
                self.begin(Kind::Sequence(Vec::new()), anchor, line, written)?;
            }
            EventData::MappingStart { anchor, tag, style, .. } => {
                let flow = style == MappingStyle::Flow;
                written.style = if flow { Style::Flow } else { Style::Block };
                written.decorated = anchor.is_some() || tag.is_some();
                self.begin(Kind::Mapping(Vec::new()), anchor, line, written)?;
            }
            EventData::SequenceEnd | EventData::MappingEnd => self.end(written.end),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, line: u32, written: Written) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { line, written, kind });
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

    fn begin(
        &mut self,
        kind: Kind,
        anchor: Option<String>,
        line: u32,
        written: Written,
    ) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::TooDeep { line });
        }
        let flow = written.style == Style::Flow;
        let node = self.add(kind, line, written);
        self.name(anchor, node);
        self.attach(node);
        self.open.push(Open { node, flow, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self, place: usize) {
        let Some(Open { node, flow, children: found }) = self.open.pop() else { return };
        // The parser sees the end of a block only where the next thing begins.
        let end = match found.last() {
            _ if flow => place,
            Some(last) => self.nodes[last.0 as usize].written.end,
            None => self.nodes[node.0 as usize].written.start,
        };
        let node = &mut self.nodes[node.0 as usize];
        node.written.end = end;
        if let Kind::Sequence(children) | Kind::Mapping(children) = &mut node.kind {
            *children = found;
        }
    }

    /// `length` is that of the file's own text.
    fn finish(mut self, length: usize) -> Document {
        let root = self.root.unwrap_or_else(|| {
            let (start, end, style) = (0, 0, Style::Plain);
            let written = Written { start, end, style, decorated: false };
            self.add(Kind::Scalar(Scalar::Null), 1, written)
        });
        for node in &mut self.nodes {
            node.written.start = node.written.start.min(length);
            node.written.end = node.written.end.min(length);
        }
        Document { nodes: self.nodes, root, syntax: Syntax::Yaml, alone: self.alone }
    }
}

/// The parser counts bytes.
fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
