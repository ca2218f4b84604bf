//! Timers of the kernel. A timer of the runtime that is far away wakes the process several times on its
//! way; these wake it once. They count the time that the machine slept.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Rings once after a time, or again and again.
#[derive(Debug)]
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// One that does not ring until it is set.
    pub(super) fn new() -> io::Result<Self> {
        Self::of(TimerfdClockId::Boottime)
    }

    fn of(clock: TimerfdClockId) -> io::Result<Self> {
        let timer = timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "the other way is unsafe; an owned descriptor is sound here")]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Rings once, this long from now.
    pub(super) fn once(&self, after: Duration) -> io::Result<()> {
        self.set(TimerfdTimerFlags::empty(), timespec(after), Timespec::default())
    }

    /// Rings every so often.
    pub(super) fn every(&self, period: Duration) -> io::Result<()> {
        self.set(TimerfdTimerFlags::empty(), timespec(period), timespec(period))
    }

    fn set(&self, flags: TimerfdTimerFlags, first: Timespec, then: Timespec) -> io::Result<()> {
        let times = Itimerspec { it_interval: then, it_value: first };
        timerfd_settime(self.0.get_ref(), flags, &times)?;
        Ok(())
    }

    /// Waits until it rings. To be left and asked again at any time.
    pub(super) async fn rings(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let mut times = [0; 8];
            match rustix::io::read(self.0.get_ref(), &mut times) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Of no time at all, which would switch a timer off, it makes a little.
fn timespec(time: Duration) -> Timespec {
    let time = time.max(Duration::from_millis(1));
    let seconds = i64::try_from(time.as_secs()).unwrap_or(NEVER);
    Timespec { tv_sec: seconds.min(NEVER), tv_nsec: time.subsec_nanos().into() }
}

/// The year 2262, the last that the kernel can tell.
const NEVER: i64 = i64::MAX / 1_000_000_000;

/// Tells when somebody sets the wall clock. What was published with an end by that clock has to be
/// published anew: it would end too early, or long after this process.
#[derive(Debug)]
pub(super) struct WallClock(Timer);

impl WallClock {
    pub(super) fn watch() -> io::Result<Self> {
        let clock = Self(Timer::of(TimerfdClockId::Realtime)?);
        clock.arm()?;
        Ok(clock)
    }

    fn arm(&self) -> io::Result<()> {
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        let never = Timespec { tv_sec: NEVER, tv_nsec: 0 };
        loop {
            match self.0.set(flags, never, Timespec::default()) {
                // Set once more at this moment: whoever asks is about to be told.
                Err(error) if was_cancelled(&error) => {}
                other => return other,
            }
        }
    }

    /// Waits until the clock was set. To be left and asked again at any time.
    pub(super) async fn was_set(&self) -> io::Result<()> {
        match self.0.rings().await {
            Ok(()) => {}
            Err(error) if was_cancelled(&error) => {}
            Err(error) => return Err(error),
        }
        self.arm()
    }
}

fn was_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::CANCELED.raw_os_error())
}

/// A time with a random tenth added or taken away. Where there is no randomness, as it is.
pub(super) fn jittered(time: Duration) -> Duration {
    let mut bytes = [0; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(4) => spread(time, u32::from_ne_bytes(bytes)),
        _ => time,
    }
}

/// From nine to eleven tenths, evenly.
fn spread(time: Duration, random: u32) -> Duration {
    time.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_added_or_taken_and_no_more() {
        let time = Duration::from_secs(600);
        assert_eq!(spread(time, 0), Duration::from_secs(540));
        assert_eq!(spread(time, u32::MAX), Duration::from_secs(660));
        let times: std::collections::BTreeSet<_> = (0..20).map(|_| jittered(time)).collect();
        assert!(times.len() > 10, "{times:?}");
    }

    #[tokio::test]
    async fn a_timer_rings_as_often_as_it_was_set() {
        let timer = Timer::new().unwrap();
        timer.once(Duration::ZERO).unwrap();
        timer.rings().await.unwrap();
        tokio::select! {
            biased;
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            _ = timer.rings() => panic!("it rang twice"),
        }
        timer.every(Duration::from_millis(1)).unwrap();
        timer.rings().await.unwrap();
        timer.rings().await.unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_nobody_sets_is_quiet() {
        let clock = WallClock::watch().unwrap();
        tokio::select! {
            biased;
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            ended = clock.was_set() => panic!("{ended:?}"),
        }
    }
}
