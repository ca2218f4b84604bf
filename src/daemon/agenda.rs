//! What has to be read again, and when that may begin. Pure.

use std::time::Duration;

use crate::facts::Needs;

/// How many times the length of a check must lie between two of them when changes do not end: a host on
/// which something flaps keeps four fifths of a core for others.
const REST: u32 = 4;

/// No change waits longer for a check because of that.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// The changes that no check has taken in yet.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    pending: Needs,
}

impl Agenda {
    /// Notes sources that may read differently. Says whether they are the first since the last check.
    pub(super) fn note(&mut self, needs: Needs) -> bool {
        let first = self.is_empty();
        self.pending = self.pending.and(needs);
        first && !self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending == Needs::NONE
    }

    /// Takes all of it, for a check that begins now.
    pub(super) fn take(&mut self) -> Needs {
        std::mem::take(&mut self.pending)
    }
}

/// How long after a check that took so long the next may begin.
pub(super) fn rest(settle: Duration, took: Duration) -> Duration {
    (took * REST).min(LONGEST_REST).max(settle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_entry_with_all_that_it_touched() {
        let mut agenda = Agenda::default();
        assert!(agenda.note(Needs::KUBELET));
        for _ in 0..100_000 {
            assert!(!agenda.note(Needs::PCI));
        }
        assert_eq!(agenda.take(), Needs::KUBELET.and(Needs::PCI));
        assert!(agenda.is_empty());
        assert!(!agenda.note(Needs::NONE));
    }

    #[test]
    fn a_rest_grows_with_the_check_within_bounds() {
        let millis = Duration::from_millis;
        assert_eq!(rest(millis(30), millis(5)), millis(30));
        assert_eq!(rest(millis(30), millis(100)), millis(400));
        assert_eq!(rest(millis(30), millis(5000)), millis(2000));
        assert_eq!(rest(millis(5000), millis(5000)), millis(5000));
    }
}
