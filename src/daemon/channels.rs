//! What the daemon waits for besides changes of the host: signals and timers. Nothing is done about them
//! here.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::service_manager;
use super::timer::{Timer, WallClock};

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    Stop,
    Reload,
    /// The service manager wants to hear that the daemon is alive.
    Watchdog,
    /// The slow timer.
    Interval,
    /// A failure that may be mended is to be seen once more.
    LookAgain,
    /// Somebody set the wall clock.
    ClockSet,
}

#[derive(Debug)]
pub(super) struct Channels {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    watchdog: Option<Timer>,
    interval: Timer,
    look_again: Timer,
    wall_clock: WallClock,
}

impl Channels {
    /// Takes over the signals. The timers do not ring before they are set, but for the watchdog's.
    pub(super) fn open() -> io::Result<Self> {
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
            watchdog,
            interval: Timer::new()?,
            look_again: Timer::new()?,
            wall_clock: WallClock::watch()?,
        })
    }

    pub(super) fn set_interval(&self, after: Duration) -> io::Result<()> {
        self.interval.once(after)
    }

    pub(super) fn set_look_again(&self, after: Duration) -> io::Result<()> {
        self.look_again.once(after)
    }

    /// The next of them, the most urgent first. To be left and asked again at any time.
    pub(super) async fn next(&mut self) -> io::Result<Alarm> {
        Ok(tokio::select! {
            biased;
            _ = self.terminate.recv() => Alarm::Stop,
            _ = self.interrupt.recv() => Alarm::Stop,
            _ = self.hangup.recv() => Alarm::Reload,
            rang = rings(self.watchdog.as_ref()) => rang.map(|()| Alarm::Watchdog)?,
            rang = self.interval.rings() => rang.map(|()| Alarm::Interval)?,
            rang = self.look_again.rings() => rang.map(|()| Alarm::LookAgain)?,
            set = self.wall_clock.was_set() => set.map(|()| Alarm::ClockSet)?,
        })
    }
}

async fn rings(timer: Option<&Timer>) -> io::Result<()> {
    match timer {
        Some(timer) => timer.rings().await,
        None => pending().await,
    }
}
