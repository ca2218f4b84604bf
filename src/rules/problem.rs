//! What is wrong with a file that a site wrote: all of it at once, each with its place and the nearest valid name.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::document::Position;
use crate::report::visible;

/// One thing that is wrong in a file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    pub message: String,
}

impl Problem {
    /// Names in a message come from the file: they are made safe to show.
    pub(crate) fn new(file: &Arc<str>, at: Position, message: &str) -> Self {
        let message = visible(message).into_owned();
        Self { file: Arc::clone(file), line: at.line, column: at.column, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message } = self;
        write!(out, "{file}:{line}:{column}: {message}")
    }
}

/// Every problem of the rule files, by file and place. A rule set with one of them is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    pub problems: Vec<Problem>,
}

/// More problems than this have one cause, such as a file that holds no rules at all.
pub(crate) const SHOWN: usize = 100;

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(out, "the rules are wrong", &self.problems)
    }
}

/// One problem behind the words for all of them, or each on a line of its own.
pub(crate) fn write_all(
    out: &mut fmt::Formatter<'_>,
    what: &str,
    problems: &[impl fmt::Display],
) -> fmt::Result {
    match problems {
        [only] => write!(out, "{what}: {only}"),
        all => {
            write!(out, "{what} in {} places:", all.len())?;
            all.iter().take(SHOWN).try_for_each(|problem| write!(out, "\n  {problem}"))?;
            match all.len().saturating_sub(SHOWN) {
                0 => Ok(()),
                more => write!(out, "\n  and {more} more"),
            }
        }
    }
}

/// Collects the problems of one file while it is walked.
pub(crate) struct Problems {
    pub(crate) file: Arc<str>,
    /// The file is not all TOML: what seems to be missing may stand in the part not understood.
    pub(crate) partial: bool,
    list: RefCell<Vec<Problem>>,
}

impl Problems {
    pub(crate) fn of(file: &str) -> Self {
        Self { file: file.into(), partial: false, list: RefCell::default() }
    }

    pub(crate) fn add(&self, at: Position, message: impl AsRef<str>) {
        self.list.borrow_mut().push(Problem::new(&self.file, at, message.as_ref()));
    }

    /// Something that should be there and is not.
    pub(crate) fn missing(&self, at: Position, message: impl AsRef<str>) {
        if !self.partial {
            self.add(at, message);
        }
    }

    /// A name that is none of those that could stand here.
    pub(crate) fn unknown<'n>(
        &self,
        at: Position,
        what: &str,
        name: &str,
        valid: impl IntoIterator<Item = &'n str>,
    ) {
        self.add(at, format!("unknown {what} `{name}`{}", Hint::nearest(name, valid)));
    }

    pub(crate) fn into_list(self) -> Vec<Problem> {
        self.list.into_inner()
    }
}

/// What a misspelt name probably means, as the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint<'n> {
    Nearest(&'n str),
    OneOf(Vec<&'n str>),
    Nothing,
}

/// Up to this many valid names are listed when none is near.
const LISTED: usize = 9;

/// Comparing takes time in the square of the length, and no valid name is nearly so long.
const LONGEST: usize = 80;

impl<'n> Hint<'n> {
    pub(crate) fn nearest(name: &str, valid: impl IntoIterator<Item = &'n str>) -> Self {
        let valid: Vec<&str> = valid.into_iter().collect();
        let allowed = (name.len() / 3).max(1);
        let near = (name.len() <= LONGEST)
            .then(|| valid.iter().map(|each| (strsim::osa_distance(name, each), *each)).min())
            .flatten();
        match near {
            Some((distance, each)) if distance <= allowed => Self::Nearest(each),
            _ if valid.is_empty() || valid.len() > LISTED => Self::Nothing,
            _ => Self::OneOf(valid),
        }
    }

    /// Names that one file gave to its own things need no list.
    pub(crate) fn without_list(self) -> Self {
        match self {
            Self::OneOf(_) => Self::Nothing,
            near => near,
        }
    }
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(name) => write!(out, "; did you mean `{name}`?"),
            Self::OneOf(names) => write!(out, "; it can be {}", names.join(", ")),
            Self::Nothing => Ok(()),
        }
    }
}
