//! Trees for the tests of this module, and what is seen of them from outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::Tree;

/// A tree in memory where there is such a place: thousands of syncs of a disk take minutes.
pub(super) fn quick() -> (tempfile::TempDir, Tree) {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    opened(made.unwrap())
}

/// A tree on the disk, for what memory does not have.
pub(super) fn on_disk() -> (tempfile::TempDir, Tree) {
    opened(tempfile::tempdir().unwrap())
}

fn opened(directory: tempfile::TempDir) -> (tempfile::TempDir, Tree) {
    let tree = Tree::directory(directory.path()).unwrap();
    (directory, tree)
}

/// What a path is, down to the times that tell whether anybody wrote to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) content: Option<Vec<u8>>,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) inode: u64,
    pub(super) changed: (i64, i64),
}

/// Everything below a directory, by path, without the file of the lock.
pub(super) fn everything(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if path.ends_with("ccgpu-node/lock") {
            continue;
        }
        let content = if metadata.is_symlink() {
            Some(fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
        } else {
            metadata.is_file().then(|| fs::read(&path).unwrap())
        };
        let seen = Seen {
            content,
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        all.insert(path, seen);
    }
    all
}

/// Everything but what this program keeps for itself, without what a copy cannot keep.
pub(super) fn host_files(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let own = root.join("var");
    let all = everything(root).into_iter().filter(|(path, _)| !path.starts_with(&own));
    all.map(|(path, seen)| (path, Seen { inode: 0, changed: (0, 0), ..seen })).collect()
}

/// Mode, owner and extended attributes as other programs see them.
pub(super) fn attributes(path: &Path) -> String {
    let stat = output("stat", &["-c", "%a %u %g %F"], path);
    stat + &output("getfattr", &["-d", "-m", "-", "-e", "hex", "--absolute-names"], path)
}

fn output(program: &str, arguments: &[&str], path: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program; `false` where it is not here or does not succeed.
pub(super) fn succeeds(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}
