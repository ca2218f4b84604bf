//! The text of one `KubeletConfiguration`, YAML or JSON: a few settings changed, every other byte kept.
//!
//! The text is edited by places that the parser told, one setting at a time, and what comes out is held
//! against what went in before anybody gets to see it. A text that leaves any doubt is refused. What the
//! settings should be, and whether this file decides them, is not known here.

use std::collections::HashSet;

use super::check;
use super::map::{self, Map};
use super::splice::{Lines, Splice, apply};
use super::{Doubt, Wanted};
use crate::facts::kubelet::decode::{self, Decoded};
use crate::format::duration::GoDuration;
use crate::format::yaml::{Document, Scalar, Style, Syntax, Value};

pub(super) const GATES: &str = "featureGates";
pub(super) const TIMEOUT: &str = "runtimeRequestTimeout";

/// More changes than any host needs; each is a pass over the text.
const CHANGES_LIMIT: usize = 100;

/// How the kubelet reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Given by `--config`.
    Main,
    /// In `--config-dir`.
    DropIn,
}

impl Role {
    pub(super) fn decode(self, text: &[u8]) -> Result<Decoded, Doubt> {
        let decoded = match self {
            Self::Main => decode::main_file(text),
            Self::DropIn => decode::drop_in(text),
        };
        decoded.map_err(|cause| Doubt { line: cause.line(), why: cause.to_string() })
    }
}

/// The text with the wanted settings; the same text where they are so already.
///
/// A gate that is taken out goes with its line; the last one leaves an empty section, `featureGates: {}`,
/// so that a section which was there stays. A section that is missing is added at the end.
pub fn edit(text: &[u8], wanted: &Wanted, role: Role) -> Result<Vec<u8>, Doubt> {
    let before = admit(text, wanted, role)?;
    let original = std::str::from_utf8(text).map_err(|_| Doubt::new("not UTF-8"))?;
    let mut now = original.to_owned();
    for (name, value) in &wanted.gates {
        let splices = match value {
            Some(value) => set_gate(&Open::new(&now)?, name, *value)?,
            None => remove_gate(&Open::new(&now)?, name)?,
        };
        now = apply(&now, splices)?;
    }
    if let Some(timeout) = &wanted.runtime_request_timeout {
        now = apply(&now, set_timeout(&Open::new(&now)?, timeout)?)?;
    }
    if now == original {
        check::as_wanted(&before, &before, wanted)?;
    } else {
        check::only_wanted_changed(original, &now, &before, wanted, role)?;
    }
    Ok(now.into_bytes())
}

/// What a text must be to be edited at all.
fn admit(text: &[u8], wanted: &Wanted, role: Role) -> Result<Decoded, Doubt> {
    if wanted.gates.len() > CHANGES_LIMIT {
        return Err(Doubt::new(format!("more than {CHANGES_LIMIT} gates are to be changed")));
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    for (name, value) in &wanted.gates {
        if value.is_some() && !is_name(name) {
            return Err(Doubt::new(format!("{name:?} is no name of a feature gate")));
        }
    }
    if let Some(timeout) = &wanted.runtime_request_timeout {
        let plain = timeout.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        if !plain || GoDuration::parse(timeout).is_err() {
            return Err(Doubt::new(format!("{timeout:?} is no duration")));
        }
    }
    if text.starts_with("\u{feff}".as_bytes()) {
        return Err(Doubt::at(1, "a byte order mark"));
    }
    let decoded = role.decode(text)?;
    // The text was read, so that a wrong byte can only stand where JSON lets it.
    let text = std::str::from_utf8(text).map_err(|_| Doubt::new("not UTF-8"))?;
    let document = parse(text)?;
    let mut maps = vec![document.root()];
    maps.extend(
        document
            .entries(document.root())
            .iter()
            .filter_map(|entry| (entry.key == GATES).then_some(entry.value)),
    );
    for map in maps {
        let mut seen = HashSet::new();
        if let Some(twice) = document.entries(map).iter().find(|entry| !seen.insert(&entry.key)) {
            return Err(Doubt::at(twice.line, format!("the key {} stands twice", twice.key)));
        }
    }
    if document.syntax() == Syntax::Yaml {
        if !document.is_alone() {
            return Err(Doubt::new("more than one document, of which the kubelet reads the first"));
        }
        let lines = Lines(text);
        if let Some(place) = lines.first_odd_break() {
            let what = "a line break that is neither LF nor CRLF";
            return Err(Doubt::at(lines.number(place), what));
        }
    }
    Ok(decoded)
}

pub(super) fn parse(text: &str) -> Result<Document, Doubt> {
    Document::parse(text.as_bytes())
        .map_err(|error| Doubt { line: error.line(), why: error.to_string() })
}

/// A text at one moment of its editing.
struct Open<'a> {
    text: &'a str,
    document: Document,
}

impl<'a> Open<'a> {
    fn new(text: &'a str) -> Result<Self, Doubt> {
        Ok(Self { text, document: parse(text)? })
    }

    fn root(&self) -> Result<Map<'_>, Doubt> {
        Map::new(self.text, &self.document, self.document.root())
    }
}

fn set_gate(open: &Open<'_>, name: &str, value: bool) -> Result<Vec<Splice>, Doubt> {
    let (root, word) = (open.root()?, if value { "true" } else { "false" });
    let Some(section) = root.find(GATES)? else {
        return root.add_section(GATES, name, word);
    };
    let written = open.document.written(section.value);
    match open.document.value(section.value) {
        Value::Scalar(Scalar::Null) => {
            root.plain(section, section.value)?;
            return root.fill_section(section, name, word);
        }
        Value::Mapping => {}
        other => {
            let why = format!("{GATES} must be a map, not {}", other.describe());
            return Err(Doubt::at(open.document.line(section.value), why));
        }
    }
    let gates = Map::new(open.text, &open.document, section.value)?;
    if root.is_block() && open.text.get(written.start..written.end) == Some("{}") {
        return root.fill_section(section, name, word);
    }
    match gates.find(name)? {
        None => gates.add(name, word, map::Quotes::None),
        Some(gate) => match open.document.value(gate.value) {
            Value::Scalar(Scalar::Bool(now)) if *now == value => Ok(Vec::new()),
            _ => gates.replace(gate, word),
        },
    }
}

fn remove_gate(open: &Open<'_>, name: &str) -> Result<Vec<Splice>, Doubt> {
    let root = open.root()?;
    let Some(section) = root.find(GATES)? else { return Ok(Vec::new()) };
    if !matches!(open.document.value(section.value), Value::Mapping) {
        return Ok(Vec::new());
    }
    let gates = Map::new(open.text, &open.document, section.value)?;
    match gates.find(name)? {
        None => Ok(Vec::new()),
        Some(gate) if gates.is_block() && gates.len() == 1 => {
            let mut splices = gates.remove(gate)?;
            splices.push(root.after_colon(section, " {}")?);
            Ok(splices)
        }
        Some(gate) => gates.remove(gate),
    }
}

fn set_timeout(open: &Open<'_>, timeout: &str) -> Result<Vec<Splice>, Doubt> {
    let root = open.root()?;
    let Some(setting) = root.find(TIMEOUT)? else {
        return root.add(TIMEOUT, timeout, map::Quotes::InJson);
    };
    let wanted = GoDuration::parse(timeout).ok();
    if let Value::Scalar(Scalar::Text(now)) = open.document.value(setting.value)
        && GoDuration::parse(now).ok() == wanted
    {
        return Ok(Vec::new());
    }
    let quoted = match open.document.written(setting.value).style {
        Style::SingleQuoted => format!("'{timeout}'"),
        Style::DoubleQuoted => format!("\"{timeout}\""),
        _ if open.document.syntax() == Syntax::Json => format!("\"{timeout}\""),
        _ => timeout.to_owned(),
    };
    root.replace(setting, &quoted)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "random_tests.rs"]
mod random_tests;
