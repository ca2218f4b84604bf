//! Which paths were looked at, by whom and for what: what has to be watched, so that a change of the host
//! is noticed. It keeps no contents and follows no links; both are for whoever reads it.

use std::collections::BTreeMap;

/// Paths as they were asked for, links not followed. Those below `/proc` and `/sys` are left out: the
/// kernel does not tell when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    looks: BTreeMap<Box<str>, Look>,
}

/// Who looked at a path: sets of bits whose meaning is the askers'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// All who looked at it in any way, found or not.
    pub all: u64,
    /// Those who read what is in the file.
    pub contents: u64,
    /// Those who listed the names in the directory.
    pub names: u64,
}

/// For what a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// That it exists, and what it is.
    State,
    Contents,
    Names,
}

impl Trace {
    /// Adds a look.
    pub fn add(&mut self, path: &str, asker: u64, aspect: Aspect) {
        if is_told_otherwise(path) {
            return;
        }
        let look = match self.looks.get_mut(path) {
            Some(look) => look,
            None => self.looks.entry(path.into()).or_default(),
        };
        look.all |= asker;
        match aspect {
            Aspect::State => {}
            Aspect::Contents => look.contents |= asker,
            Aspect::Names => look.names |= asker,
        }
    }

    /// Drops all looks of these askers.
    pub fn forget(&mut self, askers: u64) {
        self.looks.retain(|_, look| {
            look.all &= !askers;
            look.contents &= !askers;
            look.names &= !askers;
            look.all != 0
        });
    }

    /// All looks, in the order of paths.
    pub fn looks(&self) -> impl Iterator<Item = (&str, Look)> {
        self.looks.iter().map(|(path, look)| (&**path, *look))
    }
}

/// Whether a path belongs to a file system that makes up its files as they are read.
pub fn is_told_otherwise(path: &str) -> bool {
    ["/proc", "/sys"].into_iter().any(|top| {
        path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asker_can_be_forgotten_alone() {
        let mut trace = Trace::default();
        trace.add("/etc/a", 1, Aspect::Contents);
        trace.add("/etc/a", 2, Aspect::State);
        trace.add("/etc", 1, Aspect::Names);
        for path in ["/proc", "/proc/cmdline", "/sys/module/x"] {
            trace.add(path, 1, Aspect::Contents);
        }
        trace.add("/system", 4, Aspect::State);
        let looks = |trace: &Trace| {
            let looks = trace.looks();
            looks
                .map(|(path, it)| (path.to_owned(), it.all, it.contents, it.names))
                .collect::<Vec<_>>()
        };
        let own = |path: &str| path.to_owned();
        assert_eq!(
            looks(&trace),
            [(own("/etc"), 1, 0, 1), (own("/etc/a"), 3, 1, 0), (own("/system"), 4, 0, 0)]
        );
        trace.forget(1);
        assert_eq!(looks(&trace), [(own("/etc/a"), 2, 0, 0), (own("/system"), 4, 0, 0)]);
    }
}
