//! Whether the host's own kubelet takes a configuration, before anything is changed.
//!
//! A kubelet without `--kubeconfig` that is told to authenticate by webhook loads, merges and validates its
//! configuration and then stops, since it has no client to ask. How it stops is the answer. It runs in
//! network and mount namespaces of its own, with directories of its own, and never for long; an ending that
//! is not in the list is no verdict, whatever it may look like.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::error::{last_lines, shown};
use super::super::programs::{Programs, ended};
use crate::host::process::{End, Said};
use crate::plan::kubelet as plan;

/// It takes a quarter of a second; its binary has to come from a cold disk first.
const DEADLINE: Duration = Duration::from_secs(15);

/// What the kubelet logs where it could only decode a file by ignoring a part of it.
pub(super) const LENIENT: &str = "Using lenient decoding";

/// How it stops where it found nothing wrong, where it did, and where a new one did over a gate.
const ACCEPTED: &str =
    "failed to run Kubelet: no client provided, cannot use webhook authentication";
const REJECTED: [&str; 4] = [
    "failed to load kubelet config file",
    "failed to validate kubelet configuration",
    "failed to merge",
    // Before 1.32, where newer ones panic.
    "failed to set feature gates",
];
const PANIC: &str = "panic: failed to merge global and in-flight";

/// What to ask a kubelet about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The kubelet's binary.
    pub binary: String,
    /// The configuration file.
    pub config: Option<String>,
    /// The directory of drop-ins.
    pub config_dir: Option<String>,
    /// The values of `--feature-gates` that the running kubelet has: `Name=true,Other=false`.
    pub gates: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRun {
    /// `lenient`: it starts, but ignores something.
    Accepted { lenient: bool },
    /// It would not start, by its own words.
    Rejected(String),
    /// It could not be asked, or its ending says neither.
    NoVerdict(String),
}

/// Asks the kubelet. Its directories are made for it below `/run`, and removed.
pub fn dry_run(candidate: &Candidate) -> DryRun {
    dry_run_with(&Programs::of_this_host(), Path::new("/run"), candidate, DEADLINE)
}

/// Asks the kubelet about texts that are not in place yet.
pub fn dry_run_of(candidate: &plan::Candidate) -> DryRun {
    dry_run_of_with(&Programs::of_this_host(), Path::new("/run"), candidate, DEADLINE)
}

pub(super) fn dry_run_of_with(
    programs: &Programs,
    run: &Path,
    candidate: &plan::Candidate,
    deadline: Duration,
) -> DryRun {
    match Staged::new(run, candidate) {
        Ok(staged) => dry_run_with(programs, run, &staged.candidate, deadline),
        Err(why) => DryRun::NoVerdict(format!("the texts cannot be laid out in /run: {why}")),
    }
}

/// Texts laid out for a kubelet to read, until it has.
struct Staged {
    candidate: Candidate,
    _directory: Directory,
}

impl Staged {
    #[expect(clippy::disallowed_methods, reason = "writes only to a directory made for this run")]
    fn new(run: &Path, texts: &plan::Candidate) -> io::Result<Self> {
        let path = nix::unistd::mkdtemp(&run.join("ccgpu-node-candidate.XXXXXX"))?;
        let directory = Directory(path.clone());
        let put = |name: &Path, text: &[u8]| -> io::Result<String> {
            let file = path.join(name);
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&file, text)?;
            Ok(file.display().to_string())
        };
        let config = texts.main.as_ref().map(|text| put(Path::new("config"), text)).transpose()?;
        let drop_ins = path.join("drop-ins");
        if let Some(files) = &texts.drop_ins {
            std::fs::create_dir_all(&drop_ins)?;
            for (name, text) in files {
                put(&Path::new("drop-ins").join(name), text)?;
            }
        }
        let config_dir = texts.drop_ins.as_ref().map(|_| drop_ins.display().to_string());
        let gates = texts.gates.clone();
        let candidate = Candidate { binary: texts.binary.clone(), config, config_dir, gates };
        Ok(Self { candidate, _directory: directory })
    }
}

pub(super) fn dry_run_with(
    programs: &Programs,
    run: &Path,
    candidate: &Candidate,
    deadline: Duration,
) -> DryRun {
    let directory = match nix::unistd::mkdtemp(&run.join("ccgpu-node-dry-run.XXXXXX")) {
        Ok(path) => Directory(path),
        Err(errno) => {
            return DryRun::NoVerdict(format!(
                "no directory in {}: {}",
                run.display(),
                errno.desc()
            ));
        }
    };
    let own = directory.0.display().to_string();
    let mut arguments = vec![
        "--net".to_owned(),
        "--mount".to_owned(),
        "--".to_owned(),
        candidate.binary.clone(),
        format!("--root-dir={own}"),
        format!("--cert-dir={own}/pki"),
        "--authentication-token-webhook=true".to_owned(),
    ];
    arguments.extend(candidate.config.iter().map(|path| format!("--config={path}")));
    arguments.extend(candidate.config_dir.iter().map(|path| format!("--config-dir={path}")));
    arguments.extend(candidate.gates.iter().map(|gates| format!("--feature-gates={gates}")));
    // Its temporary files go where they are removed with the rest.
    let environment = [("TMPDIR", own.as_str())];
    let limit = [format!("RuntimeMaxSec={}", deadline.as_secs().max(1))];
    let process = programs.unconfined("unshare", deadline, &limit, &environment).args(arguments);
    match ended("unshare", &process) {
        Ok(Said { end, stdout, stderr }) => {
            let mut output = stdout;
            output.extend_from_slice(b"\n");
            output.extend_from_slice(&stderr);
            let code = match end {
                End::Code(code) => Some(code),
                End::Signal(_) => None,
            };
            verdict(code, &String::from_utf8_lossy(&output))
        }
        Err(error) => DryRun::NoVerdict(error.to_string()),
    }
}

/// A directory that goes when it is no longer needed.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // Nothing can be done about one that stays; it is empty of meaning and gone at the next boot.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What an ending means. `code` is `None` where a signal ended the kubelet.
pub fn verdict(code: Option<i32>, output: &str) -> DryRun {
    let words = |needle: &str| {
        let line = output.lines().find(|line| line.contains(needle)).unwrap_or_default();
        shown(from_its_error(line))
    };
    let rejected = REJECTED.into_iter().find(|needle| output.contains(needle));
    let lenient = output.contains(LENIENT);
    match (code, rejected) {
        (Some(2), _) if output.contains(PANIC) => DryRun::Rejected(words(PANIC)),
        (Some(1), None) if output.contains(ACCEPTED) => DryRun::Accepted { lenient },
        (Some(1), Some(needle)) if !output.contains(ACCEPTED) => DryRun::Rejected(words(needle)),
        _ => {
            let end = match code {
                Some(code) => format!("it ended with code {code}"),
                None => "a signal ended it".to_owned(),
            };
            let said = last_lines(output.as_bytes());
            DryRun::NoVerdict(if said.is_empty() { end } else { format!("{end}: {said}") })
        }
    }
}

/// The part of a line of the log from its error on, without the place in the kubelet's source.
fn from_its_error(line: &str) -> &str {
    let from = |mark: &str| line.find(mark).and_then(|at| line.get(at..));
    from("err=").or_else(|| from("failed to ")).unwrap_or(line)
}

#[cfg(test)]
#[path = "dry_run_tests.rs"]
mod tests;
