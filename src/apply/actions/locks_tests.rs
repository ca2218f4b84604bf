//! Locks that are held, locks that are not, and files that only look like one.

use std::os::fd::OwnedFd;

use nix::unistd::Pid;

use super::super::testing::Stubs;
use super::*;

/// A host with these files, and what is found there.
fn looked(files: &[&str], hold: impl FnOnce(&Stubs) -> Option<OwnedFd>) -> Vec<Busy> {
    let stubs = Stubs::new();
    stubs.write("root/proc/1/comm", "init\n");
    stubs.write(&format!("root/proc/{}/comm", Pid::this()), "unattended-upgr\n");
    for file in files {
        stubs.write(&format!("root/{file}"), "");
    }
    let root = Root::directory(&stubs.directory().join("root")).unwrap();
    let _held = hold(&stubs);
    let top = stubs.directory().join("root");
    let mut found = look(&root, &top);
    for busy in &mut found {
        if let Busy::PackageManager { lock, .. } = busy {
            *lock = lock.trim_start_matches(top.to_str().unwrap()).to_owned();
        }
    }
    found
}

/// Holds a lock, of this process or of the file that it opened.
fn locked(stubs: &Stubs, path: &str, of_process: bool) -> OwnedFd {
    let fd = nix::fcntl::open(stubs.path(path).as_str(), OFlag::O_RDWR, Mode::empty()).unwrap();
    let lock = lock();
    let how = if of_process { FcntlArg::F_SETLK(&lock) } else { FcntlArg::F_OFD_SETLK(&lock) };
    nix::fcntl::fcntl(&fd, how).unwrap();
    fd
}

#[test]
fn a_lock_that_nobody_holds_is_none() {
    let all: Vec<&str> = LOCKS.iter().map(|(path, _)| *path).collect();
    assert_eq!(looked(&all, |_| None), []);
    assert_eq!(looked(&[], |_| None), []);
}

#[test]
fn every_lock_is_seen_with_its_holder() {
    for (path, _) in LOCKS {
        let found = looked(&[path], |stubs| Some(locked(stubs, &format!("root/{path}"), true)));
        let pid = u32::try_from(Pid::this().as_raw()).unwrap();
        let name = "unattended-upgr".to_owned();
        let lock = format!("/{path}");
        assert_eq!(found, [Busy::PackageManager { name, pid: Some(pid), lock }]);
    }
}

#[test]
fn a_lock_without_a_process_is_seen() {
    let path = "root/usr/lib/sysimage/rpm/.rpm.lock";
    let found =
        looked(&["usr/lib/sysimage/rpm/.rpm.lock"], |stubs| Some(locked(stubs, path, false)));
    let lock = "/usr/lib/sysimage/rpm/.rpm.lock".to_owned();
    assert_eq!(found, [Busy::PackageManager { name: "rpm".to_owned(), pid: None, lock }]);
}

#[test]
fn a_process_file_counts_while_its_process_is_there() {
    let with = |text: &str| {
        looked(&[], |stubs| {
            stubs.write("root/run/dnf.pid", text);
            None
        })
    };
    let lock = "/run/dnf.pid".to_owned();
    assert_eq!(with("1\n"), [Busy::PackageManager { name: "init".to_owned(), pid: Some(1), lock }]);
    for stale in ["999999999\n", "", "none", "-1"] {
        assert_eq!(with(stale), [], "{stale}");
    }
}

#[test]
fn a_fifo_in_the_place_of_a_lock_does_not_block() {
    let found = looked(&["var/lib/dpkg/.keep"], |stubs| {
        let path = stubs.path("root/var/lib/dpkg/lock");
        nix::unistd::mkfifo(path.as_str(), Mode::S_IRWXU).unwrap();
        stubs.write("root/run/.keep", "");
        nix::unistd::mkfifo(stubs.path("root/run/yum.pid").as_str(), Mode::S_IRWXU).unwrap();
        None
    });
    assert!(matches!(found.as_slice(), [Busy::CannotTell(_)]), "{found:?}");
}
