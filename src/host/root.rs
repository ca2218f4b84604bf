//! One handle for a machine's files: the live `/`, a directory, or a captured host.
//!
//! Every path is absolute and is resolved inside the root: `..` and absolute symlinks cannot leave it.
//! A read never blocks (a FIFO is refused by name), never exceeds its cap, and never changes an access
//! time where that can be avoided. This module reads; it does not interpret.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::archive::{Archive, ArchiveError};
use super::directory::{self, Directory};
use super::probe::Probes;
use super::reading::{Cause, Reading};
use super::recorder::Recorder;
use super::steps::Steps;
use super::trace::{Aspect, Trace};

/// Bytes that a file may have unless its reader asks for more.
pub const DEFAULT_CAP: u64 = 1 << 20;

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Regular,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
    Unknown,
}

impl FileKind {
    /// With its article, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::CharDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Unknown => "a file of an unknown kind",
        }
    }
}

/// One name in a directory. Names are bytes on Linux; one that is not UTF-8 is shown lossily and cannot
/// be opened again, which no fact needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    pub name: String,
}

/// What `stat` tells, as far as facts need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub kind: FileKind,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// Major and minor number of a device node, 0 and 0 for the rest.
    pub device: (u64, u64),
    /// Seconds since the epoch; `None` where a captured host does not say.
    pub modified: Option<i64>,
}

/// Why a root cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    #[error("cannot open {} as a root directory", path.display())]
    Open { path: PathBuf, source: nix::Error },
    #[error(
        "this kernel has no openat2 (Linux 5.6 or newer is needed to read {} safely)",
        path.display()
    )]
    NoOpenat2 { path: PathBuf },
    #[error("cannot read the captured host {}", path.display())]
    Captured { path: PathBuf, source: ArchiveError },
}

/// A machine's files.
#[derive(Debug)]
pub struct Root {
    pub(super) inner: Inner,
    /// Keeps all that is read, for `capture`.
    pub(super) recorder: Option<RefCell<Recorder>>,
    /// Keeps which paths were looked at, for whoever watches them.
    trace: Option<RefCell<Trace>>,
    /// On whose behalf it is looked.
    asker: Cell<u64>,
    /// What it may ask of the hardware.
    pub(super) probes: Probes,
}

#[derive(Debug)]
pub(super) enum Inner {
    Directory(Directory),
    Archive(Archive),
}

impl Root {
    /// The machine that this program runs on.
    pub fn live() -> Result<Self, RootError> {
        Ok(Self::of(Inner::Directory(Directory::open(Path::new("/"), true)?)))
    }

    /// A directory that holds a machine's files, such as a mounted image.
    pub fn directory(path: &Path) -> Result<Self, RootError> {
        Ok(Self::of(Inner::Directory(Directory::open(path, false)?)))
    }

    /// A captured host, as `capture` writes it.
    pub fn captured(path: &Path) -> Result<Self, RootError> {
        let archive = Archive::load(path)
            .map_err(|source| RootError::Captured { path: path.to_owned(), source })?;
        Ok(Self::archive(archive))
    }

    /// A captured host that is in memory already.
    pub fn archive(archive: Archive) -> Self {
        Self::of(Inner::Archive(archive))
    }

    fn of(inner: Inner) -> Self {
        Self { inner, recorder: None, trace: None, asker: Cell::new(0), probes: Probes::default() }
    }

    /// The same root, keeping all that is read from now on; [`Root::recorded`] gives it out.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recorder = Some(RefCell::default());
        self
    }

    /// What was read since [`Root::recording`].
    pub fn recorded(self) -> Archive {
        let probed = self.probes();
        let recorded = self.recorder.map(|recorder| recorder.into_inner().into_archive());
        let mut archive = recorded.unwrap_or_default();
        archive.probed = probed;
        archive
    }

    /// The same root, remembering from now on which paths are looked at; [`Root::trace`] tells them.
    #[must_use]
    pub fn tracing(mut self) -> Self {
        self.trace = Some(RefCell::default());
        self
    }

    /// From now on it is looked on behalf of this asker, a bit of its own choice. What was looked at for
    /// it before is forgotten, so that the trace is always that of each asker's last time.
    pub fn ask_for(&self, asker: u64) {
        self.asker.set(asker);
        if let Some(trace) = &self.trace {
            trace.borrow_mut().forget(asker);
        }
    }

    /// The paths that were looked at since [`Root::tracing`].
    pub fn trace(&self) -> Trace {
        self.trace.as_ref().map(|trace| trace.borrow().clone()).unwrap_or_default()
    }

    /// Notes that a fact depends on a path that is looked at in another way, as a program that is run.
    pub fn depends_on(&self, path: &str) {
        self.note(path, Aspect::Contents);
    }

    /// This root, to be walked one name at a time; `None` for a captured host, which never changes.
    pub fn steps(&self) -> Option<std::io::Result<Steps>> {
        match &self.inner {
            Inner::Directory(directory) => {
                Some(directory.try_clone().map(|directory| Steps { directory }))
            }
            Inner::Archive(_) => None,
        }
    }

    fn note(&self, path: &str, aspect: Aspect) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().add(path, self.asker.get(), aspect);
        }
    }

    /// A file of the machine that this program runs on, which the user named on the command line; not a
    /// part of the host that is looked at.
    pub fn named_file(path: &Path, cap: u64) -> Reading<Vec<u8>> {
        directory::named_file(path, cap)
    }

    /// Whether the first process that shows in this root has it as its own `/`. Never of a captured host;
    /// what is looked at for it is no part of a capture either.
    pub fn is_that_of_the_first_process(&self) -> Reading<bool> {
        match &self.inner {
            Inner::Directory(directory) => directory.is_that_of_the_first_process(),
            Inner::Archive(_) => Reading::Known(false),
        }
    }

    /// Whether this is the running machine, so that processes and programs can be asked.
    pub fn is_live(&self) -> bool {
        matches!(&self.inner, Inner::Directory(directory) if directory.is_live())
    }

    /// The captured host behind this root, where it is one.
    pub fn as_archive(&self) -> Option<&Archive> {
        match &self.inner {
            Inner::Archive(archive) => Some(archive),
            Inner::Directory(_) => None,
        }
    }

    /// The bytes of a regular file, at most `cap` of them; a longer file is `TooLarge`.
    pub fn read(&self, path: &str, cap: u64) -> Reading<Vec<u8>> {
        self.note(path, Aspect::Contents);
        let reading = match &self.inner {
            Inner::Directory(directory) => directory.read(path, cap),
            Inner::Archive(archive) => archive.read(path, cap),
        };
        self.record(path, |recorder, real| recorder.file(real, reading.as_ref()));
        reading
    }

    /// What `look` makes of such a file's bytes, without a copy of them.
    pub fn read_with<T>(&self, path: &str, cap: u64, look: impl FnOnce(&[u8]) -> T) -> Reading<T> {
        self.note(path, Aspect::Contents);
        match (&self.inner, &self.recorder) {
            (Inner::Directory(directory), None) => directory.read_with(path, cap, look),
            _ => self.read(path, cap).map(|bytes| look(&bytes)),
        }
    }

    /// The lines of a long text that `keep` wants, each with a newline at its end. No more than one line is
    /// in memory besides; a text longer than `cap` is `TooLarge`. A recording keeps these lines alone.
    pub fn read_lines(
        &self,
        path: &str,
        cap: u64,
        keep: impl Fn(&[u8]) -> bool,
    ) -> Reading<Vec<u8>> {
        self.note(path, Aspect::Contents);
        let reading = match &self.inner {
            Inner::Directory(directory) => directory.read_lines(path, cap, keep),
            Inner::Archive(archive) => {
                archive.read(path, cap).map(|bytes| directory::lines(&bytes, keep))
            }
        };
        self.record(path, |recorder, real| recorder.file(real, reading.as_ref()));
        reading
    }

    /// A text file of at most [`DEFAULT_CAP`] bytes. Bytes that are not UTF-8 become U+FFFD, so this is
    /// for texts whose meaning such bytes cannot change.
    pub fn read_text(&self, path: &str) -> Reading<String> {
        self.read_with(path, DEFAULT_CAP, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A one-line attribute, as sysfs has them: without the one newline at its end.
    pub fn read_attribute(&self, path: &str) -> Reading<String> {
        self.read_text(path).map(|mut text| {
            if text.ends_with('\n') {
                text.pop();
            }
            text
        })
    }

    /// At most `length` bytes from `offset`; fewer where the file ends or this user may see no more.
    pub fn read_at(&self, path: &str, offset: u64, length: usize) -> Reading<Vec<u8>> {
        self.note(path, Aspect::Contents);
        let reading = match &self.inner {
            Inner::Directory(directory) => directory.read_at(path, offset, length),
            Inner::Archive(archive) => archive.read_at(path, offset, length),
        };
        self.record(path, |recorder, real| recorder.part(real, offset, reading.as_ref()));
        reading
    }

    /// The names in a directory, in bytewise order, without `.` and `..`.
    pub fn list(&self, path: &str) -> Reading<Vec<DirEntry>> {
        self.note(path, Aspect::Names);
        let reading = match &self.inner {
            Inner::Directory(directory) => directory.list(path),
            Inner::Archive(archive) => archive.list(path),
        };
        self.record(path, |recorder, real| recorder.names(real, reading.as_ref()));
        reading
    }

    /// Where a symbolic link points, as it is written; `NotAFile` for anything that is no link.
    pub fn link(&self, path: &str) -> Reading<String> {
        self.note(path, Aspect::State);
        let reading = self.link_unrecorded(path);
        if self.recorder.is_some() {
            // The walk to the parent keeps the links on the way, this keeps the last one.
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let below = |real: &str| format!("{}/{name}", real.trim_end_matches('/'));
            self.record(if parent.is_empty() { "/" } else { parent }, |recorder, real| {
                let path = below(real);
                recorder.link(&path, reading.as_ref());
                // That it is no link is an answer too, and needs what it is instead.
                if matches!(reading, Reading::Unreadable(Cause::NotAFile(_))) {
                    recorder.stat(&path, &self.stat_unrecorded(&path));
                }
            });
        }
        reading
    }

    fn link_unrecorded(&self, path: &str) -> Reading<String> {
        match &self.inner {
            Inner::Directory(directory) => directory.link(path),
            Inner::Archive(archive) => archive.link(path),
        }
    }

    /// The path inside the root that this path names after all links are followed.
    pub fn resolve(&self, path: &str) -> Reading<String> {
        self.note(path, Aspect::State);
        let reading = match &self.inner {
            Inner::Directory(directory) => directory.resolve(path),
            Inner::Archive(archive) => archive.resolve(path),
        };
        self.record(path, |recorder, real| recorder.exists(real, reading.as_ref().map(|_| ())));
        reading
    }

    /// Kind, mode and times of what the path names, links followed.
    pub fn stat(&self, path: &str) -> Reading<Stat> {
        self.note(path, Aspect::State);
        let reading = self.stat_unrecorded(path);
        self.record(path, |recorder, real| recorder.stat(real, &reading));
        reading
    }

    fn stat_unrecorded(&self, path: &str) -> Reading<Stat> {
        match &self.inner {
            Inner::Directory(directory) => directory.stat(path),
            Inner::Archive(archive) => archive.stat(path),
        }
    }

    /// Hands what was read to the recorder, by the path it has after all links are followed, and keeps
    /// the links on the way.
    pub(super) fn record(&self, path: &str, keep: impl FnOnce(&mut Recorder, &str)) {
        let Some(recorder) = &self.recorder else { return };
        let mut recorder = recorder.borrow_mut();
        let real = recorder.walk(path, |path| self.link_unrecorded(path));
        let Some(real) = real else { return };
        keep(&mut recorder, &real);
        if let Reading::Known(stat) = self.stat_unrecorded(&real) {
            recorder.metadata(&real, stat);
        }
    }
}
