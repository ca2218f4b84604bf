//! Which event in which directory wakes whom. It knows no paths: a directory is what inotify calls it.

use std::collections::BTreeMap;

use rustix::fs::inotify::{ReadFlags, WatchFlags};

/// A name came, went, or became another thing.
const COMES_OR_GOES: ReadFlags = ReadFlags::CREATE
    .union(ReadFlags::DELETE)
    .union(ReadFlags::MOVED_FROM)
    .union(ReadFlags::MOVED_TO);
/// What is in a file changed.
const WRITTEN: ReadFlags = ReadFlags::MODIFY.union(ReadFlags::CLOSE_WRITE);
/// The directory itself went, so that nothing is told of it any more.
const LOST: ReadFlags = ReadFlags::DELETE_SELF
    .union(ReadFlags::MOVE_SELF)
    .union(ReadFlags::UNMOUNT)
    .union(ReadFlags::IGNORED);

/// A watched directory, as inotify numbers them. It gives no number twice.
pub(super) type Descriptor = i32;

/// Directories, names in them, and who wants to know: bits that mean the askers of a trace.
#[derive(Debug, Default)]
pub(super) struct Table {
    directories: BTreeMap<Descriptor, Directory>,
}

#[derive(Debug, Default)]
struct Directory {
    names: BTreeMap<Box<str>, Wakes>,
    /// Those who listed the names.
    listed: u64,
    /// All whose path leads through it.
    all: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Wakes {
    all: u64,
    contents: u64,
}

/// What to ask inotify for: writes only where somebody reads a file there. In `/dev` every line that any
/// program writes to a terminal would be told else. Flags add up: one directory may be come by on several
/// paths.
pub(super) fn flags(contents: bool) -> WatchFlags {
    let flags = WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR
        | WatchFlags::EXCL_UNLINK
        | WatchFlags::MASK_ADD;
    if contents { flags | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE } else { flags }
}

impl Table {
    pub(super) fn pass_through(&mut self, directory: Descriptor, askers: u64) {
        self.directories.entry(directory).or_default().all |= askers;
    }

    pub(super) fn look_at(&mut self, directory: Descriptor, name: &str, all: u64, contents: u64) {
        let directory = self.directories.entry(directory).or_default();
        directory.all |= all;
        let wakes = match directory.names.get_mut(name) {
            Some(wakes) => wakes,
            None => directory.names.entry(name.into()).or_default(),
        };
        wakes.all |= all;
        wakes.contents |= contents;
    }

    pub(super) fn list(&mut self, directory: Descriptor, askers: u64) {
        let directory = self.directories.entry(directory).or_default();
        directory.listed |= askers;
        directory.all |= askers;
    }

    /// Whom an event wakes; `None` says that events were lost, so everybody.
    pub(super) fn woken(
        &self,
        descriptor: Descriptor,
        what: ReadFlags,
        name: Option<&str>,
    ) -> Option<u64> {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return None;
        }
        let Some(directory) = self.directories.get(&descriptor) else { return Some(0) };
        let Some(name) = name.filter(|_| !what.intersects(LOST)) else {
            return Some(directory.all);
        };
        let wakes = directory.names.get(name).copied().unwrap_or_default();
        Some(if what.intersects(COMES_OR_GOES) {
            wakes.all | directory.listed
        } else if what.intersects(WRITTEN) {
            wakes.contents
        } else {
            wakes.all
        })
    }

    /// Those for whom something is watched here that was not watched for them before.
    pub(super) fn newly_watched(&self, before: &Self) -> u64 {
        let none = Directory::default();
        let mut new = 0;
        for (descriptor, now) in &self.directories {
            let then = before.directories.get(descriptor).unwrap_or(&none);
            new |= (now.all & !then.all) | (now.listed & !then.listed);
            for (name, now) in &now.names {
                let then = then.names.get(name).copied().unwrap_or_default();
                new |= (now.all & !then.all) | (now.contents & !then.contents);
            }
        }
        new
    }

    /// Directories that are watched there and not here.
    pub(super) fn dropped_from(&self, before: &Self) -> Vec<Descriptor> {
        let gone = |descriptor: &&Descriptor| !self.directories.contains_key(descriptor);
        before.directories.keys().filter(gone).copied().collect()
    }

    /// How many directories are watched.
    pub(super) fn len(&self) -> usize {
        self.directories.len()
    }
}
