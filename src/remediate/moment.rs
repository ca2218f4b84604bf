//! When something happened, so that nobody who sets a clock can make it seem longer ago.
//!
//! Within one boot only the boot clock counts, which nobody can set. From one boot to another nothing tells
//! for certain how much time went by: the wall clock may have been set by a year, or may start in 1970 each
//! time and be put right minutes later. What is certain is that the present boot has lasted so long, and so
//! long was seen to go by before. An age is the sum of these, and so never more than the true one; it falls
//! short by the time that the machine was off, and by the end of each boot that nobody looked at. The wall
//! clock is kept for people to read.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Now, by all clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 by the wall clock.
    pub wall: u64,
    /// `/proc/sys/kernel/random/boot_id`, without its newline.
    pub boot: String,
    /// Time since boot, sleep counted.
    pub uptime: Duration,
}

/// A point in time that an age is counted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The boot that it was last looked at in,
    boot: String,
    /// when that was, in milliseconds since that boot,
    uptime: u64,
    /// and how old it was then at least, in milliseconds.
    age: u64,
}

impl Anchor {
    /// Of something that happens now.
    pub fn at(now: &Moment) -> Self {
        Self { boot: now.boot.clone(), uptime: milliseconds(now.uptime), age: 0 }
    }

    /// How long ago that was, at least.
    pub fn age(&self, now: &Moment) -> Duration {
        let uptime = milliseconds(now.uptime);
        // In a boot of the same id the clock does not go back; a file that says so has been tampered with.
        let since = if self.boot == now.boot { uptime.saturating_sub(self.uptime) } else { uptime };
        Duration::from_millis(self.age.saturating_add(since))
    }

    /// The same point, seen from now: what has gone by in this boot is not lost with it.
    #[must_use]
    pub fn seen(&self, now: &Moment) -> Self {
        Self { age: milliseconds(self.age(now)), ..Self::at(now) }
    }

    /// Whether `seen` would save something worth a write.
    pub fn is_stale(&self, now: &Moment) -> bool {
        let known = Duration::from_millis(self.age);
        self.boot != now.boot || self.age(now).saturating_sub(known) >= Duration::from_secs(600)
    }
}

/// A time as people say it, rounded up: `23 h 58 min`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken(pub(super) Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = milliseconds(self.0).div_ceil(1000);
        let minutes = seconds.div_ceil(60);
        match (minutes / 60, minutes % 60) {
            _ if seconds < 60 => write!(out, "{seconds} s"),
            (0, minutes) => write!(out, "{minutes} min"),
            (hours, 0) => write!(out, "{hours} h"),
            (hours, minutes) => write!(out, "{hours} h {minutes} min"),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A machine, whose true time only the test knows.
    #[derive(Debug)]
    struct Machine {
        truth: u64,
        booted: u64,
        boot: u32,
        wall: i64,
    }

    #[derive(Debug, Clone)]
    enum Event {
        Passes(u64),
        /// Off for so long, and then another boot.
        Reboot(u64),
        SetWall(i64),
        Look,
    }

    impl Machine {
        fn now(&self) -> Moment {
            let wall = self.wall + i64::try_from(self.truth / 1000).unwrap();
            Moment {
                wall: u64::try_from(wall).unwrap_or(0),
                boot: self.boot.to_string(),
                uptime: Duration::from_millis(self.truth - self.booted),
            }
        }

        fn happens(&mut self, event: &Event) {
            match event {
                Event::Passes(time) => self.truth += time,
                Event::Reboot(off) => {
                    self.truth += off;
                    self.booted = self.truth;
                    self.boot += 1;
                }
                Event::SetWall(by) => self.wall += by,
                Event::Look => {}
            }
        }
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let year = 366_i64 * 86_400;
        proptest::collection::vec(
            prop_oneof![
                4 => (0_u64..100_000_000).prop_map(Event::Passes),
                2 => (0_u64..1_000_000_000).prop_map(Event::Reboot),
                2 => (-year..year).prop_map(Event::SetWall),
                3 => Just(Event::Look),
            ],
            0..40,
        )
    }

    proptest! {
        #[test]
        fn no_clock_makes_anything_older_than_it_is(events in events()) {
            let mut machine = Machine { truth: 5_000, booted: 0, boot: 1, wall: 1_700_000_000 };
            let begun = machine.truth;
            let mut anchor = Anchor::at(&machine.now());
            for event in &events {
                machine.happens(event);
                let truth = Duration::from_millis(machine.truth - begun);
                prop_assert!(anchor.age(&machine.now()) <= truth);
                if matches!(event, Event::Look) {
                    let before = anchor.age(&machine.now());
                    anchor = anchor.seen(&machine.now());
                    prop_assert_eq!(anchor.age(&machine.now()), before);
                }
            }
            // And none keeps it young: from here on each moment of this boot counts in full.
            let before = anchor.age(&machine.now());
            machine.happens(&Event::SetWall(-1_700_000_000));
            machine.happens(&Event::Passes(86_400_000));
            let day = Duration::from_secs(86_400);
            prop_assert!(anchor.age(&machine.now()) >= before + day);
        }
    }

    #[test]
    fn times_are_spoken_short_and_never_shorter_than_they_are() {
        for (milliseconds, spoken) in [
            (0, "0 s"),
            (1, "1 s"),
            (59_000, "59 s"),
            (59_001, "1 min"),
            (1_800_000, "30 min"),
            (3_599_001, "1 h"),
            (86_280_001, "23 h 59 min"),
            (86_400_000, "24 h"),
        ] {
            let time = Duration::from_millis(milliseconds);
            assert_eq!(Spoken(time).to_string(), spoken, "{time:?}");
        }
    }

    #[test]
    fn within_one_boot_an_age_is_exact() {
        let moment = |wall, uptime| Moment {
            wall,
            boot: "a".to_owned(),
            uptime: Duration::from_secs(uptime),
        };
        let anchor = Anchor::at(&moment(1_000, 50));
        assert_eq!(anchor.age(&moment(99, 53)), Duration::from_secs(3));
        assert_eq!(anchor.age(&moment(u64::MAX, 51)), Duration::from_secs(1));
        assert_eq!(anchor.age(&moment(1_000, 49)), Duration::ZERO);
    }

    #[test]
    fn what_was_seen_in_earlier_boots_adds_up() {
        let moment = |boot: &str, uptime| Moment {
            wall: 0,
            boot: boot.to_owned(),
            uptime: Duration::from_secs(uptime),
        };
        let anchor = Anchor::at(&moment("a", 100));
        assert!(!anchor.is_stale(&moment("a", 200)));
        assert!(anchor.is_stale(&moment("a", 700)));
        let anchor = anchor.seen(&moment("a", 700));
        assert!(anchor.is_stale(&moment("b", 1)));
        assert_eq!(anchor.age(&moment("b", 30)), Duration::from_secs(630));
        let anchor = anchor.seen(&moment("b", 40));
        assert_eq!(anchor.age(&moment("c", 5)), Duration::from_secs(645));
    }
}
