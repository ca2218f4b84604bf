//! Whether an edit did what it should and nothing else, seen from its two ends.
//!
//! Knows nothing of how texts are edited: both are parsed anew and compared, setting by setting and line
//! by line.

use std::collections::BTreeMap;

use super::text::{GATES, Role, TIMEOUT, parse};
use super::{Doubt, Wanted};
use crate::facts::kubelet::decode::Decoded;
use crate::format::duration::GoDuration;
use crate::format::yaml::{Document, NodeId, Syntax, Value};

/// Refuses an edit that changed more, less or something else.
pub(super) fn only_wanted_changed(
    before: &str,
    after: &str,
    decoded: &Decoded,
    wanted: &Wanted,
    role: Role,
) -> Result<(), Doubt> {
    let (old, new) = (parse(before)?, parse(after)?);
    if old.syntax() != new.syntax() {
        return Err(failed("it became another format"));
    }
    if old.syntax() == Syntax::Json {
        same_json(before, after, wanted)?;
    }
    same_settings(&old, &new, wanted)?;
    as_wanted(decoded, &role.decode(after.as_bytes())?, wanted)?;
    same_lines(before, after, wanted, old.syntax())
}

fn failed(what: &str) -> Doubt {
    Doubt::new(format!("the edit would not be clean: {what}"))
}

/// The kubelet's own view: the gates and the timeout are the wanted ones, all other gates as before.
pub(super) fn as_wanted(before: &Decoded, after: &Decoded, wanted: &Wanted) -> Result<(), Doubt> {
    let values = |decoded: &Decoded| -> BTreeMap<String, Option<bool>> {
        decoded.gates.iter().map(|(name, set)| (name.clone(), set.value)).collect()
    };
    let mut expected = values(before);
    for (name, value) in &wanted.gates {
        match value {
            Some(value) => expected.insert(name.clone(), Some(*value)),
            None => expected.remove(name),
        };
    }
    if values(after) != expected {
        return Err(failed("the feature gates are not the wanted ones"));
    }
    let timeout = |decoded: &Decoded| decoded.timeout.and_then(|set| set.value);
    let expected = match &wanted.runtime_request_timeout {
        Some(text) => GoDuration::parse(text).ok(),
        None => timeout(before),
    };
    if timeout(after) != expected {
        return Err(failed("the timeout is not the wanted one"));
    }
    let remark = |decoded: &Decoded| decoded.lenient.as_ref().map(|remark| remark.what.clone());
    if remark(after) != remark(before) {
        return Err(failed("the kubelet would ignore something else than before"));
    }
    Ok(())
}

fn same_settings(old: &Document, new: &Document, wanted: &Wanted) -> Result<(), Doubt> {
    let others = |document: &Document, map: NodeId, leave_out: &dyn Fn(&str) -> bool| {
        let entries = document.entries(map).into_iter();
        entries
            .filter(|entry| !leave_out(&entry.key))
            .map(|entry| (entry.key.into_owned(), entry.value))
            .collect::<Vec<_>>()
    };
    let is_ours = |name: &str| name == GATES || name == TIMEOUT;
    let (left, right) = (others(old, old.root(), &is_ours), others(new, new.root(), &is_ours));
    if !same_pairs(old, &left, new, &right) {
        return Err(failed("another setting changed"));
    }
    let section = |document: &Document| {
        let entries = document.entries(document.root());
        entries.iter().rev().find(|entry| entry.key == GATES).map(|entry| entry.value)
    };
    let gates = |document: &Document| match section(document) {
        Some(section) => others(document, section, &|name| wanted.gates.contains_key(name)),
        None => Vec::new(),
    };
    if !same_pairs(old, &gates(old), new, &gates(new)) {
        return Err(failed("another feature gate changed"));
    }
    Ok(())
}

fn same_pairs(
    old: &Document,
    left: &[(String, NodeId)],
    new: &Document,
    right: &[(String, NodeId)],
) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.0 == right.0 && same(old, left.1, new, right.1))
}

/// Whether two nodes mean the same, in the same order. The parser bounds what aliases make of a text.
fn same(old: &Document, left: NodeId, new: &Document, right: NodeId) -> bool {
    let mut open = vec![(left, right)];
    while let Some((left, right)) = open.pop() {
        match (old.value(left), new.value(right)) {
            (Value::Scalar(left), Value::Scalar(right)) if left == right => {}
            (Value::Sequence(left), Value::Sequence(right)) if left.len() == right.len() => {
                open.extend(left.iter().copied().zip(right.iter().copied()));
            }
            (Value::Mapping, Value::Mapping) => {
                let (left, right) = (old.entries(left), new.entries(right));
                if left.len() != right.len() {
                    return false;
                }
                for (left, right) in left.iter().zip(&right) {
                    if left.key != right.key {
                        return false;
                    }
                    open.push((left.value, right.value));
                }
            }
            _ => return false,
        }
    }
    true
}

/// A second reader of JSON agrees.
fn same_json(before: &str, after: &str, wanted: &Wanted) -> Result<(), Doubt> {
    let rest = |text: &str| -> Result<serde_json::Value, Doubt> {
        let mut value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| Doubt::new(error.to_string()))?;
        if let Some(root) = value.as_object_mut() {
            root.remove(TIMEOUT);
            if let Some(serde_json::Value::Object(gates)) = root.get_mut(GATES) {
                gates.retain(|name, _| !wanted.gates.contains_key(name));
            }
            let empty = |gates: &serde_json::Value| {
                gates.is_null() || gates.as_object().is_some_and(serde_json::Map::is_empty)
            };
            if root.get(GATES).is_some_and(empty) {
                root.remove(GATES);
            }
        }
        Ok(value)
    };
    if rest(before)? == rest(after)? { Ok(()) } else { Err(failed("another setting changed")) }
}

/// Walks both texts line by line: only lines that name what is wanted may differ, beside a comma after the
/// line before such a one.
fn same_lines(before: &str, after: &str, wanted: &Wanted, syntax: Syntax) -> Result<(), Doubt> {
    let ours = |line: &str| {
        let timeout = wanted.runtime_request_timeout.is_some() && line.contains(TIMEOUT);
        let gates = !wanted.gates.is_empty() && line.contains(GATES);
        timeout || gates || wanted.gates.keys().any(|name| line.contains(name.as_str()))
    };
    let mut old = before.split_inclusive('\n').peekable();
    let mut new = after.split_inclusive('\n').peekable();
    let mut number = 1;
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (None, None) => return Ok(()),
            (Some(left), Some(right)) if left == right || differ_in_end(left, right) => {
                old.next();
                new.next();
                number += 1;
            }
            (Some(left), _) if ours(left) => {
                if syntax == Syntax::Yaml && left.contains('\t') {
                    return Err(Doubt::at(number, "a tab on a line that is to be changed"));
                }
                old.next();
                number += 1;
            }
            (left, Some(right)) if ours(right) => {
                new.next();
                // A pair put between the brackets of a line that said nothing of it.
                if let Some(left) = left
                    && new.peek() != Some(&left)
                    && is_longer(left, right)
                {
                    old.next();
                    number += 1;
                }
            }
            (Some(left), Some(right)) if differ_in_comma(left, right) => {
                old.next();
                new.next();
                number += 1;
            }
            _ => return Err(Doubt::at(number, "the edit would change this line, too")),
        }
    }
}

/// The last line of a text that ends without a line break.
fn differ_in_end(left: &str, right: &str) -> bool {
    let bare = |line: &str| line.ends_with('\n');
    let text = |line: &str| line.trim_end_matches(['\n', '\r']).len();
    bare(left) != bare(right) && left.get(..text(left)) == right.get(..text(right))
}

/// Whether one line is the other, which has brackets, with something put in at one place.
fn is_longer(short: &str, long: &str) -> bool {
    let front = short.bytes().zip(long.bytes()).take_while(|(one, other)| one == other).count();
    let ends = short.bytes().rev().zip(long.bytes().rev());
    let back = ends.take_while(|(one, other)| one == other).count();
    let is_flow = short.trim().len() > 1 && short.contains(['{', '}', ',']);
    is_flow && short.len() < long.len() && front + back >= short.len()
}

fn differ_in_comma(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() < right.len() { (left, right) } else { (right, left) };
    long.len() == short.len() + 1
        && long.match_indices(',').any(|(place, _)| {
            long.get(..place) == short.get(..place) && long.get(place + 1..) == short.get(place..)
        })
}
