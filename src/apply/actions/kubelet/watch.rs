//! Whether a kubelet that was started stays up: the same process, active and answering, for a window.

use std::time::{Duration, Instant};

use super::super::error::{ActionError, shown};
use super::super::programs::Programs;
use super::health::{Address, Health};
use super::unit::State;
use crate::host::Root;

/// How long and how often to look.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    /// How long a kubelet may take from its start to its first answer.
    pub(super) start: Duration,
    /// Bounds of the window.
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    pub(super) pause: Duration,
}

/// What systemd waits where a unit does not say how long.
const DEFAULT_RESTART_PAUSE: Duration = Duration::from_millis(100);

impl Watch {
    /// A kubelet can answer once and crash some seconds later, when it syncs its pods, so that no window
    /// is shorter than 20 s.
    pub(super) const OF_A_KUBELET: Self = Self {
        start: Duration::from_secs(60),
        shortest: Duration::from_secs(20),
        longest: Duration::from_secs(120),
        pause: Duration::from_millis(500),
    };

    /// Three times the pause of the unit, so that a kubelet that crashes again and again is seen to: 30 s
    /// for the packaged unit, whose pause is 10 s. A pause that cannot be told gets the longest window.
    ///
    /// A unit that asks for less than a second itself is trusted to show its crashes within 2 s. No
    /// distribution has one, and the 100 ms of a unit that says nothing do not count as asking; stand-ins
    /// of a test do.
    fn window(&self, pause: Option<Duration>) -> Duration {
        let Some(pause) = pause else { return self.longest };
        let hurried = pause < Duration::from_secs(1) && pause != DEFAULT_RESTART_PAUSE;
        let shortest =
            if hurried && !pause.is_zero() { Duration::from_secs(2) } else { self.shortest };
        pause.saturating_mul(3).clamp(shortest.min(self.shortest), self.longest)
    }

    /// Returns once the process that runs now has been active and has answered for the whole window.
    ///
    /// Whatever changes its number or the count of restarts ends the watch, at any time: a kubelet that
    /// came up at the second try has crashed once and will again.
    pub(super) fn until_proven(
        &self,
        programs: &Programs,
        root: &Root,
        unit: &str,
    ) -> Result<(), ActionError> {
        let not_up = |why: String| Err(ActionError::NotUp { unit: shown(unit), why });
        let first = State::ask(programs, unit)?;
        let window = self.window(first.pause);
        let started = now();
        let mut address: Option<Address> = None;
        let mut good_since: Option<Instant> = None;
        let mut process = first.pid;
        let mut state = first.clone();
        loop {
            if state.restarts != first.restarts {
                let times = match state.restarts.saturating_sub(first.restarts) {
                    0 | 1 => "once".to_owned(),
                    count => format!("{count} times"),
                };
                return not_up(format!("systemd had to restart it {times} since"));
            }
            if process == 0 {
                process = state.pid;
            }
            if state.pid != process {
                return not_up(match state.pid {
                    0 => format!("process {process} is gone; it is {}", state.describe()),
                    pid => format!("process {process} is gone, and {pid} runs in its place"),
                });
            }
            // One that waits to be started again has died since it was restarted, maybe before the first look.
            let waits = state.sub.starts_with("auto-restart");
            if waits || state.active == "failed" || state.active == "inactive" {
                return not_up(format!("it is {}", state.describe()));
            }
            let health = if state.active == "active" && process != 0 {
                // Until it answers: a unit is active before systemd's own process has become the kubelet.
                if good_since.is_none() {
                    address = Address::of(root, process);
                }
                address.as_ref().map_or(Health::Good, Address::ask)
            } else {
                Health::Bad(format!("it is {}", state.describe()))
            };
            match (health, good_since) {
                (Health::Good, Some(since)) if now() - since >= window => return Ok(()),
                (Health::Good, None) => good_since = Some(now()),
                (Health::Bad(why), Some(_)) => return not_up(format!("{why}, after it was well")),
                (Health::Bad(why), None) if now() - started >= self.start => return not_up(why),
                (Health::Good, Some(_)) | (Health::Bad(_), None) => {}
            }
            std::thread::sleep(self.pause);
            state = State::ask(programs, unit)?;
        }
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a watch lasts for a time")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_longer_than_the_pause_between_two_crashes() {
        let window = |millis| {
            let pause = Some(Duration::from_millis(millis));
            u64::try_from(Watch::OF_A_KUBELET.window(pause).as_millis()).unwrap()
        };
        // The packaged unit; one of a distribution; one that says nothing; one without a pause.
        assert_eq!(
            [window(10_000), window(5_000), window(100), window(0)],
            [30_000, 20_000, 20_000, 20_000]
        );
        assert_eq!([window(1_000), window(200), window(900)], [20_000, 2_000, 2_700]);
        assert_eq!(window(3_600_000), 120_000);
        assert_eq!(Watch::OF_A_KUBELET.window(None), Duration::from_secs(120));
    }
}
