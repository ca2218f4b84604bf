//! The kubelet that runs, found among the processes.

use crate::format::version::Version;
use crate::host::{Cause, Reading, Root, Source};

/// A kubelet process of this machine's own mount namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) arguments: Vec<String>,
    /// Its working directory.
    pub(super) directory: Reading<String>,
}

/// What the processes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Search {
    Running(Process),
    /// A program runs that has the kubelet inside itself: its name.
    Inside(u32, &'static str),
    /// No kubelet runs.
    None,
    /// The tree holds no processes, as an image does not.
    NoProcesses,
    /// One may run or does run, but cannot be looked at.
    Unknown {
        running: bool,
        cause: Cause,
        source: Source,
    },
}

const PROC: &str = "/proc";

/// Looks at the name of every process, and at the rest only of those that may be a kubelet.
pub(super) fn search(root: &Root) -> Search {
    let unknown = |cause| Search::Unknown { running: false, cause, source: Source::file(PROC) };
    let entries = match root.list(PROC) {
        Reading::Known(entries) => entries,
        Reading::Absent => return Search::NoProcesses,
        Reading::Unreadable(cause) => return unknown(cause),
    };
    let mut pids: Vec<u32> = entries.iter().filter_map(|entry| entry.name.parse().ok()).collect();
    pids.sort_unstable();
    if pids.first() != Some(&1) {
        // Processes are hidden from this user, or there are none in this tree.
        return if root.is_live() { unknown(Cause::Permission) } else { Search::NoProcesses };
    }
    let mut kubelets = Vec::new();
    let mut inside = None;
    let mut hidden = None;
    for pid in pids {
        let named =
            root.read_with(&format!("{PROC}/{pid}/comm"), 64, |name| match name.trim_ascii_end() {
                b"kubelet" | b"hyperkube" => kubelets.push(pid),
                b"k3s" | b"k3s-server" | b"k3s-agent" => inside = inside.or(Some((pid, "k3s"))),
                b"kubelite" => inside = inside.or(Some((pid, "kubelite"))),
                _ => {}
            });
        // A process that ended meanwhile is no kubelet; one that hides its name may be.
        if let Reading::Unreadable(cause @ (Cause::Permission | Cause::NotCaptured)) = named {
            hidden = hidden.or(Some(cause));
        }
    }
    let looked: Vec<Search> = kubelets.into_iter().filter_map(|pid| look(root, pid)).collect();
    choose(looked).unwrap_or(match inside {
        Some((pid, program)) => Search::Inside(pid, program),
        None => hidden.map_or(Search::None, unknown),
    })
}

/// The kubelet of this machine rather than one in a container; of several none can be chosen.
fn choose(looked: Vec<Search>) -> Option<Search> {
    let (mut own, mut others): (Vec<_>, Vec<_>) =
        looked.into_iter().partition(|found| matches!(found, Search::Running(_)));
    if let [Search::Running(first), Search::Running(second), ..] = own.as_slice() {
        return Some(Search::Unknown {
            running: true,
            cause: Cause::NoAnswer(format!(
                "several kubelets run, processes {} and {}",
                first.pid, second.pid
            )),
            source: Source::file(PROC),
        });
    }
    own.pop().or_else(|| if others.is_empty() { None } else { Some(others.swap_remove(0)) })
}

/// `None` for a process that is gone, or that is no kubelet after all.
fn look(root: &Root, pid: u32) -> Option<Search> {
    let path = format!("{PROC}/{pid}/cmdline");
    let unknown = |cause, path: String| {
        Some(Search::Unknown { running: true, cause, source: Source::file(path) })
    };
    let text = match root.read_text(&path) {
        Reading::Known(text) => text,
        Reading::Absent => return None,
        Reading::Unreadable(cause) => return unknown(cause, path),
    };
    let mut words = text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned);
    // A process that has ended, but whose parent has not noticed, has no words.
    let program = words.next().filter(|program| !program.is_empty())?;
    let mut arguments: Vec<String> = words.collect();
    if base_name(&program) == "hyperkube" {
        if arguments.first().map(String::as_str) != Some("kubelet") {
            return None;
        }
        arguments.remove(0);
    }
    match is_of_root(root, pid) {
        Reading::Known(true) => {}
        Reading::Known(false) => {
            let why = format!("process {pid} calls itself a kubelet and is not root's");
            return unknown(Cause::NoAnswer(why), format!("{PROC}/{pid}/status"));
        }
        Reading::Absent => return None,
        Reading::Unreadable(cause) => return unknown(cause, format!("{PROC}/{pid}/status")),
    }
    let namespace = format!("{PROC}/{pid}/ns/mnt");
    match sees_these_files(root, &namespace) {
        Reading::Known(true) => {}
        Reading::Known(false) => {
            let why = "the kubelet runs in another mount namespace";
            return unknown(Cause::NoAnswer(why.to_owned()), namespace);
        }
        Reading::Absent => return None,
        Reading::Unreadable(cause) => return unknown(cause, namespace),
    }
    let directory = root.link(&format!("{PROC}/{pid}/cwd"));
    Some(Search::Running(Process { pid, arguments, directory }))
}

/// Whether a process is root's in every respect. The program of a kubelet is run to ask its version, and its
/// flags name the files that count: nobody else may put a process of that name in its place.
///
/// Captures of old do not hold it, and trees that are put together by hand need not.
fn is_of_root(root: &Root, pid: u32) -> Reading<bool> {
    let status = root.read_text(&format!("{PROC}/{pid}/status"));
    let users = status.map(|status| {
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        // Real, effective, saved, and that of the file system.
        Some(users.split_ascii_whitespace().all(|user| user == "0"))
    });
    match users {
        Reading::Known(Some(root)) => Reading::Known(root),
        Reading::Known(None) => Reading::Unreadable(Cause::malformed(None, "no users")),
        Reading::Absent | Reading::Unreadable(Cause::NotCaptured) if !root.is_live() => {
            Reading::Known(true)
        }
        Reading::Absent => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Whether what a process reads is what is read here. `Absent` where the process is gone.
///
/// Either it has our own namespace, or ours is a sandbox around the host's files, and it has that of the host.
fn sees_these_files(root: &Root, namespace: &str) -> Reading<bool> {
    let its = match root.link(namespace) {
        Reading::Known(its) => its,
        Reading::Absent => return Reading::Absent,
        Reading::Unreadable(cause) => return Reading::Unreadable(cause),
    };
    match root.link(&format!("{PROC}/self/ns/mnt")) {
        Reading::Known(own) if own == its => return Reading::Known(true),
        Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        Reading::Known(_) | Reading::Absent => {}
    }
    match (root.link(&format!("{PROC}/1/ns/mnt")), root.is_that_of_the_first_process()) {
        (Reading::Known(first), Reading::Known(same)) => Reading::Known(same && first == its),
        // What cannot be compared is not taken for the same.
        _ => Reading::Known(false),
    }
}

/// When a process started, in seconds since the epoch.
pub(super) fn started(root: &Root, pid: u32) -> Reading<i64> {
    /// Ticks of `/proc` in a second; the same on every architecture that Linux has today.
    const TICKS: i64 = 100;
    let path = format!("{PROC}/{pid}/stat");
    let malformed = |what: &str| Reading::Unreadable(Cause::malformed(None, what));
    let stat = root.read_text(&path);
    let boot = root.read_text("/proc/stat");
    stat.and_then(|stat| {
        boot.and_then(|boot| {
            // The name in parentheses may hold anything, so the fields are counted from its end.
            let ticks: Option<i64> = stat
                .rsplit_once(')')
                .and_then(|(_, fields)| fields.split_ascii_whitespace().nth(19))
                .and_then(|field| field.parse().ok());
            let boot: Option<i64> = boot
                .lines()
                .find_map(|line| line.strip_prefix("btime "))
                .and_then(|seconds| seconds.trim().parse().ok());
            match (ticks, boot) {
                (Some(ticks), Some(boot)) => Reading::Known(boot.saturating_add(ticks / TICKS)),
                (None, _) => malformed("no start time of the process"),
                (_, None) => malformed("no boot time"),
            }
        })
    })
}

/// The program file of a process.
pub(super) fn program(root: &Root, pid: u32) -> Reading<String> {
    root.link(&format!("{PROC}/{pid}/exe")).and_then(|path| match path.strip_suffix(" (deleted)") {
        Some(_) => Reading::Unreadable(Cause::NoAnswer(
            "the program file was replaced since the kubelet started".to_owned(),
        )),
        None => Reading::Known(path),
    })
}

/// The version in `Kubernetes v1.36.3`.
pub(super) fn version_in(output: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(output).ok()?;
    let version = text.lines().find_map(|line| line.strip_prefix("Kubernetes "))?;
    Version::parse(version.trim()).ok()
}

pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
