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
    /// Notes sources that may read differently.
    pub(super) fn note(&mut self, needs: Needs) {
        self.pending = self.pending.and(needs);
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
pub(super) fn rest(took: Duration) -> Duration {
    (took * REST).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_entry_with_all_that_it_touched() {
        let mut agenda = Agenda::default();
        agenda.note(Needs::KUBELET);
        for _ in 0..100_000 {
            agenda.note(Needs::PCI);
        }
        assert_eq!(agenda.take(), Needs::KUBELET.and(Needs::PCI));
        assert!(agenda.is_empty());
        agenda.note(Needs::NONE);
        assert!(agenda.is_empty());
    }

    #[test]
    fn a_rest_grows_with_the_check_within_bounds() {
        let millis = Duration::from_millis;
        assert_eq!(rest(millis(5)), millis(20));
        assert_eq!(rest(millis(100)), millis(400));
        assert_eq!(rest(millis(5000)), millis(2000));
    }
}
