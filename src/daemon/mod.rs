//! The daemon: judges the host when something changed and now and then, and hands each verdict on.
//!
//! It composes and decides nothing itself: [`crate::watch`] says what changed, the engine judges,
//! [`crate::publish`] tells others, [`crate::remediate`] says whether the fixer may be started. It writes
//! nothing but its outputs. Whatever may block runs beside the loop, one thing at a time, so that signals,
//! the watchdog and `/metrics` are answered while a program of the host hangs.

mod agenda;
mod announcer;
mod channels;
mod check;
mod environment;
mod log;
mod mending;
mod problems;
mod results;
mod runtime_directory;
mod serve;
mod service_manager;
mod settings;
mod timer;
mod transitions;
mod words;
mod work;

use std::path::{Path, PathBuf};

use crate::commands::CommandError;
pub use runtime_directory::RuntimeDirectoryError;

/// Why the daemon did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    RuntimeDirectory(#[from] RuntimeDirectoryError),
    #[error("cannot {what}")]
    Runtime { what: &'static str, source: std::io::Error },
    #[error("a check ended without a result")]
    Lost(#[source] tokio::task::JoinError),
}

/// Runs until a signal ends it. With a directory that is the host which is judged, by its files alone;
/// the outputs and the configuration are those of the machine that this program runs on.
pub fn run(root: Option<&Path>) -> Result<(), CommandError> {
    let failed = |what| move |source| DaemonError::Runtime { what, source };
    let directory = runtime_directory::RuntimeDirectory::take().map_err(DaemonError::from)?;
    let settings = settings::Settings::load()?;
    log::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .map_err(failed("start the event loop"))?;
    let root = root.map(PathBuf::from);
    let ended = runtime.block_on(serve::serve(root, directory, settings));
    // A check that hangs is not waited for.
    runtime.shutdown_background();
    ended
}
