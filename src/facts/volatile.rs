//! Which facts change by themselves while a host stays as it is: how much memory is free, how fast an idle
//! link runs. A comparison of hosts leaves them out. The property belongs to the fact in the catalogue; it
//! stands here, in one place, because so few facts have it.

use super::catalogue::{Fact, ItemFact};

/// Facts of the host as a whole, then of members, each with what moves it.
const VOLATILE: &[(&str, &str)] = &[
    ("memory.available", "it follows what runs"),
    ("enabled", "it counts"),
    ("fatal-errors", "it counts"),
    ("nonfatal-errors", "it counts"),
    ("correctable-errors", "it counts"),
    ("link-speed", "idle links run slower"),
    ("power-state", "idle devices sleep"),
];

impl Fact {
    /// Why its value changes by itself; `None` where it does not.
    pub fn volatile(&self) -> Option<&'static str> {
        why(self.name)
    }
}

impl ItemFact {
    /// Why its value changes by itself; `None` where it does not.
    pub fn volatile(&self) -> Option<&'static str> {
        why(self.name)
    }
}

/// The same by the name of a fact; members' facts have no dot in theirs, so that the two cannot be mixed up.
pub fn why(name: &str) -> Option<&'static str> {
    VOLATILE.iter().find(|(fact, _)| *fact == name).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    #[test]
    fn every_volatile_fact_exists() {
        let of_host: Vec<&str> = catalogue::facts().map(|fact| fact.name).collect();
        let of_members: Vec<&str> = catalogue::collections()
            .flat_map(|collection| collection.facts)
            .map(|fact| fact.name)
            .collect();
        assert!(of_host.iter().all(|name| name.contains('.')));
        assert!(!of_members.iter().any(|name| name.contains('.')));
        for (name, _) in VOLATILE {
            assert!(of_host.contains(name) || of_members.contains(name), "{name}");
        }
    }

    #[test]
    fn what_a_host_is_like_is_not_volatile() {
        for name in ["cmdline.tokens", "driver", "max-link-speed", "memory.total", "host.name"] {
            assert_eq!(why(name), None);
        }
    }
}
