//! What may block, beside the loop and one at a time.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::check::Checked;
use super::settings::Settings;
use crate::commands::CommandError;
use crate::host::Stopwatch;

/// How it went with each output, by its name; what is wrong is in words.
pub(super) type Outcomes = Vec<(String, Result<(), String>)>;

/// How long one piece of work may take before the daemon calls itself stuck. A kubelet that does not tell
/// its version is given up after 5 s, so this is a device or a filesystem that does not answer.
const STUCK: Duration = Duration::from_secs(60);

/// How a piece of work ended.
#[derive(Debug)]
pub(super) enum Done {
    Checked(Box<Result<Checked, CommandError>>),
    Published(Box<Checked>, Outcomes),
    Withdrawn(Outcomes),
    /// The outputs that a reload has switched off are gone.
    Configured(Outcomes),
    Reloaded(Box<Result<Settings, CommandError>>),
}

/// At most one piece of work.
#[derive(Debug, Default)]
pub(super) struct Work {
    task: Option<(JoinHandle<Done>, Stopwatch)>,
}

impl Work {
    pub(super) fn is_idle(&self) -> bool {
        self.task.is_none()
    }

    /// Whether it has taken longer than anything that goes well.
    pub(super) fn is_stuck(&self) -> bool {
        self.task.as_ref().is_some_and(|(_, since)| since.elapsed() > STUCK)
    }

    /// Begins a piece of work; the one before must have ended.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> Done + Send + 'static) {
        debug_assert!(self.is_idle());
        self.task = Some((tokio::task::spawn_blocking(work), Stopwatch::start()));
    }

    /// Waits for its end; for ever where there is none. To be left and asked again at any time.
    pub(super) async fn done(&mut self) -> Result<Done, JoinError> {
        let Some((task, _)) = &mut self.task else { return std::future::pending().await };
        let done = task.await;
        self.task = None;
        done
    }
}
