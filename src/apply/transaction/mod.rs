//! The order in which a plan is carried out, undone, and taken up again after an interruption.
//!
//! Prepare (all inputs checked, all refusals found, all images kept) -> intent -> steps -> verify -> commit.
//! From the intent on, every failure leads back to where it began. What was done is decided by the
//! digests of the files, never by the record alone; a file that is neither as it was nor as planned was
//! changed by somebody else, and stops everything.

mod boot;
mod carry_out;
mod prepare;
mod recover;
mod rollback;
mod undo;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]
mod tests;

pub use carry_out::apply;
pub use recover::recover;
pub use rollback::rollback;

use super::actions::ActionError;
use super::journal::JournalError;
use super::replace::ReplaceError;
use super::tree::TreeError;
use crate::plan::ArgumentChange;

/// The boot that the machine is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// `/proc/sys/kernel/random/boot_id`, without its newline.
    pub id: String,
    /// Words of `/proc/cmdline`.
    pub arguments: Vec<String>,
}

/// When and where this happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// Seconds since 1970 by the wall clock.
    pub wall: u64,
    /// `None` where the tree is not that of the running machine: no program is run, nothing waits for a
    /// reboot, and no sentinel is raised.
    pub boot: Option<Boot>,
}

/// What the caller finds when it judges the host again after the last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// All that the plan was made for holds.
    Holds,
    /// All that can hold before a reboot does.
    AwaitsReboot,
    Failed {
        why: String,
    },
}

/// A plan that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub number: u32,
    /// The arguments that the next boot has to show; `None` where no reboot is needed.
    pub pending: Option<ArgumentChange>,
    /// What could not be done besides, and matters to no file of the plan: raising the sentinel.
    pub notice: Option<String>,
}

/// Why a plan was not carried out, and what that means for the host.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Nothing was changed.
    #[error("nothing was changed")]
    Refused(#[source] Failure),
    /// Something was changed, and all of it was taken back.
    #[error("transaction {number} failed and was taken back, so that all is as before")]
    RolledBack { number: u32, source: Failure },
    /// Something was changed and could not be taken back. `left` says what stands where.
    #[error(
        "a person has to look: transaction {number} failed and could not be taken back whole: {left}; \
         it failed because"
    )]
    NeedsPerson { number: u32, left: String, source: Failure },
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the plan is empty")]
    Empty,
    #[error("transaction {number} was interrupted; recover first")]
    Unfinished { number: u32 },
    #[error("no program is run for a tree that is not the running machine")]
    NotRunning,
    #[error("two steps change {path}")]
    Twice { path: String },
    #[error("the filesystem of {path} has {free} bytes left, and {needed} are needed")]
    NoSpace { path: String, needed: u64, free: u64 },
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Action(#[from] ActionError),
    #[error("the change does not do what it should: {why}")]
    Verification { why: String },
    /// Neither as it was nor as it was to be.
    #[error("{path} was changed by somebody else")]
    ForeignEdit { path: String },
    #[error("{path} is not back as it was")]
    NotBack { path: String },
    #[error("asked to stop by a signal")]
    Interrupted,
}

/// A transaction that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    pub number: u32,
    /// Whether its change was booted, so that undoing it needs a reboot too.
    pub reboot: bool,
    /// Paths that have their earlier content again, or are gone again.
    pub restored: Vec<String>,
    pub notice: Option<String>,
}

/// Why a transaction was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error("there is no transaction to roll back")]
    Nothing,
    #[error("there is no transaction {number}")]
    Unknown { number: u32 },
    #[error("transaction {number} is {state}")]
    NotPossible { number: u32, state: &'static str },
    #[error("transaction {later} builds on it: it changed {path} since; roll that back first")]
    BuiltUpon { later: u32, path: String },
    #[error("{path} was changed by somebody else since; nothing was touched")]
    ForeignEdit { path: String },
    #[error("a person has to look: transaction {number} could not be taken back whole: {left}")]
    NeedsPerson { number: u32, left: String },
    #[error("nothing was changed")]
    Failed(#[source] Failure),
}

/// What became of one transaction in [`recover`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It had changed nothing yet and is forgotten.
    Discarded {
        number: u32,
    },
    /// It was taken back. `restart` names the units that may run with what was taken back, and were left
    /// alone because the machine has been booted since: restarting them while it comes up would wait for
    /// itself.
    RolledBack {
        number: u32,
        restored: Vec<String>,
        restart: Vec<String>,
        reboot: bool,
    },
    /// All was in place and verified; only the last word was missing.
    Finished {
        number: u32,
        pending: bool,
    },
    Confirmed {
        number: u32,
    },
    Ineffective {
        number: u32,
        why: String,
    },
    /// A person has to look.
    Manual {
        number: u32,
        why: String,
    },
    /// It stays as it is, to be tried again: an error of the disk or of a program, or the wrong machine.
    Postponed {
        number: u32,
        why: String,
    },
}

/// What [`recover`] did, or could not do.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// In the order of their numbers; those that ended before are left out.
    pub transactions: Vec<Recovered>,
    /// What could not be done besides: setting the sentinel right.
    pub notice: Option<String>,
}
