//! The confidential computing mode of the GPUs: which one they need, which one was asked for, and what
//! became of it.
//!
//! cc-manager sets it, and tells how that went in its log, which the kubelet keeps on the node, and in labels
//! of the Node. It leaves a file behind as well, but does so also where it failed. The devices themselves are
//! not asked here: to read the registers takes more than reading files.

mod labels;
mod list;
mod log;
mod needed;

use super::{Cause, Reading, Source};
use crate::host::Root;

pub(super) use list::{COLLECTIONS, FACTS};
pub(crate) use log::shown;
pub use log::{Attempt, End, Log, Mode};

/// Where the kubelet keeps the logs of pods, one directory for each.
pub(crate) const PODS: &str = "/var/log/pods";

/// In the names of its pods and containers.
pub(crate) const MANAGER: &str = "cc-manager";

/// A log is rotated at 10 MiB unless the kubelet is told otherwise.
const LOG_CAP: u64 = 64 << 20;

/// More pods of cc-manager than a node ever has; more containers in one, and restarts that are kept.
const LIMIT: usize = 64;

/// What was found of cc-manager.
#[derive(Debug)]
pub struct CcMode {
    /// What its last log says, absent where it has none.
    pub log: Reading<Log>,
    /// Where that stands, or where it was looked for.
    pub source: Source,
    /// Seconds that the host has been up when it was looked at.
    pub uptime: Reading<i64>,
}

pub(super) fn gather(root: &Root) -> CcMode {
    let uptime = root.read_text("/proc/uptime").and_then(|text| {
        let seconds = text.split(['.', ' ']).next().and_then(|word| word.parse().ok());
        seconds.map_or_else(
            || Reading::Unreadable(Cause::malformed(None, "no number of seconds")),
            Reading::Known,
        )
    });
    let (log, path) = last_log(root);
    CcMode { log, source: Source::file(path), uptime }
}

/// The log that was written to last: each restart of the container begins one.
fn last_log(root: &Root) -> (Reading<Log>, String) {
    let mut best: Option<(Log, String)> = None;
    let pods = match below(root, PODS, |name| name.contains(MANAGER)) {
        Reading::Known(pods) => pods,
        Reading::Absent => return (Reading::Absent, PODS.to_owned()),
        Reading::Unreadable(cause) => return (Reading::Unreadable(cause), PODS.to_owned()),
    };
    for pod in pods {
        let containers = match below(root, &pod, |name| name.contains(MANAGER)) {
            Reading::Known(containers) => containers,
            Reading::Absent => continue,
            Reading::Unreadable(cause) => return (Reading::Unreadable(cause), pod),
        };
        for container in containers {
            let path = match newest(root, &container) {
                Reading::Known(path) => path,
                Reading::Absent => continue,
                Reading::Unreadable(cause) => return (Reading::Unreadable(cause), container),
            };
            let log =
                root.read_with(&path, LOG_CAP, |bytes| log::parse(&String::from_utf8_lossy(bytes)));
            match log {
                Reading::Known(log) if best.as_ref().is_none_or(|(it, _)| it.last <= log.last) => {
                    best = Some((log, path));
                }
                Reading::Known(_) | Reading::Absent => {}
                Reading::Unreadable(cause) => return (Reading::Unreadable(cause), path),
            }
        }
    }
    match best {
        Some((log, path)) => (Reading::Known(log), path),
        None => (Reading::Absent, PODS.to_owned()),
    }
}

/// The paths of what is in a directory, by name.
fn below(root: &Root, directory: &str, wanted: fn(&str) -> bool) -> Reading<Vec<String>> {
    match root.list(directory) {
        Reading::Known(entries) => {
            let names = entries.into_iter().map(|entry| entry.name).filter(|name| wanted(name));
            let paths = names.take(LIMIT).map(|name| format!("{directory}/{name}"));
            Reading::Known(paths.collect())
        }
        Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// The log of the last restart, `3.log`. Those that were rotated have a date in their names.
fn newest(root: &Root, container: &str) -> Reading<String> {
    let number = |path: &str| {
        let name = path.rsplit('/').next()?.strip_suffix(".log")?;
        name.parse::<u32>().ok()
    };
    let last = below(root, container, |name| name.as_bytes().ends_with(b".log"))
        .map(|paths| paths.into_iter().filter_map(|path| Some((number(&path)?, path))).max());
    match last {
        Reading::Known(Some((_, path))) => Reading::Known(path),
        Reading::Known(None) | Reading::Absent => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

#[cfg(test)]
mod tests;
