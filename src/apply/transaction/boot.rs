//! What a boot shows, and the sentinel that asks for one.

use super::{Boot, Failure, Occasion};
use crate::apply::journal::record::Record;
use crate::apply::journal::story::Story;
use crate::apply::journal::{State, Transaction, history};
use crate::apply::sentinel;
use crate::apply::tree::Tree;
use crate::format::cmdline::normal_key;
use crate::plan::ArgumentChange;

/// Whether the arguments that a machine was booted with are as the change wants them.
pub(super) fn shows(boot: &Boot, change: &ArgumentChange) -> bool {
    let given = |word: &String| boot.arguments.iter().any(|argument| same(argument, word));
    change.add.iter().all(given) && !change.remove.iter().any(given)
}

/// The kernel takes `-` and `_` in a key for the same.
fn same(one: &str, two: &str) -> bool {
    let split = |word: &str| {
        let (key, value) =
            word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
        (normal_key(key), value.map(ToOwned::to_owned))
    };
    split(one) == split(two)
}

/// The last word on a transaction whose files are back as they were.
pub(super) fn after_undo(story: &Story, occasion: &Occasion) -> Record {
    let (Some(boot), Some(change)) = (&occasion.boot, story.change()) else {
        return Record::RolledBack;
    };
    // A menu that was never swapped in, or a machine that still runs what it was booted with then, has
    // nothing to lose by a reboot.
    let began_elsewhere = story.prepare.boot.as_ref() != Some(&boot.id);
    let acted = story
        .steps()
        .any(|(step, record, _)| record.kind.change().is_some() && story.started.contains(&step));
    let back = ArgumentChange { add: change.remove, remove: change.add };
    let empty = back.add.is_empty() && back.remove.is_empty();
    if began_elsewhere && acted && (empty || !shows(boot, &back)) {
        let ArgumentChange { add, remove } = back;
        Record::PendingReboot { boot: boot.id.clone(), add, remove }
    } else {
        Record::RolledBack
    }
}

/// The last word on a transaction that did what it should.
pub(super) fn after_verification(story: &Story, occasion: &Occasion, awaits: bool) -> Record {
    let change = story.change().or_else(|| awaits.then(ArgumentChange::default));
    match (&occasion.boot, change) {
        (Some(boot), Some(ArgumentChange { add, remove })) => {
            Record::PendingReboot { boot: boot.id.clone(), add, remove }
        }
        _ => Record::Committed,
    }
}

/// What a boot other than the one that it waits in says about a transaction.
pub(super) fn judge(
    transaction: &Transaction<'_>,
    occasion: &Occasion,
    reason: &mut dyn FnMut(&ArgumentChange) -> String,
) -> Option<Record> {
    let State::PendingReboot { boot_id, change } = transaction.story().state() else { return None };
    let boot = occasion.boot.as_ref().filter(|boot| boot.id != boot_id)?;
    let id = boot.id.clone();
    Some(if shows(boot, &change) {
        Record::Confirmed { boot: id }
    } else {
        Record::Ineffective { boot: id, why: reason(&change) }
    })
}

/// Raises or clears the sentinel as the journals ask for. What goes wrong is for a person to read.
pub(super) fn settle_sentinel(tree: &Tree, occasion: &Occasion) -> Option<String> {
    occasion.boot.as_ref()?;
    let settle = || -> Result<(), Failure> {
        let pending = |state: &State| matches!(state, State::PendingReboot { .. });
        let wanted = history(tree)?.iter().any(|entry| pending(&entry.state));
        if wanted {
            sentinel::raise(tree)?;
        } else {
            sentinel::clear(tree)?;
        }
        Ok(())
    };
    settle().err().map(|error| format!("the reboot sentinel is not right: {error}"))
}
