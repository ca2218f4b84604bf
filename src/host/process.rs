//! How a program is run: in a group of its own, with a fixed environment and nothing to read, for so
//! long and with so much output.
//!
//! Which programs may be run is not decided here: [`super::run`] lists those that are asked something,
//! `apply::actions` those that change a host. No environment variable of our own reaches a program.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Where programs are looked for. A test has stand-ins of its own; nothing outside can change it.
pub(crate) const SEARCH_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// How often a running program is looked after: often at first, since most end at once.
const PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Bytes that are kept of each of a program's two outputs, unless it is asked for more.
const OUTPUT_CAP: usize = 64 << 10;

/// What is read of a pipe before the clock is looked at again.
const GULP: usize = 1 << 20;

/// A program, its arguments, and the bounds it runs in.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(Cow<'static, str>, OsString)>,
    deadline: Duration,
    stdout_cap: usize,
    spared: bool,
}

/// What a program that ended has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) end: End,
    /// The first bytes of it.
    pub(crate) stdout: Vec<u8>,
    /// The last bytes of it, since an error stands at the end.
    pub(crate) stderr: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Code(i32),
    Signal(i32),
}

impl End {
    pub(crate) fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            // A process that was waited for has ended by the one or by the other.
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// Why a program has no end of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("not installed")]
    NotInstalled,
    #[error("did not start")]
    NotStarted(#[source] io::Error),
    #[error("no end in {} s", after.as_secs_f64().ceil())]
    TimedOut { after: Duration, stderr: Vec<u8> },
    #[error("cannot be waited for")]
    Lost(#[source] io::Error),
}

impl Process {
    /// A program by its path, or by its name in [`SEARCH_PATH`].
    pub(crate) fn new(program: impl Into<OsString>, deadline: Duration) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: vec![("PATH".into(), SEARCH_PATH.into()), ("LC_ALL".into(), "C".into())],
            deadline,
            stdout_cap: OUTPUT_CAP,
            spared: false,
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the program's environment; the last of equal names counts.
    pub(crate) fn env(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl AsRef<OsStr>,
    ) -> Self {
        let name = name.into();
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.as_ref().to_owned()));
        self
    }

    /// Without a variable that every program gets.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(other, _)| *other != name);
        self
    }

    /// Leaves the program to itself when its time is over, where a kill would do more harm than waiting.
    pub(crate) fn spared(mut self) -> Self {
        self.spared = true;
        self
    }

    /// Runs the program to its end. When its time is over it is killed, with all that it started.
    pub(crate) fn run(&self) -> Result<Said, ProcessError> {
        let mut child = self.command().spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ProcessError::NotInstalled,
            _ => ProcessError::NotStarted(error),
        })?;
        let mut stdout = Kept { bytes: Vec::new(), cap: self.stdout_cap, end: Keep::First };
        let mut stderr = Kept { bytes: Vec::new(), cap: OUTPUT_CAP, end: Keep::Last };
        let mut pipes = (pipe(child.stdout.take()), pipe(child.stderr.take()));
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let end = Instant::now() + self.deadline;
        let mut pause = PAUSE;
        loop {
            // Before the look at the pipes, so that none of a program's last words is missed. Children
            // of its own may hold the pipes open for ever: their end is not waited for.
            let status = child.try_wait();
            stdout.drain(&mut pipes.0);
            stderr.drain(&mut pipes.1);
            match status {
                Ok(Some(status)) => {
                    let end = End::of(status);
                    return Ok(Said { end, stdout: stdout.bytes, stderr: stderr.bytes });
                }
                #[expect(clippy::disallowed_methods, reason = "this is the door")]
                Ok(None) if Instant::now() < end => std::thread::sleep(pause),
                Ok(None) => {
                    if !self.spared {
                        kill(&mut child);
                    }
                    let stderr = stderr.bytes;
                    return Err(ProcessError::TimedOut { after: self.deadline, stderr });
                }
                Err(error) => {
                    if !self.spared {
                        kill(&mut child);
                    }
                    return Err(ProcessError::Lost(error));
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn command(&self) -> Command {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name.as_ref(), value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .current_dir("/")
            .process_group(0);
        command
    }
}

/// A pipe that a read never waits at; `None` once it has ended or failed.
fn pipe<P: Read + AsFd>(pipe: Option<P>) -> Option<P> {
    pipe.filter(|pipe| nix::fcntl::fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok())
}

/// What is kept of an output. The rest is read and dropped, so that the program never waits for us.
struct Kept {
    bytes: Vec<u8>,
    cap: usize,
    end: Keep,
}

enum Keep {
    First,
    Last,
}

impl Kept {
    fn drain(&mut self, pipe: &mut Option<impl Read>) {
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        while taken < GULP {
            let Some(open) = pipe else { return };
            match open.read(&mut buffer) {
                Ok(0) => *pipe = None,
                Ok(count) => {
                    taken += count;
                    self.keep(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The end of what can be had; the bytes so far stand.
                Err(_) => *pipe = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.end {
            Keep::First => {
                let room = self.cap.saturating_sub(self.bytes.len());
                self.bytes.extend(bytes.iter().take(room));
            }
            Keep::Last => {
                self.bytes.extend_from_slice(bytes);
                let excess = self.bytes.len().saturating_sub(self.cap);
                self.bytes.drain(..excess);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        Process::new("sh", Duration::from_secs(20)).args(["-c", script])
    }

    #[test]
    fn both_outputs_and_the_end_are_told_apart() {
        let said = sh("echo out; echo err >&2; exit 3").run().unwrap();
        assert_eq!(said.end, End::Code(3));
        assert_eq!((said.stdout, said.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert_eq!(sh("kill -9 $$").run().unwrap().end, End::Signal(9));
    }

    #[test]
    fn a_program_gets_nothing_of_our_environment_and_nothing_to_read() {
        let process = Process::new("env", Duration::from_secs(20)).env("LANG", "de_DE.UTF-8");
        let said = process.without_env("LC_ALL").run().unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        assert_eq!(text, format!("LANG=de_DE.UTF-8\nPATH={SEARCH_PATH}\n"));
        assert_eq!(sh("cat; pwd").run().unwrap().stdout, b"/\n");
    }

    #[test]
    fn a_flood_neither_blocks_nor_fills_the_memory() {
        let said = sh("yes 12345678901234567890 | head -c 3000000; echo end").run().unwrap();
        assert!(said.end.is_success());
        assert_eq!(said.stdout.len(), OUTPUT_CAP);
        let said = sh("yes x | head -c 3000000 >&2; echo last words >&2").run().unwrap();
        assert_eq!(said.stderr.len(), OUTPUT_CAP);
        assert!(said.stderr.ends_with(b"last words\n"));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let mut process = sh("echo before >&2; sleep 1000 & echo $! >&2; wait");
        process.deadline = Duration::from_millis(500);
        let Err(ProcessError::TimedOut { stderr, .. }) = process.run() else { panic!() };
        let stderr = String::from_utf8(stderr).unwrap();
        let (first, child) = stderr.trim_end().split_once('\n').unwrap();
        assert_eq!(first, "before");
        let child = Pid::from_raw(child.parse().unwrap());
        // Its parent is gone, so somebody else has to bury it.
        let gone = || match sh(&format!("cut -d' ' -f3 /proc/{child}/stat")).run() {
            Ok(said) => said.stdout.is_empty() || said.stdout.starts_with(b"Z"),
            Err(_) => false,
        };
        assert!((0..500).any(|_| gone()));
    }

    #[test]
    fn an_endless_flood_is_ended_by_the_deadline() {
        let mut process = Process::new("yes", Duration::from_millis(300));
        process.arguments = vec!["y".repeat(1000).into()];
        assert!(matches!(process.run(), Err(ProcessError::TimedOut { .. })));
    }

    #[test]
    fn a_child_that_keeps_the_pipe_is_not_waited_for() {
        let said = sh("sleep 5 & echo done").run().unwrap();
        assert_eq!(said.stdout, b"done\n");
    }

    #[test]
    fn a_missing_program_is_not_a_broken_one() {
        let run = |program: &str| Process::new(program, Duration::from_secs(5)).run();
        assert!(matches!(run("no-such-program"), Err(ProcessError::NotInstalled)));
        assert!(matches!(run("/"), Err(ProcessError::NotStarted(_))));
    }
}
