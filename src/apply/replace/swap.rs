//! The exchange itself, and what is left of one that was interrupted.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::{Errno, retry_on_intr};

use super::examine::{self, Identity, Original, content, refused};
use super::{Content, Metadata, Now, Refusal, ReplaceError};
use crate::apply::tree::{Place, Tree, TreeError, sync, write_whole};

/// Brings a file system to where a boot loader reads it, which is not in the journal.
pub(in crate::apply) type Settle<'a> = &'a dyn Fn() -> io::Result<()>;

/// What is to become of one file.
#[derive(Clone, Copy)]
pub(in crate::apply) struct Change<'a> {
    /// What has to stand there.
    pub(in crate::apply) before: Content,
    /// `None` removes it.
    pub(in crate::apply) after: Option<&'a [u8]>,
    /// What the new file gets; `None` is what the old one has.
    pub(in crate::apply) metadata: Option<&'a Metadata>,
    /// The temporary name, in the same directory.
    pub(in crate::apply) temporary: &'a str,
    /// For a file that a boot loader reads; what is done last, the caller settles.
    pub(in crate::apply) settle: Option<Settle<'a>>,
}

/// Changes the file at a place, or leaves it as it was found.
pub(in crate::apply) fn replace(
    tree: &Tree,
    place: &Place,
    change: &Change<'_>,
) -> Result<(), ReplaceError> {
    let original = examine::examine(tree, place)?;
    match (change.before, &original) {
        (Content::Absent, None) => {}
        (Content::Absent, Some(_)) => return Err(refused(place, Refusal::Appeared)),
        (Content::Bytes(_), None) => return Err(refused(place, Refusal::Vanished)),
        (Content::Bytes(digest), Some(original)) if digest == original.digest() => {}
        (Content::Bytes(_), Some(_)) => return Err(refused(place, Refusal::Changed)),
    }
    let swap = Swap { place, change };
    match (original, change.after) {
        (None, None) => Ok(()),
        (Some(original), None) => swap.remove(&original),
        (None, Some(bytes)) => {
            let metadata = change.metadata.cloned();
            let metadata = metadata.unwrap_or_else(|| Metadata::new(0o644, tree.owner()));
            let file = swap.write(bytes, &metadata)?;
            swap.or_drop(&file, swap.settle().and_then(|()| swap.create()))?;
            swap.sync_directory()
        }
        (Some(original), Some(bytes)) => {
            let file = swap.write(bytes, change.metadata.unwrap_or(&original.metadata))?;
            let exchanged = swap.settle().and_then(|()| swap.exchange(&original, &file));
            swap.or_drop(&file, exchanged)?;
            swap.sync_directory()
        }
    }
}

pub(super) struct Swap<'a> {
    pub(super) place: &'a Place,
    pub(super) change: &'a Change<'a>,
}

impl Swap<'_> {
    /// The new file under its temporary name, complete and on disk.
    pub(super) fn write(&self, bytes: &[u8], metadata: &Metadata) -> Result<OwnedFd, ReplaceError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let (directory, name) = (&self.place.directory, self.change.temporary);
        let file = retry_on_intr(|| rustix::fs::openat(directory, name, flags, mode));
        let file = file.map_err(|errno| self.failed("make a temporary file beside", errno))?;
        let written = write_whole(&file, bytes)
            .map_err(|errno| self.failed("write a temporary file beside", errno))
            .and_then(|()| metadata.give(&file).map_err(|why| refused(self.place, why)))
            .and_then(|()| sync(&file, &self.place.path).map_err(ReplaceError::Tree));
        self.or_drop(&file, written)?;
        Ok(file)
    }

    /// Removes the temporary file where something failed before it came into place.
    pub(super) fn or_drop(
        &self,
        file: &OwnedFd,
        outcome: Result<(), ReplaceError>,
    ) -> Result<(), ReplaceError> {
        if outcome.is_err() && self.temporary_is(file) {
            // What cannot be removed is swept later; the error at hand matters more.
            let _ = self.unlink_temporary();
        }
        outcome
    }

    fn temporary_is(&self, file: &OwnedFd) -> bool {
        let there = examine::open(self.place, self.change.temporary).ok().flatten();
        let there = there.and_then(|there| Identity::of(there).ok());
        there.is_some() && there == Identity::of(file).ok()
    }

    /// Puts the new file where none is.
    fn create(&self) -> Result<(), ReplaceError> {
        let (directory, name) = (&self.place.directory, self.place.name.as_str());
        let temporary = self.change.temporary;
        let renamed = self.rename(temporary, name, RenameFlags::NOREPLACE);
        let renamed = match renamed {
            Err(Errno::INVAL | Errno::NOSYS) => retry_on_intr(|| {
                rustix::fs::linkat(directory, temporary, directory, name, AtFlags::empty())
            })
            .and_then(|()| self.unlink_temporary()),
            other => other,
        };
        match renamed {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(refused(self.place, Refusal::Appeared)),
            Err(errno) => Err(self.after_error("put in place", errno)),
        }
    }

    /// Puts the new file in the place of the old one, and looks at what came out.
    pub(super) fn exchange(&self, original: &Original, file: &OwnedFd) -> Result<(), ReplaceError> {
        let (temporary, name) = (self.change.temporary, self.place.name.as_str());
        match self.rename(temporary, name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOSYS) => return self.rename_over(original),
            Err(Errno::NOENT) => return Err(refused(self.place, Refusal::Vanished)),
            Err(Errno::BUSY) => return Err(refused(self.place, Refusal::BindMounted)),
            Err(errno) => return Err(self.after_error("put in place", errno)),
        }
        if let Err(changed) = self.still(temporary, original) {
            self.put_back(file)?;
            return Err(changed);
        }
        self.settle()?;
        self.unlink_temporary().map_err(|errno| self.after_error("remove what was", errno))
    }

    /// By a look and a rename after it, on filesystems that cannot exchange.
    pub(super) fn rename_over(&self, original: &Original) -> Result<(), ReplaceError> {
        let (temporary, name) = (self.change.temporary, self.place.name.as_str());
        self.still(name, original)?;
        self.rename(temporary, name, RenameFlags::empty())
            .map_err(|errno| self.after_error("put in place", errno))
    }

    /// Undoes an exchange that brought out something else than what was read.
    fn put_back(&self, file: &OwnedFd) -> Result<(), ReplaceError> {
        let (temporary, name) = (self.change.temporary, self.place.name.as_str());
        let back = || {
            self.rename(temporary, name, RenameFlags::EXCHANGE)
                .map_err(|errno| self.after_error("put back", errno))
        };
        back()?;
        if !self.temporary_is(file) {
            // Replaced once more in between: the newest stays, as if we had not been here.
            back()?;
            self.unlink_temporary().map_err(|errno| self.after_error("put back", errno))?;
        }
        self.sync_directory()
    }

    /// Takes the file away under the temporary name, looks at it, and removes it.
    fn remove(&self, original: &Original) -> Result<(), ReplaceError> {
        let (temporary, name) = (self.change.temporary, self.place.name.as_str());
        let taken = match self.rename(name, temporary, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => {
                self.still(name, original)?;
                self.rename(name, temporary, RenameFlags::empty())
            }
            other => other,
        };
        match taken {
            Ok(()) => {}
            Err(Errno::NOENT) => return Err(refused(self.place, Refusal::Vanished)),
            Err(Errno::BUSY) => return Err(refused(self.place, Refusal::BindMounted)),
            Err(errno) => return Err(self.after_error("take away", errno)),
        }
        if let Err(changed) = self.still(temporary, original) {
            self.rename(temporary, name, RenameFlags::NOREPLACE)
                .map_err(|errno| self.after_error("put back", errno))?;
            self.sync_directory()?;
            return Err(changed);
        }
        self.settle()?;
        self.unlink_temporary().map_err(|errno| self.after_error("remove", errno))?;
        self.sync_directory()
    }

    /// That a name holds what was read: the same file with the same bytes.
    fn still(&self, name: &str, original: &Original) -> Result<(), ReplaceError> {
        let changed = || refused(self.place, Refusal::Changed);
        let file = examine::open(self.place, name).map_err(|_| changed())?.ok_or_else(changed)?;
        let identity = Identity::of(&file).map_err(|_| changed())?;
        let same = identity == original.identity
            && content(self.place, name).map_err(|_| changed())?
                == Content::Bytes(original.digest());
        if same { Ok(()) } else { Err(changed()) }
    }

    fn sync_directory(&self) -> Result<(), ReplaceError> {
        retry_on_intr(|| rustix::fs::fsync(&self.place.directory))
            .map_err(|errno| self.after_error("sync the directory of", errno))
    }

    /// Both files are whole to the boot loader then, whichever of them it finds under the name.
    fn settle(&self) -> Result<(), ReplaceError> {
        let Some(settle) = self.change.settle else { return Ok(()) };
        settle().map_err(|source| {
            let (path, now) = (self.place.path.clone(), self.now());
            ReplaceError::Unsettled { path, now, source }
        })
    }

    fn rename(&self, from: &str, to: &str, flags: RenameFlags) -> Result<(), Errno> {
        let directory = &self.place.directory;
        retry_on_intr(|| {
            if flags.is_empty() {
                rustix::fs::renameat(directory, from, directory, to)
            } else {
                rustix::fs::renameat_with(directory, from, directory, to, flags)
            }
        })
    }

    fn unlink_temporary(&self) -> Result<(), Errno> {
        let (directory, name) = (&self.place.directory, self.change.temporary);
        match retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::empty())) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }

    fn failed(&self, what: &'static str, source: Errno) -> ReplaceError {
        let path = self.place.path.clone();
        match source {
            Errno::ROFS => ReplaceError::Refused { path, why: Refusal::ReadOnly },
            source => ReplaceError::Failed { path, what, source },
        }
    }

    /// An error at or after the exchange: the file itself is asked.
    fn after_error(&self, what: &'static str, source: Errno) -> ReplaceError {
        let now = self.now();
        ReplaceError::Unknown { path: self.place.path.clone(), what, now, source }
    }

    fn now(&self) -> Now {
        match content(self.place, &self.place.name) {
            Ok(now) if now == self.change.before => Now::Before,
            Ok(now) if now == Content::of(self.change.after) => Now::After,
            Ok(_) => Now::Foreign,
            Err(_) => Now::CannotTell,
        }
    }
}

/// Removes what an interrupted exchange left under its temporary name. `from` is what the file was to be
/// changed from and `to` what to. Says whether there was something; a temporary file that holds the work
/// of somebody else is kept and named.
pub(in crate::apply) fn sweep(
    place: &Place,
    name: &str,
    from: Content,
    to: Content,
) -> Result<bool, ReplaceError> {
    let left = content(place, name)?;
    if left == Content::Absent {
        return Ok(false);
    }
    // Once the names have changed places, the temporary one holds what stood there before. Nobody has
    // looked at that yet: an edit that came at the last moment is in no other place.
    let exchanged = from != Content::Absent && content(place, &place.name)? == to;
    if exchanged && left != from && left != to {
        return Err(refused(place, Refusal::Kept(name.to_owned())));
    }
    match retry_on_intr(|| rustix::fs::unlinkat(&place.directory, name, AtFlags::empty())) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(TreeError::failed("sweep beside", &place.path)(errno).into()),
    }
    sync(&place.directory, &place.path)?;
    Ok(true)
}
