//! What the records of one journal say together. Pure; a record that cannot follow the ones before it is
//! an error, never skipped.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::record::{FileRecord, MetadataRecord, Prepare, Record, StepRecord};
use crate::plan::ArgumentChange;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    pub prepare: Prepare,
    pub intent: bool,
    pub started: BTreeSet<usize>,
    pub done: BTreeSet<usize>,
    pub generated: BTreeMap<usize, Vec<FileRecord>>,
    pub verified: bool,
    /// Why it is, or was, taken back.
    pub undoing: Option<String>,
    last: Last,
}

/// The last word so far.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Last {
    None,
    Committed,
    Pending { boot: String, change: ArgumentChange },
    Confirmed,
    Ineffective { why: String },
    RolledBack,
    Manual { why: String },
}

/// The records do not make a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {index} cannot follow the ones before it")]
pub struct Impossible {
    /// From 0.
    pub index: usize,
}

impl Story {
    /// `None` where not even the first record is there.
    pub fn of(records: &[Record]) -> Result<Option<Self>, Impossible> {
        let mut records = records.iter().enumerate();
        let mut story = match records.next() {
            None => return Ok(None),
            Some((_, Record::Prepare(prepare))) => Self::begun(prepare.clone()),
            Some((index, _)) => return Err(Impossible { index }),
        };
        if !story.is_sound() {
            return Err(Impossible { index: 0 });
        }
        for (index, record) in records {
            story.follow(record).ok_or(Impossible { index })?;
        }
        Ok(Some(story))
    }

    fn begun(prepare: Prepare) -> Self {
        Self {
            prepare,
            intent: false,
            started: BTreeSet::new(),
            done: BTreeSet::new(),
            generated: BTreeMap::new(),
            verified: false,
            undoing: None,
            last: Last::None,
        }
    }

    /// Goes on by one record; `None` where it cannot follow.
    pub(in crate::apply) fn follow(&mut self, record: &Record) -> Option<()> {
        let open = self.intent && self.last == Last::None;
        let going = open && self.undoing.is_none() && !self.verified;
        let steps = self.prepare.steps.len();
        let allowed = match record {
            Record::Prepare(_) => false,
            Record::Intent => !self.intent,
            Record::Started { step } => {
                going && *step < steps && *step == self.done.len() && self.started.insert(*step)
            }
            Record::Generated { step, files } => {
                going
                    && self.started.contains(step)
                    && !self.done.contains(step)
                    && files.iter().all(is_sound)
                    && self.generated.insert(*step, files.clone()).is_none()
            }
            Record::Done { step } => {
                going && self.started.contains(step) && self.done.insert(*step)
            }
            Record::Verified => going && self.done.len() == steps,
            Record::Committed => open && self.verified && self.undoing.is_none(),
            Record::PendingReboot { .. } => open && (self.verified || self.undoing.is_some()),
            Record::Confirmed { .. } | Record::Ineffective { .. } => {
                matches!(self.last, Last::Pending { .. })
            }
            Record::Undoing { .. } => self.intent && self.last != Last::RolledBack,
            Record::RolledBack => open && self.undoing.is_some(),
            Record::Manual { .. } => open,
        };
        if !allowed {
            return None;
        }
        match record {
            Record::Intent => self.intent = true,
            Record::Verified => self.verified = true,
            Record::Undoing { why } => {
                self.undoing = Some(why.clone());
                self.last = Last::None;
            }
            Record::Committed => self.last = Last::Committed,
            Record::PendingReboot { boot, add, remove } => {
                let change = ArgumentChange { add: add.clone(), remove: remove.clone() };
                self.last = Last::Pending { boot: boot.clone(), change };
            }
            Record::Confirmed { .. } => self.last = Last::Confirmed,
            Record::Ineffective { why, .. } => self.last = Last::Ineffective { why: why.clone() },
            Record::RolledBack => self.last = Last::RolledBack,
            Record::Manual { why } => self.last = Last::Manual { why: why.clone() },
            Record::Prepare(_)
            | Record::Started { .. }
            | Record::Generated { .. }
            | Record::Done { .. } => {}
        }
        Some(())
    }

    fn is_sound(&self) -> bool {
        self.prepare.steps.iter().flat_map(|step| &step.files).all(is_sound)
            && self.prepare.directories.iter().all(|path| path.starts_with('/'))
    }

    pub fn state(&self) -> State {
        if !self.intent {
            return State::Prepared;
        }
        let rolled_back = || State::RolledBack { why: self.undoing.clone().unwrap_or_default() };
        match &self.last {
            Last::None => State::Interrupted,
            Last::Committed => State::Committed,
            Last::Pending { boot, change } => {
                State::PendingReboot { boot_id: boot.clone(), change: change.clone() }
            }
            // A boot without the arguments that were taken back.
            Last::Confirmed if self.undoing.is_some() => rolled_back(),
            Last::Confirmed => State::Confirmed,
            Last::Ineffective { why } => State::Ineffective { why: why.clone() },
            Last::RolledBack => rolled_back(),
            Last::Manual { why } => State::Manual { why: why.clone() },
        }
    }

    /// Whether its files were put back, or are being put back.
    pub fn taken_back(&self) -> bool {
        self.undoing.is_some()
    }

    /// The files of a step, as far as it is known what they become.
    pub fn files(&self, step: usize) -> &[FileRecord] {
        match (self.generated.get(&step), self.prepare.steps.get(step)) {
            (Some(files), _) => files,
            (None, Some(step)) => &step.files,
            (None, None) => &[],
        }
    }

    /// Steps with their files, in the order of the plan.
    pub(in crate::apply) fn steps(
        &self,
    ) -> impl Iterator<Item = (usize, &StepRecord, &[FileRecord])> {
        self.prepare.steps.iter().enumerate().map(|(index, step)| (index, step, self.files(index)))
    }

    /// The arguments that the next boot has to show; `None` where it is the same as this one.
    pub(in crate::apply) fn change(&self) -> Option<ArgumentChange> {
        let mut all: Option<ArgumentChange> = None;
        for change in self.prepare.steps.iter().filter_map(|step| step.kind.change()) {
            let all = all.get_or_insert_default();
            for (words, more) in [(&mut all.add, change.add), (&mut all.remove, change.remove)] {
                words.extend(
                    more.into_iter().filter(|word| !words.contains(word)).collect::<Vec<_>>(),
                );
            }
        }
        all
    }
}

fn is_sound(file: &FileRecord) -> bool {
    file.real.starts_with('/')
        && file.metadata.as_ref().map(MetadataRecord::metadata).is_none_or(|known| known.is_some())
}
