//! Taking back a transaction that was carried out.

use super::boot::{after_undo, settle_sentinel};
use super::carry_out::chain;
use super::undo::{self, Skip, Standing, UndoError, Units};
use super::{Failure, Occasion, RollbackError, RolledBack};
use crate::apply::journal::record::{Record, StepKindRecord};
use crate::apply::journal::{State, Transaction, numbers};
use crate::apply::lock::Lock;
use crate::apply::tree::Tree;

/// Takes back one transaction, or the last one that can be.
pub fn rollback(
    tree: &Tree,
    _lock: &Lock,
    occasion: &Occasion,
    number: Option<u32>,
) -> Result<RolledBack, RollbackError> {
    let (mut transaction, later) = choose(tree, number)?;
    let number = transaction.number();
    built_upon(&transaction, &later)?;
    needs_its_machine(&transaction, occasion)?;
    let found = undo::survey(tree, &transaction, Skip(None)).map_err(RollbackError::Failed)?;
    let foreign = found.iter().find(|(_, standing)| *standing == Standing::Foreign);
    if let Some((file, _)) = foreign {
        return Err(RollbackError::ForeignEdit { path: file.path.clone() });
    }
    transaction
        .append(&Record::Undoing { why: "asked for".to_owned() })
        .map_err(|error| RollbackError::Failed(error.into()))?;
    let undone = match undo::undo(tree, &transaction, occasion, Skip(None), Units::Restart) {
        Ok(undone) => undone,
        Err(UndoError::Stop(left)) => {
            // Without the record the next `recover` comes to the same end.
            let _ = transaction.append(&Record::Manual { why: left.clone() });
            return Err(RollbackError::NeedsPerson { number, left });
        }
        Err(UndoError::Failed(source)) => {
            let left = format!("{}; `recover` tries again", chain(&source));
            return Err(RollbackError::NeedsPerson { number, left });
        }
    };
    let word = after_undo(transaction.story(), occasion);
    if let Err(error) = transaction.append(&word) {
        let left = format!("all files are as they were; not written down: {}", chain(&error));
        return Err(RollbackError::NeedsPerson { number, left });
    }
    Ok(RolledBack {
        number,
        reboot: matches!(word, Record::PendingReboot { .. }),
        restored: undone.restored,
        notice: settle_sentinel(tree, occasion),
    })
}

/// The transaction, and those after it whose changes stand.
fn choose(
    tree: &Tree,
    number: Option<u32>,
) -> Result<(Transaction<'_>, Vec<Transaction<'_>>), RollbackError> {
    let failed = |error: Failure| RollbackError::Failed(error);
    let numbers = numbers(tree).map_err(|error| failed(error.into()))?;
    if let Some(number) = number.filter(|number| !numbers.contains(number)) {
        return Err(RollbackError::Unknown { number });
    }
    let mut later = Vec::new();
    for at in numbers.into_iter().rev() {
        let transaction = match Transaction::open(tree, at) {
            Ok(Some(transaction)) => transaction,
            Ok(None) if number == Some(at) => return Err(not_possible(at, &State::Prepared)),
            Ok(None) => continue,
            // What a damaged one changed is not known, so nothing before it may be touched.
            Err(error) => return Err(failed(error.into())),
        };
        let state = transaction.story().state();
        if state == State::Interrupted {
            return Err(not_possible(at, &state));
        }
        let stands = stands(&transaction);
        match number {
            Some(number) if number == at && !stands => return Err(not_possible(at, &state)),
            Some(number) if number == at => return Ok((transaction, later)),
            None if stands && !matches!(state, State::Manual { .. }) => {
                return Ok((transaction, later));
            }
            _ if stands => later.push(transaction),
            _ => {}
        }
    }
    Err(RollbackError::Nothing)
}

/// Whether something that it did may still be there to be taken back.
fn stands(transaction: &Transaction<'_>) -> bool {
    match transaction.story().state() {
        State::Committed | State::Manual { .. } => true,
        State::PendingReboot { .. } | State::Confirmed | State::Ineffective { .. } => {
            !transaction.story().taken_back()
        }
        State::Prepared | State::Interrupted | State::RolledBack { .. } => false,
    }
}

fn not_possible(number: u32, state: &State) -> RollbackError {
    let state = match state {
        State::Prepared => "one that changed nothing",
        State::Interrupted => "interrupted; `recover` ends it",
        _ => "taken back already",
    };
    RollbackError::NotPossible { number, state }
}

fn built_upon(
    transaction: &Transaction<'_>,
    later: &[Transaction<'_>],
) -> Result<(), RollbackError> {
    let files = |transaction: &Transaction<'_>| -> Vec<(String, String)> {
        let files = transaction.story().steps().flat_map(|(_, _, files)| files);
        files.map(|file| (file.real.clone(), file.path.clone())).collect()
    };
    let own = files(transaction);
    // The newest first: that is the one to begin with.
    for later in later {
        let shared =
            files(later).into_iter().find(|(real, _)| own.iter().any(|(own, _)| own == real));
        if let Some((_, path)) = shared {
            return Err(RollbackError::BuiltUpon { later: later.number(), path });
        }
    }
    Ok(())
}

/// Whether a program would have to run that this tree is not running for.
fn needs_its_machine(
    transaction: &Transaction<'_>,
    occasion: &Occasion,
) -> Result<(), RollbackError> {
    if occasion.boot.is_none() && rebuilds(transaction) {
        return Err(RollbackError::Failed(Failure::NotRunning));
    }
    Ok(())
}

/// Whether an initramfs has to be made again: no file can be put back in its place.
pub(super) fn rebuilds(transaction: &Transaction<'_>) -> bool {
    let story = transaction.story();
    story.steps().any(|(step, record, _)| {
        matches!(record.kind, StepKindRecord::Initramfs { .. }) && story.started.contains(&step)
    })
}
