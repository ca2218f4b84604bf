//! `wait`: judges again with every change, until the host is ready or the time is over.

mod progress;

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::check::{Form, deliver};
use super::configuration::Policy;
use super::judgement::{Judgement, Wanted, judgement_again};
use super::{CommandError, host};
use crate::cli;
use crate::config::Daemon;
use crate::facts::{Facts, Needs};
use crate::host::{Stopwatch, Terminal};
use crate::publish::output_file::OutputFile;
use crate::report::Verdict;
use crate::rules::RuleSet;
use crate::watch::Watch;
use progress::Progress;

/// All is read again so often, for what no event tells.
const NET: Duration = Duration::from_secs(10);
/// How often the time is shown on a terminal.
const TICK: Duration = Duration::from_secs(1);

/// What ended the wait.
enum End {
    /// With the last word about the host.
    Told(Box<Judgement>),
    Signal(u8),
}

pub(super) fn run(arguments: &cli::Wait, terminal: Terminal) -> Result<ExitCode, CommandError> {
    let stopwatch = Stopwatch::start();
    let running = arguments.root.is_none();
    let Policy { rules, wanted } = Policy::of(running, &arguments.selection, &arguments.assume)?;
    let wanted = wanted.with_cluster(&arguments.cluster, None)?;
    let file = arguments.output.as_deref().map(OutputFile::at).transpose()?;
    let opened = host::open(arguments.root.as_deref(), None)?
        .tracing()
        .asking_cluster(wanted.cluster.clone());
    let before = wanted.nothing_known();
    let waiter = Waiter { opened, rules, wanted };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)?;
    let mut progress = Progress::start(Terminal::width_of_stderr(), stopwatch);
    let end = runtime.block_on(waiter.wait(before, arguments.timeout, &mut progress));
    progress.end();
    match end? {
        End::Told(judged) => {
            let form = Form { format: arguments.format, verbose: arguments.verbose, terminal };
            deliver(&judged, form, file, stopwatch)
        }
        End::Signal(number) => Ok(ExitCode::from(128 + number)),
    }
}

/// What is judged again and again, and by what.
struct Waiter {
    opened: host::Opened,
    rules: RuleSet,
    wanted: Wanted,
}

impl Waiter {
    async fn wait(
        &self,
        before: Facts,
        timeout: Option<Duration>,
        progress: &mut Progress,
    ) -> Result<End, CommandError> {
        let mut interrupted = signal(SignalKind::interrupt()).map_err(CommandError::Signals)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(CommandError::Signals)?;
        let give_up = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // Before the host is read, so that nothing which happens from then on is missed.
        let mut watch = Watch::open(Daemon::default().settle);
        let mut judged = self.judge(before, Needs::ALL)?;
        loop {
            watch.follow(&self.opened.root, &judged.facts);
            if matches!(judged.report.verdict, Verdict::Ready | Verdict::RebootRequired) {
                return Ok(End::Told(Box::new(judged)));
            }
            progress.show(&judged.report, watch.gaps());
            let net = sleep(NET);
            tokio::pin!(net);
            let changed = loop {
                tokio::select! {
                    biased;
                    _ = interrupted.recv() => return Ok(End::Signal(2)),
                    _ = terminated.recv() => return Ok(End::Signal(15)),
                    () = at(give_up) => return Ok(End::Told(Box::new(judged))),
                    changed = watch.changed() => break changed,
                    () = &mut net => break Needs::ALL,
                    _ = ticks.tick(), if progress.is_on_terminal() => progress.tick(),
                }
            };
            judged = self.judge(judged.facts, changed)?;
        }
    }

    fn judge(&self, before: Facts, changed: Needs) -> Result<Judgement, CommandError> {
        let Self { opened, rules, wanted } = self;
        judgement_again(opened, rules, wanted, before, changed, |_| Needs::NONE)
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
