//! Tells that something changed which a judgement was made from, without asking again and again: kernel
//! uevents for devices and modules, inotify for files, a process's end for the kubelet. It reads no facts
//! and judges nothing. What it cannot tell for certain it tells as "all of it may have changed".
//!
//! The order that loses nothing:
//!
//! ```text
//!  open  ->  gather  ->  follow  ->  changed  ->  gather again  ->  follow  ->  changed  -> ...
//! ```
//!
//! The first `changed` after a `follow` that had to watch something new answers soon, though nothing may
//! have happened: what was read before it was watched is read once more (see `files`).
//!
//! Some things no event tells: attributes of sysfs and settings in `/proc` that are written, and what
//! [`Watch::gaps`] names. A full check at long intervals has to make up for these.

mod debounce;
mod descriptor;
mod files;
mod gap;
mod mounts;
mod netlink;
mod process;
mod table;
pub mod uevent;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::facts::{Facts, Needs};
use crate::host::Root;
use crate::host::steps::Steps;
use crate::host::trace::{Aspect, Trace};
use debounce::Debounce;
use files::Files;
pub use gap::Gap;
use mounts::Mounts;
use netlink::Uevents;
use process::Process;

/// Stands beside the sources' bits for what tells that a kubelet starts or ends. systemd tells so before
/// the process is the kubelet, so it is looked once more,
const STARTS: u64 = 1 << 63;
/// after this long.
const ECHO: Duration = Duration::from_secs(2);

/// systemd makes this link anew with every start of the unit, and takes it away when the unit stops.
const INVOCATION: &str = "/run/systemd/units/invocation:kubelet.service";
/// Where a kubelet that has started listens, below its `--root-dir`.
const SOCKET: &str = "pod-resources/kubelet.sock";

/// The open channels, and what they told since the last answer.
#[derive(Debug)]
pub struct Watch {
    channels: Channels,
    debounce: Debounce,
    /// What may have changed and was not told yet.
    pending: Needs,
    /// Mounts changed since the files were last followed.
    remounted: bool,
    /// What is followed.
    followed: Option<(Steps, Trace)>,
}

#[derive(Debug)]
struct Channels {
    uevents: Result<Uevents, Gap>,
    files: Result<Files, Gap>,
    mounts: Result<Mounts, Gap>,
    kubelet: Result<Option<Process>, Gap>,
    /// When to look for the kubelet once more.
    echo: Option<Instant>,
}

/// What a channel told.
#[derive(Debug, Clone, Copy)]
enum Heard {
    Sources(Needs),
    /// The askers of a trace; `None` for all of them.
    Askers(Option<u64>),
    Mounts,
    KubeletEnded,
    Echo,
}

impl Watch {
    /// Opens the channels of the running machine. To be called inside a runtime, and before the first
    /// gathering. A channel that cannot be opened is a gap and no error. `settle` is how long it must be
    /// quiet before a change is told.
    pub fn open(settle: Duration) -> Self {
        let channels = Channels {
            uevents: Uevents::open().map_err(Gap::Uevents),
            files: Files::open().map_err(Gap::Files),
            mounts: Mounts::open().map_err(Gap::Mounts),
            kubelet: Ok(None),
            echo: None,
        };
        Self {
            channels,
            debounce: Debounce::new(settle),
            pending: Needs::NONE,
            remounted: false,
            followed: None,
        }
    }

    /// Watches what the last gathering looked at, and nothing else any more. `root` must be
    /// [tracing](Root::tracing), and `facts` be what was gathered from it.
    pub fn follow(&mut self, root: &Root, facts: &Facts) {
        let mut trace = root.trace();
        let start = facts.kubelet.as_ref().and_then(|kubelet| kubelet.start.known());
        if facts.kubelet.is_some() {
            let starts = Needs::KUBELET.bits() | STARTS;
            let directory = start.and_then(|start| start.root_dir.as_deref());
            let directory = directory.unwrap_or("/var/lib/kubelet").trim_end_matches('/');
            trace.add(INVOCATION, starts, Aspect::State);
            trace.add(&format!("{directory}/{SOCKET}"), starts, Aspect::State);
        }
        // Numbers of processes mean nothing in a tree that may be another machine's.
        let process = if root.is_live() { start.and_then(|start| start.pid) } else { None };
        self.follow_kubelet(process);
        self.followed = match root.steps() {
            Some(Ok(steps)) => Some((steps, trace)),
            Some(Err(error)) => {
                self.channels.files = Err(Gap::Files(error));
                None
            }
            None => None,
        };
        self.follow_files();
    }

    /// What may change without being noticed.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        let Channels { uevents, files, mounts, kubelet, .. } = &self.channels;
        let files = files.as_ref().map_or_else(Some, Files::gap);
        [uevents.as_ref().err(), files, mounts.as_ref().err(), kubelet.as_ref().err()]
            .into_iter()
            .flatten()
    }

    /// How many directories are watched.
    pub fn directories(&self) -> usize {
        self.channels.files.as_ref().map_or(0, Files::directories)
    }

    /// Waits for the next change and says which sources may read differently now. It never answers with
    /// nothing, and it loses no change that happens between two calls, nor when it is given up half-way.
    ///
    /// A burst is told as one change, when it is over or after ten times the time to settle; a storm that
    /// does not end is told about once a second.
    pub async fn changed(&mut self) -> Needs {
        loop {
            let heard = match self.debounce.due() {
                None => self.channels.next().await,
                Some(due) => {
                    tokio::select! {
                        biased;
                        () = sleep_until(due) => match self.tell() {
                            Some(needs) => return needs,
                            None => continue,
                        },
                        heard = self.channels.next() => heard,
                    }
                }
            };
            self.take_in(heard);
        }
    }

    /// What is pending, once mounts have been looked into.
    fn tell(&mut self) -> Option<Needs> {
        if self.remounted {
            self.follow_files();
        }
        let needs = std::mem::take(&mut self.pending);
        if needs.is_none() {
            self.debounce.forget();
            return None;
        }
        self.debounce.told(Instant::now());
        Some(needs)
    }

    fn take_in(&mut self, heard: Heard) {
        match heard {
            Heard::Sources(needs) => self.add(needs),
            Heard::Askers(None) => self.add(Needs::ALL),
            Heard::Askers(Some(askers)) => {
                if askers & STARTS != 0 {
                    self.channels.echo = Some(Instant::now() + ECHO);
                }
                self.add(Needs::of_bits(askers));
            }
            Heard::Mounts => {
                self.remounted = true;
                self.debounce.heard(Instant::now());
            }
            Heard::KubeletEnded => {
                self.channels.kubelet = Ok(None);
                self.channels.echo = Some(Instant::now() + ECHO);
                self.add(Needs::KUBELET);
            }
            Heard::Echo => {
                self.channels.echo = None;
                self.add(Needs::KUBELET);
            }
        }
    }

    fn add(&mut self, needs: Needs) {
        if !needs.is_none() {
            self.pending = self.pending.and(needs);
            self.debounce.heard(Instant::now());
        }
    }

    fn follow_files(&mut self) {
        let Some((steps, trace)) = &self.followed else { return };
        let remounted = std::mem::take(&mut self.remounted);
        let Ok(files) = &mut self.channels.files else { return };
        let new = files.follow(steps, trace, remounted);
        self.add(Needs::of_bits(new));
    }

    fn follow_kubelet(&mut self, number: Option<u32>) {
        let followed = self.channels.kubelet.as_ref().ok().and_then(Option::as_ref);
        if followed.map(|process| process.number) == number {
            return;
        }
        self.channels.kubelet = match number.map(Process::open) {
            None => Ok(None),
            Some(Ok(process)) => {
                // It may have ended, and its number be another's, before it was opened.
                self.add(Needs::KUBELET);
                Ok(process)
            }
            Some(Err(error)) => Err(Gap::Kubelet(error)),
        };
    }
}

impl Channels {
    /// The next that any of them tells. Nothing is taken from one before it is told.
    async fn next(&self) -> Heard {
        tokio::select! {
            needs = self.of_uevents() => Heard::Sources(needs),
            askers = self.of_files() => Heard::Askers(askers),
            () = self.of_mounts() => Heard::Mounts,
            () = self.of_kubelet() => Heard::KubeletEnded,
            () = self.of_echo() => Heard::Echo,
        }
    }

    async fn of_uevents(&self) -> Needs {
        match &self.uevents {
            Ok(uevents) => uevents.next().await,
            Err(_) => std::future::pending().await,
        }
    }

    async fn of_files(&self) -> Option<u64> {
        match &self.files {
            Ok(files) => files.next().await,
            Err(_) => std::future::pending().await,
        }
    }

    async fn of_mounts(&self) {
        match &self.mounts {
            Ok(mounts) => mounts.changed().await,
            Err(_) => std::future::pending().await,
        }
    }

    async fn of_kubelet(&self) {
        match &self.kubelet {
            Ok(Some(process)) => process.ended().await,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    async fn of_echo(&self) {
        match self.echo {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
