//! When to tell of a change: soon after the last of a burst, not much later than the first, and seldom
//! where the bursts do not end. Pure: it takes moments and gives moments.

use std::time::Duration;

use tokio::time::Instant;

/// A burst is told after so many times the time of quiet, though it goes on.
const PATIENCE: u32 = 10;
/// So many changes may be told at once,
const AT_ONCE: u32 = 4;
/// and one in this time after that.
const EACH: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Debounce {
    settle: Duration,
    /// The first and the last event of the burst that waits to be told.
    burst: Option<(Instant, Instant)>,
    /// When all that was told would have been told at the rate of one in [`EACH`].
    even: Option<Instant>,
}

impl Debounce {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, burst: None, even: None }
    }

    /// Something happened.
    pub(super) fn heard(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |(first, _)| first);
        self.burst = Some((first, now));
    }

    /// When to tell; `None` while there is nothing.
    pub(super) fn due(&self) -> Option<Instant> {
        let (first, last) = self.burst?;
        let settled = (last + self.settle).min(first + self.settle * PATIENCE);
        let allowed = self.even.and_then(|even| even.checked_sub(EACH * (AT_ONCE - 1)));
        Some(allowed.map_or(settled, |allowed| settled.max(allowed)))
    }

    /// It was told.
    pub(super) fn told(&mut self, now: Instant) {
        self.burst = None;
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + EACH);
    }

    /// It came to nothing.
    pub(super) fn forget(&mut self) {
        self.burst = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_is_told_once_it_is_over() {
        let start = Instant::now();
        let mut debounce = Debounce::new(30 * MS);
        assert_eq!(debounce.due(), None);
        debounce.heard(start);
        assert_eq!(debounce.due(), Some(start + 30 * MS));
        debounce.heard(start + 20 * MS);
        assert_eq!(debounce.due(), Some(start + 50 * MS));
        debounce.told(start + 50 * MS);
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn a_burst_without_end_is_told_all_the_same() {
        let start = Instant::now();
        let mut debounce = Debounce::new(30 * MS);
        for at in 0..1000 {
            debounce.heard(start + at * MS);
        }
        assert_eq!(debounce.due(), Some(start + 300 * MS));
    }

    #[test]
    fn a_storm_is_told_once_a_second_and_calm_restores_the_allowance() {
        let start = Instant::now();
        let mut debounce = Debounce::new(10 * MS);
        // Something happens every millisecond for a minute.
        let mut told: Vec<Instant> = Vec::new();
        for at in 0..60_000 {
            let now = start + at * MS;
            debounce.heard(now);
            if debounce.due().unwrap() <= now {
                debounce.told(now);
                told.push(now);
            }
        }
        assert!((60..=64).contains(&told.len()), "{}", told.len());
        let later = start + Duration::from_secs(120);
        debounce.heard(later);
        assert!((debounce.due().unwrap() - later) <= 10 * MS);
    }
}
