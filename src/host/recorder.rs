//! Turns what is read from a root into a captured host that answers the same.
//!
//! It keeps the outcome of every read, the bad ones too: a file that was refused must be refused again
//! when the capture is looked at.

use super::archive::{Archive, Entry, Node};
use super::reading::{Cause, Reading};
use super::root::{DirEntry, FileKind, Stat};

/// As many links as the kernel follows in one path.
const MAX_LINKS: u32 = 40;

#[derive(Debug, Default)]
pub(super) struct Recorder {
    archive: Archive,
}

impl Recorder {
    pub(super) fn into_archive(self) -> Archive {
        self.archive
    }

    /// Follows a path link by link, keeping each. `None` where the walk itself cannot go on; what stops
    /// it is kept too.
    pub(super) fn walk(
        &mut self,
        path: &str,
        read_link: impl Fn(&str) -> Reading<String>,
    ) -> Option<String> {
        let mut todo: Vec<String> = reversed(path);
        let mut here = String::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_str() {
                "." => continue,
                ".." => {
                    here.truncate(here.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let parent = here.len();
            here.push('/');
            here.push_str(&part);
            match read_link(&here) {
                Reading::Known(target) => {
                    links += 1;
                    self.archive.insert(&here, Node::Link(target.clone()).into());
                    if links > MAX_LINKS {
                        return None;
                    }
                    here.truncate(if target.starts_with('/') { 0 } else { parent });
                    todo.extend(reversed(&target));
                }
                Reading::Unreadable(Cause::NotAFile(_)) => {}
                Reading::Absent => {
                    self.keep(&here, Node::Absent);
                    return None;
                }
                Reading::Unreadable(cause) => {
                    self.keep(&here, Node::Unreadable(cause));
                    return None;
                }
            }
        }
        Some(if here.is_empty() { "/".to_owned() } else { here })
    }

    pub(super) fn file(&mut self, path: &str, reading: Reading<&Vec<u8>>) {
        match reading {
            Reading::Known(bytes) => self.keep(path, Node::File(bytes.clone())),
            other => self.outcome(path, other),
        }
    }

    /// A part of a file; parts that are read one after the other grow together.
    pub(super) fn part(&mut self, path: &str, offset: u64, reading: Reading<&Vec<u8>>) {
        let Reading::Known(bytes) = reading else {
            return self.outcome(path, reading);
        };
        let mut whole = match self.archive.entry_mut(path) {
            Some(Entry { node: Node::File(known), .. }) => known.clone(),
            _ => Vec::new(),
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        // A hole cannot be told from zeroes, so a part behind one is left out.
        if start > whole.len() || start + bytes.len() <= whole.len() {
            return;
        }
        whole.truncate(start);
        whole.extend_from_slice(bytes);
        self.keep(path, Node::File(whole));
    }

    /// A few bytes of something that is too large or too strange to be kept as a file.
    pub(super) fn piece(&mut self, path: &str, offset: u64, reading: Reading<Vec<u8>>) {
        let known = self.archive.entry_mut(path).map(|entry| &mut entry.node);
        match (reading, known) {
            (Reading::Known(bytes), Some(Node::Pieces(pieces))) => {
                drop(pieces.insert(offset, bytes));
            }
            (Reading::Known(bytes), _) => self.keep(path, Node::Pieces([(offset, bytes)].into())),
            // What was read before stays; this place is not held then.
            (_, Some(Node::Pieces(_))) => {}
            (other, _) => self.outcome(path, other),
        }
    }

    /// Nodes that somebody had open.
    pub(super) fn held<'n>(&mut self, nodes: impl Iterator<Item = &'n str>) {
        self.archive.held.extend(nodes.map(str::to_owned));
    }

    pub(super) fn names(&mut self, path: &str, reading: Reading<&Vec<DirEntry>>) {
        let Reading::Known(entries) = reading else {
            return self.outcome(path, reading);
        };
        self.keep(path, Node::Directory { listed: true });
        for entry in entries {
            let child = format!("{}/{}", path.trim_end_matches('/'), entry.name);
            self.keep(&child, Node::Name);
        }
    }

    pub(super) fn link(&mut self, path: &str, reading: Reading<&String>) {
        match reading {
            Reading::Known(target) => self.keep(path, Node::Link(target.clone())),
            // It exists and is no link; what it is, another read tells.
            Reading::Unreadable(Cause::NotAFile(_)) => self.keep(path, Node::Name),
            other => self.outcome(path, other),
        }
    }

    pub(super) fn exists(&mut self, path: &str, reading: Reading<()>) {
        match reading {
            Reading::Known(()) => self.keep(path, Node::Name),
            other => self.outcome(path, other),
        }
    }

    pub(super) fn stat(&mut self, path: &str, reading: &Reading<Stat>) {
        match reading {
            Reading::Known(stat) => match stat.kind {
                FileKind::Directory => self.keep(path, Node::Directory { listed: false }),
                FileKind::Regular => self.keep(path, Node::Unread),
                FileKind::Symlink | FileKind::Unknown => self.keep(path, Node::Name),
                kind => self.keep(path, Node::Special(kind, stat.device)),
            },
            other => self.outcome(path, other.as_ref()),
        }
    }

    /// Mode and time of something that was kept.
    pub(super) fn metadata(&mut self, path: &str, stat: Stat) {
        if let Some(entry) = self.archive.entry_mut(path)
            && matches!(entry.node, Node::File(_) | Node::Unread | Node::Special(..))
        {
            entry.mode = Some(stat.mode);
            // Times of /proc and /sys are those of the look, not of the thing.
            if !path.starts_with("/sys/")
                && !path.starts_with("/proc/")
                && !path.starts_with("/dev/")
            {
                entry.modified = stat.modified;
            }
        }
    }

    fn outcome<T>(&mut self, path: &str, reading: Reading<T>) {
        match reading {
            Reading::Known(_) => {}
            Reading::Absent => self.keep(path, Node::Absent),
            Reading::Unreadable(cause) => self.keep(path, Node::Unreadable(cause)),
        }
    }

    fn keep(&mut self, path: &str, node: Node) {
        // What a capture does not hold is not held by a capture of it either.
        if node != Node::Unreadable(Cause::NotCaptured) {
            self.archive.insert(path, node.into());
        }
    }
}

fn reversed(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
