//! The programs and services that are asked something: a closed list, each with a deadline.
//!
//! Nothing in the list changes a host; the programs that do are listed in `apply::actions`. One that does
//! not answer in time is killed with all that it started. A service that does not is left alone.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::api_server::{self, Access, Answers, Usual};
use super::pod_resources::{self, PodResources};
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

/// The names in a capture of the answers of services.
pub const POD_RESOURCES: &str = "kubelet pod-resources";
pub const NODE: &str = "kubernetes node";
pub const RUNTIME_CLASSES: &str = "kubernetes runtimeclasses";

/// What a program said, or a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code, the HTTP status, or 0. `None` where a signal ended a program, or a service gave no
    /// answer; what it said then is why, and nothing where there is no such service.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
}

/// How programs are asked. `Absent` answers that there is nobody to ask: the host is not running.
#[derive(Debug)]
pub struct Run {
    way: Way,
    cluster: Option<Access>,
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
                let names =
                    Program::NAMES.into_iter().chain([POD_RESOURCES, NODE, RUNTIME_CLASSES]);
                Way::Captured(names.filter_map(answer).collect())
            }
            None if root.is_live() => Way::Live,
            None => Way::Nobody,
        };
        Self { way, cluster: None, asked: RefCell::default() }
    }

    /// The same, asking the cluster's API server too where this is the running machine.
    #[must_use]
    pub fn with_cluster(self, access: Option<Access>) -> Self {
        Self { cluster: access, ..self }
    }

    /// The same, without the answers so far.
    #[must_use]
    pub fn forgetful(self) -> Self {
        Self { asked: RefCell::default(), ..self }
    }

    /// Whether the API server is asked, or was when the capture was made.
    pub fn asks_cluster(&self) -> bool {
        match &self.way {
            Way::Live => self.cluster.is_some(),
            Way::Captured(answers) => {
                answers.contains_key(NODE) || answers.contains_key(RUNTIME_CLASSES)
            }
            Way::Nobody => false,
        }
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

    /// Asks the kubelet behind this socket for devices. `Known(None)`: none serves it. `Absent`: it was not
    /// asked, as this is no running machine.
    pub fn pod_resources(&self, socket: &Path) -> Reading<Option<PodResources>> {
        let told = match &self.way {
            Way::Live => match pod_resources::look(socket) {
                Reading::Known(told) => Reading::Known(Some(told)),
                Reading::Absent => Reading::Known(None),
                Reading::Unreadable(cause) => Reading::Unreadable(cause),
            },
            Way::Captured(_) => self.captured(POD_RESOURCES).and_then(|output| match output.code {
                None => Reading::Known(None),
                Some(_) => match serde_json::from_slice(&output.stdout) {
                    Ok(told) => Reading::Known(Some(told)),
                    Err(error) => Reading::Unreadable(Cause::malformed(None, error.to_string())),
                },
            }),
            Way::Nobody => Reading::Absent,
        };
        let text = |told: &PodResources| serde_json::to_vec_pretty(told).unwrap_or_default();
        self.keep(
            POD_RESOURCES,
            told.as_ref().map(|told| Output {
                code: told.as_ref().map(|_| 0),
                stdout: told.as_ref().map(text).unwrap_or_default(),
            }),
        );
        told
    }

    /// Asks the API server. `Absent` where nobody wants it asked.
    pub fn api_server(&self, usual: impl FnOnce() -> Usual) -> Reading<Answers> {
        if !self.asks_cluster() {
            return Reading::Absent;
        }
        let answers = match (&self.way, &self.cluster) {
            (Way::Live, Some(access)) => api_server::look(access, &usual()),
            _ => Answers { node: self.captured(NODE), classes: self.captured(RUNTIME_CLASSES) },
        };
        self.keep(NODE, answers.node.clone());
        self.keep(RUNTIME_CLASSES, answers.classes.clone());
        Reading::Known(answers)
    }

    /// Keeps what a service said, for a capture, or why it said nothing.
    fn keep(&self, name: &'static str, said: Reading<Output>) {
        let output = match said {
            Reading::Known(output) => output,
            Reading::Absent => return,
            Reading::Unreadable(cause) => {
                Output { code: None, stdout: format!("{cause}\n").into_bytes() }
            }
        };
        self.asked.borrow_mut().push((name, output));
    }

    /// What a service said when the capture was made.
    fn captured(&self, name: &'static str) -> Reading<Output> {
        let Way::Captured(answers) = &self.way else { return Reading::Absent };
        match answers.get(name) {
            None => Reading::Absent,
            Some(Output { code: None, stdout }) if !stdout.is_empty() => {
                let why = String::from_utf8_lossy(stdout).trim_end().to_owned();
                Reading::Unreadable(Cause::NoAnswer(why))
            }
            Some(output) => Reading::Known(output.clone()),
        }
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
