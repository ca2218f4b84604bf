//! `wait` as a script uses it: the real program on directories in which files come and go.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ccgpu_node::host::Root;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::Pid;

use crate::fixtures::unpack;
use crate::program::{Outcome, command, fixture, has, outcome, run};

/// Longer than anything here takes on any machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// A tree runs no programs, so nothing tells its versions.
const ASSUMED: [&str; 6] = [
    "--assume",
    "kubelet.version=1.34.2",
    "--assume",
    "container-runtime.version=2.3.0",
    "--assume",
    "kata.version=4.1.0",
];

/// A recorded host as a directory; `None` where device nodes cannot be made.
fn host(name: &str) -> Option<tempfile::TempDir> {
    let root = Root::captured(&fixture(name)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    if unpack(root.as_archive().unwrap(), directory.path()) {
        return Some(directory);
    }
    println!("left out: device nodes cannot be made here");
    None
}

/// A wait that goes on, with what it says meanwhile in a file.
struct Waiting {
    child: Child,
    said: PathBuf,
    _directory: tempfile::TempDir,
}

impl Waiting {
    fn start(root: &Path, more: &[&str]) -> Self {
        let mut command = command();
        command.arg("wait").args(ASSUMED).arg("--root").arg(root).args(more);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let said = directory.path().join("stderr");
        let file = std::fs::File::create(&said).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        Self { child, said, _directory: directory }
    }

    /// What it has said once it says this.
    fn says(&mut self, what: &str) -> String {
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(&self.said).unwrap();
            if text.contains(what) {
                return text;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < PATIENCE, "{ended:?}, not {what}: {text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn end(mut self) -> Outcome {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        let stderr = std::fs::read_to_string(&self.said).unwrap();
        Outcome { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

#[test]
fn a_host_that_becomes_ready_ends_the_wait() {
    let Some(host) = host("h200x8-snp") else { return };
    let (node, hidden) = (host.path().join("dev/iommu"), host.path().join("hidden"));
    std::fs::rename(&node, &hidden).unwrap();
    let config = host.path().join("var/lib/kubelet/config.yaml");
    let good = std::fs::read(&config).unwrap();
    let replace = |text: &[u8]| {
        std::fs::write(config.with_extension("new"), text).unwrap();
        std::fs::rename(config.with_extension("new"), &config).unwrap();
    };
    let mut wait = Waiting::start(host.path(), &["--format", "json"]);
    wait.says("not passed: iommufd\n");
    replace(b"kind: nothing\n");
    wait.says("kubelet-config-refused\n");
    std::fs::rename(&hidden, &node).unwrap();
    wait.says("not passed: kubelet-config-refused\n");
    replace(&good);
    // The file is newer than the process that is said to run.
    wait.says("kubelet-not-restarted");
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::open(&config).unwrap().set_modified(time).unwrap();
    let Outcome { code, stdout, stderr } = wait.end();
    assert_eq!(code, 0, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["verdict"], "ready");
    // A line for each change, and nothing that rewrites lines.
    assert!(stderr.lines().count() <= 8 && !stderr.contains(['\r', '\x1b']), "{stderr}");
}

#[test]
fn a_wait_whose_time_is_over_ends_as_check_would() {
    for (name, without, code) in
        [("no-iommufd", "nothing", 1), ("h200x8-snp", "dev", 3), ("h200x8-snp", "nothing", 0)]
    {
        let Some(host) = host(name) else { return };
        let _ = std::fs::remove_dir_all(host.path().join(without));
        let root = host.path().display().to_string();
        let arguments = [&["--root", &root], &ASSUMED[..]].concat();
        let checked = run(&[&["check"], &arguments[..]].concat());
        let waited = run(&[&["wait", "--timeout", "200ms"], &arguments[..]].concat());
        assert_eq!((checked.code, waited.code), (code, code), "{name}: {}", waited.stderr);
        assert_eq!(waited.stdout, checked.stdout, "{name}");
        assert_eq!(waited.stderr.is_empty(), code == 0, "{name}: {}", waited.stderr);
    }
}

#[test]
fn what_only_a_reboot_brings_is_not_waited_for() {
    let Some(host) = host("grub-not-rebooted") else { return };
    let ended = Waiting::start(host.path(), &["--format", "npd"]).end();
    assert!(ended.stdout.contains("wants a reboot"), "{}", ended.stdout);
    let ended = Waiting::start(host.path(), &[]).end();
    assert_eq!((ended.code, &*ended.stderr), (4, ""));
}

#[test]
fn a_signal_ends_the_wait_with_nothing_on_standard_output() {
    let Some(host) = host("no-iommufd") else { return };
    let output = host.path().join("report.json");
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut wait = Waiting::start(host.path(), &["--output", output.to_str().unwrap()]);
        wait.says("iommufd");
        wait.signal(signal);
        let ended = wait.end();
        assert_eq!((ended.code, &*ended.stdout), (code, ""), "{}", ended.stderr);
        assert!(!output.exists());
    }
}

#[test]
fn a_time_that_is_none_is_a_usage_error() {
    for time in ["5", "-3s", "soon", ""] {
        let ended = run(&["wait", "--root", "/", &format!("--timeout={time}")]);
        assert_eq!((ended.code, &*ended.stdout), (2, ""), "{time}: {}", ended.stderr);
    }
}

/// On a terminal, which `script` makes.
#[test]
fn a_terminal_shows_one_line_that_is_taken_away_again() {
    let Some(host) = host("no-iommufd") else { return };
    if !has("script") {
        return;
    }
    let line = format!(
        "{} wait --root {} {} --timeout 1500ms --format npd",
        env!("CARGO_BIN_EXE_ccgpu-node"),
        host.path().display(),
        ASSUMED.join(" ")
    );
    let ended =
        outcome(Command::new("script").args(["-qec", &line, "/dev/null"]).output().unwrap());
    assert_eq!(ended.code, 1);
    let (progress, report) = ended.stdout.rsplit_once("\r\x1b[K").unwrap();
    assert!(progress.contains("\r\x1b[Kwaiting 1 s: not passed: iommufd"), "{progress:?}");
    assert!(!progress.contains('\n') && report.starts_with("iommufd: "), "{progress:?} {report:?}");
}

/// In a user namespace, where the limits of inotify are its own.
#[test]
fn what_cannot_be_watched_is_said_and_looked_at_from_time_to_time() {
    let Some(host) = host("h200x8-snp") else { return };
    let node = host.path().join("dev/iommu");
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        command
    };
    for (limit, note) in [
        ("max_inotify_watches 5", "no inotify watches are left to this user"),
        ("max_inotify_instances 0", "files are not watched: "),
    ] {
        let (name, value) = limit.split_once(' ').unwrap();
        let script = format!("echo {value} >/proc/sys/user/{name}");
        if !unshared(&script).output().is_ok_and(|output| output.status.success()) {
            println!("left out: there are no user namespaces here");
            return;
        }
        std::fs::remove_file(&node).unwrap();
        let mut command = unshared(&format!("{script} && exec \"$0\" \"$@\""));
        command.arg(env!("CARGO_BIN_EXE_ccgpu-node"));
        command.arg("wait").args(ASSUMED).arg("--root").arg(host.path());
        let mut wait = Waiting::of(command);
        let said = wait.says("iommufd");
        assert!(said.contains(note), "{said}");
        // Now only the full check from time to time can tell.
        mknod(&node, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(10, 125)).unwrap();
        let ended = wait.end();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
    }
}

/// Every call is in the trace; a wait in which nothing happens adds none between its full checks.
#[test]
fn nothing_is_done_while_nothing_happens() {
    let Some(host) = host("no-iommufd") else { return };
    if !has("strace") {
        return;
    }
    let trace = host.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-tt", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_ccgpu-node"));
    command.arg("wait").args(ASSUMED).arg("--root").arg(host.path());
    let mut wait = Waiting::of(command);
    wait.says("iommufd");
    let calls = || std::fs::read_to_string(&trace).unwrap().lines().count();
    // Another look where the rest of the machine had devices come or go, or the net was due.
    let quiet = (0..10).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        let before = calls();
        std::thread::sleep(Duration::from_secs(4));
        before == calls()
    });
    let trace = std::fs::read_to_string(&trace).unwrap();
    // strace itself would keep the signal, or die and leave the program alone.
    let traced = trace.split(' ').next().unwrap().parse().unwrap();
    kill(Pid::from_raw(traced), Signal::SIGTERM).unwrap();
    assert_eq!(wait.end().code, 143);
    assert!(quiet, "{trace}");
}
