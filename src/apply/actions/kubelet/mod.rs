//! The restart of the kubelet and the proof that it came up; and, before that, whether it takes a
//! configuration at all.
//!
//! `systemctl restart` ends well although the kubelet is gone a moment later, and its unit then starts it
//! for ever without being `failed`. So a restart counts only once the same process has answered for a whole
//! window. Undoing a change that the kubelet did not survive is not done here.

mod dry_run;
mod health;
mod unit;
mod watch;

use std::time::Duration;

pub use dry_run::{Candidate, DryRun, dry_run, dry_run_of, verdict};

use super::error::{ActionError, shown};
use super::programs::{Programs, succeeded};
use crate::host::{Cause, Root};
use watch::Watch;

/// A unit may take 90 s to stop before it is killed.
const RESTART_DEADLINE: Duration = Duration::from_secs(150);

/// Restarts a unit and watches it. It returns once the kubelet has been up for the whole window: half a
/// minute for the unit that Kubernetes packages.
pub fn restart(unit: &str) -> Result<(), ActionError> {
    restart_with(&Programs::of_this_host(), &Watch::OF_A_KUBELET, unit)
}

fn restart_with(programs: &Programs, watch: &Watch, unit: &str) -> Result<(), ActionError> {
    let root = Root::live().map_err(|error| ActionError::Unreadable {
        path: "/".to_owned(),
        cause: Cause::NoAnswer(error.to_string()),
    })?;
    let before = unit::State::ask(programs, unit)?;
    let restart = programs.program("systemctl", RESTART_DEADLINE).args(["restart", "--", unit]);
    succeeded("systemctl", &restart)?;
    // A kubelet that never stopped is well with the old configuration, and proves nothing.
    if before.pid != 0 && unit::State::ask(programs, unit)?.pid == before.pid {
        let why =
            format!("systemctl claims to have restarted it, and process {} runs on", before.pid);
        return Err(ActionError::NotUp { unit: shown(unit), why });
    }
    watch.until_proven(programs, &root, unit)
}

#[cfg(test)]
mod tests;
