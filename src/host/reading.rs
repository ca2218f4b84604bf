//! What an attempt to learn something about a host can end in.
//!
//! The three answers are kept apart everywhere: a file that is not there, a file that could not be read
//! and a file that says "no" lead to three different verdicts.

use std::fmt;

/// The outcome of reading one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// It was read.
    Known(T),
    /// It certainly does not exist on this host.
    Absent,
    /// It could not be told; never to be taken for a good or a bad value.
    Unreadable(Cause),
}

impl<T> Reading<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// The value by move, where it is known.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    pub fn as_ref(&self) -> Reading<&T> {
        match self {
            Self::Known(value) => Reading::Known(value),
            Self::Absent => Reading::Absent,
            Self::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Known(value) => Reading::Known(change(value)),
            Self::Absent => Reading::Absent,
            Self::Unreadable(cause) => Reading::Unreadable(cause),
        }
    }

    pub fn and_then<U>(self, next: impl FnOnce(T) -> Reading<U>) -> Reading<U> {
        match self {
            Self::Known(value) => next(value),
            Self::Absent => Reading::Absent,
            Self::Unreadable(cause) => Reading::Unreadable(cause),
        }
    }

    /// What the caller puts in the place of a thing that is absent; an unreadable thing stays so.
    #[must_use]
    pub fn or_absent(self, value: T) -> Self {
        match self {
            Self::Absent => Self::Known(value),
            Self::Known(_) | Self::Unreadable(_) => self,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Unreadable(cause) => Some(cause),
            Self::Known(_) | Self::Absent => None,
        }
    }
}

/// Why a thing could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// EACCES or EPERM: ask again as root.
    Permission,
    /// ELOOP: a symlink loop.
    SymlinkLoop,
    /// A FIFO, device, socket or directory stands where a regular file is wanted.
    NotAFile(&'static str),
    /// Something else stands where a directory is wanted.
    NotADirectory,
    /// Longer than this many bytes; what lies behind them was not read.
    TooLarge(u64),
    /// ENODEV, ENXIO or EIO: the device went away or does not answer.
    DeviceGone,
    /// Any other error of the operating system, by number.
    Os(i32),
    /// The captured host holds no word about this path, neither that it exists nor that it does not.
    NotCaptured,
    /// The text is not what its format promises. Lines count from 1.
    Malformed { line: Option<u32>, what: String },
    /// The text is a program, and its result cannot be told without running it.
    NotDecidable { line: Option<u32>, what: String },
    /// A program could not be asked: not started, no answer in time, or an answer not understood.
    NoAnswer(String),
    /// No selected rule asked for it, so it was not read.
    NotGathered,
}

impl Cause {
    /// A text that is not what its format promises.
    pub fn malformed(line: impl Into<Option<u32>>, what: impl Into<String>) -> Self {
        Self::Malformed { line: line.into(), what: what.into() }
    }

    /// The line that the cause points at, where it has one.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Malformed { line, .. } | Self::NotDecidable { line, .. } => *line,
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission => out.write_str("permission denied"),
            Self::SymlinkLoop => out.write_str("a loop of symbolic links"),
            Self::NotAFile(kind) => write!(out, "{kind} where a regular file is expected"),
            Self::NotADirectory => out.write_str("not a directory"),
            Self::TooLarge(cap) => write!(out, "larger than {cap} bytes"),
            Self::DeviceGone => out.write_str("the device does not answer"),
            Self::Os(errno) => {
                write!(out, "{}", nix::errno::Errno::from_raw(*errno).desc())
            }
            Self::NotCaptured => out.write_str("the capture does not hold it"),
            Self::Malformed { what, .. } => out.write_str(what),
            Self::NotDecidable { what, .. } => write!(out, "not statically decidable: {what}"),
            Self::NoAnswer(why) => out.write_str(why),
            Self::NotGathered => out.write_str("not read in this run"),
        }
    }
}

/// Where something was read: a path of the host, and a line (from 1) where a text has lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    pub path: Box<str>,
    pub line: Option<u32>,
}

impl Source {
    pub fn file(path: impl Into<Box<str>>) -> Self {
        Self { path: path.into(), line: None }
    }

    pub fn line(path: impl Into<Box<str>>, line: u32) -> Self {
        Self { path: path.into(), line: Some(line) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}", self.path),
            None => out.write_str(&self.path),
        }
    }
}
