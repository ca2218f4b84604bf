//! What of the daemon's own work does not go well: told once when it begins and once when it ends, however
//! often it is tried meanwhile. Pure.

use std::collections::BTreeMap;

/// What a try says that was not known before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    Began(String),
    /// What it had been.
    Ended(String),
}

/// Those that last.
#[derive(Debug, Default)]
pub(super) struct Problems {
    lasting: BTreeMap<String, String>,
}

impl Problems {
    /// Notes how a try of something ended: `Err` says what is wrong.
    pub(super) fn note(&mut self, what: &str, outcome: Result<(), String>) -> Option<News> {
        match outcome {
            Ok(()) => self.lasting.remove(what).map(News::Ended),
            Err(why) => match self.lasting.insert(what.to_owned(), why.clone()) {
                Some(_) => None,
                None => Some(News::Began(why)),
            },
        }
    }

    /// One of them, in words.
    pub(super) fn first(&self) -> Option<&str> {
        self.lasting.values().next().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_when_it_begins_and_when_it_ends() {
        let mut problems = Problems::default();
        let bad = |why: &str| Err(why.to_owned());
        assert_eq!(problems.note("textfile", Ok(())), None);
        assert_eq!(problems.note("textfile", bad("full")), Some(News::Began("full".to_owned())));
        assert_eq!(problems.note("textfile", bad("full")), None);
        assert_eq!(problems.note("nfd", bad("gone")), Some(News::Began("gone".to_owned())));
        assert_eq!(problems.note("textfile", bad("read-only")), None);
        assert_eq!(problems.first(), Some("gone"));
        assert_eq!(problems.note("textfile", Ok(())), Some(News::Ended("read-only".to_owned())));
        assert_eq!(problems.note("textfile", Ok(())), None);
    }
}
