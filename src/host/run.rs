//! The programs that are asked something: a closed list, each with a deadline.
//!
//! Nothing in the list changes a host; the programs that do are listed in `apply::actions`. One that does
//! not answer in time is killed with all that it started.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::process::{End, Process, ProcessError};
use super::reading::{Cause, Reading};
use super::root::Root;

/// A program that may be asked something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `kubelet --version`, by the path of its binary. It reads no configuration.
    KubeletVersion { binary: String },
    /// `containerd --version`, likewise.
    ContainerdVersion { binary: String },
    /// `crio --version`, likewise.
    CrioVersion { binary: String },
    /// `containerd-shim-kata-v2 --version`, likewise; it starts no shim.
    KataShimVersion { binary: String },
}

impl Program {
    /// The names of all.
    const NAMES: [&'static str; 4] = [
        "kubelet --version",
        "containerd --version",
        "crio --version",
        "containerd-shim-kata-v2 --version",
    ];

    /// Its name in a capture; the path of the binary says nothing there.
    fn name(&self) -> &'static str {
        let [kubelet, containerd, crio, kata] = Self::NAMES;
        match self {
            Self::KubeletVersion { .. } => kubelet,
            Self::ContainerdVersion { .. } => containerd,
            Self::CrioVersion { .. } => crio,
            Self::KataShimVersion { .. } => kata,
        }
    }

    fn process(&self) -> Process {
        match self {
            // Go binaries of 100 MB from a cold disk.
            Self::KubeletVersion { binary }
            | Self::ContainerdVersion { binary }
            | Self::CrioVersion { binary }
            | Self::KataShimVersion { binary } => {
                Process::new(binary, Duration::from_secs(5)).arg("--version")
            }
        }
    }
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
}

/// How programs are asked. `Absent` answers that there is nobody to ask: the host is not running.
#[derive(Debug)]
pub struct Run {
    way: Way,
    asked: RefCell<Vec<(&'static str, Output)>>,
}

#[derive(Debug)]
enum Way {
    Live,
    Captured(BTreeMap<&'static str, Output>),
    Nobody,
}

impl Run {
    /// Programs of the host behind a root: of the live machine, or as a capture holds their answers.
    pub fn on(root: &Root) -> Self {
        let way = match root.as_archive() {
            Some(archive) => {
                let answer = |name| Some((name, archive.answer(name)?.clone()));
                Way::Captured(Program::NAMES.into_iter().filter_map(answer).collect())
            }
            None if root.is_live() => Way::Live,
            None => Way::Nobody,
        };
        Self { way, asked: RefCell::default() }
    }

    /// Asks a program.
    pub fn ask(&self, program: &Program) -> Reading<Output> {
        let reading = match &self.way {
            Way::Live => ask(program),
            Way::Captured(answers) => answers
                .get(program.name())
                .map_or(Reading::Absent, |output| Reading::Known(output.clone())),
            Way::Nobody => Reading::Absent,
        };
        if let Reading::Known(output) = &reading {
            self.asked.borrow_mut().push((program.name(), output.clone()));
        }
        reading
    }

    /// All answers so far, for a capture.
    pub fn answers(self) -> Vec<(&'static str, Output)> {
        self.asked.into_inner()
    }
}

fn ask(program: &Program) -> Reading<Output> {
    let name = program.name();
    let no_answer = |why: String| Reading::Unreadable(Cause::NoAnswer(why));
    match program.process().run() {
        Ok(said) => {
            let code = match said.end {
                End::Code(code) => Some(code),
                End::Signal(_) => None,
            };
            Reading::Known(Output { code, stdout: said.stdout })
        }
        Err(ProcessError::NotInstalled) => no_answer(format!("{name} did not start: no such file")),
        Err(ProcessError::NotStarted(error)) => no_answer(format!("{name} did not start: {error}")),
        Err(ProcessError::TimedOut { after, .. }) => {
            no_answer(format!("{name} gave no answer in {} s", after.as_secs()))
        }
        Err(ProcessError::Lost(error)) => no_answer(format!("{name}: {error}")),
    }
}
