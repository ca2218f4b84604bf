//! After an interruption, and after a boot: each open transaction is brought to an end, by what its files
//! hold. Where nothing is open nothing is written.

use super::boot::{after_undo, after_verification, judge, settle_sentinel};
use super::carry_out::chain;
use super::rollback::rebuilds;
use super::undo::{self, Skip, Standing, UndoError, Units};
use super::{Failure, Occasion, Recovered, Recovery};
use crate::apply::journal::record::Record;
use crate::apply::journal::{self, JournalError, State, Transaction, numbers};
use crate::apply::lock::Lock;
use crate::apply::tree::Tree;
use crate::plan::ArgumentChange;

/// Ends what was interrupted, and judges what waits for a boot. What it reports is what it did, or could
/// not do; where all is ended it reports and writes nothing. Only a damaged journal is reported each time.
///
/// `reason` says why a boot does not show the arguments that it should.
pub fn recover(
    tree: &Tree,
    _lock: &Lock,
    occasion: &Occasion,
    reason: &mut dyn FnMut(&ArgumentChange) -> String,
) -> Result<Recovery, Failure> {
    let mut recovered = Vec::new();
    // The newest first: an older one may have to wait for its files.
    for number in numbers(tree)?.into_iter().rev() {
        let outcome = one(tree, number, occasion, reason);
        match outcome {
            Ok(outcome) => recovered.extend(outcome),
            Err(Failure::Journal(error @ JournalError::Damaged { .. })) => {
                recovered.push(Recovered::Manual { number, why: chain(&error) });
            }
            Err(failure) => {
                recovered.push(Recovered::Postponed { number, why: chain(&failure) });
            }
        }
    }
    recovered.reverse();
    Ok(Recovery { transactions: recovered, notice: settle_sentinel(tree, occasion) })
}

fn one(
    tree: &Tree,
    number: u32,
    occasion: &Occasion,
    reason: &mut dyn FnMut(&ArgumentChange) -> String,
) -> Result<Option<Recovered>, Failure> {
    let Some(mut transaction) = Transaction::open(tree, number)? else {
        journal::discard(tree, number)?;
        return Ok(Some(Recovered::Discarded { number }));
    };
    match transaction.story().state() {
        State::Prepared => {
            journal::discard(tree, number)?;
            Ok(Some(Recovered::Discarded { number }))
        }
        State::Interrupted => interrupted(tree, &mut transaction, occasion).map(Some),
        State::PendingReboot { .. } => {
            let Some(word) = judge(&transaction, occasion, reason) else { return Ok(None) };
            transaction.append(&word)?;
            Ok(Some(match word {
                Record::Ineffective { why, .. } => Recovered::Ineffective { number, why },
                _ => Recovered::Confirmed { number },
            }))
        }
        State::Committed
        | State::Confirmed
        | State::Ineffective { .. }
        | State::RolledBack { .. }
        | State::Manual { .. } => Ok(None),
    }
}

fn interrupted(
    tree: &Tree,
    transaction: &mut Transaction<'_>,
    occasion: &Occasion,
) -> Result<Recovered, Failure> {
    let number = transaction.number();
    let found = undo::survey(tree, transaction, Skip(None))?;
    let stands = |standing| found.iter().all(|(_, found)| *found == standing);
    let story = transaction.story();
    if story.verified && !story.taken_back() && (found.is_empty() || stands(Standing::After)) {
        let word = after_verification(story, occasion, false);
        transaction.append(&word)?;
        let pending = matches!(word, Record::PendingReboot { .. });
        return Ok(Recovered::Finished { number, pending });
    }
    if let Some((file, _)) = found.iter().find(|(_, found)| *found == Standing::Foreign) {
        let why = format!("{} was changed by somebody else; nothing was touched", file.path);
        transaction.append(&Record::Manual { why: why.clone() })?;
        return Ok(Recovered::Manual { number, why });
    }
    if occasion.boot.is_none() && rebuilds(transaction) {
        return Err(Failure::NotRunning);
    }
    if !story.taken_back() {
        let why = "interrupted".to_owned();
        transaction.append(&Record::Undoing { why })?;
    }
    match undo::undo(tree, transaction, occasion, Skip(None), Units::RestartInSameBoot) {
        Ok(undone) => {
            let word = after_undo(transaction.story(), occasion);
            transaction.append(&word)?;
            Ok(Recovered::RolledBack {
                number,
                restored: undone.restored,
                restart: undone.restart,
                reboot: matches!(word, Record::PendingReboot { .. }),
            })
        }
        Err(UndoError::Stop(why)) => {
            transaction.append(&Record::Manual { why: why.clone() })?;
            Ok(Recovered::Manual { number, why })
        }
        Err(UndoError::Failed(failure)) => Err(failure),
    }
}
