//! Times `check` as a user meets it: whole processes, beside the floor and a peer, in one run.
//!
//! `cargo bench` builds the synthetic hosts of `../shared/hosts/gen_host.py` (8 GPUs among 376 functions,
//! and 10,000 functions) in memory-backed files, and runs in turn: this program, the floor program
//! `../shared/bench/floor.rs`, which does nothing but the reads that cannot be avoided, and
//! `lspci -nnk -d 10de:`. Set `CCGPU_BENCH_BINARY` to time another binary, such as the static one.

#![expect(clippy::disallowed_methods, reason = "a benchmark builds its hosts and starts programs")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

const ROUNDS: usize = 25;
const WARM_UP: usize = 3;

/// One run of one program.
#[derive(Debug, Clone, Copy)]
struct Sample {
    wall: Duration,
    /// Peak memory in KiB.
    peak: i64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("--measure") => measure(&arguments.collect::<Vec<_>>()),
        _ => compare(),
    }
}

/// Runs one command and prints its time and peak. A process of its own, because the peak of children is
/// a maximum over all of them.
fn measure(command: &[String]) {
    let start = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let wall = start.elapsed();
    assert!(status.is_ok(), "{command:?} did not start");
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0, |usage| usage.max_rss());
    println!("{} {peak}", wall.as_nanos());
}

fn compare() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared =
        std::env::var_os("CCGPU_SHARED").map_or_else(|| manifest.join("../shared"), PathBuf::from);
    let generator = shared.join("hosts/gen_host.py");
    if !generator.exists() {
        println!("left out: {} is not there", generator.display());
        return;
    }
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let scratch = scratch.expect("a scratch directory");
    let floor = scratch.path().join("floor");
    let built = Command::new("rustc")
        .args(["-O", "--edition", "2021", "--cap-lints", "allow", "-o"])
        .arg(&floor)
        .args(target())
        .arg(shared.join("bench/floor.rs"))
        .status();
    let has_floor = built.is_ok_and(|status| status.success());
    let ours = std::env::var("CCGPU_BENCH_BINARY")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_ccgpu-node").to_owned());
    for (name, options) in [
        ("376 functions, 8 GPUs", &[][..]),
        ("10,000 functions", &["--functions", "10000", "--groups", "4000"]),
    ] {
        let tree = scratch.path().join(name.split(' ').next().unwrap_or(name));
        let generated = Command::new("python3")
            .arg(&generator)
            .arg("--out")
            .arg(&tree)
            .args(options)
            .stdout(Stdio::null())
            .status();
        assert!(generated.is_ok_and(|status| status.success()), "the generator failed");
        let tree = tree.display().to_string();
        let mut programs = vec![(
            "ccgpu-node check",
            vec![ours.clone(), "check".to_owned(), "--root".to_owned(), tree.clone()],
        )];
        if has_floor {
            let floor = floor.display().to_string();
            programs.push(("floor", vec![floor, "lazy".to_owned(), tree.clone()]));
        }
        programs.push((
            "lspci -nnk -d 10de:",
            [
                "lspci",
                "-A",
                "linux-sysfs",
                "-O",
                &format!("sysfs.path={tree}/sys/bus/pci"),
                "-nnk",
                "-d",
                "10de:",
            ]
            .map(str::to_owned)
            .to_vec(),
        ));
        report(name, &programs);
    }
}

/// The floor is built as the measured program is: statically, where that target is installed.
fn target() -> &'static [&'static str] {
    let musl = std::env::var("CCGPU_BENCH_BINARY").is_ok_and(|path| path.contains("musl"));
    if musl { &["--target", "x86_64-unknown-linux-musl"] } else { &[] }
}

fn report(name: &str, programs: &[(&str, Vec<String>)]) {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); programs.len()];
    for round in 0..WARM_UP + ROUNDS {
        for (index, (_, command)) in programs.iter().enumerate() {
            let sample = run(command);
            if round >= WARM_UP {
                samples[index].push(sample);
            }
        }
    }
    println!(
        "\n{name}, {ROUNDS} rounds in turn\n{:<22} {:>10} {:>10} {:>10} {:>8} {:>9}",
        "", "median ms", "min ms", "max ms", "x first", "peak KiB"
    );
    let first = median(&samples[0]);
    for ((title, _), samples) in programs.iter().zip(&samples) {
        let millis = |wall: Duration| wall.as_secs_f64() * 1e3;
        let walls = || samples.iter().map(|sample| sample.wall);
        let middle = median(samples);
        println!(
            "{title:<22} {:>10.2} {:>10.2} {:>10.2} {:>8.2} {:>9}",
            millis(middle),
            walls().min().map_or(0.0, millis),
            walls().max().map_or(0.0, millis),
            middle.as_secs_f64() / first.as_secs_f64(),
            samples.iter().map(|sample| sample.peak).max().unwrap_or(0),
        );
    }
}

fn median(samples: &[Sample]) -> Duration {
    let mut walls: Vec<Duration> = samples.iter().map(|sample| sample.wall).collect();
    walls.sort_unstable();
    walls.get(walls.len() / 2).copied().unwrap_or_default()
}

fn run(command: &[String]) -> Sample {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).arg("--measure").args(command).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<i64>().ok());
    let (wall, peak) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Sample { wall: Duration::from_nanos(u64::try_from(wall).unwrap_or(0)), peak }
}
