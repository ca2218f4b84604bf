//! Watches the files that a trace names: each directory on the way to each of them, links followed inside
//! the root, so that a file is missed neither when it is replaced nor when a directory above it is.
//!
//! *No change is lost between the reading of a file and the watching of it*, because a reading counts only
//! if all that it depends on was watched before it began. [`Files::follow`] is called after a gathering; it
//! adds what is not watched yet and says for whom something was added. Those are gathered again, now under
//! watch, and that gathering is the one that holds. It adds nothing in turn, unless the files changed once
//! more. On the way down each directory is watched before it is looked what stands in it, so the walk
//! itself misses nothing either.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use rustix::fs::inotify::{self, CreateFlags, Reader};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Gap;
use super::descriptor::register;
use super::table::{Descriptor, Table, flags};
use crate::host::steps::{Identity, Step, Steps};
use crate::host::trace::{Look, Trace, is_told_otherwise};

/// As many links as the kernel follows in one path.
const MAX_LINKS: u32 = 40;
/// Bytes of events that are taken before anything else gets its turn.
const EVENTS: usize = 16 << 10;

type Ends = BTreeMap<Box<str>, Identity>;

#[derive(Debug)]
pub(super) struct Files {
    inotify: AsyncFd<OwnedFd>,
    table: Table,
    /// Which file stood at the end of each path when it was followed last,
    ends: Ends,
    /// and the time before. A mount that is told now may have come between a reading and its following.
    ends_before: Ends,
    gap: Option<Gap>,
}

impl Files {
    pub(super) fn open() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self {
            inotify: register(inotify, Interest::READABLE)?,
            table: Table::default(),
            ends: Ends::new(),
            ends_before: Ends::new(),
            gap: None,
        })
    }

    /// Waits for events and says whom they wake, perhaps nobody; `None` says everybody.
    pub(super) async fn next(&self) -> Option<u64> {
        loop {
            let Ok(mut ready) = self.inotify.readable().await else {
                // The runtime ends; so does the wait.
                return std::future::pending().await;
            };
            match ready.try_io(|inotify| Ok(self.read(inotify.get_ref())?)) {
                Ok(Ok(woken)) => return woken,
                // What cannot be read any more can tell nothing: everything may change from now on.
                Ok(Err(_)) => return None,
                Err(_) => {}
            }
        }
    }

    /// As many events as one call gives.
    fn read(&self, inotify: &OwnedFd) -> rustix::io::Result<Option<u64>> {
        let mut buffer = [MaybeUninit::uninit(); EVENTS];
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut woken = Some(0);
        loop {
            let event = match reader.next() {
                Err(rustix::io::Errno::INTR) => continue,
                event => event?,
            };
            // Names that were traced are UTF-8; what is not is none of them.
            let name = event.file_name().map(|name| name.to_string_lossy());
            let by_this = self.table.woken(event.wd(), event.events(), name.as_deref());
            woken = woken.zip(by_this).map(|(some, more)| some | more);
            if reader.is_buffer_empty() {
                return Ok(woken);
            }
        }
    }

    /// What is not watched though it should be.
    pub(super) fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    pub(super) fn directories(&self) -> usize {
        self.table.len()
    }

    /// Watches what the trace names and nothing else any more. Says for whom something is watched that was
    /// not watched before, so that what they read may be older than the watch; `remounted` says that files
    /// may have been mounted over others, which inotify does not tell.
    pub(super) fn follow(&mut self, steps: &Steps, trace: &Trace, remounted: bool) -> u64 {
        let mut walk = Walk {
            steps,
            inotify: self.inotify.get_ref(),
            table: Table::default(),
            ends: Ends::new(),
            seen: BTreeMap::new(),
            with_contents: trace_contents(trace),
            unwatched: BTreeMap::new(),
        };
        let mut new = 0;
        for (path, look) in trace.looks() {
            walk.path(path, look);
            let end = walk.ends.get(path);
            if remounted && (end != self.ends.get(path) || end != self.ends_before.get(path)) {
                new |= look.all;
            }
        }
        let Walk { table, ends, unwatched, .. } = walk;
        new |= table.newly_watched(&self.table);
        for descriptor in table.dropped_from(&self.table) {
            // One that went with its directory is not there to be taken off.
            let _ = inotify::remove_watch(self.inotify.get_ref(), descriptor);
        }
        self.table = table;
        let before = std::mem::replace(&mut self.ends, ends);
        self.ends_before = if remounted { self.ends.clone() } else { before };
        self.gap = Gap::of(&unwatched);
        new
    }
}

/// The directories in which somebody reads a file, as far as the paths say so without their links.
fn trace_contents(trace: &Trace) -> BTreeSet<Box<str>> {
    let read = trace.looks().filter(|(_, look)| look.contents != 0);
    read.filter_map(|(path, _)| path.rsplit_once('/')).map(|(parent, _)| parent.into()).collect()
}

/// One walk along all paths of a trace.
struct Walk<'a> {
    steps: &'a Steps,
    inotify: &'a OwnedFd,
    table: Table,
    ends: Ends,
    /// What stands at each path without links that was come by, each looked at once.
    seen: BTreeMap<Box<str>, Seen>,
    with_contents: BTreeSet<Box<str>>,
    unwatched: BTreeMap<Box<str>, Errno>,
}

#[derive(Debug, Clone)]
enum Seen {
    /// With its watch, where it has one.
    Directory(Option<Descriptor>),
    Link(String),
    Other(Identity),
    Nothing,
}

impl Walk<'_> {
    fn path(&mut self, path: &str, look: Look) {
        let mut todo: Vec<String> = reversed(path);
        let mut here = String::new();
        let mut links = 0;
        let Seen::Directory(Some(mut directory)) = self.look("") else { return };
        self.table.pass_through(directory, look.all);
        while let Some(name) = todo.pop() {
            match name.as_str() {
                "." => continue,
                ".." => {
                    here.truncate(here.rfind('/').unwrap_or(0));
                    let Seen::Directory(Some(above)) = self.look(&here) else { return };
                    directory = above;
                    continue;
                }
                _ => {}
            }
            let parent = here.len();
            here.push('/');
            here.push_str(&name);
            if is_told_otherwise(&here) {
                return;
            }
            let contents = if todo.is_empty() { look.contents } else { 0 };
            if contents != 0 {
                self.add_contents(here.get(..parent).unwrap_or_default());
            }
            self.table.look_at(directory, &name, look.all, contents);
            match self.look(&here) {
                Seen::Directory(Some(below)) => {
                    directory = below;
                    self.table.pass_through(directory, look.all);
                }
                Seen::Link(target) if links < MAX_LINKS => {
                    links += 1;
                    here.truncate(if target.starts_with('/') { 0 } else { parent });
                    let Seen::Directory(Some(back)) = self.look(&here) else { return };
                    directory = back;
                    todo.extend(reversed(&target));
                }
                Seen::Other(identity) => {
                    if todo.is_empty() {
                        self.ends.insert(path.into(), identity);
                    }
                    return;
                }
                Seen::Directory(None) | Seen::Link(_) | Seen::Nothing => return,
            }
        }
        if look.names != 0 {
            self.table.list(directory, look.names);
        }
    }

    /// What stands at a path without links; a directory is watched by that.
    fn look(&mut self, path: &str) -> Seen {
        if let Some(seen) = self.seen.get(path) {
            return seen.clone();
        }
        let seen = match self.steps.at(if path.is_empty() { "/" } else { path }) {
            Step::Directory(handle) => {
                let flags = flags(self.with_contents.contains(path));
                match inotify::add_watch(self.inotify, handle.path(), flags) {
                    Ok(descriptor) => Seen::Directory(Some(descriptor)),
                    Err(errno) => {
                        let errno = Errno::from_raw(errno.raw_os_error());
                        self.unwatched.insert(path.into(), errno);
                        Seen::Directory(None)
                    }
                }
            }
            Step::Link(target) => Seen::Link(target),
            Step::Other(identity) => Seen::Other(identity),
            Step::Absent => Seen::Nothing,
            Step::Closed(errno) => {
                self.unwatched.insert(path.into(), errno);
                Seen::Nothing
            }
        };
        self.seen.insert(path.into(), seen.clone());
        seen
    }

    /// Has writes told of a directory that was watched without them, because only a link leads there.
    fn add_contents(&mut self, path: &str) {
        if !self.with_contents.insert(path.into()) {
            return;
        }
        self.seen.remove(path);
        self.look(path);
    }
}

fn reversed(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
