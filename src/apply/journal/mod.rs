//! What is kept on disk so that a change can be undone, whatever happens to the process or the machine:
//! `/var/lib/ccgpu-node/transactions/NUMBER/` with the journal, and images of all files before and after.
//!
//! Nothing here decides what to do about a transaction; that is `transaction`'s.

use super::tree::{Tree, TreeError};
use crate::plan::{ArgumentChange, Digest};

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot use the journal")]
    Tree(#[from] TreeError),
    /// Something other than its last line is not as it was written. Nothing may be decided from it.
    #[error("{path} is damaged at byte {at}")]
    Damaged { path: String, at: usize },
}

/// One transaction, for `history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1.
    pub number: u32,
    pub state: State,
    /// Seconds since 1970 by the wall clock, as the transaction began; `None` where that is not known.
    pub begun: Option<u64>,
    /// Version of the program that made it.
    pub program: String,
    pub plan: Option<Digest>,
    pub steps: Vec<EntryStep>,
}

/// One step, for `history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryStep {
    pub rules: Vec<String>,
    /// `change /etc/default/grub`, `generate /boot/grub/grub.cfg`.
    pub what: String,
    /// Files that it changes, by the path in the plan.
    pub paths: Vec<String>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Interrupted before the first change; `recover` forgets it.
    Prepared,
    /// Interrupted between the first change and the last word; `recover` ends it.
    Interrupted,
    Committed,
    /// In place, and proved by no boot yet.
    PendingReboot {
        boot_id: String,
        change: ArgumentChange,
    },
    /// A boot showed the arguments.
    Confirmed,
    /// A boot did not show the arguments.
    Ineffective {
        why: String,
    },
    RolledBack {
        why: String,
    },
    /// A person has to look; nothing here touches it by itself.
    Manual {
        why: String,
    },
}

/// All transactions of this tree, oldest first. Reads only.
pub fn history(_tree: &Tree) -> Result<Vec<Entry>, JournalError> {
    Ok(Vec::new())
}
