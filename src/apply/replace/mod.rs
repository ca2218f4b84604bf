//! One file, changed at once or not at all.
//!
//! The new content is written to a temporary name in the same directory, given all that the old file has
//! besides its bytes, and exchanged with it; then it is checked that what came out is what was read. A
//! link at the end of the path stays, the file that it leads to is changed. What cannot be kept is
//! refused by name before anything happens; a protection such as the immutable flag is never taken off.
//!
//! A boot loader replays no journal: it may see the new name beside the inode as it was before the file was
//! written, or the old name beside an inode that is freed. For its files the file system is settled before
//! the exchange and once more before the old file goes, so that each of them is whole where it looks.

mod examine;
mod metadata;
mod swap;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]
mod tests;

use std::io;

use rustix::io::Errno;

use super::tree::TreeError;
use crate::plan::Digest;

pub(super) use examine::{Original, check_directory, content, examine};
pub(super) use metadata::Metadata;
pub(super) use swap::{Change, Settle, replace, sweep};

/// Bytes that a file to be changed may have.
pub const CAP: u64 = 4 << 20;

/// Why a file is not changed here, for whoever has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    #[error("it has {0} names (hard links), and replacing it would part them")]
    HardLinked(u32),
    #[error("it has the immutable flag (chattr +i)")]
    Immutable,
    #[error("it has the append-only flag (chattr +a)")]
    AppendOnly,
    #[error("its directory has the immutable or append-only flag (chattr +i, +a)")]
    DirectoryFlag,
    #[error("it is on a read-only filesystem")]
    ReadOnly,
    #[error("it is a mount point of its own (a bind mount), which nothing can take the place of")]
    BindMounted,
    #[error("it belongs to user {0}")]
    ForeignOwner(u32),
    #[error("its directory belongs to user {0}")]
    ForeignDirectory(u32),
    #[error("its directory can be written by others than its owner")]
    LooseDirectory,
    #[error("it is on a network filesystem")]
    Network,
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    #[error("it was changed by somebody else meanwhile")]
    Changed,
    #[error("it has been made by somebody else meanwhile")]
    Appeared,
    #[error("it has been removed by somebody else meanwhile")]
    Vanished,
    /// An interrupted exchange brought out an edit of somebody else; it stands under this name.
    #[error("an edit of somebody else was kept beside it as {0}")]
    Kept(String),
    #[error("{0} cannot be kept")]
    CannotKeep(String),
}

/// What a file holds after an error, by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    Before,
    After,
    /// Neither: somebody else wrote it.
    Foreign,
    CannotTell,
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// The file is as it was found.
    #[error("{path} is not changed: {why}")]
    Refused { path: String, why: Refusal },
    /// The file is as it was found.
    #[error("cannot {what} {path}")]
    Failed { path: String, what: &'static str, source: Errno },
    /// The file is as it was found.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The error came after the file had been exchanged, so it says nothing about the file. `now` is what
    /// was read then; whether that outlives a power cut is not known.
    #[error("cannot {what} {path}, which is now {}", describe(*now))]
    Unknown { path: String, what: &'static str, now: Now, source: Errno },
    /// Linux sees the file as `now` says; the boot loader may see it otherwise.
    #[error("cannot bring {path} to where the boot loader reads it, which is now {}", describe(*now))]
    Unsettled { path: String, now: Now, source: io::Error },
}

fn describe(now: Now) -> &'static str {
    match now {
        Now::Before => "as it was before",
        Now::After => "as it was to be",
        Now::Foreign => "neither as before nor as it was to be",
        Now::CannotTell => "not readable",
    }
}

/// The content of a file, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Absent,
    Bytes(Digest),
}

impl Content {
    pub fn of(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Absent, |bytes| Self::Bytes(Digest::of(bytes)))
    }
}
