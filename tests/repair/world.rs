//! A recorded host as a machine of its own: its files are the `/` of a mount namespace, with the programs
//! of this machine's `/usr` and stand-ins for those that would need a running system.
//!
//! | in the world | what it is |
//! |---|---|
//! | `/etc`, `/boot`, `/opt`, `/var`, `/sys`, `/dev/vfio` | the recorded host's, as real files, writable |
//! | `/usr` | this machine's, read-only; the recorded host's and `stubs/` laid over it |
//! | `/proc` | recorded files; `self` and some others lead into a real one at `/proc/kernel` |
//! | `/run/stub` | how the stand-ins are told to misbehave, and what they keep |
//!
//! Processes are those of the recorded host, as files, so that a run makes the same calls each time. The
//! stand-in for systemd adds and removes the kubelet's.
//!
//! Worlds need root, namespaces and overlayfs. Where these are missing tests say so and pass, but not
//! for root where `CI` is set.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::furnish::{copy, furnish, unpack, write};
use crate::menu;

/// What production code is given as well.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories that a run may change and `reset` puts back.
const CHANGED: [&str; 7] = ["boot", "etc", "opt", "proc", "run", "sys", "var"];
/// Exit code of a program that was killed for taking too long.
pub(crate) const TOO_LONG: i32 = -2;

/// What a program printed, and how it ended: its exit code, 128 and the number of a signal, or
/// `TOO_LONG`.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A machine. It ends with this value.
#[derive(Debug)]
pub(crate) struct World {
    directory: tempfile::TempDir,
    holder: Child,
    /// Its process 1, as this machine counts.
    init: String,
}

/// What a world is made of.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    /// A recorded host, by its name below `fixtures/`.
    pub(crate) fixture: &'a str,
    /// Programs put at `/usr/sbin/NAME`, besides `ccgpu-node`.
    pub(crate) programs: Vec<(&'a str, PathBuf)>,
    /// Stand-ins by name.
    pub(crate) stubs: &'a [&'a str],
    /// Versions of kernels put into `/boot`; none leaves it as recorded.
    pub(crate) kernels: &'a [&'a str],
}

/// Stand-ins that every world needs.
pub(crate) const SERVICES: &[&str] =
    &["systemctl", "kubelet", "journalctl", "grub-probe", "grub-mkrelpath"];
/// The same, and quick ones for those that take long.
pub(crate) const QUICK: &[&str] =
    &["systemctl", "kubelet", "journalctl", "grub-probe", "grub-mkconfig", "update-initramfs"];

impl World {
    /// Makes a world; `None` where none can be made.
    pub(crate) fn start(recipe: &Recipe<'_>) -> Option<Self> {
        if !possible() {
            return None;
        }
        let directory = tempfile::Builder::new().prefix("world").tempdir_in(place()).unwrap();
        let (root, over) = (directory.path().join("root"), directory.path().join("over"));
        unpack(recipe.fixture, &root);
        // What the recorded host has in /usr goes over what this machine has there.
        let recorded = root.join("usr");
        std::fs::create_dir_all(&recorded).unwrap();
        std::fs::rename(&recorded, &over).unwrap();
        furnish(&root, &over, recipe);

        let mut programs = vec![format!("ccgpu-node={}", binary().display())];
        for (name, program) in &recipe.programs {
            programs.push(format!("{name}={}", program.display()));
        }
        for program in &programs {
            let name = program.split_once('=').unwrap().0;
            write(&over.join("sbin").join(name), "", 0o755);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repair/world.sh");
        // It must not outlive a test that is killed.
        let mut holder = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(["--mount", "--pid", "--fork", "--net", "--uts", "--kill-child", "sh"])
            .args([script.as_path(), &root, &over])
            .args(&programs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut init = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut init).unwrap();
        let init = init.trim().to_owned();
        let world = Self { directory, holder, init };
        assert!(!world.init.is_empty(), "the world did not start");
        world.keep();
        Some(world)
    }

    /// Its `/`, as this machine sees it; nothing is mounted there.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text, 0o644);
    }

    /// Replaces a text that must be there, as if it had always been so: the file is no newer than it was.
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} lacks {old:?}");
        let modified = self.path(path).metadata().unwrap().modified().unwrap();
        std::fs::write(self.path(path), text.replace(old, new)).unwrap();
        let file = std::fs::File::options().append(true).open(self.path(path)).unwrap();
        file.set_modified(modified).unwrap();
    }

    /// Tells a stand-in how to misbehave; the empty mode is to behave.
    pub(crate) fn mode(&self, stub: &str, mode: &str) {
        self.write(&format!("/run/stub/{stub}.mode"), mode);
    }

    /// Takes the present state for the one that `reset` goes back to.
    pub(crate) fn keep(&self) {
        let kept = self.directory.path().join("kept");
        let _ = std::fs::remove_dir_all(&kept);
        std::fs::create_dir(&kept).unwrap();
        copy(&CHANGED.map(|name| self.path(name)), &kept);
    }

    /// Ends all processes but the first, and puts every file back.
    pub(crate) fn reset(&self) {
        self.kill_all();
        for name in CHANGED.into_iter().filter(|name| *name != "sys") {
            for entry in std::fs::read_dir(self.path(name)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    // The world's own mount of the real one.
                    if name != "proc" || entry.file_name() != "kernel" {
                        std::fs::remove_dir_all(entry.path()).unwrap();
                    }
                } else {
                    std::fs::remove_file(entry.path()).unwrap();
                }
            }
            let kept = self.directory.path().join("kept").join(name).join(".");
            copy(&[kept], &self.path(name));
        }
    }

    /// A program of the world, with the environment that production code gives to programs.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.init, "-m", "-p", "-n", "-u", "--"])
            .args(words)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null());
        command
    }

    /// Runs a program of the world for at most this long, and ends all that it left where it took longer.
    pub(crate) fn run_within(&self, patience: Duration, words: &[&str]) -> Outcome {
        // Files, not pipes: a child that outlives the program must not keep this waiting.
        let (out, err) = (self.directory.path().join("out"), self.directory.path().join("err"));
        let mut child = self
            .command(words)
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(std::fs::File::create(&err).unwrap())
            .spawn()
            .unwrap();
        let end = Instant::now() + patience;
        let code = loop {
            match child.try_wait().unwrap() {
                Some(status) => break code(status),
                None if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
                None => {
                    self.kill_all();
                    child.wait().unwrap();
                    break TOO_LONG;
                }
            }
        };
        let text = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        Outcome { code, stdout: text(out), stderr: text(err) }
    }

    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        self.run_within(Duration::from_secs(60), words)
    }

    /// Runs a program that must succeed.
    pub(crate) fn must(&self, words: &[&str]) -> String {
        let outcome = self.run(words);
        assert_eq!(outcome.code, 0, "{words:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome.stdout
    }

    /// Ends all processes of the world but the first.
    pub(crate) fn kill_all(&self) {
        let script = include_str!("kill.sh");
        let _ = self.command(&["sh", "-c", script]).stderr(Stdio::null()).status();
    }

    /// Waits for what a program left running to end, and ends it if it does not; the kubelet and what looks
    /// after it go on.
    pub(crate) fn settle(&self) {
        let script = include_str!("settle.sh");
        let _ = self.command(&["sh", "-c", script]).stderr(Stdio::null()).status();
    }

    /// What a reboot changes: nothing runs, `/run` is as the machine began, the boot has another id, and
    /// the kernel has the arguments of the menu's default entry. `/sys` stays; see `hardware_of`.
    pub(crate) fn reboot(&self) {
        self.kill_all();
        let chosen = menu::default_entry(&self.read("/boot/grub/grub.cfg"))
            .expect("the boot menu has a default entry");
        self.write(
            "/proc/cmdline",
            &format!("BOOT_IMAGE={} {}\n", chosen.kernel, chosen.arguments),
        );
        self.write("/proc/sys/kernel/random/boot_id", &boot_id(&self.read(BOOT_ID)));
        let run = self.path("run");
        std::fs::remove_dir_all(&run).unwrap();
        copy(&[self.directory.path().join("kept/run")], &self.root());
    }

    /// The hardware as another recorded host shows it: what the kernel makes of its new arguments, and the
    /// cluster of that.
    pub(crate) fn hardware_of(&self, fixture: &str) {
        let other = self.directory.path().join("other");
        unpack(fixture, &other);
        std::fs::remove_dir_all(self.path("sys")).unwrap();
        std::fs::rename(other.join("sys"), self.path("sys")).unwrap();
        // And what the GPU Operator's pods make of the hardware that they find.
        for place in
            ["dev/vfio", "var/lib/kubelet/device-plugins", "run/nvidia", "run/cdi", "etc/cdi"]
        {
            let (here, there) = (self.path(place), other.join(place));
            let _ = std::fs::remove_dir_all(&here);
            if there.is_dir() {
                copy(&[there], here.parent().unwrap());
            }
        }
        std::fs::remove_dir_all(other).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Takes process 1 with it, and that all others and all mounts.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Another boot id, the same after the same one.
fn boot_id(before: &str) -> String {
    let number: u32 = before.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap();
    format!("{:08x}-5a1d-4c8e-9b57-6f0d3c1e2a44\n", number + 1)
}

fn code(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// The program under test: the one that cargo built, or another build of it.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("CCGPU_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ccgpu-node")), PathBuf::from)
}

/// Where worlds are made: in memory, where `fsync` costs nothing, if there is such a place.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let usual = if memory.is_dir() { memory } else { std::env::temp_dir() };
    std::env::var_os("CCGPU_WORLDS").map_or(usual, PathBuf::from)
}

/// Whether worlds can be made on this machine; says why not.
pub(crate) fn possible() -> bool {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(|| {
        let script = "set -e
            mount --make-rprivate /
            mount -t overlay -o ro,lowerdir=/usr/bin:/usr/sbin overlay /mnt
            for program in nsenter pivot_root ip hostname getfattr strace; do
                command -v $program >&2 || { echo no $program >&2; exit 1; }
            done
            /usr/bin/python3 -c 'import yaml'";
        let output = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--net", "--uts", "--kill-child"])
            .args(["sh", "-c", script])
            .output()
            .map_err(|error| format!("unshare: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", ");
        if output.status.success() { Ok(()) } else { Err(said) }
    });
    if let Err(why) = answer {
        let must = std::env::var_os("CI").is_some() && nix::unistd::geteuid().is_root();
        assert!(!must, "no world can be made: {why}");
        println!("left out: no world can be made: {why}");
    }
    answer.is_ok()
}
