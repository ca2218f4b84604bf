//! The container runtime, containerd or CRI-O: what its configuration comes to, and the handlers through
//! which it starts Kata.
//!
//! What is told is what a runtime that starts now takes from its files; whether the one that runs has read
//! them is not known here.

mod containerd;
mod crio;
mod detect;
mod handler;
mod imports;
mod list;
mod version;

use std::collections::BTreeSet;

use super::told::Stop;
use super::{Assumptions, Cause, Needs, Reading, Source, Told};
use crate::format::version::Version;
use crate::host::{Root, Run};

pub use handler::Handler;
pub(super) use list::{COLLECTIONS, FACTS};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Containerd,
    Crio,
}

impl Name {
    pub fn word(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Crio => "crio",
        }
    }
}

/// What is known of it. Where there is none, all else is absent.
#[derive(Debug)]
pub struct ContainerRuntime {
    pub name: Told<Name>,
    pub version: Told<Version>,
    /// Whether it starts with its configuration.
    pub loads: Told<bool>,
    /// Whether it serves the kubelet.
    pub cri_enabled: Told<bool>,
    /// Names of snapshotters that are programs of their own.
    pub proxy_snapshotters: Told<BTreeSet<String>>,
    /// All handlers, by name.
    pub handlers: Told<Vec<Handler>>,
    /// Handlers that stand where this runtime does not look, with the reason.
    pub misplaced: Told<Vec<(String, String)>>,
}

/// What a configuration comes to.
#[derive(Debug)]
struct Configured {
    /// The main file, whether it exists or not.
    source: Source,
    note: Option<String>,
    cri_enabled: Told<bool>,
    proxy_snapshotters: BTreeSet<String>,
    handlers: Vec<Handler>,
    misplaced: Vec<(String, String)>,
}

pub(super) fn gather(
    root: &Root,
    run: &Run,
    needs: Needs,
    assumed: &Assumptions,
) -> ContainerRuntime {
    let detected = detect::detect(root);
    let (name, config) = match &detected.reading {
        Reading::Known(detected) => (detected.name, detected.config),
        Reading::Absent => return ContainerRuntime::untold(&detected, &Reading::Absent),
        Reading::Unreadable(cause) => {
            return ContainerRuntime::untold(&detected, &Reading::Unreadable(cause.clone()));
        }
    };
    let version = version::read(root, run, needs, name, config);
    let believed = version::believed(&version, assumed);
    let configured = match name {
        Name::Containerd => containerd::read(root, config, believed.known()),
        Name::Crio => crio::read(root),
    };
    let found = Told { note: detected.note.clone(), ..Told::known(name, detected.source.clone()) };
    match configured {
        Ok(configured) => ContainerRuntime::of(found, version, configured),
        Err(stop) => ContainerRuntime::stopped(found, version, stop),
    }
}

impl ContainerRuntime {
    fn of(name: Told<Name>, version: Told<Version>, configured: Configured) -> Self {
        let Configured { source, note, cri_enabled, proxy_snapshotters, handlers, misplaced } =
            configured;
        Self {
            name,
            version,
            loads: Told { note, ..Told::known(true, source.clone()) },
            cri_enabled,
            proxy_snapshotters: Told::known(proxy_snapshotters, source.clone()),
            handlers: Told::known(handlers, source.clone()),
            misplaced: Told::known(misplaced, source),
        }
    }

    /// Nothing is served by a runtime that does not start.
    fn stopped(name: Told<Name>, version: Told<Version>, stop: Stop) -> Self {
        let (cause, source, loads) = match stop {
            Stop::Fails(cause, source) => (cause, source, Reading::Known(false)),
            Stop::CannotTell(cause, source) => (cause.clone(), source, Reading::Unreadable(cause)),
        };
        Self {
            name,
            version,
            loads: Told::new(loads, source.clone()).with_note(cause.to_string()),
            cri_enabled: Told::unreadable(cause.clone(), source.clone()),
            proxy_snapshotters: Told::unreadable(cause.clone(), source.clone()),
            handlers: Told::unreadable(cause.clone(), source.clone()),
            misplaced: Told::unreadable(cause, source),
        }
    }

    fn untold(detected: &Told<detect::Detected>, why: &Reading<std::convert::Infallible>) -> Self {
        fn told<T>(why: &Reading<std::convert::Infallible>, source: &Source) -> Told<T> {
            let reading = match why {
                Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
                Reading::Absent | Reading::Known(_) => Reading::Absent,
            };
            Told::new(reading, source.clone())
        }
        let source = &detected.source;
        Self {
            name: Told { note: detected.note.clone(), ..told(why, source) },
            version: told(why, source),
            loads: told(why, source),
            cri_enabled: told(why, source),
            proxy_snapshotters: told(why, source),
            handlers: told(why, source),
            misplaced: told(why, source),
        }
    }
}

/// A file that the runtime is told to read.
fn read(root: &Root, path: &str) -> Result<crate::format::toml_tree::Table, Stop> {
    use crate::format::toml_tree::Table;
    let source = || Source::file(path);
    let bytes = match root.read(path, crate::host::DEFAULT_CAP) {
        Reading::Known(bytes) => bytes,
        Reading::Absent => {
            let why = "the runtime is told to read this file, but it is missing";
            return Err(Stop::Fails(Cause::malformed(None, why), source()));
        }
        Reading::Unreadable(cause @ (Cause::NotAFile("a directory") | Cause::NotADirectory)) => {
            return Err(Stop::Fails(cause, source()));
        }
        Reading::Unreadable(cause) => return Err(Stop::CannotTell(cause, source())),
    };
    let fails = |line: Option<u32>, what: String| {
        let source = Source { path: path.into(), line };
        Stop::Fails(Cause::malformed(line, what), source)
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|_| fails(None, "it is not UTF-8".to_owned()))?;
    Table::parse(path, text).map_err(|error| fails(Some(error.line), error.to_string()))
}

#[cfg(test)]
mod tests;
