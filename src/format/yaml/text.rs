//! The bytes of a YAML file as text that the parser takes without stumbling.
//!
//! The parser panics over a few texts: bytes that are no UTF-8, a text that ends inside a line, and a tag
//! right before a comma. None of them may get that far.

use std::borrow::Cow;

use super::{YamlError, line_number};

/// A text that ends with a line break.
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// Whether the file ends inside a line that is not blank, so that its break was added here.
    pub(super) completed: bool,
}

const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

pub(super) fn prepare(bytes: &[u8]) -> Result<Text<'_>, YamlError> {
    let mut text = decode(bytes)?;
    refuse_inner_mark(&text)?;
    refuse_many_tag_lines(&text)?;
    refuse_tag_before_comma(&text)?;
    let mut completed = false;
    if !text.ends_with(LINE_BREAKS) {
        let last_line = text.rsplit(LINE_BREAKS).next().unwrap_or_default();
        completed = last_line.contains(|c: char| !c.is_whitespace());
        text.to_mut().push('\n');
    }
    Ok(Text { text, completed })
}

/// UTF-8, or UTF-16 where a byte order mark says so; without the mark.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, YamlError> {
    let (wide, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
            return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let lines = valid.split(|byte| *byte == b'\n').count() - 1;
                invalid(line_number(lines as u64), "invalid UTF-8")
            });
        }
    };
    let pairs = wide.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(invalid(1, "invalid UTF-16"));
    }
    let units = pairs.map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
        .map_err(|_| invalid(1, "invalid UTF-16"))
}

fn invalid(line: u32, what: &str) -> YamlError {
    YamlError::Syntax { line: Some(line), what: what.to_owned() }
}

/// Go takes a byte order mark inside a text, where files were joined, for part of a word; the parser here
/// does not.
fn refuse_inner_mark(text: &str) -> Result<(), YamlError> {
    match text.find('\u{feff}') {
        Some(place) => {
            let line = line_number(text[..place].matches('\n').count() as u64);
            Err(YamlError::Unsupported {
                line,
                what: "a byte order mark inside the text".to_owned(),
            })
        }
        None => Ok(()),
    }
}

/// The parser compares every `%TAG` line with all others, so that their number must be bounded. No
/// configuration has one.
fn refuse_many_tag_lines(text: &str) -> Result<(), YamlError> {
    const LIMIT: usize = 100;
    match (1..)
        .zip(text.split(['\n', '\r']))
        .filter(|(_, line)| line.starts_with("%TAG"))
        .nth(LIMIT)
    {
        Some((line, _)) => {
            Err(YamlError::Unsupported { line, what: "this many %TAG lines".to_owned() })
        }
        None => Ok(()),
    }
}

/// Refuses more than needed, since a comma may stand so in a string as well: better not to read it.
fn refuse_tag_before_comma(text: &str) -> Result<(), YamlError> {
    let found = (1..).zip(text.lines()).find(|(_, line)| {
        line.split_ascii_whitespace()
            .any(|word| word.split_once('!').is_some_and(|(_, after)| after.contains(',')))
    });
    match found {
        Some((line, _)) => Err(YamlError::Unsupported {
            line,
            what: "a comma after an exclamation mark".to_owned(),
        }),
        None => Ok(()),
    }
}
