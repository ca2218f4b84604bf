//! The type of a YAML scalar, as Go's YAML package (version 2, YAML 1.1) finds it.

use super::{Scalar, YamlError};

/// How a scalar is written.
pub(super) enum Presentation {
    Plain,
    /// Between quotes, or as a block.
    Quoted,
    /// With an explicit tag, in its long form.
    Tagged(String),
}

const STANDARD_TAGS: &str = "tag:yaml.org,2002:";

pub(super) fn resolve(
    text: String,
    presentation: Presentation,
    line: u32,
) -> Result<Scalar, YamlError> {
    let tag = match presentation {
        Presentation::Quoted => return Ok(Scalar::Text(text)),
        Presentation::Plain => return finite(untagged(text), line),
        Presentation::Tagged(tag) => tag,
    };
    let Some(name) = tag.strip_prefix(STANDARD_TAGS) else {
        return Ok(Scalar::Text(text));
    };
    let wrong = || YamlError::Tag { line, tag: format!("!!{name}") };
    let scalar = match name {
        "bool" | "int" | "float" | "null" | "merge" => match (name, untagged(text)) {
            ("bool", scalar @ Scalar::Bool(_))
            | ("int" | "float", scalar @ Scalar::Integer(_))
            | ("float", scalar @ Scalar::Float(_))
            | ("null", scalar @ Scalar::Null)
            | ("merge", scalar @ Scalar::Merge) => scalar,
            _ => return Err(wrong()),
        },
        "binary" | "timestamp" => {
            return Err(YamlError::Unsupported { line, what: format!("the tag !!{name}") });
        }
        // `!!str`, and tags that say nothing about scalars.
        _ => Scalar::Text(text),
    };
    finite(scalar, line)
}

/// Go converts the document to JSON before it looks at it, and JSON has no such numbers.
fn finite(scalar: Scalar, line: u32) -> Result<Scalar, YamlError> {
    match scalar {
        Scalar::Float(value) if !value.is_finite() => {
            Err(YamlError::NotJson { line, what: "an infinite number" })
        }
        scalar => Ok(scalar),
    }
}

fn untagged(text: String) -> Scalar {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "<<" => Scalar::Merge,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        plain => match plain.as_bytes().first() {
            Some(b'.') => float(plain).unwrap_or(Scalar::Text(text)),
            Some(b'0'..=b'9' | b'+' | b'-') => number(plain).unwrap_or(Scalar::Text(text)),
            _ => Scalar::Text(text),
        },
    }
}

fn number(text: &str) -> Option<Scalar> {
    let plain = text.replace('_', "");
    integer(&plain).map(Scalar::Integer).or_else(|| float(&plain))
}

/// Go's `ParseInt` with base 0: `0x`, `0o`, `0b` and a leading `0` name the base. The value must fit 64
/// bits, with or without sign.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    // Rust would take a second sign here.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, base).ok()?);
    let value = if negative { -magnitude } else { magnitude };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// A whole number below 1e21 is printed without a point in JSON, and then counts as an integer.
#[expect(clippy::cast_possible_truncation, reason = "whole and below 1e21")]
fn float(text: &str) -> Option<Scalar> {
    // Rust also reads words such as `infinity`.
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    if value.fract() == 0.0 && value.abs() < 1e21 {
        return Some(Scalar::Integer(value as i128));
    }
    Some(Scalar::Float(value))
}
