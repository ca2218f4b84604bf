//! One configuration file as the kubelet decodes it: strictly, leniently, or not at all.
//!
//! What stands in the file and no more: what overrides it, and whether the kubelet's version takes its
//! gates, is for the caller.

use std::collections::BTreeMap;

use super::schema::{self, Manner};
use crate::format::duration::GoDuration;
use crate::format::yaml::{Document, Scalar, Value, YamlError};
use crate::host::Cause;

const API_VERSION: &str = "kubelet.config.k8s.io/v1beta1";
const KIND: &str = "KubeletConfiguration";

/// A file that the kubelet takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Decoded {
    /// Why strict decoding failed and the kubelet fell back to lenient decoding, with a line of its log.
    pub(crate) lenient: Option<Remark>,
    pub(crate) gates: BTreeMap<String, Setting<bool>>,
    /// The line of a null that takes away all gates of the files before a drop-in.
    pub(crate) gates_taken_away: Option<u32>,
    pub(crate) timeout: Option<Setting<GoDuration>>,
}

/// Something to tell about a line, which counts from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) line: u32,
    pub(crate) what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// `None`: a drop-in's null, which takes away what the files before it say.
    pub(crate) value: Option<T>,
    pub(crate) line: u32,
}

/// The file given by `--config`.
pub(crate) fn main_file(text: &[u8]) -> Result<Decoded, Cause> {
    let document = document(text)?;
    check_kind(&document, Manner::MainFile)?;
    let unknown = schema::check(&document, Manner::MainFile).map_err(wrong_type)?;
    let twice = document.first_duplicate().map(|duplicate| Remark {
        line: duplicate.line,
        what: format!("the key {} stands twice, and the last one counts", duplicate.key),
    });
    let unknown = unknown.map(|field| Remark {
        line: field.line,
        what: format!("unknown field {}, which the kubelet ignores", field.name),
    });
    let mut decoded = collect(&document, Manner::MainFile)?;
    decoded.lenient = twice.or(unknown);
    Ok(decoded)
}

/// A file of `--config-dir`, which is laid over the others: stricter about keys that stand twice, silent
/// about unknown fields, and null takes a field away.
pub(crate) fn drop_in(text: &[u8]) -> Result<Decoded, Cause> {
    let document = document(text)?;
    check_kind(&document, Manner::DropIn)?;
    if let Some(duplicate) = document.first_duplicate() {
        let what = format!("the key {} stands twice, which no drop-in may have", duplicate.key);
        return Err(Cause::malformed(duplicate.line, what));
    }
    schema::check(&document, Manner::DropIn).map_err(wrong_type)?;
    collect(&document, Manner::DropIn)
}

fn document(text: &[u8]) -> Result<Document, Cause> {
    if text.is_empty() {
        return Err(Cause::malformed(None, "the file is empty"));
    }
    Document::parse(text).map_err(|error| match &error {
        YamlError::Unsupported { line, .. } => {
            Cause::NotDecidable { line: Some(*line), what: error.to_string() }
        }
        _ => Cause::malformed(error.line(), error.to_string()),
    })
}

fn wrong_type(error: schema::WrongType) -> Cause {
    Cause::malformed(error.line, error.what)
}

fn check_kind(document: &Document, manner: Manner) -> Result<(), Cause> {
    for (field, wanted) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        let entries = schema::settings(document, document.root());
        // Before it knows the kind, the decoder of the main file does not look at the case of names.
        let entry = entries.iter().rev().find(|entry| entry.key == field).or_else(|| {
            entries
                .iter()
                .rev()
                .find(|entry| manner == Manner::MainFile && entry.key.eq_ignore_ascii_case(field))
        });
        let Some(entry) = entry else {
            return Err(Cause::malformed(None, format!("{field} is missing")));
        };
        match document.value(entry.value) {
            Value::Scalar(Scalar::Text(text)) if text == wanted => {}
            Value::Scalar(Scalar::Text(text)) => {
                let what = format!("{field} is {text:?}, not {wanted}");
                return Err(Cause::malformed(entry.line, what));
            }
            other => {
                let what = format!("{field} must be {wanted}, not {}", other.describe());
                return Err(Cause::malformed(entry.line, what));
            }
        }
    }
    Ok(())
}

fn collect(document: &Document, manner: Manner) -> Result<Decoded, Cause> {
    let mut decoded = Decoded::default();
    for entry in schema::settings(document, document.root()) {
        let value = document.value(entry.value);
        match entry.key.as_ref() {
            "featureGates" => match value {
                Value::Mapping => collect_gates(document, entry.value, manner, &mut decoded),
                _ if manner == Manner::DropIn => decoded.gates_taken_away = Some(entry.line),
                // In JSON, where the key may stand twice, null empties the map before it.
                _ => decoded.gates.clear(),
            },
            "runtimeRequestTimeout" => {
                let value = match value {
                    Value::Scalar(Scalar::Text(text)) => GoDuration::parse(text).ok(),
                    _ => None,
                };
                decoded.timeout = Some(Setting { value, line: entry.line });
            }
            // Whether such a key counts hangs on what the other files say.
            key if manner == Manner::DropIn
                && ["featureGates", "runtimeRequestTimeout"]
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(key)) =>
            {
                let what = format!("the key {key} differs from the right one only in case");
                return Err(Cause::NotDecidable { line: Some(entry.line), what });
            }
            _ => {}
        }
    }
    Ok(decoded)
}

fn collect_gates(
    document: &Document,
    map: crate::format::yaml::NodeId,
    manner: Manner,
    decoded: &mut Decoded,
) {
    for gate in schema::settings(document, map) {
        let value = match document.value(gate.value) {
            Value::Scalar(Scalar::Bool(value)) => Some(*value),
            // Go's zero value: a gate without a value is off.
            _ => (manner == Manner::MainFile).then_some(false),
        };
        decoded.gates.insert(gate.key.into_owned(), Setting { value, line: gate.line });
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
