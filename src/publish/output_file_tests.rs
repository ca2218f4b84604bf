#![expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

fn put(path: &Path, text: &str) -> Result<(), String> {
    let file = OutputFile::at(path).map_err(|error| error.to_string())?;
    file.write(text.as_bytes()).map_err(|error| error.to_string())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_new_file_has_mode_0644_and_nothing_is_left_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.prom");
    put(&path, "one").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    put(&path, "two").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two");
    assert_eq!(names(directory.path()), ["report.prom"]);
}

#[test]
fn a_file_that_stands_there_keeps_its_mode_and_is_exchanged_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    fs::write(&path, "old and long").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let reader = fs::File::open(&path).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    put(&path, "new").unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert_ne!(after.ino(), before);
    // Who has the old one open still sees all of it.
    assert_eq!(std::io::read_to_string(reader).unwrap(), "old and long");
}

#[test]
fn what_is_no_regular_file_is_refused_by_name_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("directory")).unwrap();
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(path("target"), "kept").unwrap();
    symlink("target", path("link")).unwrap();
    symlink("nothing", path("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    for (name, what) in [
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("socket", "a socket"),
        ("/dev/null", "a device"),
        ("/dev/stdout", "a symbolic link"),
        ("nowhere/file", "the directory of"),
        ("target/file", "the directory of"),
        ("directory/..", "no name of a file"),
        ("new/", "no name of a file"),
    ] {
        let error = put(&path(name), "text").unwrap_err();
        assert!(error.contains(what), "{name}: {error}");
        assert!(error.contains(name), "{name}: {error}");
    }
    assert_eq!(fs::read_to_string(path("target")).unwrap(), "kept");
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    assert_eq!(names(directory.path()).len(), 6);
}

#[test]
fn a_name_as_long_as_names_may_be_can_be_written() {
    let directory = tempfile::tempdir().unwrap();
    put(&directory.path().join("x".repeat(255)), "text").unwrap();
}

/// Readers who look all the time see one report or the other, each whole.
#[test]
fn a_reader_never_sees_a_part() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    let texts = ["a".repeat(100_000), "b".repeat(50_000)];
    put(&path, &texts[0]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..50 {
                put(&path, &texts[round % 2]).unwrap();
            }
        });
        while !writer.is_finished() {
            let seen = fs::read_to_string(&path).unwrap();
            assert!(texts.contains(&seen), "{} bytes", seen.len());
        }
    });
}
