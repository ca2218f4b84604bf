//! Runs the real binary with an empty environment, and finds what it is run on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a run printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with these arguments; nothing of the caller's environment reaches it.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Outcome {
    outcome(command().args(arguments).output().expect("the program starts"))
}

/// The program, to be run in a special way.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccgpu-node"));
    command.env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn outcome(output: Output) -> Outcome {
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("reports are UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("errors are UTF-8"),
    }
}

/// The JSON report of `check` with these further arguments.
pub(crate) fn report(arguments: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["check", "--format", "json"].iter().chain(arguments).copied().collect();
    let outcome = run(&all);
    serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", outcome.stderr))
}

/// Ids of the rules that have this status in a JSON report.
pub(crate) fn rules_with(report: &serde_json::Value, status: &str) -> Vec<String> {
    report["rules"]
        .as_array()
        .expect("a report has rules")
        .iter()
        .filter(|rule| rule["status"] == status)
        .map(|rule| rule["id"].as_str().expect("a rule has an id").to_owned())
        .collect()
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.host"))
}

/// All fixtures by name, in order.
pub(crate) fn fixtures() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .expect("fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".host").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Real machines that are no part of the project; tests over them run where they are.
pub(crate) fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("CCGPU_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if path.join("hosts").is_dir() {
        return Some(path);
    }
    println!("left out: {} is not there", path.display());
    None
}

/// Whether a program of the machine can be run; says so where not.
pub(crate) fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        println!("left out: {tool} is not installed");
    }
    found
}

/// Unpacks an archive of a recorded host.
pub(crate) fn unpack(archive: &Path, into: &Path) {
    let status = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(into).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot unpack {}", archive.display());
}

/// Where two JSON texts differ, a line each; a failed comparison of whole reports cannot be read.
pub(crate) fn differences(left: &serde_json::Value, right: &serde_json::Value) -> Vec<String> {
    use serde_json::Value::{Array, Object};
    match (left, right) {
        (Object(left), Object(right)) => {
            let keys: std::collections::BTreeSet<&String> =
                left.keys().chain(right.keys()).collect();
            let null = serde_json::Value::Null;
            keys.into_iter()
                .flat_map(|key| {
                    let pair = (left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null));
                    prefixed(key, differences(pair.0, pair.1))
                })
                .collect()
        }
        (Array(left), Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .flat_map(|(left, right)| {
                let name = left["id"].as_str().unwrap_or("[]");
                prefixed(name, differences(left, right))
            })
            .collect(),
        (left, right) if left == right => Vec::new(),
        (left, right) => vec![format!(": {left} is not {right}")],
    }
}

fn prefixed(name: &str, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("/{name}{line}")).collect()
}

/// Fails with the differences of two reports.
pub(crate) fn assert_same(left: &serde_json::Value, right: &serde_json::Value, about: &str) {
    let lines = differences(left, right);
    assert!(lines.is_empty(), "{about}:\n{}", lines.join("\n"));
}
