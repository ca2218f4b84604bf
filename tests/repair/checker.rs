//! What may become of a host's files: each is as it was or as a clean run makes it, and after `recover`
//! all are the one or all are the other. It knows nothing of how the program under test works, but where
//! its records are and how its temporary files are named.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Records of the program under test; what is in them is its own affair.
pub(crate) const RECORDS: &str = "var/lib/ccgpu-node";
/// Names whoever works or worked last, for people; that every run writes it is no change of the host.
const LOCK: &str = "var/lib/ccgpu-node/lock";
/// How names of its temporary files begin.
const TEMPORARY: &str = ".ccgpu-node";
/// What of a host is looked at.
const LOOKED_AT: [&str; 4] = ["etc", "boot", "opt", "var"];

/// A file as its readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    what: What,
    mode: u32,
    owner: (u32, u32),
    /// As `getfattr` prints them: ACLs and security labels are among them.
    attributes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Bytes(Vec<u8>),
    Directory,
    Link(PathBuf),
    Other,
}

/// What tells whether anything touched a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// All files of a host at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    files: BTreeMap<PathBuf, File>,
    traces: BTreeMap<PathBuf, Trace>,
}

/// Which of the two states a host is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum State {
    Before,
    After,
    /// Each file is as before or as after, but not all the same.
    Between,
}

impl Snapshot {
    /// Reads the parts of a host that a repair changes.
    pub(crate) fn of(root: &Path) -> Self {
        Self::of_parts(root, LOOKED_AT.iter().map(|name| (*name).to_owned()))
    }

    /// Reads everything.
    pub(crate) fn of_all(root: &Path) -> Self {
        let names = std::fs::read_dir(root).unwrap();
        Self::of_parts(root, names.map(|entry| entry.unwrap().file_name().into_string().unwrap()))
    }

    fn of_parts(root: &Path, names: impl Iterator<Item = String>) -> Self {
        let mut snapshot = Self { files: BTreeMap::new(), traces: BTreeMap::new() };
        let names: Vec<String> = names.filter(|name| is_there(&root.join(name))).collect();
        let attributes = attributes(root, &names);
        for name in names {
            snapshot.add(root, &root.join(name), &attributes);
        }
        snapshot
    }

    fn add(&mut self, root: &Path, path: &Path, attributes: &BTreeMap<PathBuf, Vec<String>>) {
        let Ok(metadata) = path.symlink_metadata() else { return };
        let kind = metadata.file_type();
        let what = if kind.is_dir() {
            What::Directory
        } else if kind.is_symlink() {
            What::Link(std::fs::read_link(path).unwrap())
        } else if kind.is_file() && !kind.is_fifo() {
            What::Bytes(std::fs::read(path).unwrap())
        } else {
            What::Other
        };
        let is_directory = what == What::Directory;
        let name = path.strip_prefix(root).unwrap().to_owned();
        let file = File {
            what,
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            attributes: attributes.get(&name).cloned().unwrap_or_default(),
        };
        let trace = Trace {
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        self.files.insert(name.clone(), file);
        self.traces.insert(name, trace);
        if is_directory {
            for entry in std::fs::read_dir(path).unwrap() {
                self.add(root, &entry.unwrap().path(), attributes);
            }
        }
    }

    /// The files of the host itself: no records, no temporary files, no directory that only holds records.
    fn own(&self) -> BTreeMap<&Path, &File> {
        self.files
            .iter()
            .filter(|(path, _)| !path.starts_with(RECORDS) && !is_temporary(path))
            .map(|(path, file)| (path.as_path(), file))
            .collect()
    }

    pub(crate) fn temporary(&self) -> Vec<&Path> {
        self.files
            .keys()
            .filter(|path| is_temporary(path) && !path.starts_with(RECORDS))
            .map(PathBuf::as_path)
            .collect()
    }

    /// Files that differ, with how.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let (left, right) = (self.own(), other.own());
        let mut paths: Vec<&Path> = left.keys().chain(right.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        paths
            .into_iter()
            .filter_map(|path| difference(path, left.get(path), right.get(path)))
            .collect()
    }

    /// What became of each file that differs, as a unified diff; the records are left out.
    pub(crate) fn diff(&self, later: &Self) -> String {
        let (before, after) = (self.own(), later.own());
        let mut paths: Vec<&Path> = before.keys().chain(after.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        let mut text = String::new();
        for path in paths {
            let (old, new) = (before.get(path), after.get(path));
            if old == new || new.is_some_and(|file| file.what == What::Directory) {
                continue;
            }
            let name = |file: Option<&&File>, side| match file {
                None => "/dev/null".to_owned(),
                Some(file) => format!("{side}/{} mode {:o}", path.display(), file.mode & 0o7777),
            };
            let bytes = |file: Option<&&File>| match file.map(|file| &file.what) {
                Some(What::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                Some(What::Link(target)) => format!("link to {}\n", target.display()),
                _ => String::new(),
            };
            let (old_text, new_text) = (bytes(old), bytes(new));
            text += &similar::TextDiff::from_lines(&old_text, &new_text)
                .unified_diff()
                .header(&name(old, "a"), &name(new, "b"))
                .to_string();
        }
        text
    }

    /// Everything that something touched since, records included but for the lock: a file written anew with
    /// the same bytes counts.
    pub(crate) fn touched(&self, later: &Self) -> Vec<PathBuf> {
        let mut paths: Vec<&PathBuf> = self.traces.keys().chain(later.traces.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        paths
            .into_iter()
            .filter(|path| **path != Path::new(LOCK))
            .filter(|path| {
                self.traces.get(*path) != later.traces.get(*path)
                    || self.files.get(*path) != later.files.get(*path)
            })
            .cloned()
            .collect()
    }
}

/// What a host was and what a clean run made of it.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) before: Snapshot,
    pub(crate) after: Snapshot,
}

impl Oracle {
    /// Which state the files are in; `Err` names each file that is neither as before nor as after.
    pub(crate) fn judge(&self, now: &Snapshot) -> Result<State, Vec<String>> {
        let (before, after, now) = (self.before.own(), self.after.own(), now.own());
        let mut wrong = Vec::new();
        let (mut is_before, mut is_after) = (true, true);
        let mut paths: Vec<&Path> =
            before.keys().chain(after.keys()).chain(now.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let (old, new, is) = (before.get(path), after.get(path), now.get(path));
            // An empty directory that was made for a file may stay.
            if old.is_none() && is == new && new.is_some_and(|file| file.what == What::Directory) {
                continue;
            }
            is_before &= is == old;
            is_after &= is == new;
            if is != old && is != new {
                let how = difference(path, old, is).or_else(|| difference(path, new, is));
                wrong.push(how.unwrap_or_else(|| path.display().to_string()));
            }
        }
        match (wrong.is_empty(), is_before, is_after) {
            (false, ..) => Err(wrong),
            (true, true, _) => Ok(State::Before),
            (true, _, true) => Ok(State::After),
            (true, false, false) => Ok(State::Between),
        }
    }
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn is_temporary(path: &Path) -> bool {
    path.iter().any(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

fn difference(path: &Path, left: Option<&&File>, right: Option<&&File>) -> Option<String> {
    let path = path.display();
    match (left, right) {
        (None, None) => None,
        (Some(_), None) => Some(format!("{path}: is gone")),
        (None, Some(_)) => Some(format!("{path}: is new")),
        (Some(left), Some(right)) if left == right => None,
        (Some(left), Some(right)) => Some(match (&left.what, &right.what) {
            (What::Bytes(left), What::Bytes(right)) if left != right => {
                let text = String::from_utf8_lossy(right);
                format!("{path}: {} bytes became {}: {text:?}", left.len(), right.len())
            }
            (left_what, right_what) if left_what != right_what => {
                format!("{path}: {left_what:?} became {right_what:?}")
            }
            _ => format!(
                "{path}: mode {:o}, owner {:?}, attributes {:?} became {:o}, {:?}, {:?}",
                left.mode, left.owner, left.attributes, right.mode, right.owner, right.attributes
            ),
        }),
    }
}

/// Extended attributes of all files, asked of another program at once.
fn attributes(root: &Path, names: &[String]) -> BTreeMap<PathBuf, Vec<String>> {
    let output = Command::new("getfattr")
        .args(["--recursive", "--physical", "--no-dereference", "--dump", "--match=-"])
        .args(["--encoding=hex", "--"])
        .args(names)
        .current_dir(root)
        .output()
        .expect("getfattr runs");
    let text = String::from_utf8(output.stdout).expect("getfattr escapes names");
    let mut found: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    let mut path = PathBuf::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# file: ") {
            Some(name) => path = PathBuf::from(name),
            None => found.entry(path.clone()).or_default().push(line.to_owned()),
        }
    }
    found
}
