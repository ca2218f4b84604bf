//! A daemon that runs on a machine, with the test in the place of systemd.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{Recipe, SERVICES, World};

/// For whatever must happen; nothing is proved by its being short.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const REPORT: &str = "/run/ccgpu-node/report.json";
pub(crate) const CONFIG: &str = "/etc/ccgpu-node/config.toml";
pub(crate) const KUBELET: &str = "/var/lib/kubelet/config.yaml";
const STDERR: &str = "/run/daemon.err";

/// A machine that is ready, and on which the daemon writes its textfile.
pub(crate) fn machine() -> Option<World> {
    let world = World::start(&Recipe {
        fixture: "h100-single-tdx",
        programs: Vec::new(),
        stubs: SERVICES,
        kernels: &[],
    })?;
    std::fs::create_dir_all(world.path("/var/lib/prometheus/node-exporter")).unwrap();
    Some(world)
}

/// Makes the kubelet's configuration wrong, or right again.
pub(crate) fn break_kubelet(world: &World) {
    world.edit(KUBELET, "runtimeRequestTimeout: 20m0s", "runtimeRequestTimeout: 1s");
}

pub(crate) fn mend_kubelet(world: &World) {
    world.edit(KUBELET, "runtimeRequestTimeout: 1s", "runtimeRequestTimeout: 20m0s");
}

/// A process that ends with this value.
#[derive(Debug)]
pub(crate) struct Daemon<'w> {
    world: &'w World,
    child: Child,
    notify: UnixDatagram,
    /// What the service manager has been told.
    pub(crate) told: Vec<String>,
}

/// How a daemon is started.
#[derive(Debug, Default)]
pub(crate) struct Start<'a> {
    pub(crate) environment: &'a [(&'a str, &'a str)],
    /// Words before the program.
    pub(crate) through: &'a [&'a str],
    pub(crate) arguments: &'a [&'a str],
    /// Standard error leads to the journal.
    pub(crate) journal: bool,
}

impl<'w> Daemon<'w> {
    /// Starts it and waits until it is ready.
    pub(crate) fn ready(world: &'w World) -> Self {
        let mut daemon = Self::start(world, &Start::default());
        daemon.hears("READY=1");
        daemon
    }

    pub(crate) fn start(world: &'w World, start: &Start<'_>) -> Self {
        let path = world.path("/run/notify");
        let _ = std::fs::remove_file(&path);
        let notify = UnixDatagram::bind(&path).unwrap();
        let mut words = start.through.to_vec();
        words.extend(["/usr/sbin/ccgpu-node", "daemon"]);
        words.extend(start.arguments);
        let stderr = File::create(world.path(STDERR)).unwrap();
        let mut command = world.command(&words);
        command.env("NOTIFY_SOCKET", "/run/notify");
        if start.journal {
            use std::os::unix::fs::MetadataExt as _;
            let stream = stderr.metadata().unwrap();
            command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()));
        }
        let child = command
            .envs(start.environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { world, child, notify, told: Vec::new() }
    }

    /// Its number as this machine counts; the child is `nsenter`, which waits for it.
    pub(crate) fn pid(&self) -> i32 {
        let end = Instant::now() + PATIENCE;
        let mut pid = self.child.id();
        while Instant::now() < end {
            if std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "ccgpu-node\n" {
                return i32::try_from(pid).unwrap();
            }
            let children =
                std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
            match children.split_whitespace().next() {
                Some(child) => pid = child.parse().unwrap(),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        panic!("there is no daemon: {}", self.said());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// The next message of the daemon to the service manager; `None` where none comes in this time.
    pub(crate) fn message(&mut self, within: Duration) -> Option<String> {
        self.notify.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 4096];
        match self.notify.recv(&mut bytes) {
            Ok(count) => {
                let message = String::from_utf8(bytes[..count].to_vec()).unwrap();
                check_message(&message);
                self.told.push(message.clone());
                Some(message)
            }
            Err(error) if is_nothing_yet(error.kind()) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits for a message with a line that begins so, and gives it out.
    pub(crate) fn hears(&mut self, line: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(message) = self.message(Duration::from_secs(1))
                && message.lines().any(|each| each.starts_with(line))
            {
                return message;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", self.said());
            }
        }
        panic!("{line} was not said, but {:?}; {}", self.told, self.said());
    }

    /// What it wrote to standard error.
    pub(crate) fn said(&self) -> String {
        self.world.read(STDERR)
    }

    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it goes on: {}", self.said());
    }

    /// Asks it to end and insists that it ends well.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.ends();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.world.kill_all();
            let _ = self.child.wait();
        }
    }
}

/// How a wait ends that brought nothing; a signal ends one early.
pub(crate) fn is_nothing_yet(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Lines of `NAME=value`, each known, all of visible ASCII.
fn check_message(message: &str) {
    assert!(message.ends_with('\n') && message.len() < 2048, "{message:?}");
    for line in message.lines() {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{message:?}"));
        let is_fine = match name {
            "READY" | "RELOADING" | "STOPPING" | "WATCHDOG" => value == "1",
            "MONOTONIC_USEC" => value.parse::<u64>().is_ok(),
            "STATUS" => {
                value.len() <= 200 && value.chars().all(|c| c == ' ' || c.is_ascii_graphic())
            }
            _ => false,
        };
        assert!(is_fine, "{message:?}");
    }
}

/// The report, when it is as wanted; whole each time that it is looked at.
pub(crate) fn report_where(
    world: &World,
    wanted: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let end = Instant::now() + PATIENCE;
    let mut last = None;
    while Instant::now() < end {
        if let Ok(text) = std::fs::read_to_string(world.path(REPORT)) {
            let report: serde_json::Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("the report is not whole: {error}: {text}"));
            if wanted(&report) {
                return report;
            }
            last = Some(report);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the report never was as wanted: {last:#?}");
}
