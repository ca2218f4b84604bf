//! Where the programs of this module are found, and how their ends become errors.

use std::ffi::OsString;
use std::time::Duration;

use super::error::{ActionError, last_lines};
use crate::host::process::{End, Process, ProcessError, SEARCH_PATH, Said};

/// The programs of the host. Only a test makes others, by directories that are looked into first.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    path: OsString,
    /// This process may do less than root may, and so may what it starts.
    confined: bool,
}

/// What the service manager may take to start a unit, and to tell of its end.
const MANAGER: Duration = Duration::from_secs(10);

impl Programs {
    pub(super) fn of_this_host() -> Self {
        use rustix::thread::{CapabilitySet, capabilities};
        let confined =
            capabilities(None).is_ok_and(|sets| !sets.effective.contains(CapabilitySet::SYS_ADMIN));
        Self { path: SEARCH_PATH.into(), confined }
    }

    #[cfg(test)]
    pub(super) fn first_in(directory: &std::path::Path) -> Self {
        let path = format!("{}:{SEARCH_PATH}", directory.display()).into();
        Self { path, confined: false }
    }

    #[cfg(test)]
    pub(super) fn confined(self) -> Self {
        Self { confined: true, ..self }
    }

    /// A program by its name.
    pub(super) fn program(&self, name: &str, deadline: Duration) -> Process {
        Process::new(name, deadline).env("PATH", &self.path)
    }

    /// A program that needs `CAP_SYS_ADMIN`. In the unit of the fixer, which has not, the service manager
    /// runs it as a unit of its own, which has these properties and goes when it ends.
    pub(super) fn unconfined(
        &self,
        name: &str,
        deadline: Duration,
        properties: &[String],
        environment: &[(&'static str, &str)],
    ) -> Process {
        if !self.confined {
            let program = self.program(name, deadline);
            return environment
                .iter()
                .fold(program, |program, (key, value)| program.env(*key, value));
        }
        let properties = properties.iter().map(|property| format!("--property={property}"));
        let environment = environment.iter().map(|(key, value)| format!("--setenv={key}={value}"));
        self.program("systemd-run", deadline + MANAGER)
            .args(["--quiet", "--wait", "--pipe", "--collect"])
            .args(properties)
            .args(environment)
            .args(["--setenv=LC_ALL=C", "--", name])
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

#[cfg(test)]
mod tests {
    use super::super::testing::Stubs;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    #[test]
    fn what_needs_more_than_a_confined_process_has_is_run_by_the_service_manager() {
        let stubs = Stubs::new();
        stubs.program("freezer", r#"echo "itself: $* $ROOM""#);
        stubs.program("systemd-run", r#"echo "manager: $*"; exit 3"#);
        let said = |programs: &Programs| {
            let properties = ["RuntimeMaxSec=9".to_owned()];
            let process =
                programs.unconfined("freezer", DEADLINE, &properties, &[("ROOM", "/run/x")]);
            let said = process.arg("/boot").run().unwrap();
            (said.end, String::from_utf8(said.stdout).unwrap())
        };
        assert_eq!(said(&stubs.programs()), (End::Code(0), "itself: /boot /run/x\n".to_owned()));
        let manager = "manager: --quiet --wait --pipe --collect --property=RuntimeMaxSec=9 \
                       --setenv=ROOM=/run/x --setenv=LC_ALL=C -- freezer /boot\n";
        assert_eq!(said(&stubs.programs().confined()), (End::Code(3), manager.to_owned()));
    }
}
