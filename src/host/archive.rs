//! A captured host: all files that facts read, in one readable text file.

use std::path::Path;

use super::reading::{Cause, Reading};
use super::root::{DirEntry, Stat};

/// Stand-in until the format is written.
#[derive(Debug, Default)]
pub struct Archive {}

#[derive(Debug)]
pub struct Entry {}

#[derive(Debug)]
pub struct Node {}

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("not a captured host")]
    NotACapture,
}

impl Archive {
    pub fn load(_path: &Path) -> Result<Self, ArchiveError> {
        Err(ArchiveError::NotACapture)
    }
    pub(super) fn read(&self, _path: &str, _cap: u64) -> Reading<Vec<u8>> {
        Reading::Unreadable(Cause::NotCaptured)
    }
    pub(super) fn read_at(&self, _path: &str, _offset: u64, _length: usize) -> Reading<Vec<u8>> {
        Reading::Unreadable(Cause::NotCaptured)
    }
    pub(super) fn list(&self, _path: &str) -> Reading<Vec<DirEntry>> {
        Reading::Unreadable(Cause::NotCaptured)
    }
    pub(super) fn link(&self, _path: &str) -> Reading<String> {
        Reading::Unreadable(Cause::NotCaptured)
    }
    pub(super) fn resolve(&self, _path: &str) -> Reading<String> {
        Reading::Unreadable(Cause::NotCaptured)
    }
    pub(super) fn stat(&self, _path: &str) -> Reading<Stat> {
        Reading::Unreadable(Cause::NotCaptured)
    }
}
