//! The specifications of the Container Device Interface: which device nodes stand behind which name.
//!
//! NVIDIA's device plugin writes them once, when it starts. A device that is bound again after that may
//! have another node, and the specification then names one that is gone.

use crate::facts::{Cause, Reading, Source};
use crate::format::yaml::{Document, NodeId, Scalar, Value};
use crate::host::Root;

/// In the order in which runtimes look; a later directory's device beats an earlier one's.
pub(super) const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// The vendor whose devices matter here.
const VENDOR: &str = "nvidia.com/";

/// More of each than any node has.
const FILES_LIMIT: usize = 1000;
const DEVICES_LIMIT: usize = 1000;

/// Bytes; the largest seen, of hosts that give GPUs to containers, have some ten thousand.
const CAP: u64 = 256 << 10;

/// All specifications.
#[derive(Debug)]
pub struct Cdi {
    /// Devices of NVIDIA's; absent where neither directory exists.
    pub devices: Reading<Vec<Device>>,
    /// Files that runtimes refuse.
    pub refused: Vec<(Source, String)>,
}

/// A device that a specification names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `nvidia.com/pgpu`.
    pub kind: String,
    /// `0`.
    pub name: String,
    /// Device nodes on the host.
    pub nodes: Vec<String>,
    pub source: Source,
}

pub(in crate::facts) fn gather(root: &Root) -> Cdi {
    let mut cdi = Cdi { devices: Reading::Absent, refused: Vec::new() };
    let mut all = Vec::new();
    let mut exists = false;
    for directory in DIRECTORIES {
        let entries = match root.list(directory) {
            Reading::Known(entries) => entries,
            Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => continue,
            Reading::Unreadable(cause) => {
                return Cdi { devices: Reading::Unreadable(cause), ..cdi };
            }
        };
        exists = true;
        for entry in entries.into_iter().take(FILES_LIMIT) {
            if !entry.name.as_bytes().ends_with(b".yaml")
                && !entry.name.as_bytes().ends_with(b".json")
            {
                continue;
            }
            let path = format!("{directory}/{}", entry.name);
            match root.read(&path, CAP) {
                Reading::Known(bytes) => match devices(&path, &bytes) {
                    Ok(devices) => all.extend(devices),
                    Err((line, why)) => {
                        cdi.refused.push((Source { path: path.into(), line }, why));
                    }
                },
                Reading::Absent => {}
                Reading::Unreadable(cause) => {
                    return Cdi { devices: Reading::Unreadable(cause), ..cdi };
                }
            }
        }
    }
    if exists {
        cdi.devices = Reading::Known(all);
    }
    cdi
}

/// The devices of NVIDIA's in one specification, or where and why it is none.
fn devices(path: &str, bytes: &[u8]) -> Result<Vec<Device>, (Option<u32>, String)> {
    let document = Document::parse(bytes).map_err(|error| (error.line(), error.to_string()))?;
    let wrong = |node: NodeId, what: &str| (Some(document.line(node)), what.to_owned());
    let root = document.root();
    if !matches!(document.value(root), Value::Mapping) {
        return Err(wrong(root, "it is no map"));
    }
    let kind = match field(&document, root, "kind") {
        Some(node) => text(&document, node).ok_or_else(|| wrong(node, "kind is no string"))?,
        None => return Err(wrong(root, "it has no kind")),
    };
    if field(&document, root, "cdiVersion").is_none() {
        return Err(wrong(root, "it has no cdiVersion"));
    }
    if !kind.starts_with(VENDOR) {
        return Ok(Vec::new());
    }
    let Some(list) = field(&document, root, "devices") else {
        return Err(wrong(root, "it has no devices"));
    };
    let Value::Sequence(items) = document.value(list) else {
        return Err(wrong(list, "devices is no list"));
    };
    let device = |item: &NodeId| {
        let name = field(&document, *item, "name").and_then(|node| text(&document, node));
        let Some(name) = name else { return Err(wrong(*item, "a device without a name")) };
        let nodes = field(&document, *item, "containerEdits")
            .and_then(|edits| field(&document, edits, "deviceNodes"))
            .map_or(&[][..], |nodes| match document.value(nodes) {
                Value::Sequence(nodes) => nodes,
                Value::Scalar(_) | Value::Mapping => &[],
            });
        let path_of = |node: &NodeId| {
            // What the node is called inside the container says nothing about the host.
            let named = |key| field(&document, *node, key).and_then(|node| text(&document, node));
            named("hostPath").or_else(|| named("path"))
        };
        let source = Source::line(path, document.line(*item));
        Ok(Device {
            kind: kind.clone(),
            name,
            nodes: nodes.iter().filter_map(path_of).collect(),
            source,
        })
    };
    items.iter().take(DEVICES_LIMIT).map(device).collect()
}

/// What stands under a key of a map; the last one, where it stands there twice.
fn field(document: &Document, node: NodeId, key: &str) -> Option<NodeId> {
    if !matches!(document.value(node), Value::Mapping) {
        return None;
    }
    document.entries(node).into_iter().rev().find(|entry| entry.key == key).map(|entry| entry.value)
}

/// A string; a device's name may be written as a number, which Go then refuses.
fn text(document: &Document, node: NodeId) -> Option<String> {
    match document.value(node) {
        Value::Scalar(Scalar::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "cdi_tests.rs"]
mod tests;
