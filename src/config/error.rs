//! What is wrong with the configuration: all of it at once.

use std::fmt;

use crate::report::visible;
use crate::rules::Problem;
use crate::rules::problem::write_all;

/// One thing that keeps the configuration from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A file or directory that is there could not be read.
    Unread { file: String, why: String },
    /// A place in a file that was read.
    Wrong(Problem),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { file, why } => write!(out, "{}: {}", visible(file), visible(why)),
            Self::Wrong(problem) => problem.fmt(out),
        }
    }
}

/// Everything that is wrong, file by file in the order in which they count. There is at least one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub faults: Vec<Fault>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(out, "the configuration is wrong", &self.faults)
    }
}
