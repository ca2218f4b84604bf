//! YAML and JSON as the kubelet reads them: JSON is taken where `serde_json` takes it and means the same,
//! and every document that is taken can be walked.
#![no_main]

use ccgpu_node::format::yaml::{Document, NodeId, Scalar, Syntax, Value, YamlError};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count()
        + String::from_utf8_lossy(bytes).matches(['\u{85}', '\u{2028}', '\u{2029}']).count()
        + 2;
    let parsed = Document::parse(bytes);
    if first_visible(bytes) == Some(b'{') {
        as_serde_json(bytes, &parsed);
    }
    match parsed {
        Ok(document) => {
            if let Some(duplicate) = document.first_duplicate() {
                assert!(duplicate.line as usize <= lines);
            }
            let mut steps = 20_000;
            walk(&document, document.root(), lines, &mut steps);
        }
        Err(error) => assert!(error.line().is_none_or(|line| line as usize <= lines), "{error:?}"),
    }
});

fn walk(document: &Document, root: NodeId, lines: usize, steps: &mut usize) {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        assert!(
            (1..=lines).contains(&(document.line(node) as usize)),
            "line {}",
            document.line(node)
        );
        *steps = steps.saturating_sub(1);
        if *steps == 0 {
            return;
        }
        let value = document.value(node);
        assert!(!value.describe().is_empty());
        match value {
            Value::Scalar(_) => assert!(document.entries(node).is_empty()),
            Value::Sequence(items) => open.extend(items),
            Value::Mapping => {
                let entries = document.entries(node);
                *steps = steps.saturating_sub(entries.len());
                open.extend(entries.iter().map(|entry| entry.value));
            }
        }
    }
}

fn as_serde_json(bytes: &[u8], parsed: &Result<Document, YamlError>) {
    let text = String::from_utf8_lossy(bytes);
    // This one does not stop at a depth or at numbers that no type holds: it knows the grammar alone.
    let taken = serde_json::from_str::<IgnoredAny>(&text);
    match parsed {
        Err(YamlError::TooDeep { .. }) => {}
        Err(error) => assert!(taken.is_err(), "{error}"),
        Ok(document) => {
            assert!(taken.is_ok(), "{taken:?}");
            assert_eq!(document.syntax(), Syntax::Json);
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                same(document, document.root(), &value);
            }
        }
    }
}

/// The reader behind `value` stops at 128 levels, so that recursion is harmless here.
fn same(document: &Document, node: NodeId, value: &serde_json::Value) {
    match (document.value(node), value) {
        (Value::Scalar(scalar), value) => {
            assert!(same_scalar(scalar, value), "{scalar:?}, {value:?}");
        }
        (Value::Sequence(items), serde_json::Value::Array(values)) => {
            assert_eq!(items.len(), values.len());
            for (item, value) in items.iter().zip(values) {
                same(document, *item, value);
            }
        }
        (Value::Mapping, serde_json::Value::Object(fields)) => {
            // The last of several equal keys counts in both.
            let last: std::collections::BTreeMap<_, _> =
                document.entries(node).into_iter().map(|entry| (entry.key, entry.value)).collect();
            assert_eq!(last.len(), fields.len());
            for (key, value) in fields {
                same(document, last[key.as_str()], value);
            }
        }
        (own, value) => panic!("{own:?}, {value:?}"),
    }
}

fn same_scalar(scalar: &Scalar, value: &serde_json::Value) -> bool {
    match (scalar, value) {
        (Scalar::Null, serde_json::Value::Null) => true,
        (Scalar::Bool(own), serde_json::Value::Bool(other)) => own == other,
        (Scalar::Text(own), serde_json::Value::String(other)) => own == other,
        (Scalar::Integer(own), serde_json::Value::Number(other)) => match other.as_i128() {
            Some(other) => *own == other,
            None => close(*own as f64, other.as_f64()),
        },
        (Scalar::Float(own), serde_json::Value::Number(other)) => close(*own, other.as_f64()),
        _ => false,
    }
}

/// `serde_json` rounds the last digit otherwise, to be faster.
fn close(own: f64, other: Option<f64>) -> bool {
    other.is_some_and(|other| own == other || (own - other).abs() <= own.abs() * 1e-14)
}

fn first_visible(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))
}
