//! What is kept on disk so that a change can be undone, whatever happens to the process or the machine:
//! `/var/lib/ccgpu-node/transactions/NUMBER/` with the journal, and images of all files before and after.
//!
//! Nothing here decides what to do about a transaction; that is `transaction`'s.

pub mod lines;
pub mod record;
mod store;
pub mod story;

#[cfg(test)]
mod tests;

use super::tree::{Tree, TreeError};
use crate::plan::{ArgumentChange, Digest};
use record::{StepKindRecord, StepRecord};

pub(super) use store::{
    STATE, Transaction, claim, discard, keep_after, keep_before, numbers, prepare_state_directory,
};

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot use the journal")]
    Tree(#[from] TreeError),
    /// Something other than its last line is not as it was written. Nothing may be decided from it.
    #[error("{path} cannot be trusted: {why}")]
    Damaged { path: String, why: String },
    /// An image is not what the journal says it is.
    #[error("{path} is not the image that was kept")]
    Image { path: String },
    #[error("cannot write a record of transaction {number}")]
    Record { number: u32, source: serde_json::Error },
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
    /// Whether its files were put back; with `PendingReboot`, the boot is to show that.
    pub taken_back: bool,
    /// Whether it restarts the kubelet, and so does taking it back.
    pub restarts_kubelet: bool,
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
pub fn history(tree: &Tree) -> Result<Vec<Entry>, JournalError> {
    numbers(tree)?.into_iter().map(|number| entry(tree, number)).collect()
}

fn entry(tree: &Tree, number: u32) -> Result<Entry, JournalError> {
    let (begun, program, plan) = (None, String::new(), None);
    let bare = |state| Entry {
        number,
        state,
        begun,
        program,
        plan,
        steps: Vec::new(),
        taken_back: false,
        restarts_kubelet: false,
    };
    let transaction = match Transaction::open(tree, number) {
        Ok(transaction) => transaction,
        Err(damaged @ JournalError::Damaged { .. }) => {
            return Ok(bare(State::Manual { why: damaged.to_string() }));
        }
        Err(error) => return Err(error),
    };
    let Some(story) = transaction.as_ref().map(Transaction::story) else {
        return Ok(bare(State::Prepared));
    };
    Ok(Entry {
        number,
        state: story.state(),
        begun: Some(story.prepare.wall),
        program: story.prepare.program.clone(),
        plan: Digest::parse(&story.prepare.plan),
        steps: story.prepare.steps.iter().map(entry_step).collect(),
        taken_back: story.taken_back(),
        restarts_kubelet: story
            .prepare
            .steps
            .iter()
            .any(|step| matches!(step.kind, StepKindRecord::Kubelet { .. })),
    })
}

fn entry_step(step: &StepRecord) -> EntryStep {
    let paths: Vec<String> = step.files.iter().map(|file| file.path.clone()).collect();
    let what = match &step.kind {
        StepKindRecord::Write => format!("change {}", paths.join(" ")),
        StepKindRecord::BootMenu { .. } => format!("generate {}", paths.join(" ")),
        StepKindRecord::LoaderEntries { .. } => "update the loader entries".to_owned(),
        StepKindRecord::Initramfs { .. } => "rebuild the initramfs".to_owned(),
        StepKindRecord::Kubelet { unit } => format!("restart {unit}"),
    };
    EntryStep { rules: step.rules.clone(), what, paths }
}
