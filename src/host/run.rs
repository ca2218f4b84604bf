//! The only place that starts programs: a closed list, each with a deadline and a cap on its output.
//!
//! Nothing in the list changes a host. A program that does not answer in time is killed with all that
//! it started.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::reading::{Cause, Reading};
use super::root::Root;

/// Bytes of a program's output that are looked at.
const OUTPUT_CAP: u64 = 64 << 10;
/// How often a running program is looked after.
const PAUSE: Duration = Duration::from_millis(2);

/// A program that may be asked something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `kubelet --version`, by the path of its binary. It reads no configuration.
    KubeletVersion { binary: String },
}

impl Program {
    /// Its name in a capture; the path of the binary says nothing there.
    fn name(&self) -> &'static str {
        match self {
            Self::KubeletVersion { .. } => "kubelet --version",
        }
    }

    fn deadline(&self) -> Duration {
        match self {
            // A Go binary of 100 MB from a cold disk.
            Self::KubeletVersion { .. } => Duration::from_secs(5),
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::KubeletVersion { binary } => {
                #[expect(clippy::disallowed_methods, reason = "this is the door")]
                let mut command = Command::new(binary);
                command.arg("--version");
                command
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
                let program = Program::KubeletVersion { binary: String::new() };
                let answer = archive.answer(program.name()).cloned();
                Way::Captured(answer.map(|answer| (program.name(), answer)).into_iter().collect())
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
    let no_answer = |why: String| Reading::Unreadable(Cause::NoAnswer(why));
    let child = program
        .command()
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return no_answer(format!("{} did not start: {error}", program.name())),
    };
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    let end = Instant::now() + program.deadline();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let stdout = written(&mut child);
                return Reading::Known(Output { code: status.code(), stdout });
            }
            #[expect(clippy::disallowed_methods, reason = "this is the door")]
            Ok(None) if Instant::now() < end => std::thread::sleep(PAUSE),
            Ok(None) => {
                kill(&mut child);
                let seconds = program.deadline().as_secs();
                return no_answer(format!("{} gave no answer in {seconds} s", program.name()));
            }
            Err(error) => {
                kill(&mut child);
                return no_answer(format!("{}: {error}", program.name()));
            }
        }
    }
}

/// What stands in the pipe of a program that ended. Children of its own may still hold the pipe open,
/// so this must not wait for its end.
fn written(child: &mut Child) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = child.stdout.take()
        && nix::fcntl::fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok()
    {
        // An error here is the end of what can be had; the bytes so far stand.
        let _ = pipe.take(OUTPUT_CAP).read_to_end(&mut bytes);
    }
    bytes
}

fn kill(child: &mut Child) {
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    if let Ok(group) = group {
        match killpg(group, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(_) => {
                let _ = child.kill();
            }
        }
    }
    let _ = child.wait();
}
