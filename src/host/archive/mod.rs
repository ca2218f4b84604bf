//! A captured host: the files that facts read, kept as a tree in memory and answered from like a root.
//!
//! A path of which the capture says nothing is `NotCaptured`, never absent: only a listed directory, a
//! `complete` subtree or an explicit `absent` proves that something is not there. The text form is in
//! [`text`].

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::probe::Probes;
use super::reading::{Cause, Reading};
use super::root::{DirEntry, FileKind, Stat};
use super::run::Output;

pub use text::ArchiveError;

/// As many links as the kernel follows in one path.
const MAX_LINKS: u32 = 40;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    File(Vec<u8>),
    /// A regular file whose content was not captured.
    Unread,
    /// Bytes at some places of something that is not a file to be read from end to end: the memory of a
    /// device, the registers of a processor.
    Pieces(BTreeMap<u64, Vec<u8>>),
    /// `listed`: all names in it are known, so that a name without an entry is absent.
    Directory {
        listed: bool,
    },
    Link(String),
    /// A device node, FIFO or socket, with its major and minor number.
    Special(FileKind, (u64, u64)),
    /// A name that exists; what it is was not captured.
    Name,
    Absent,
    Unreadable(Cause),
}

/// A node with its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub node: Node,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Seconds since the epoch.
    pub modified: Option<i64>,
}

impl From<Node> for Entry {
    fn from(node: Node) -> Self {
        Self { node, mode: None, modified: None }
    }
}

/// A captured host.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Free text about the host, one line each.
    pub notes: Vec<String>,
    /// What was asked of the hardware.
    pub probed: Probes,
    /// Nodes of VFIO that somebody had open then.
    pub held: BTreeSet<String>,
    entries: BTreeMap<String, Entry>,
    children: BTreeMap<String, BTreeSet<String>>,
    complete: BTreeSet<String>,
    answers: BTreeMap<String, Output>,
}

impl Archive {
    /// Reads a capture from a file of the machine that this program runs on.
    pub fn load(path: &Path) -> Result<Self, ArchiveError> {
        text::load(path)
    }

    /// Understands the text form.
    pub fn parse(text: &[u8]) -> Result<Self, ArchiveError> {
        text::parse(text)
    }

    /// Writes the text form.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// Puts an entry at an absolute path without links in it, and makes its parents directories.
    pub fn insert(&mut self, path: &str, entry: Entry) {
        if let Some((parent, name)) = split(path) {
            if !self.entries.contains_key(parent) {
                self.insert(parent, Node::Directory { listed: false }.into());
            }
            if entry.node != Node::Absent {
                self.children.entry(parent.to_owned()).or_default().insert(name.to_owned());
            }
        }
        match (self.entries.get_mut(path), &entry.node) {
            // What is known already outweighs a mere name, what a read gave or why it gave nothing outweighs
            // that there is a file, and a listing outweighs an implied parent.
            (Some(known), Node::Name) if known.node != Node::Absent => {}
            (Some(Entry { node: Node::File(_) | Node::Unreadable(_), .. }), Node::Unread)
            | (
                Some(Entry { node: Node::Directory { .. }, .. }),
                Node::Directory { listed: false },
            ) => {}
            (Some(known), _) => *known = entry,
            (None, _) => {
                self.entries.insert(path.to_owned(), entry);
            }
        }
    }

    /// The entry at a path without links in it, to change in place.
    pub fn entry_mut(&mut self, path: &str) -> Option<&mut Entry> {
        self.entries.get_mut(path)
    }

    /// Takes a path and all below it out of the capture.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.entries.retain(|other, _| other != path && !other.starts_with(&below));
        self.children.retain(|other, _| other != path && !other.starts_with(&below));
        if let Some((parent, name)) = split(path)
            && let Some(names) = self.children.get_mut(parent)
        {
            names.remove(name);
        }
    }

    /// Declares that below this path nothing exists but what the capture holds.
    pub fn declare_complete(&mut self, path: &str) {
        self.complete.insert(path.to_owned());
    }

    /// Keeps what a program answered, by its command line.
    pub fn record_answer(&mut self, command: String, output: Output) {
        self.answers.insert(command, output);
    }

    /// What a program answered, to change in place.
    pub fn answer_mut(&mut self, command: &str) -> Option<&mut Output> {
        self.answers.get_mut(command)
    }

    /// What a program answered on the captured host.
    pub fn answer(&self, command: &str) -> Option<&Output> {
        self.answers.get(command)
    }

    /// All entries in path order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Whether there is an entry below a path.
    fn holds_something(&self, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        let mut after = self.entries.range(below.clone()..);
        after.next().is_some_and(|(other, _)| other.starts_with(&below))
    }

    /// What the lack of an entry at `path`, the first such name of a walk, says.
    fn missing<T>(&self, path: &str) -> Reading<T> {
        let parent = split(path).map_or("/", |(parent, _)| parent);
        match self.entries.get(parent).map(|entry| &entry.node) {
            Some(Node::Name) => Reading::Unreadable(Cause::NotCaptured),
            Some(Node::Directory { listed: true }) => Reading::Absent,
            _ if self.is_complete(parent) => Reading::Absent,
            _ => Reading::Unreadable(Cause::NotCaptured),
        }
    }

    /// Follows links as the kernel does inside a root. With `last`, a link at the end is followed too.
    fn walk(&self, path: &str, last: bool) -> Reading<(String, &Entry)> {
        let mut todo: Vec<&str> = path.split('/').rev().filter(|part| !part.is_empty()).collect();
        let mut here = String::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part {
                "." => continue,
                ".." => {
                    here.truncate(here.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let parent = here.len();
            here.push('/');
            here.push_str(part);
            let Some(entry) = self.entries.get(&here) else {
                return self.missing(&here);
            };
            match &entry.node {
                Node::Link(target) if last || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Reading::Unreadable(Cause::SymlinkLoop);
                    }
                    here.truncate(if target.starts_with('/') { 0 } else { parent });
                    todo.extend(target.split('/').rev().filter(|part| !part.is_empty()));
                }
                Node::Absent => return Reading::Absent,
                Node::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
                Node::File(_) | Node::Unread | Node::Pieces(_) | Node::Special(..)
                    if !todo.is_empty() =>
                {
                    return Reading::Unreadable(Cause::NotADirectory);
                }
                _ => {}
            }
        }
        if here.is_empty() {
            here.push('/');
        }
        match self.entries.get_key_value(&here) {
            Some((path, entry)) => Reading::Known((path.clone(), entry)),
            None => self.missing(&here),
        }
    }

    pub(super) fn read(&self, path: &str, cap: u64) -> Reading<Vec<u8>> {
        self.walk(path, true).and_then(|(_, entry)| match &entry.node {
            Node::File(bytes) if bytes.len() as u64 > cap => {
                Reading::Unreadable(Cause::TooLarge(cap))
            }
            Node::File(bytes) => Reading::Known(bytes.clone()),
            Node::Name | Node::Unread | Node::Pieces(_) => Reading::Unreadable(Cause::NotCaptured),
            node => Reading::Unreadable(Cause::NotAFile(node.kind().describe())),
        })
    }

    pub(super) fn read_at(&self, path: &str, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.read(path, u64::MAX).map(|bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let end = start.saturating_add(length).min(bytes.len());
            bytes[start..end].to_vec()
        })
    }

    /// So many bytes at a place that was read when the host was captured.
    pub(super) fn piece<const LENGTH: usize>(
        &self,
        path: &str,
        offset: u64,
    ) -> Reading<[u8; LENGTH]> {
        self.walk(path, true).and_then(|(_, entry)| {
            let piece = match &entry.node {
                Node::Pieces(pieces) => pieces.get(&offset),
                _ => None,
            };
            piece
                .and_then(|bytes| bytes.as_slice().try_into().ok())
                .map_or(Reading::Unreadable(Cause::NotCaptured), Reading::Known)
        })
    }

    pub(super) fn list(&self, path: &str) -> Reading<Vec<DirEntry>> {
        self.walk(path, true).and_then(|(path, entry)| match &entry.node {
            Node::Directory { listed } if *listed || self.is_complete(&path) => Reading::Known(
                self.children
                    .get(&path)
                    .into_iter()
                    .flatten()
                    .map(|name| DirEntry { name: name.clone() })
                    .collect(),
            ),
            Node::Directory { .. } | Node::Name => Reading::Unreadable(Cause::NotCaptured),
            _ => Reading::Unreadable(Cause::NotADirectory),
        })
    }

    pub(super) fn link(&self, path: &str) -> Reading<String> {
        self.walk(path, false).and_then(|(_, entry)| match &entry.node {
            Node::Link(target) => Reading::Known(target.clone()),
            Node::Name => Reading::Unreadable(Cause::NotCaptured),
            _ => Reading::Unreadable(Cause::NotAFile("no symbolic link")),
        })
    }

    pub(super) fn resolve(&self, path: &str) -> Reading<String> {
        self.walk(path, true).map(|(path, _)| path)
    }

    pub(super) fn stat(&self, path: &str) -> Reading<Stat> {
        self.walk(path, true).and_then(|(_, entry)| {
            let kind = entry.node.kind();
            let device = match entry.node {
                Node::Special(_, device) => device,
                Node::Name => return Reading::Unreadable(Cause::NotCaptured),
                _ => (0, 0),
            };
            let usual = if kind == FileKind::Directory { 0o755 } else { 0o644 };
            Reading::Known(Stat {
                kind,
                mode: entry.mode.unwrap_or(usual),
                device,
                modified: entry.modified,
            })
        })
    }

    fn is_complete(&self, path: &str) -> bool {
        let mut path = path;
        loop {
            if self.complete.contains(path) {
                return true;
            }
            match split(path) {
                Some((parent, _)) => path = parent,
                None => return false,
            }
        }
    }
}

impl Node {
    fn kind(&self) -> FileKind {
        match self {
            Self::File(_) | Self::Unread | Self::Pieces(_) => FileKind::Regular,
            Self::Directory { .. } => FileKind::Directory,
            Self::Link(_) => FileKind::Symlink,
            Self::Special(kind, _) => *kind,
            Self::Name | Self::Absent | Self::Unreadable(_) => FileKind::Unknown,
        }
    }
}

/// Parent and last name of an absolute path; `None` for the root itself.
fn split(path: &str) -> Option<(&str, &str)> {
    match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", name)) => Some(("/", name)),
        Some(pair) => Some(pair),
    }
}

#[cfg(test)]
mod tests;
