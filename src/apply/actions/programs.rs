//! Where the programs of this module are found, and how their ends become errors.

use std::ffi::OsString;
use std::time::Duration;

use super::error::{ActionError, last_lines};
use crate::host::process::{End, Process, ProcessError, SEARCH_PATH, Said};

/// The programs of the host. Only a test makes others, by directories that are looked into first.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    path: OsString,
}

impl Programs {
    pub(super) fn of_this_host() -> Self {
        Self { path: SEARCH_PATH.into() }
    }

    #[cfg(test)]
    pub(super) fn first_in(directory: &std::path::Path) -> Self {
        Self { path: format!("{}:{SEARCH_PATH}", directory.display()).into() }
    }

    /// A program by its name.
    pub(super) fn program(&self, name: &str, deadline: Duration) -> Process {
        Process::new(name, deadline).env("PATH", &self.path)
    }
}

/// What a program said that ended, well or not.
pub(super) fn ended(name: &str, process: &Process) -> Result<Said, ActionError> {
    process.run().map_err(|error| match error {
        ProcessError::NotInstalled => ActionError::NotInstalled { program: name.to_owned() },
        ProcessError::NotStarted(source) | ProcessError::Lost(source) => {
            ActionError::NotStarted { program: name.to_owned(), source }
        }
        ProcessError::TimedOut { after, stderr } => ActionError::TimedOut {
            program: name.to_owned(),
            seconds: after.as_secs(),
            said: last_lines(&stderr),
        },
    })
}

/// What a program said that ended well; any other end is an error.
pub(super) fn succeeded(name: &str, process: &Process) -> Result<Said, ActionError> {
    let said = ended(name, process)?;
    if said.end.is_success() { Ok(said) } else { Err(failed(name, &said)) }
}

/// The error of a program that did not end well.
pub(super) fn failed(name: &str, said: &Said) -> ActionError {
    let how = match said.end {
        End::Code(code) => format!("ended with code {code}"),
        End::Signal(signal) => format!("was ended by signal {signal}"),
    };
    // Some programs complain on their standard output.
    let words = if said.stderr.trim_ascii().is_empty() { &said.stdout } else { &said.stderr };
    ActionError::Failed { program: name.to_owned(), how, said: last_lines(words) }
}
