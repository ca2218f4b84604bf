//! What leaves a machine in a capture: what the facts read, and of that only what may be shown.
//!
//! The recording itself is done by [`Root::recording`]; this module adds what a later reader may want
//! (config space), and takes out what is nobody's business. It reads no fact and judges nothing.

mod config_space;
mod disk;
mod redact;
mod services;
mod toml;
mod words;

use crate::facts::{self, Assumptions, Needs};
use crate::host::api_server::Access;
use crate::host::{Archive, Node, Reading, Root, Run};

/// The configuration space of a PCI Express function, in bytes.
const CONFIG_SPACE: u64 = 4096;

/// Reads all facts of a host once more, keeping what was read, and redacts it.
///
/// The API server is asked as `cluster` says.
pub fn capture(root: Root, cluster: Option<Access>, notes: Vec<String>) -> Archive {
    let root = root.recording();
    let run = Run::on(&root).with_cluster(cluster);
    let _ = facts::gather(&root, &run, Needs::ALL, Assumptions::default());
    read_config_space(&root);
    let mut archive = root.recorded();
    for (command, output) in run.answers() {
        archive.record_answer(command.to_owned(), output);
    }
    archive.notes = notes;
    redact::redact(&mut archive);
    archive
}

/// Config space of the NVIDIA functions and of the bridges above them: what ACS and BARs are read from.
/// An ordinary user gets its first 64 bytes, and the capture holds no more.
fn read_config_space(root: &Root) {
    let devices = "/sys/bus/pci/devices";
    let Reading::Known(names) = root.list(devices) else { return };
    for entry in names {
        let vendor = root.read_attribute(&format!("{devices}/{}/vendor", entry.name));
        if vendor != Reading::Known("0x10de".to_owned()) {
            continue;
        }
        let Reading::Known(path) = root.resolve(&format!("{devices}/{}", entry.name)) else {
            continue;
        };
        let mut here = path.as_str();
        // Up to the root bus, whose directory is `pciDDDD:BB` and has no config space.
        while here
            .rsplit('/')
            .next()
            .is_some_and(|name| !name.starts_with("pci") && !name.is_empty())
        {
            let _ = root.read(&format!("{here}/config"), CONFIG_SPACE);
            here = here.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
}

/// How many files a capture holds, for the message to the user.
pub fn file_count(archive: &Archive) -> usize {
    archive.entries().filter(|(_, entry)| matches!(entry.node, Node::File(_))).count()
}
