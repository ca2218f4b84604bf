//! Putting files back. What is to be done with a file is decided by what it holds now; the journal only
//! says what it may hold. If one holds something else, nothing at all is touched.

use std::collections::BTreeMap;
use std::io;

use rustix::io::Errno;

use super::carry_out::{chain, metadata_of};
use super::{Failure, Occasion};
use crate::apply::actions::{boot_menu, initramfs, kubelet};
use crate::apply::journal::Transaction;
use crate::apply::journal::record::{FileRecord, StepKindRecord};
use crate::apply::replace::{self, Change, Content, Metadata, Refusal, ReplaceError, Settle};
use crate::apply::tree::{Place, Tree, TreeError};

/// In which direction a temporary file was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    There,
    Back,
}

/// A step whose files are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skip(pub(super) Option<usize>);

/// What a file is, measured by what it was and what it was to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Before,
    After,
    /// Whatever a program that was interrupted made of it.
    Ours,
    Foreign,
}

/// Why not everything is as it was.
#[derive(Debug)]
pub(super) enum UndoError {
    /// For a person, whatever is tried again.
    Stop(String),
    /// It may go better the next time.
    Failed(Failure),
}

/// Whether a unit that read what is taken back is restarted by this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    Restart,
    /// Only in the boot in which the transaction began: restarting a unit while the machine comes up
    /// would wait for what waits for this program.
    RestartInSameBoot,
}

#[derive(Debug, Default)]
pub(super) struct Undone {
    /// Paths, as the plan says them.
    pub(super) restored: Vec<String>,
    /// Units that may have read what was taken back.
    pub(super) restart: Vec<String>,
}

impl<E: Into<Failure>> From<E> for UndoError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A dot file that none of the programs takes for its own: they read `*.cfg`, `*.conf`, `*.yaml`, or what
/// is executable.
pub(super) fn temporary(number: u32, image: u32, way: Way) -> String {
    match way {
        Way::There => format!(".ccgpu-node.{number:06}-{image}.tmp"),
        Way::Back => format!(".ccgpu-node.{number:06}-{image}-undo.tmp"),
    }
}

/// Where a file of the journal stands; `None` where its directory is gone, or a link took its place.
fn place(tree: &Tree, file: &FileRecord) -> Result<Result<Place, Content>, Failure> {
    match tree.place(&file.real) {
        Ok(place) if place.path == file.real => Ok(Ok(place)),
        // What a link leads to is not the file that was changed.
        Ok(_) => Err(Failure::ForeignEdit { path: file.path.clone() }),
        Err(TreeError::Failed { source: Errno::NOENT, .. }) => Ok(Err(Content::Absent)),
        Err(TreeError::Failed { source: Errno::NOTDIR | Errno::LOOP, .. }) => {
            Err(Failure::ForeignEdit { path: file.path.clone() })
        }
        Err(error) => Err(error.into()),
    }
}

/// What a file holds now; `None` where that is nothing that this program writes.
pub(super) fn content(tree: &Tree, file: &FileRecord) -> Result<Option<Content>, Failure> {
    let place = match place(tree, file) {
        Ok(Ok(place)) => place,
        Ok(Err(content)) => return Ok(Some(content)),
        Err(Failure::ForeignEdit { .. }) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    match replace::content(&place, &place.name) {
        Ok(content) => Ok(Some(content)),
        Err(
            ReplaceError::Refused { why: Refusal::NotRegular(_), .. }
            | ReplaceError::Tree(TreeError::TooLarge { .. }),
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks at all files, in the order of the plan.
pub(super) fn survey<'a>(
    tree: &Tree,
    transaction: &'a Transaction<'_>,
    skip: Skip,
) -> Result<Vec<(&'a FileRecord, Standing)>, Failure> {
    let story = transaction.story();
    let mut found = Vec::new();
    for (step, record, files) in story.steps().filter(|(step, ..)| skip.0 != Some(*step)) {
        let interrupted = matches!(record.kind, StepKindRecord::LoaderEntries { .. })
            && story.started.contains(&step);
        for file in files {
            let standing = match content(tree, file)? {
                Some(now) if now == file.before => Standing::Before,
                Some(now) if Some(now) == file.after => Standing::After,
                Some(Content::Bytes(_)) if file.after.is_none() && interrupted => Standing::Ours,
                _ => Standing::Foreign,
            };
            found.push((file, standing));
        }
    }
    Ok(found)
}

/// Puts everything back, and lets the programs that read the files read them again.
pub(super) fn undo(
    tree: &Tree,
    transaction: &Transaction<'_>,
    occasion: &Occasion,
    skip: Skip,
    units: Units,
) -> Result<Undone, UndoError> {
    let found = survey(tree, transaction, skip)?;
    if let Some((file, _)) = found.iter().find(|(_, standing)| *standing == Standing::Foreign) {
        let path = &file.path;
        return Err(UndoError::Stop(format!(
            "{path} was changed by somebody else; nothing more was touched"
        )));
    }
    if occasion.boot.is_some() {
        // What is swept may be what the boot loader still finds under the name of the menu. If it cannot be
        // settled, all goes back nevertheless, and the last time it is settled says why not.
        for path in one_of_each_directory(read_by_boot_loader(transaction)) {
            let _ = boot_menu::settle(path);
        }
    }
    for (file, _) in &found {
        sweep(tree, transaction, file)?;
    }
    sweep_menus(tree, transaction)?;
    let mut undone = Undone::default();
    for (file, standing) in found.iter().rev() {
        if *standing != Standing::Before {
            put_back(tree, transaction, occasion, file, *standing)?;
            undone.restored.push(file.path.clone());
        }
    }
    for directory in transaction.story().prepare.directories.iter().rev() {
        tree.remove_empty_directory(directory)?;
    }
    read_again(transaction, occasion, units, &mut undone)?;
    let found = survey(tree, transaction, skip)?;
    match found.iter().find(|(_, standing)| *standing != Standing::Before) {
        Some((file, _)) => Err(Failure::NotBack { path: file.path.clone() }.into()),
        None => Ok(undone),
    }
}

/// Files of the steps that have begun, where they are known to have come into place.
fn read_by_boot_loader<'a>(
    transaction: &'a Transaction<'_>,
) -> impl Iterator<Item = &'a FileRecord> {
    let story = transaction.story();
    let begun = story.steps().filter(|(step, record, _)| {
        story.started.contains(step)
            && matches!(
                record.kind,
                StepKindRecord::BootMenu { .. } | StepKindRecord::LoaderEntries { .. }
            )
    });
    begun.flat_map(|(_, _, files)| files).filter(|file| file.after.is_some())
}

/// Paths of files, one where several are in one directory: to settle that is to settle them all.
pub(super) fn one_of_each_directory<'a>(
    files: impl IntoIterator<Item = &'a FileRecord>,
) -> impl Iterator<Item = &'a str> {
    let directory = |path: &'a str| path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let paths = files.into_iter().map(|file| (directory(&file.real), file.real.as_str()));
    paths.collect::<BTreeMap<_, _>>().into_values()
}

fn sweep(tree: &Tree, transaction: &Transaction<'_>, file: &FileRecord) -> Result<(), UndoError> {
    let Ok(place) = place(tree, file)? else { return Ok(()) };
    // What was put in the place of a file without knowing whose it was is kept among the images.
    let after = file.after.unwrap_or(Content::Absent);
    for (way, from, to) in [(Way::There, file.before, after), (Way::Back, after, file.before)] {
        let name = temporary(transaction.number(), file.image, way);
        match replace::sweep(&place, &name, from, to) {
            Ok(_) => {}
            Err(error @ ReplaceError::Refused { .. }) => {
                return Err(UndoError::Stop(chain(&error)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What a generator of boot menus that was killed left beside the menu.
fn sweep_menus(tree: &Tree, transaction: &Transaction<'_>) -> Result<(), Failure> {
    let story = transaction.story();
    let begun = story.steps().filter(|(step, record, _)| {
        matches!(record.kind, StepKindRecord::BootMenu { .. }) && story.started.contains(step)
    });
    for file in begun.flat_map(|(_, _, files)| files) {
        let directory = file.real.rsplit_once('/').map_or("", |(directory, _)| directory);
        for name in tree.list(directory)?.iter().filter(|name| name.starts_with(boot_menu::WORK)) {
            tree.remove_file(&format!("{directory}/{name}"))?;
        }
    }
    Ok(())
}

fn put_back(
    tree: &Tree,
    transaction: &Transaction<'_>,
    occasion: &Occasion,
    file: &FileRecord,
    standing: Standing,
) -> Result<(), UndoError> {
    let bytes = transaction.before(file)?;
    let Ok(place) = place(tree, file)? else {
        return match (bytes, file.after) {
            // Its directory went with it.
            (None, _) => Ok(()),
            _ => Err(Failure::NotBack { path: file.path.clone() }.into()),
        };
    };
    if standing == Standing::Ours
        && let Some(found) = tree.read(&file.real, replace::CAP)?
    {
        transaction.keep_found(file, &found)?;
    }
    let now = replace::content(&place, &place.name)?;
    if standing == Standing::After && Some(now) != file.after {
        return Err(Failure::ForeignEdit { path: file.path.clone() }.into());
    }
    let metadata: Option<Metadata> = metadata_of(file);
    let temporary = temporary(transaction.number(), file.image, Way::Back);
    let settle = || -> io::Result<()> {
        // As before it was swept.
        let _ = boot_menu::settle(&file.real);
        Ok(())
    };
    let settle: Option<Settle<'_>> = (occasion.boot.is_some()
        && read_by_boot_loader(transaction).any(|other| other.real == file.real))
    .then_some(&settle);
    let change = Change {
        before: now,
        after: bytes.as_deref(),
        metadata: metadata.as_ref(),
        temporary: &temporary,
        settle,
    };
    Ok(replace::replace(tree, &place, &change)?)
}

/// The programs of the steps that had begun, now with the old files.
fn read_again(
    transaction: &Transaction<'_>,
    occasion: &Occasion,
    units: Units,
    undone: &mut Undone,
) -> Result<(), UndoError> {
    let story = transaction.story();
    let Some(boot) = &occasion.boot else { return Ok(()) };
    let restart = units == Units::Restart || story.prepare.boot.as_ref() == Some(&boot.id);
    for (_, step, files) in story.steps().filter(|(step, ..)| story.started.contains(step)) {
        match &step.kind {
            StepKindRecord::Write => {}
            StepKindRecord::BootMenu { .. } | StepKindRecord::LoaderEntries { .. } => {
                // With one that is gone again its directory may be gone.
                let known = files.iter().filter(|file| file.after.is_some());
                let known = known.filter(|file| file.before != Content::Absent);
                one_of_each_directory(known).try_for_each(boot_menu::settle)?;
            }
            StepKindRecord::Initramfs { tool } => initramfs::rebuild((*tool).into())?,
            StepKindRecord::Kubelet { unit } if restart => {
                // No third try.
                kubelet::restart(unit).map_err(|error| {
                    UndoError::Stop(format!(
                        "all files are as they were, and {unit} does not run with them: {}",
                        chain(&error)
                    ))
                })?;
            }
            StepKindRecord::Kubelet { unit } => undone.restart.push(unit.clone()),
        }
    }
    Ok(())
}
