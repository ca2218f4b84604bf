//! The only door to a machine: files through [`Root`], programs and services through [`Run`].
//!
//! Nothing outside this module may touch `std::fs`, `std::process` or the environment; the
//! `disallowed-methods` list in `clippy.toml` proves it. This module reads; it never writes to a host,
//! and it never interprets what it read.

pub mod api_server;
mod archive;
mod clock;
mod directory;
mod mounts;
pub mod pod_resources;
mod probe;
pub(crate) mod process;
mod reading;
mod recorder;
mod root;
mod run;
mod service;
pub mod steps;
mod terminal;
pub mod trace;
mod vfio_users;

pub use archive::{Archive, ArchiveError, Entry, Node};
pub use clock::{Stopwatch, now, uptime};
pub use probe::Probes;
pub use reading::{Cause, Reading, Source};
pub use root::{DEFAULT_CAP, DirEntry, FileKind, Root, RootError, Stat};
pub use run::{NODE, Output, POD_RESOURCES, Program, RUNTIME_CLASSES, Run};
pub use terminal::{Colour, Terminal};
pub use vfio_users::VfioUsers;

#[cfg(test)]
mod tests;
