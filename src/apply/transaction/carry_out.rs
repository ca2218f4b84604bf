//! Carrying out a plan: the way forward, and the turn back where it does not go on.

use std::io;

use super::boot::{after_undo, after_verification, settle_sentinel};
use super::prepare::prepare;
use super::undo::{self, Skip, UndoError, Units};
use super::{Applied, ApplyError, Failure, Occasion, Verification};
use crate::apply::actions::{boot_menu, initramfs, kubelet, loader_entries};
use crate::apply::interrupt::Interrupt;
use crate::apply::journal::record::{FileRecord, MetadataRecord, Record};
use crate::apply::journal::{self, State, Transaction, history};
use crate::apply::lock::Lock;
use crate::apply::replace::{self, Change, Content, Metadata, Refusal, ReplaceError, Settle};
use crate::apply::tree::Tree;
use crate::plan::{Action, BootMenu, Digest, FileChange, Plan, StepKind};

/// What the way forward ended in.
struct Stopped {
    failure: Failure,
    /// A step that stopped before it changed anything: its files are not ours to put back.
    untouched: Option<usize>,
}

/// Carries out a plan. `digest` is that of the plan, as it was shown.
///
/// `verify` is asked once, after the last step; it gathers and judges again.
pub fn apply(
    tree: &Tree,
    _lock: &Lock,
    occasion: &Occasion,
    interrupt: &Interrupt,
    plan: &Plan,
    digest: Digest,
    verify: &mut dyn FnMut() -> Verification,
) -> Result<Applied, ApplyError> {
    nothing_unfinished(tree).map_err(ApplyError::Refused)?;
    let mut transaction = prepare(tree, occasion, plan, digest).map_err(ApplyError::Refused)?;
    let number = transaction.number();
    let intent = if interrupt.is_raised() {
        Err(Failure::Interrupted)
    } else {
        transaction.append(&Record::Intent).map_err(Failure::from)
    };
    if let Err(failure) = intent {
        // Without an intent it is one that changed nothing, removed or not.
        let _ = journal::discard(tree, number);
        return Err(ApplyError::Refused(failure));
    }
    let outcome = forward(tree, &mut transaction, interrupt, plan)
        .and_then(|()| finish(&mut transaction, occasion, verify).map_err(Stopped::from));
    match outcome {
        Ok(()) => Ok(Applied {
            number,
            pending: match transaction.story().state() {
                State::PendingReboot { change, .. } => Some(change),
                _ => None,
            },
            notice: settle_sentinel(tree, occasion),
        }),
        Err(stopped) => Err(back(tree, &mut transaction, occasion, stopped)),
    }
}

fn nothing_unfinished(tree: &Tree) -> Result<(), Failure> {
    let unfinished = history(tree)?.into_iter().find(|entry| entry.state == State::Interrupted);
    match unfinished {
        Some(entry) => Err(Failure::Unfinished { number: entry.number }),
        None => Ok(()),
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self { failure, untouched: None }
    }
}

fn forward(
    tree: &Tree,
    transaction: &mut Transaction<'_>,
    interrupt: &Interrupt,
    plan: &Plan,
) -> Result<(), Stopped> {
    for (index, step) in plan.steps.iter().enumerate() {
        if interrupt.is_raised() {
            return Err(Failure::Interrupted.into());
        }
        still_before(tree, transaction, index)
            .map_err(|failure| Stopped { failure, untouched: Some(index) })?;
        transaction.append(&Record::Started { step: index }).map_err(Failure::from)?;
        let done = match &step.kind {
            StepKind::Write(change) => write(tree, transaction, index, change),
            StepKind::Act(Action::GenerateBootMenu(menu)) => {
                generate(tree, transaction, index, menu)
            }
            StepKind::Act(Action::UpdateLoaderEntries(change)) => {
                // Whatever came of it, what the files are now is ours.
                let updated = loader_entries::update(change);
                record_entries(tree, transaction, index)
                    .and(updated.map_err(Failure::from))
                    .and_then(|()| settle_entries(transaction, index))
            }
            StepKind::Act(Action::RebuildInitramfs(tool)) => {
                initramfs::rebuild(*tool).map_err(Failure::from)
            }
            StepKind::Act(Action::RestartKubelet { unit }) => {
                kubelet::restart(unit).map_err(Failure::from)
            }
        };
        done.map_err(|failure| Stopped { untouched: untouched(index, &failure), failure })?;
        transaction.append(&Record::Done { step: index }).map_err(Failure::from)?;
    }
    if interrupt.is_raised() { Err(Failure::Interrupted.into()) } else { Ok(()) }
}

/// An error of a replacement leaves the file as it was found, unless it says that it does not know.
fn untouched(step: usize, failure: &Failure) -> Option<usize> {
    let touched = match failure {
        Failure::Replace(error) => {
            matches!(error, ReplaceError::Unknown { .. } | ReplaceError::Unsettled { .. })
        }
        _ => true,
    };
    (!touched).then_some(step)
}

/// A last look before the journal says that a step has begun.
fn still_before(tree: &Tree, transaction: &Transaction<'_>, step: usize) -> Result<(), Failure> {
    for file in transaction.story().files(step) {
        if undo::content(tree, file)? != Some(file.before) {
            let (path, why) = (file.path.clone(), Refusal::Changed);
            return Err(ReplaceError::Refused { path, why }.into());
        }
    }
    Ok(())
}

fn write(
    tree: &Tree,
    transaction: &Transaction<'_>,
    step: usize,
    change: &FileChange,
) -> Result<(), Failure> {
    let Some(file) = transaction.story().files(step).first() else { return Ok(()) };
    for directory in tree.missing_parents(&file.real)? {
        tree.make_directory(&directory, 0o755)?;
    }
    put(tree, transaction, file, change.after.as_deref(), change.new_mode, None)
}

fn put(
    tree: &Tree,
    transaction: &Transaction<'_>,
    file: &FileRecord,
    after: Option<&[u8]>,
    new_mode: u32,
    settle: Option<Settle<'_>>,
) -> Result<(), Failure> {
    if Content::of(after) == file.before {
        return Ok(());
    }
    let place = tree.place(&file.real)?;
    let metadata = Metadata::new(new_mode, tree.owner());
    let metadata = (file.before == Content::Absent).then_some(&metadata);
    let temporary = undo::temporary(transaction.number(), file.image, undo::Way::There);
    let change = Change { before: file.before, after, metadata, temporary: &temporary, settle };
    Ok(replace::replace(tree, &place, &change)?)
}

/// The menu's bytes are on disk and in the journal before they come into place.
fn generate(
    tree: &Tree,
    transaction: &mut Transaction<'_>,
    step: usize,
    menu: &BootMenu,
) -> Result<(), Failure> {
    let bytes = boot_menu::generate(menu)?;
    let Some(mut file) = transaction.story().files(step).first().cloned() else { return Ok(()) };
    journal::keep_after(tree, transaction.number(), file.image, &bytes)?;
    file.after = Some(Content::of(Some(&bytes)));
    transaction.append(&Record::Generated { step, files: vec![file.clone()] })?;
    let settle = || boot_menu::settle(&menu.target).map_err(io::Error::other);
    put(tree, transaction, &file, Some(&bytes), 0o644, Some(&settle))?;
    Ok(boot_menu::settle(&menu.target)?)
}

/// What a program of somebody else made of its files, so that it can be told from what others make of
/// them later.
fn record_entries(
    tree: &Tree,
    transaction: &mut Transaction<'_>,
    step: usize,
) -> Result<(), Failure> {
    let mut files = transaction.story().files(step).to_vec();
    let last = transaction.story().steps().flat_map(|(_, _, files)| files).map(|file| file.image);
    let mut image = last.max().unwrap_or_default();
    for path in loader_entries::files(&tree.reader()?) {
        let place = tree.place(&path)?;
        // One of an earlier step as well: what it was is known there.
        let mut known = transaction.story().steps().flat_map(|(_, _, files)| files);
        if known.any(|file| file.real == place.path || file.path == path) {
            continue;
        }
        image += 1;
        let (real, before) = (place.path, Content::Absent);
        files.push(FileRecord { image, path, real, before, after: None, metadata: None });
    }
    for file in &mut files {
        let bytes = tree.read(&file.real, replace::CAP)?;
        file.after = Some(Content::of(bytes.as_deref()));
        if let Some(bytes) = bytes {
            journal::keep_after(tree, transaction.number(), file.image, &bytes)?;
        }
    }
    Ok(transaction.append(&Record::Generated { step, files })?)
}

/// The program that wrote them leaves the boot loader with what the journal of the file system has not let
/// go of yet.
fn settle_entries(transaction: &Transaction<'_>, step: usize) -> Result<(), Failure> {
    let files = transaction.story().files(step).iter();
    let there = files.filter(|file| !matches!(file.after, None | Some(Content::Absent)));
    undo::one_of_each_directory(there).try_for_each(boot_menu::settle)?;
    Ok(())
}

fn finish(
    transaction: &mut Transaction<'_>,
    occasion: &Occasion,
    verify: &mut dyn FnMut() -> Verification,
) -> Result<(), Failure> {
    let awaits = match verify() {
        Verification::Holds => false,
        Verification::AwaitsReboot => true,
        Verification::Failed { why } => return Err(Failure::Verification { why }),
    };
    transaction.append(&Record::Verified)?;
    let word = after_verification(transaction.story(), occasion, awaits);
    Ok(transaction.append(&word)?)
}

/// Takes back what was done, and says what became of it.
fn back(
    tree: &Tree,
    transaction: &mut Transaction<'_>,
    occasion: &Occasion,
    stopped: Stopped,
) -> ApplyError {
    let number = transaction.number();
    let source = stopped.failure;
    let why = chain(&source);
    // A journal that takes no more records stops nothing: recovery would come to the same end.
    let _ = transaction.append(&Record::Undoing { why });
    let undone = undo::undo(tree, transaction, occasion, Skip(stopped.untouched), Units::Restart);
    let left = match undone {
        Ok(_) => {
            let word = after_undo(transaction.story(), occasion);
            // As above; the next `recover` finds everything back and writes it down.
            let _ = transaction.append(&word);
            return ApplyError::RolledBack { number, source };
        }
        Err(UndoError::Stop(left)) => {
            let _ = transaction.append(&Record::Manual { why: left.clone() });
            left
        }
        Err(UndoError::Failed(failure)) => {
            format!("{}; `recover` tries again", chain(&failure))
        }
    };
    ApplyError::NeedsPerson { number, left, source }
}

/// An error with all that caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Kept as it stands in the journal.
pub(super) fn metadata_of(file: &FileRecord) -> Option<Metadata> {
    file.metadata.as_ref().and_then(MetadataRecord::metadata)
}
