//! The loop: what happens, and what is begun for it. Nothing here blocks; what comes of it is in [`super::results`].

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::agenda::Agenda;
use super::announcer::Announcer;
use super::channels::{Alarm, Channels};
use super::check::{Before, check};
use super::mending::{self, Mending};
use super::runtime_directory::RuntimeDirectory;
use super::settings::Settings;
use super::timer::jittered;
use super::transitions::Standing;
use super::work::{Done, Outcomes, Work};
use super::{DaemonError, service_manager, words};
use crate::commands::CommandError;
use crate::facts::Needs;
use crate::host::{Reading, Root};
use crate::publish::{Author, Output, Outputs, PublishError};
use crate::watch::Watch;

/// How long the outputs are waited for at the end; a filesystem that hangs must not hold up a stop.
const LAST_WORDS: Duration = Duration::from_millis(500);

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the loop waits for.
enum Event {
    Alarm(Alarm),
    Done(Done),
    /// A check may begin.
    Due,
    Changed(Needs),
}

/// The daemon between two events.
pub(super) struct Service {
    pub(super) root: Option<PathBuf>,
    /// Its lock is held as long as this lives.
    pub(super) directory: RuntimeDirectory,
    pub(super) settings: Arc<Settings>,
    pub(super) outputs: Arc<Mutex<Outputs>>,
    pub(super) channels: Channels,
    pub(super) watch: Watch,
    pub(super) work: Work,
    pub(super) agenda: Agenda,
    /// When the next check may begin at the earliest, where there is something to check.
    due: Option<Instant>,
    /// A check that follows another too closely has to wait until then.
    pub(super) rest: Option<Instant>,
    /// A reload was asked for and has not begun.
    reload: bool,
    /// What the last check read, for the next.
    pub(super) before: Option<Before>,
    pub(super) standing: Option<Standing>,
    pub(super) transitions: u64,
    pub(super) mending: Mending,
    pub(super) announcer: Announcer,
}

/// Runs until a signal asks for the end.
pub(super) async fn serve(
    root: Option<PathBuf>,
    directory: RuntimeDirectory,
    settings: Settings,
) -> Result<(), CommandError> {
    let author = author().map_err(failed("tell which boot this is"))?;
    let outputs = Outputs::new(&settings.config.publish, directory.path(), author);
    let mut service = Service {
        root,
        directory,
        outputs: Arc::new(Mutex::new(outputs)),
        channels: Channels::open().map_err(failed("take over the signals and the timers"))?,
        // Before the first check, so that no change is missed that happens meanwhile.
        watch: Watch::open(settings.config.daemon.settle),
        work: Work::default(),
        agenda: Agenda::default(),
        due: None,
        rest: None,
        reload: false,
        before: None,
        standing: None,
        transitions: 0,
        mending: Mending::new(&settings.config.remediate),
        announcer: Announcer::default(),
        settings: Arc::new(settings),
    };
    service.full_check()?;
    loop {
        match service.next().await? {
            Event::Alarm(Alarm::Stop) => {
                service.stop().await;
                return Ok(());
            }
            event => service.handle(event)?,
        }
    }
}

impl Service {
    /// The next thing that happens. Changes, of which there may be many at once, come last.
    async fn next(&mut self) -> Result<Event, CommandError> {
        Ok(tokio::select! {
            biased;
            alarm = self.channels.next() => {
                Event::Alarm(alarm.map_err(failed("wait for a signal or a timer"))?)
            }
            done = self.work.done() => Event::Done(done.map_err(DaemonError::Lost)?),
            () = at(self.due) => Event::Due,
            needs = self.watch.changed() => Event::Changed(needs),
        })
    }

    fn handle(&mut self, event: Event) -> Result<(), CommandError> {
        match event {
            // Not reached: the loop ends with it.
            Event::Alarm(Alarm::Stop) => {}
            Event::Alarm(Alarm::Reload) => {
                self.reload = true;
                self.go_on();
            }
            // A daemon that is stuck is better started anew.
            Event::Alarm(Alarm::Watchdog) if self.work.is_stuck() => {}
            Event::Alarm(Alarm::Watchdog) => service_manager::alive(),
            Event::Alarm(Alarm::Interval) => {
                if self.work.is_stuck() {
                    let why = "it has not ended for a minute; something of the host hangs";
                    self.announcer.note("check", Err(why.to_owned()));
                    self.announcer.tell();
                }
                // What could not be watched may be watched now.
                if self.watch.gaps().next().is_some() {
                    self.watch = Watch::open(self.settings.config.daemon.settle);
                }
                self.full_check()?;
            }
            Event::Alarm(Alarm::LookAgain | Alarm::ClockSet) => self.full_check()?,
            Event::Done(done) => self.finish(done)?,
            Event::Due => {
                self.due = None;
                self.begin_check();
            }
            Event::Changed(needs) => {
                self.agenda.note(needs);
                self.go_on();
            }
        }
        Ok(())
    }

    /// Asks for a check of everything, and sets the timer for the next.
    pub(super) fn full_check(&mut self) -> Result<(), CommandError> {
        let interval = jittered(self.settings.config.daemon.interval);
        self.channels.set_interval(interval).map_err(failed("set a timer"))?;
        self.agenda.note(Needs::ALL);
        self.go_on();
        Ok(())
    }

    /// Begins what is pending, or sees to it that it begins in time.
    pub(super) fn go_on(&mut self) {
        if !self.work.is_idle() {
            return;
        }
        if self.reload {
            self.reload = false;
            service_manager::reloading();
            self.work.begin(|| Done::Reloaded(Box::new(Settings::load())));
        } else if !self.agenda.is_empty() {
            match self.rest.filter(|rest| Instant::now() < *rest) {
                Some(rest) => self.due = Some(rest),
                None => self.begin_check(),
            }
        }
    }

    fn begin_check(&mut self) {
        if !self.work.is_idle() {
            return;
        }
        self.due = None;
        let changed = self.agenda.take();
        // All is also opened anew: what was mounted over the directory since belongs to it.
        let before = self.before.take().filter(|_| changed != Needs::ALL);
        let (settings, root) = (Arc::clone(&self.settings), self.root.clone());
        self.work.begin(move || {
            Done::Checked(Box::new(check(&settings, root.as_deref(), before, changed)))
        });
    }

    /// Ends the outputs; a check that is under way is not waited for.
    async fn stop(mut self) {
        service_manager::stopping();
        let outputs = Arc::clone(&self.outputs);
        let directory = self.directory.path().to_owned();
        let withdrawn = tokio::task::spawn_blocking(move || {
            mending::ask_no_more(&directory);
            in_words(held(&outputs).stop())
        });
        if let Ok(Ok(outcomes)) = timeout(LAST_WORDS, withdrawn).await {
            self.announcer.note_all(outcomes);
        }
    }
}

/// The outputs hold nothing that a panic elsewhere could spoil: each write is whole.
pub(super) fn held(outputs: &Mutex<Outputs>) -> std::sync::MutexGuard<'_, Outputs> {
    outputs.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn in_words(outcomes: Vec<(Output, Result<(), PublishError>)>) -> Outcomes {
    let words = |(output, outcome): (Output, Result<(), PublishError>)| {
        (output.to_string(), outcome.map_err(|error| words::causes(&error)))
    };
    outcomes.into_iter().map(words).collect()
}

pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> DaemonError + Copy {
    move |source| DaemonError::Runtime { what, source }
}

fn author() -> io::Result<Author> {
    let root = Root::live().map_err(io::Error::other)?;
    match root.read_attribute(BOOT_ID) {
        Reading::Known(boot_id) => Ok(Author { boot_id, pid: std::process::id() }),
        Reading::Absent => Err(io::ErrorKind::NotFound.into()),
        Reading::Unreadable(cause) => Err(io::Error::other(cause.to_string())),
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
