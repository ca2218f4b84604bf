//! The loop: what happens, and what is done about it. Nothing here blocks.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use super::agenda::{self, Agenda};
use super::check::{Checked, check};
use super::mending::{self, Mending};
use super::problems::Problems;
use super::runtime_directory::RuntimeDirectory;
use super::settings::Settings;
use super::timer::{Timer, WallClock, jittered};
use super::transitions::{Standing, changes};
use super::work::{Done, Outcomes, Work};
use super::{DaemonError, log, service_manager, words};
use crate::commands::CommandError;
use crate::config::Mode;
use crate::facts::Needs;
use crate::host::{Reading, Root, uptime};
use crate::publish::{Author, Output, Outputs, PublishError, Snapshot};
use crate::watch::Watch;

/// How long the outputs are waited for at the end; a filesystem that hangs must not hold up a stop.
const LAST_WORDS: Duration = Duration::from_millis(500);

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the loop waits for.
enum Event {
    Stop,
    Reload,
    Watchdog,
    Done(Done),
    /// The changes have settled.
    Settled,
    /// The slow timer.
    Interval,
    /// A failure that may be mended is to be seen once more.
    LookAgain,
    ClockSet,
    Changed(Needs),
}

struct Service {
    root: Option<PathBuf>,
    /// Its lock is held as long as this lives.
    directory: RuntimeDirectory,
    settings: Arc<Settings>,
    outputs: Arc<Mutex<Outputs>>,
    watch: Option<Watch>,
    work: Work,
    agenda: Agenda,
    /// When the next check may begin, where there is something to check.
    settled: Option<Instant>,
    /// A reload was asked for and has not begun.
    reload: bool,
    last: Option<Arc<Checked>>,
    standing: Option<Standing>,
    transitions: u64,
    mending: Mending,
    problems: Problems,
    is_ready: bool,
    status: String,
    channels: Channels,
}

struct Channels {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    interval: Timer,
    look_again: Timer,
    watchdog: Option<Timer>,
    wall_clock: WallClock,
}

impl Channels {
    fn open() -> io::Result<Self> {
        let watchdog = match service_manager::watchdog_period() {
            None => None,
            Some(period) => {
                let timer = Timer::new()?;
                timer.every(period)?;
                Some(timer)
            }
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            interval: Timer::new()?,
            look_again: Timer::new()?,
            watchdog,
            wall_clock: WallClock::watch()?,
        })
    }
}

/// Runs until a signal asks for the end.
pub(super) async fn serve(
    root: Option<PathBuf>,
    directory: RuntimeDirectory,
    settings: Settings,
) -> Result<(), CommandError> {
    let channels = Channels::open().map_err(failed("take over the signals and the timers"))?;
    let author = author().map_err(failed("tell which boot this is"))?;
    let outputs = Outputs::new(&settings.config.publish, directory.path(), author);
    let mending = Mending::new(&settings.config.remediate);
    let mut service = Service {
        root,
        directory,
        settings: Arc::new(settings),
        outputs: Arc::new(Mutex::new(outputs)),
        watch: None,
        work: Work::default(),
        agenda: Agenda::default(),
        settled: None,
        reload: false,
        last: None,
        standing: None,
        transitions: 0,
        mending,
        problems: Problems::default(),
        is_ready: false,
        status: String::new(),
        channels,
    };
    // Before the first check, so that no change is missed that happens meanwhile.
    service.open_watch();
    service.full_check()?;
    loop {
        match service.next().await? {
            Event::Stop => {
                service.stop().await;
                return Ok(());
            }
            event => service.handle(event)?,
        }
    }
}

impl Service {
    /// The next thing that happens. What must not wait comes first; changes, of which there may be many at
    /// once, come last.
    async fn next(&mut self) -> Result<Event, CommandError> {
        let Channels { terminate, interrupt, hangup, interval, look_again, watchdog, wall_clock } =
            &mut self.channels;
        let timer = failed("wait for a timer");
        Ok(tokio::select! {
            biased;
            _ = terminate.recv() => Event::Stop,
            _ = interrupt.recv() => Event::Stop,
            _ = hangup.recv() => Event::Reload,
            rang = rings(watchdog.as_ref()) => rang.map(|()| Event::Watchdog).map_err(timer)?,
            done = self.work.done() => Event::Done(done.map_err(DaemonError::Lost)?),
            () = at(self.settled) => Event::Settled,
            rang = interval.rings() => rang.map(|()| Event::Interval).map_err(timer)?,
            rang = look_again.rings() => rang.map(|()| Event::LookAgain).map_err(timer)?,
            set = wall_clock.was_set() => set.map(|()| Event::ClockSet).map_err(timer)?,
            needs = changed(self.watch.as_mut()) => Event::Changed(needs),
        })
    }

    fn handle(&mut self, event: Event) -> Result<(), CommandError> {
        match event {
            // Not reached: the loop ends with it.
            Event::Stop => {}
            Event::Reload => {
                self.reload = true;
                self.go_on(Duration::ZERO);
            }
            Event::Watchdog => {
                if !self.work.is_stuck() {
                    service_manager::alive();
                }
            }
            Event::Done(done) => self.finish(done)?,
            Event::Settled => {
                self.settled = None;
                self.begin_check();
            }
            Event::Interval => {
                self.open_watch();
                if self.work.is_stuck() {
                    let why = "it has not ended for a minute; something of the host hangs";
                    self.note("check", Err(why.to_owned()));
                    self.tell_status();
                }
                self.full_check()?;
            }
            Event::LookAgain | Event::ClockSet => self.full_check()?,
            Event::Changed(needs) => {
                if self.agenda.note(needs) {
                    self.go_on(self.settings.config.daemon.settle);
                }
            }
        }
        Ok(())
    }

    /// Asks for a check of everything, now, and sets the timer for the next.
    fn full_check(&mut self) -> Result<(), CommandError> {
        let interval = jittered(self.settings.config.daemon.interval);
        self.channels.interval.once(interval).map_err(failed("set a timer"))?;
        self.agenda.note(Needs::ALL);
        self.go_on(Duration::ZERO);
        Ok(())
    }

    /// Sees to it that what is pending begins, a check after this long at the earliest.
    fn go_on(&mut self, rest: Duration) {
        if !self.work.is_idle() {
            return;
        }
        if self.reload {
            self.reload = false;
            service_manager::reloading();
            self.work.begin(|| Done::Reloaded(Box::new(Settings::load())));
        } else if !self.agenda.is_empty() {
            let earliest = Instant::now() + rest;
            self.settled = Some(self.settled.map_or(earliest, |settled| settled.min(earliest)));
        }
    }

    fn begin_check(&mut self) {
        if !self.work.is_idle() {
            return;
        }
        self.agenda.take();
        let (settings, root) = (Arc::clone(&self.settings), self.root.clone());
        self.work.begin(move || Done::Checked(Box::new(check(&settings, root.as_deref()))));
    }

    fn finish(&mut self, done: Done) -> Result<(), CommandError> {
        let mut rest = Duration::ZERO;
        match done {
            Done::Checked(result) => match *result {
                Ok(checked) => {
                    self.publish(checked)?;
                    return Ok(());
                }
                // Nothing has been said yet, so whoever started the daemon is told.
                Err(error) if !self.is_ready => return Err(error),
                Err(error) => {
                    self.note("check", Err(words::causes(&error)));
                    self.withdraw();
                    return Ok(());
                }
            },
            Done::Published(outcomes) => {
                self.note_all(outcomes);
                let last = self.last.as_ref();
                let took = last.map_or(Duration::ZERO, |last| last.judged.took);
                rest = agenda::rest(self.settings.config.daemon.settle, took);
                self.tell_status();
            }
            Done::Withdrawn(outcomes) => {
                self.note_all(outcomes);
                self.tell_status();
            }
            Done::Reloaded(result) => self.use_settings(*result),
            Done::Configured(outcomes) => {
                self.note_all(outcomes);
                self.full_check()?;
                self.reloaded();
            }
        }
        self.go_on(rest);
        Ok(())
    }

    /// Tells everybody what a check brought.
    fn publish(&mut self, checked: Checked) -> Result<(), CommandError> {
        self.note("check", Ok(()));
        let report = &checked.judgement.report;
        let changes = changes(self.standing.as_ref(), report);
        log::changes(&changes, report);
        self.transitions += changes.count();
        self.standing = Some(Standing::of(report));
        let standing = checked.state.standing(self.mode());
        let request = self.mending.observe(report, checked.judged.uptime, &standing);
        self.look_again()?;
        let checked = Arc::new(checked);
        self.last = Some(Arc::clone(&checked));
        let (outputs, transitions) = (Arc::clone(&self.outputs), self.transitions);
        let directory = self.directory.path().to_owned();
        self.work.begin(move || {
            let snapshot = Snapshot {
                report: &checked.judgement.report,
                facts: &checked.judgement.facts,
                judged: checked.judged,
                transitions,
                standing: &standing,
            };
            let mut outcomes = in_words(held(&outputs).publish(&snapshot));
            if let Some(rules) = request {
                outcomes.push(("fix-request".to_owned(), mending::ask(&directory, &rules)));
            }
            Done::Published(outcomes)
        });
        Ok(())
    }

    /// How far mending may go. The fixer works on the machine that it runs on, so for another one nothing
    /// is asked.
    fn mode(&self) -> Mode {
        match self.settings.config.remediate.mode {
            Mode::Auto if self.root.is_some() => Mode::Plan,
            mode => mode,
        }
    }

    /// Sets the timer for when a check would tell more about what could be mended.
    fn look_again(&mut self) -> Result<(), CommandError> {
        let Some(at) = self.mending.next_check() else { return Ok(()) };
        let after = at.saturating_sub(uptime());
        Ok(self.channels.look_again.once(after).map_err(failed("set a timer"))?)
    }

    fn withdraw(&mut self) {
        let outputs = Arc::clone(&self.outputs);
        self.work.begin(move || Done::Withdrawn(in_words(held(&outputs).withdraw())));
    }

    fn use_settings(&mut self, result: Result<Settings, CommandError>) {
        match result {
            Ok(settings) => {
                self.settings = Arc::new(settings);
                self.mending.configure(&self.settings.config.remediate);
                self.problems.note("configuration", Ok(()));
                log::reloaded();
                let (outputs, settings) = (Arc::clone(&self.outputs), Arc::clone(&self.settings));
                self.work.begin(move || {
                    let gone = held(&outputs).configure(&settings.config.publish);
                    Done::Configured(in_words(gone))
                });
            }
            Err(error) => {
                let why = words::causes(&error);
                log::reload_failed(&why);
                self.problems.note("configuration", Err(format!("reload failed: {why}")));
                self.reloaded();
            }
        }
    }

    /// Ends a reload for the service manager, however it went.
    fn reloaded(&mut self) {
        let status = self.status_text();
        service_manager::ready(&status);
        self.status = status;
    }

    fn note_all(&mut self, outcomes: Outcomes) {
        for (what, outcome) in outcomes {
            self.note(&what, outcome);
        }
    }

    fn note(&mut self, what: &str, outcome: Result<(), String>) {
        if let Some(news) = self.problems.note(what, outcome) {
            log::problem(what, &news);
        }
    }

    fn status_text(&self) -> String {
        let last = self.last.as_ref();
        let verdict = last.map(|last| words::status(&last.judgement.report)).unwrap_or_default();
        match self.problems.first() {
            Some(problem) => format!("{verdict}; {problem}"),
            None => verdict,
        }
    }

    /// The service manager hears of each new status once, and after the first check that all is up.
    fn tell_status(&mut self) {
        let status = self.status_text();
        if !self.is_ready {
            self.is_ready = true;
            service_manager::ready(&status);
        } else if status != self.status {
            service_manager::status(&status);
        }
        self.status = status;
    }

    /// Opens the channels of changes where they are not open; the timer goes on without them.
    fn open_watch(&mut self) {
        if self.watch.is_none() {
            let opened = Watch::open();
            let outcome = opened.as_ref().map(drop).map_err(|error| words::causes(error));
            self.watch = opened.ok();
            self.note("watch", outcome);
        }
    }

    /// Takes the outputs back; a check that is under way is not waited for.
    async fn stop(self) {
        service_manager::stopping();
        let outputs = Arc::clone(&self.outputs);
        let directory = self.directory.path().to_owned();
        let withdrawn = tokio::task::spawn_blocking(move || {
            mending::ask_no_more(&directory);
            in_words(held(&outputs).withdraw())
        });
        if let Ok(Ok(outcomes)) = timeout(LAST_WORDS, withdrawn).await {
            let mut problems = self.problems;
            for (what, outcome) in outcomes {
                if let Some(news) = problems.note(&what, outcome) {
                    log::problem(&what, &news);
                }
            }
        }
    }
}

/// The outputs hold nothing that a panic elsewhere could spoil: each write is whole.
fn held(outputs: &Mutex<Outputs>) -> std::sync::MutexGuard<'_, Outputs> {
    outputs.lock().unwrap_or_else(PoisonError::into_inner)
}

fn in_words(outcomes: Vec<(Output, Result<(), PublishError>)>) -> Outcomes {
    let words = |(output, outcome): (Output, Result<(), PublishError>)| {
        (output.to_string(), outcome.map_err(|error| words::causes(&error)))
    };
    outcomes.into_iter().map(words).collect()
}

fn author() -> io::Result<Author> {
    let root = Root::live().map_err(io::Error::other)?;
    match root.read_attribute(BOOT_ID) {
        Reading::Known(boot_id) => Ok(Author { boot_id, pid: std::process::id() }),
        Reading::Absent => Err(io::ErrorKind::NotFound.into()),
        Reading::Unreadable(cause) => Err(io::Error::other(cause.to_string())),
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> DaemonError + Copy {
    move |source| DaemonError::Runtime { what, source }
}

async fn rings(timer: Option<&Timer>) -> io::Result<()> {
    match timer {
        Some(timer) => timer.rings().await,
        None => pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

async fn changed(watch: Option<&mut Watch>) -> Needs {
    match watch {
        Some(watch) => watch.changed().await,
        None => pending().await,
    }
}
