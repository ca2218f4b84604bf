//! Measures the daemon over a recorded host: how long from an edit of the kubelet's configuration to the
//! new report, and what it holds after many checks.
//!
//! `cargo bench --bench daemon -- [EDITS]` makes so many edits [default: 100], each when the last has been
//! reported. Set `CCGPU_BENCH_BINARY` to measure another binary, such as the static one.

#![expect(clippy::disallowed_methods, reason = "a benchmark builds its host and starts programs")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FIXTURE: &str = "h100-single-tdx";
const GOOD: &str = "runtimeRequestTimeout: 20m0s";
const BAD: &str = "runtimeRequestTimeout: 1s";
const FAILS: &str = r#""id":"kubelet-runtime-request-timeout","status":"fail""#;

/// A directory does not tell the version of its kubelet, and without it nothing is judged.
const CONFIG: &str =
    "[check]\nassume = [\"kubelet.version=1.34.2\"]\n[publish.textfile]\nenabled = false\n";

/// Quiet before an edit whose time is taken, so that no edit waits for the one before.
const QUIET: Duration = Duration::from_millis(1500);

/// What a process holds.
struct Held {
    resident_kib: u64,
    peak_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl std::fmt::Display for Held {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { resident_kib, peak_kib, descriptors, threads } = self;
        write!(
            out,
            "resident {resident_kib} KiB, peak {peak_kib} KiB, {descriptors} descriptors, {threads} threads"
        )
    }
}

fn main() {
    let edits = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100);
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let scratch = scratch.expect("a scratch directory");
    let (host, run) = (scratch.path().join("host"), scratch.path().join("run"));
    unpack(&host);
    let mut daemon = start(&host, &run);
    let report = run.join("report.json");
    let kubelet = host.join("var/lib/kubelet/config.yaml");
    wait_for(&report, |text| !text.contains(FAILS));
    std::thread::sleep(Duration::from_secs(1));
    println!("{:>7} edits: {}", 0, held(&daemon));

    let good = std::fs::read_to_string(&kubelet).expect("the host has a kubelet");
    let bad = good.replace(GOOD, BAD);
    assert_ne!(good, bad, "the host has another timeout");
    // Where there are many the time is not taken: each edit follows at once.
    let is_timed = edits <= 1000;
    let mut times = Vec::new();
    for edit in 1..=edits {
        let is_bad = edit % 2 == 1;
        if is_timed {
            std::thread::sleep(QUIET);
        }
        let beside = kubelet.with_extension("new");
        std::fs::write(&beside, if is_bad { &bad } else { &good }).expect("it can be written");
        let begun = Instant::now();
        std::fs::rename(&beside, &kubelet).expect("it can be replaced");
        wait_for(&report, |text| text.contains(FAILS) == is_bad);
        times.push(begun.elapsed());
        if edit % 1000 == 0 || edit == edits {
            println!("{edit:>7} edits: {}", held(&daemon));
        }
    }
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "edit to report, ms: median {:.1}, 95 of 100 within {:.1}, longest {:.1}{}",
        millis(times.get(times.len() / 2)),
        millis(times.get(times.len() * 95 / 100)),
        millis(times.last()),
        if is_timed { "" } else { " (back to back)" },
    );
    let _ = daemon.kill();
    let _ = daemon.wait();
}

fn unpack(into: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::create_dir_all(into).expect("a directory");
    let status = Command::new("python3")
        .arg(fixtures.join("generate.py"))
        .arg("--unpack")
        .args([&fixtures.join(format!("{FIXTURE}.host")), into])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "cannot unpack {FIXTURE}");
}

fn start(host: &Path, run: &Path) -> Child {
    let binary = std::env::var_os("CCGPU_BENCH_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ccgpu-node")), PathBuf::from);
    // Its configuration stands in a mount namespace of its own.
    let script = "mount -t tmpfs none /etc && mkdir /etc/ccgpu-node \
        && printf %s \"$1\" >/etc/ccgpu-node/config.toml && shift && exec \"$@\"";
    Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", CONFIG])
        .arg(binary)
        .args(["daemon", "--root"])
        .arg(host)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("RUNTIME_DIRECTORY", run)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the daemon starts")
}

/// Looks at the report again and again; a new one is another file.
fn wait_for(report: &Path, wanted: impl Fn(&str) -> bool) {
    use std::os::unix::fs::MetadataExt as _;
    let (mut seen, end) = (0, Instant::now() + Duration::from_secs(60));
    while Instant::now() < end {
        let inode = report.metadata().map_or(0, |metadata| metadata.ino());
        if inode != seen {
            seen = inode;
            let text = std::fs::read_to_string(report).unwrap_or_default();
            if wanted(&text.split_whitespace().collect::<String>()) {
                return;
            }
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    panic!("no such report");
}

fn held(daemon: &Child) -> Held {
    let proc = PathBuf::from(format!("/proc/{}", daemon.id()));
    let status = std::fs::read_to_string(proc.join("status")).expect("the daemon runs");
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    let count = |name: &str| std::fs::read_dir(proc.join(name)).map_or(0, Iterator::count);
    Held {
        resident_kib: number("VmRSS:"),
        peak_kib: number("VmHWM:"),
        descriptors: count("fd"),
        threads: count("task"),
    }
}
