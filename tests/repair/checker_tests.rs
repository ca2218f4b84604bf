//! The checker can tell right from wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::checker::{Oracle, RECORDS, Snapshot, State};

/// Makes one file of a host wrong.
type Spoil = fn(&Path);

fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["etc", "boot", "var"] {
        std::fs::create_dir(root.path().join(directory)).unwrap();
    }
    std::fs::write(root.path().join("etc/a"), "old a").unwrap();
    std::fs::write(root.path().join("etc/b"), "old b").unwrap();
    root
}

/// The oracle of a run that changes both files and makes a third.
fn oracle(root: &Path) -> Oracle {
    let before = Snapshot::of(root);
    std::fs::write(root.join("etc/a"), "new a").unwrap();
    std::fs::write(root.join("etc/b"), "new b").unwrap();
    std::fs::write(root.join("boot/c"), "new c").unwrap();
    Oracle { before, after: Snapshot::of(root) }
}

#[test]
fn both_ends_and_what_lies_between_are_told_apart() {
    let root = host();
    let oracle = oracle(root.path());
    assert_eq!(oracle.judge(&oracle.before), Ok(State::Before));
    assert_eq!(oracle.judge(&oracle.after), Ok(State::After));
    std::fs::write(root.path().join("etc/a"), "old a").unwrap();
    assert_eq!(oracle.judge(&Snapshot::of(root.path())), Ok(State::Between));
}

#[test]
fn whatever_is_neither_is_found() {
    let wrong: [(&str, Spoil); 7] = [
        ("etc/a", |root| std::fs::write(root.join("etc/a"), "new").unwrap()),
        ("etc/b", |root| std::fs::write(root.join("etc/b"), "").unwrap()),
        ("etc/a", |root| std::fs::remove_file(root.join("etc/a")).unwrap()),
        ("etc/left", |root| std::fs::write(root.join("etc/left"), "").unwrap()),
        ("etc/a", |root| {
            let mode = std::fs::Permissions::from_mode(0o640);
            std::fs::set_permissions(root.join("etc/a"), mode).unwrap();
        }),
        ("etc/b", |root| {
            std::fs::remove_file(root.join("etc/b")).unwrap();
            std::os::unix::fs::symlink("a", root.join("etc/b")).unwrap();
        }),
        ("etc/a", |root| {
            let status = Command::new("setfattr")
                .args(["-n", "user.note", "-v", "x"])
                .arg(root.join("etc/a"))
                .status();
            assert!(status.unwrap().success());
        }),
    ];
    for (path, spoil) in wrong {
        let root = host();
        let oracle = oracle(root.path());
        spoil(root.path());
        let found = oracle.judge(&Snapshot::of(root.path())).unwrap_err();
        assert!(found.len() == 1 && found[0].starts_with(path), "{path}: {found:?}");
    }
}

#[test]
fn temporary_files_and_records_are_no_files_of_the_host() {
    let root = host();
    let oracle = oracle(root.path());
    std::fs::write(root.path().join("etc/.ccgpu-node-x1"), "half").unwrap();
    std::fs::create_dir_all(root.path().join(RECORDS).join("transactions/000001")).unwrap();
    let now = Snapshot::of(root.path());
    let left = oracle.judge(&now).unwrap_err();
    assert_eq!(left, ["var/lib: is new"], "a directory that no clean run makes");
    assert_eq!(now.temporary(), [Path::new("etc/.ccgpu-node-x1")]);
}

#[test]
fn a_file_written_anew_with_the_same_bytes_was_touched() {
    let root = host();
    let first = Snapshot::of(root.path());
    assert!(first.touched(&Snapshot::of(root.path())).is_empty());
    std::fs::write(root.path().join("etc/x"), "old a").unwrap();
    std::fs::rename(root.path().join("etc/x"), root.path().join("etc/a")).unwrap();
    let later = Snapshot::of(root.path());
    assert_eq!(first.touched(&later), [Path::new("etc"), Path::new("etc/a")]);
    assert!(first.differences(&later).is_empty());
}
