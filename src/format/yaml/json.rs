//! Strict JSON into the same tree, with lines, which `serde_json` does not tell.

use super::{Document, Kind, MAX_DEPTH, Node, NodeId, Scalar, Style, Syntax, Written, YamlError};

pub(super) fn parse(text: &[u8]) -> Result<Document, YamlError> {
    // Go replaces bytes that are not UTF-8 too, and only inside strings can they stand.
    let text = String::from_utf8_lossy(text);
    let mut reader = Reader { text: &text, place: 0, line: 1, nodes: Vec::new() };
    let root = reader.document()?;
    Ok(Document { nodes: reader.nodes, root, syntax: Syntax::Json, alone: true })
}

struct Reader<'a> {
    text: &'a str,
    place: usize,
    line: u32,
    nodes: Vec<Node>,
}

/// An object or array that has not ended yet, and its parts so far.
struct Open {
    node: NodeId,
    object: bool,
    parts: Vec<NodeId>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<NodeId, YamlError> {
        let mut open: Vec<Open> = Vec::new();
        let root = loop {
            // A value is due here; in an object, its key.
            if open.last().is_some_and(|open| open.object && open.parts.len().is_multiple_of(2)) {
                self.blank();
                let (line, start) = (self.line, self.place);
                let key = self.string()?;
                let key = self.add(Kind::Scalar(Scalar::Text(key)), line, start);
                if let Some(open) = open.last_mut() {
                    open.parts.push(key);
                }
                self.blank();
                self.expect(b':', "a colon is missing after a key")?;
            }
            self.blank();
            let (line, start) = (self.line, self.place);
            let mut done = if let Some(bracket @ (b'{' | b'[')) = self.peek() {
                self.place += 1;
                if open.len() >= MAX_DEPTH {
                    return Err(YamlError::TooDeep { line });
                }
                let object = bracket == b'{';
                let empty = Vec::new();
                let kind = if object { Kind::Mapping(empty) } else { Kind::Sequence(empty) };
                let node = self.add(kind, line, start);
                self.blank();
                if self.peek() != Some(if object { b'}' } else { b']' }) {
                    open.push(Open { node, object, parts: Vec::new() });
                    continue;
                }
                self.place += 1;
                self.nodes[node.0 as usize].written.end = self.place;
                node
            } else {
                let scalar = self.scalar()?;
                self.add(Kind::Scalar(scalar), line, start)
            };
            // A value is complete; so are those around it that end here.
            while let Some(mut around) = open.pop() {
                around.parts.push(done);
                self.blank();
                match (self.peek(), around.object) {
                    (Some(b','), _) => {
                        self.place += 1;
                        open.push(around);
                        break;
                    }
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.place += 1;
                        done = around.node;
                        let node = &mut self.nodes[around.node.0 as usize];
                        node.written.end = self.place;
                        if let Kind::Mapping(parts) | Kind::Sequence(parts) = &mut node.kind {
                            *parts = around.parts;
                        }
                    }
                    _ => return Err(self.wrong("a comma or a closing bracket is missing")),
                }
            }
            if open.is_empty() {
                break done;
            }
        };
        self.blank();
        if self.peek().is_some() {
            return Err(self.wrong("text after the end"));
        }
        Ok(root)
    }

    /// A node that ends here, as far as is known.
    fn add(&mut self, kind: Kind, line: u32, start: usize) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let style = match kind {
            Kind::Scalar(Scalar::Text(_)) => Style::DoubleQuoted,
            Kind::Scalar(_) | Kind::Alias(_) => Style::Plain,
            Kind::Sequence(_) | Kind::Mapping(_) => Style::Flow,
        };
        let written = Written { start, end: self.place, style, decorated: false };
        self.nodes.push(Node { line, written, kind });
        id
    }

    fn wrong(&self, what: &'static str) -> YamlError {
        YamlError::Json { line: self.line, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.place).copied()
    }

    fn expect(&mut self, byte: u8, missing: &'static str) -> Result<(), YamlError> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(missing));
        }
        self.place += 1;
        Ok(())
    }

    fn blank(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.line = self.line.saturating_add(u32::from(byte == b'\n'));
            self.place += 1;
        }
    }

    fn scalar(&mut self) -> Result<Scalar, YamlError> {
        if self.peek() == Some(b'"') {
            return self.string().map(Scalar::Text);
        }
        let rest = &self.text[self.place..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        let scalar = match word {
            "null" => Some(Scalar::Null),
            "true" => Some(Scalar::Bool(true)),
            "false" => Some(Scalar::Bool(false)),
            word => number(word),
        };
        self.place += end;
        scalar.ok_or_else(|| self.wrong("a value is missing or unknown"))
    }

    fn string(&mut self) -> Result<String, YamlError> {
        self.expect(b'"', "a string between double quotes is missing")?;
        let mut value = String::new();
        loop {
            let rest = &self.text[self.place..];
            let Some(end) = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ') else {
                return Err(self.wrong("a string does not end"));
            };
            value.push_str(&rest[..end]);
            self.place += end + 1;
            match rest.as_bytes()[end] {
                b'"' => return Ok(value),
                b'\\' => {
                    let unescaped = self.escape();
                    value.push(unescaped.ok_or_else(|| self.wrong("an unknown escape"))?);
                }
                _ => return Err(self.wrong("a control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.place += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                // Half of a pair without the other half becomes the replacement character, as in Go.
                if (0xd800..0xdc00).contains(&first) && self.text[self.place..].starts_with("\\u") {
                    let back = self.place;
                    self.place += 2;
                    let second = self.code_unit()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return char::from_u32(code);
                    }
                    self.place = back;
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.place..self.place + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.place += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// A number of JSON: no plus in front, no leading zero, digits on both sides of a point. One with a point
/// or an exponent is no integer to Go, even where its value is whole.
fn number(word: &str) -> Option<Scalar> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let whole = digits(unsigned);
    if whole == 0 || (whole > 1 && unsigned.starts_with('0')) {
        return None;
    }
    let mut rest = &unsigned[whole..];
    if rest.is_empty() {
        // What does not fit is no integer of Go's either.
        return Some(match word.parse() {
            Ok(value) => Scalar::Integer(value),
            Err(_) => Scalar::Float(word.parse().ok()?),
        });
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if length == 0 {
            return None;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        if length == 0 {
            return None;
        }
        rest = &exponent[length..];
    }
    if rest.is_empty() { Some(Scalar::Float(word.parse().ok()?)) } else { None }
}
