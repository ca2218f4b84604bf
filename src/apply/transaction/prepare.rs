//! All that can be known before the first write: every input is what the plan was made from, nothing
//! would be refused, there is room, and an image of everything is on disk.

use super::{Failure, Occasion};
use crate::apply::actions::loader_entries;
use crate::apply::journal::record::{
    FileRecord, MetadataRecord, Prepare, StepKindRecord, StepRecord,
};
use crate::apply::journal::{self, JournalError, Transaction};
use crate::apply::replace::{self, Content, Original, Refusal, ReplaceError};
use crate::apply::tree::Tree;
use crate::plan::{Action, ArgumentChange, Digest, FileChange, Plan, Step, StepKind};

/// Bytes that a filesystem keeps free for what nobody counts: directories, the journal.
const SLACK: u64 = 256 << 10;

/// Collects what is to be kept.
struct Preparation<'a> {
    tree: &'a Tree,
    images: Vec<Image>,
    directories: Vec<String>,
}

struct Image {
    /// A path whose filesystem the file is on.
    on: String,
    original: Option<Original>,
    after: Option<Vec<u8>>,
    /// Bytes that the new file may take.
    room: u64,
}

/// Prepares a transaction, and leaves no trace of one that cannot be.
pub(super) fn prepare<'a>(
    tree: &'a Tree,
    occasion: &Occasion,
    plan: &Plan,
    digest: Digest,
) -> Result<Transaction<'a>, Failure> {
    if plan.steps.is_empty() {
        return Err(Failure::Empty);
    }
    let runs = |step: &Step| matches!(step.kind, StepKind::Act(_));
    if occasion.boot.is_none() && plan.steps.iter().any(runs) {
        return Err(Failure::NotRunning);
    }
    let mut preparation = Preparation { tree, images: Vec::new(), directories: Vec::new() };
    let steps = plan.steps.iter().map(|step| preparation.step(step)).collect::<Result<_, _>>()?;
    preparation.check_room()?;
    let prepare = Prepare {
        plan: digest.to_string(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        boot: occasion.boot.as_ref().map(|boot| boot.id.clone()),
        wall: occasion.wall,
        steps,
        directories: std::mem::take(&mut preparation.directories),
    };
    let number = journal::claim(tree)?;
    preparation.keep(number, prepare).map_err(|error| {
        // What cannot be removed either is forgotten by the next `recover`.
        let _ = journal::discard(tree, number);
        error.into()
    })
}

impl<'a> Preparation<'a> {
    fn step(&mut self, step: &Step) -> Result<StepRecord, Failure> {
        let words = |change: &ArgumentChange| (change.add.clone(), change.remove.clone());
        let (kind, files) = match &step.kind {
            StepKind::Write(change) => (StepKindRecord::Write, vec![self.write(change)?]),
            StepKind::Act(Action::GenerateBootMenu(menu)) => {
                let (add, remove) = words(&menu.change);
                (StepKindRecord::BootMenu { add, remove }, vec![self.file(&menu.target, None)?])
            }
            StepKind::Act(Action::UpdateLoaderEntries(change)) => {
                let (add, remove) = words(change);
                let files = loader_entries::files(&self.tree.reader()?);
                // `grubby` keeps the defaults in step too, but those belong to the step that edits them.
                let files = files
                    .iter()
                    .map(|path| self.file(path, None))
                    .filter(|file| !matches!(file, Err(Failure::Twice { .. })));
                let files = files.collect::<Result<_, _>>()?;
                (StepKindRecord::LoaderEntries { add, remove }, files)
            }
            StepKind::Act(Action::RebuildInitramfs(tool)) => {
                (StepKindRecord::Initramfs { tool: (*tool).into() }, Vec::new())
            }
            StepKind::Act(Action::RestartKubelet { unit }) => {
                (StepKindRecord::Kubelet { unit: unit.clone() }, Vec::new())
            }
        };
        let rules = step.rules.iter().map(ToString::to_string).collect();
        Ok(StepRecord { rules, kind, files })
    }

    fn write(&mut self, change: &FileChange) -> Result<FileRecord, Failure> {
        let record = self.file(&change.path, Some(change))?;
        let refused = |why| ReplaceError::Refused { path: change.path.clone(), why };
        let before = Content::of(change.before.as_deref());
        if record.before != before {
            return Err(refused(match (before, record.before) {
                (Content::Absent, _) => Refusal::Appeared,
                (_, Content::Absent) => Refusal::Vanished,
                _ => Refusal::Changed,
            })
            .into());
        }
        if change.after.as_ref().is_some_and(|after| after.len() as u64 > replace::CAP) {
            return Err(refused(Refusal::TooLarge(replace::CAP)).into());
        }
        Ok(record)
    }

    /// A file that a step may change, and its images. Without a change, what it becomes is known later.
    fn file(&mut self, path: &str, change: Option<&FileChange>) -> Result<FileRecord, Failure> {
        let missing = self.tree.missing_parents(path)?;
        let (real, on, original) = match missing.first() {
            None => {
                let place = self.tree.place(path)?;
                let original = replace::examine(self.tree, &place)?;
                let parent = place.path.rsplit_once('/').map_or("/", |(parent, _)| parent);
                (place.path.clone(), parent.to_owned(), original)
            }
            Some(first) => {
                let place = self.tree.place(first)?;
                replace::check_directory(self.tree, &place)?;
                let parent = first.rsplit_once('/').map_or("/", |(parent, _)| parent);
                (path.to_owned(), parent.to_owned(), None)
            }
        };
        let record = FileRecord {
            image: u32::try_from(self.images.len() + 1).unwrap_or(u32::MAX),
            path: path.to_owned(),
            before: Content::of(original.as_ref().map(|original| original.bytes.as_slice())),
            after: change.map(|change| Content::of(change.after.as_deref())),
            metadata: original.as_ref().map(|original| MetadataRecord::of(&original.metadata)),
            real,
        };
        let twice = self.images.iter().any(|image| match (&image.original, &original) {
            (Some(one), Some(two)) => one.is(two),
            _ => false,
        });
        if twice {
            return Err(Failure::Twice { path: path.to_owned() });
        }
        self.directories.extend(
            missing.into_iter().filter(|path| !self.directories.contains(path)).collect::<Vec<_>>(),
        );
        let after = change.and_then(|change| change.after.clone());
        let old = original.as_ref().map_or(0, |original| original.bytes.len() as u64);
        let room = after.as_ref().map_or(2 * old, |after| after.len() as u64).max(old);
        self.images.push(Image { on, original, after, room });
        Ok(record)
    }

    /// Room for everything at once and once more, on each filesystem: undoing needs some too.
    fn check_room(&self) -> Result<(), Failure> {
        let mut needed: Vec<(u64, String, u64)> = Vec::new();
        let mut need = |path: &str, bytes: u64| -> Result<(), Failure> {
            let Some(stat) = self.tree.stat(path)? else { return Ok(()) };
            match needed.iter_mut().find(|(device, ..)| *device == stat.st_dev) {
                Some((.., sum)) => *sum += bytes,
                None => needed.push((stat.st_dev, path.to_owned(), bytes)),
            }
            Ok(())
        };
        let kept: u64 = self.images.iter().map(|image| 2 * image.room).sum();
        need(journal::STATE, kept + SLACK)?;
        for image in &self.images {
            need(&image.on, 2 * image.room + SLACK)?;
        }
        for (_, path, needed) in needed {
            let space = self.tree.space(&path)?;
            if let Some(free) = space.filter(|free| *free < needed) {
                return Err(Failure::NoSpace { path, needed, free });
            }
        }
        Ok(())
    }

    fn keep(&self, number: u32, prepare: Prepare) -> Result<Transaction<'a>, JournalError> {
        for (image, number_of) in self.images.iter().zip(1..) {
            if let Some(original) = &image.original {
                journal::keep_before(self.tree, number, number_of, &original.bytes)?;
            }
            if let Some(after) = &image.after {
                journal::keep_after(self.tree, number, number_of, after)?;
            }
        }
        Transaction::begin(self.tree, number, prepare)
    }
}
