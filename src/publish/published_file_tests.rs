#![expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn file(directory: &Path) -> PublishedFile {
    PublishedFile::new(directory, "name.prom", Medium::Disk)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_is_exchanged_whole_and_readable_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name.prom");
    let file = file(directory.path());
    file.put(b"old and long").unwrap();
    let reader = fs::File::open(&path).unwrap();
    // A mode that somebody changed is put right: a reader that was shut out would see nothing new.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    file.put(b"new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "old and long");
    assert_eq!(names(directory.path()), ["name.prom"]);
    file.remove().unwrap();
    file.remove().unwrap();
    assert!(names(directory.path()).is_empty());
}

#[test]
fn a_directory_that_is_missing_is_told_and_not_made_and_used_once_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("later");
    let file = file(&path);
    let error = file.put(b"text").unwrap_err();
    assert!(matches!(error, PublishError::NoDirectory { .. }), "{error}");
    assert!(names(directory.path()).is_empty());
    file.remove().unwrap();
    for _ in 0..2 {
        fs::create_dir(&path).unwrap();
        file.put(b"text").unwrap();
        assert_eq!(names(&path), ["name.prom"]);
        // Removed and made anew: the old one must not be written to.
        fs::remove_dir_all(&path).unwrap();
    }
}

#[test]
fn what_a_killed_run_left_is_overwritten_and_a_link_there_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("target"), "kept").unwrap();
    let file = file(directory.path());
    fs::write(path(".name.prom.tmp"), "half").unwrap();
    file.put(b"one").unwrap();
    symlink("target", path(".name.prom.tmp")).unwrap();
    file.put(b"two").unwrap();
    assert_eq!(fs::read_to_string(path("name.prom")).unwrap(), "two");
    assert_eq!(fs::read_to_string(path("target")).unwrap(), "kept");
    fs::write(path(".name.prom.tmp"), "half").unwrap();
    file.remove().unwrap();
    assert_eq!(names(directory.path()), ["target"]);
}

#[test]
fn what_is_no_regular_file_is_neither_written_nor_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("target"), "kept").unwrap();
    let file = file(directory.path());
    let name = path("name.prom");
    let refused = |what: &str| {
        for error in [file.put(b"text").unwrap_err(), file.remove().unwrap_err()] {
            assert!(error.to_string().contains(what), "{error}");
        }
        assert!(fs::symlink_metadata(&name).is_ok());
    };
    symlink("target", &name).unwrap();
    refused("a symbolic link");
    fs::remove_file(&name).unwrap();
    fs::create_dir(&name).unwrap();
    refused("a directory");
    fs::remove_dir(&name).unwrap();
    nix::unistd::mkfifo(&name, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused("a FIFO");
    assert_eq!(fs::read_to_string(path("target")).unwrap(), "kept");
    assert_eq!(names(directory.path()).len(), 2);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(file(&path).put(b"text"), Err(PublishError::Failed { .. })));
}
