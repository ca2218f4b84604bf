//! A reading with the place that it comes from and what makes it plain, as sources keep them.

use super::catalogue::Evidence;
use super::{Cause, Reading, Source, Value};

/// A reading, where it comes from, and what makes it plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    pub reading: Reading<T>,
    pub source: Source,
    pub note: Option<String>,
}

impl<T> Told<T> {
    pub(super) fn new(reading: Reading<T>, source: Source) -> Self {
        Self { reading, source, note: None }
    }

    pub(super) fn known(value: T, source: Source) -> Self {
        Self::new(Reading::Known(value), source)
    }

    pub(super) fn unreadable(cause: Cause, source: Source) -> Self {
        Self::new(Reading::Unreadable(cause), source)
    }

    pub(super) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(super) fn evidence(&self, value: impl FnOnce(&T) -> Value) -> Evidence {
        let evidence = Evidence::new(self.reading.as_ref().map(value), self.source.clone());
        Evidence { note: self.note.clone(), ..evidence }
    }
}

/// Why nothing of a program's configuration takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The program stops over this.
    Fails(Cause, Source),
    CannotTell(Cause, Source),
}
