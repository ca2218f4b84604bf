//! Which processes have VFIO devices open, by their file descriptors: a virtual machine that a GPU is given
//! to, as a rule. It only looks, and leaves no trace in a capture or in what is watched.

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;

use super::directory::Directory;
use super::reading::{Cause, Reading};

/// The number of the first PID namespace is the same on every kernel (`PROC_PID_INIT_INO`). From within
/// another one the processes of the host do not show.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";
const NODES: &str = "/dev/vfio/";
/// The node that is shared by all who use the older interface.
const CONTAINER: &str = "/dev/vfio/vfio";
const HANDED_OVER: &str = "anon_inode:[vfio-device";

/// Who has VFIO devices open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VfioUsers {
    /// By node, such as `/dev/vfio/44` or `/dev/vfio/devices/vfio3`.
    of_node: BTreeMap<String, String>,
    /// One who has a device open whose node does not show.
    of_unknown: Option<String>,
}

impl VfioUsers {
    /// Users of nodes of which only these nodes are known.
    pub(super) fn nameless(nodes: &BTreeSet<String>) -> Self {
        let name = |node: &String| (node.clone(), format!("a process has {node} open"));
        Self { of_node: nodes.iter().map(name).collect(), of_unknown: None }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &str> {
        self.of_node.keys().map(String::as_str)
    }

    /// Who has a device open that these nodes lead to, or may have, in words.
    pub fn of(&self, nodes: &[String]) -> Option<&str> {
        let known = nodes.iter().find_map(|node| self.of_node.get(node));
        known.or(self.of_unknown.as_ref()).map(String::as_str)
    }
}

/// Looks at every process; one that cannot be looked at may have anything open.
pub(super) fn look(directory: &Directory) -> Reading<VfioUsers> {
    let hidden =
        || Reading::Unreadable(Cause::NoAnswer("the host's processes do not show here".into()));
    match directory.link("/proc/1/ns/pid") {
        Reading::Known(namespace) if namespace == FIRST_NAMESPACE => {}
        Reading::Known(_) | Reading::Absent => return hidden(),
        Reading::Unreadable(cause) => return Reading::Unreadable(cause),
    }
    directory.list("/proc").and_then(|names| {
        let mut users = VfioUsers::default();
        for pid in names.iter().filter_map(|entry| entry.name.parse::<u32>().ok()) {
            match open_files(directory, pid) {
                Ok(targets) => users.add(directory, pid, targets),
                Err(cause) => return Reading::Unreadable(cause),
            }
        }
        Reading::Known(users)
    })
}

impl VfioUsers {
    fn add(&mut self, directory: &Directory, pid: u32, targets: BTreeSet<String>) {
        let (nodes, others): (Vec<String>, Vec<String>) = targets
            .into_iter()
            .partition(|target| target.starts_with(NODES) && target != CONTAINER);
        if nodes.is_empty() && !others.iter().any(|target| target.starts_with(HANDED_OVER)) {
            return;
        }
        let name = directory.read(&format!("/proc/{pid}/comm"), 64).into_known();
        let name = name.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned());
        let who = format!("{} (process {pid})", name.as_deref().unwrap_or("a process"));
        if nodes.is_empty() {
            self.of_unknown = Some(format!("{who} has some VFIO device open"));
        }
        for node in nodes {
            let words = format!("{who} has {node} open");
            self.of_node.insert(node, words);
        }
    }
}

/// What a process has open of VFIO; nothing, where it ended between two looks.
fn open_files(directory: &Directory, pid: u32) -> Result<BTreeSet<String>, Cause> {
    let place = format!("/proc/{pid}/fd");
    let ended = |cause: &Cause| *cause == Cause::Os(Errno::ESRCH as i32);
    let names = match directory.list(&place) {
        Reading::Known(names) => names,
        Reading::Absent => return Ok(BTreeSet::new()),
        Reading::Unreadable(cause) if ended(&cause) => return Ok(BTreeSet::new()),
        Reading::Unreadable(cause) => return Err(cause),
    };
    let mut targets = BTreeSet::new();
    for entry in names {
        match directory.link(&format!("{place}/{}", entry.name)) {
            Reading::Known(target) => {
                if target.starts_with(NODES) || target.starts_with(HANDED_OVER) {
                    targets.insert(target);
                }
            }
            // Closed between two looks, it is gone or no longer one.
            Reading::Absent | Reading::Unreadable(Cause::NotAFile(_)) => {}
            Reading::Unreadable(cause) if ended(&cause) => {}
            Reading::Unreadable(cause) => return Err(cause),
        }
    }
    Ok(targets)
}
