//! The validation files, and what contradicts them.

use super::VALIDATIONS;
use crate::facts::{Cause, Reading};
use crate::host::Root;

/// What a node is for, as its operands were told.
const WORKLOAD_TYPE: &str = "workload-type";

/// A file that changed so many seconds before the boot is from before it: boot times are whole seconds,
/// and clocks are set in the first ones.
pub(in crate::facts) const CLOCK_SLACK: i64 = 60;

/// More names than the operator has operands.
const NAMES_LIMIT: usize = 1000;

/// A validation file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    pub name: String,
    /// Seconds since the epoch; unreadable where a captured host does not say.
    pub modified: Reading<i64>,
}

/// All of them.
#[derive(Debug)]
pub struct Validations {
    pub files: Reading<Vec<Validation>>,
    /// What the file of the workload's type says.
    pub workload_type: Reading<String>,
    /// When the kernel started, in seconds since the epoch.
    pub boot_time: Reading<i64>,
}

pub(super) fn read(root: &Root) -> Validations {
    let untold = || {
        let why = "the capture does not say when it was changed".to_owned();
        Reading::Unreadable(Cause::NoAnswer(why))
    };
    let files = root.list(VALIDATIONS).map(|entries| {
        let names = entries.into_iter().map(|entry| entry.name).take(NAMES_LIMIT);
        names
            .filter_map(|name| {
                let modified = match root.stat(&format!("{VALIDATIONS}/{name}")) {
                    Reading::Known(stat) => stat.modified.map_or_else(untold, Reading::Known),
                    // Deleted since the listing.
                    Reading::Absent => return None,
                    Reading::Unreadable(cause) => Reading::Unreadable(cause),
                };
                Some(Validation { name, modified })
            })
            .collect()
    });
    let workload_type = root.read_text(&format!("{VALIDATIONS}/{WORKLOAD_TYPE}"));
    Validations {
        files: match files {
            Reading::Unreadable(Cause::NotADirectory) => Reading::Absent,
            files => files,
        },
        workload_type: workload_type.map(|text| text.trim().to_owned()),
        boot_time: boot_time(root),
    }
}

fn boot_time(root: &Root) -> Reading<i64> {
    root.read_text("/proc/stat").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("btime "));
        match line.and_then(|seconds| seconds.trim().parse().ok()) {
            Some(seconds) => Reading::Known(seconds),
            None => Reading::Unreadable(Cause::malformed(None, "no boot time")),
        }
    })
}

impl Validations {
    pub fn has(&self, name: &str) -> Reading<bool> {
        let files = self.files.as_ref();
        files.map(|files| files.iter().any(|file| file.name == name)).or_absent(false)
    }

    /// The files from before the last boot. Unknown as a whole where one's time is, and no other is old.
    pub fn stale(&self) -> Reading<Vec<&str>> {
        let files = match &self.files {
            Reading::Known(files) => files,
            Reading::Absent => return Reading::Absent,
            Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
        };
        if files.is_empty() {
            return Reading::Known(Vec::new());
        }
        let boot = match &self.boot_time {
            Reading::Known(boot) => *boot,
            Reading::Absent => {
                let why = "the time of the last boot is unknown".to_owned();
                return Reading::Unreadable(Cause::NoAnswer(why));
            }
            Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
        };
        let mut stale = Vec::new();
        let mut doubt = None;
        for file in files {
            match &file.modified {
                Reading::Known(modified) if modified.saturating_add(CLOCK_SLACK) < boot => {
                    stale.push(file.name.as_str());
                }
                Reading::Known(_) | Reading::Absent => {}
                Reading::Unreadable(cause) => doubt = doubt.or(Some(cause.clone())),
            }
        }
        match doubt {
            Some(cause) if stale.is_empty() => Reading::Unreadable(cause),
            _ => Reading::Known(stale),
        }
    }
}
