//! Real files, among them such as nobody should have made.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::super::{Moment, Outcome};
use super::*;

struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, path: &str) -> PathBuf {
        let path = self.directory.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn standing(&self) -> Standing {
        self.state().standing(Mode::Auto)
    }

    fn state(&self) -> State {
        State::read(&Root::directory(self.directory.path()).unwrap())
    }
}

#[test]
fn a_host_that_was_never_mended_stands_well() {
    let standing = Host::new().standing();
    let expected = Standing {
        mode: Mode::Auto,
        paused: false,
        breaker_open_since: None,
        outcomes: Outcomes::default(),
        pending_reboot: false,
    };
    assert_eq!(standing, expected);
}

#[test]
fn the_breaker_and_the_outcomes_are_those_of_the_ledger() {
    let host = Host::new();
    let now = Moment { wall: 1_700_000_000, boot: "a".to_owned(), uptime: Duration::from_secs(1) };
    let mut ledger = Ledger::default();
    ledger.begin(&["a".to_owned()], true, &now);
    ledger.end(Outcome::RolledBack { why: "it died".to_owned() }, &now);
    fs::write(host.path(LEDGER), ledger.render().unwrap()).unwrap();
    let standing = host.standing();
    assert_eq!(standing.breaker_open_since, Some(1_700_000_000));
    assert_eq!(standing.outcomes, Outcomes { rolled_back: 1, ..Outcomes::default() });
    assert_eq!(host.state().breaker_why().unwrap(), "a fix was taken back: it died");
}

#[test]
fn a_ledger_that_cannot_be_used_is_an_open_breaker() {
    let host = Host::new();
    let path = host.path(LEDGER);
    let stands = |what: &str| {
        assert_eq!(host.standing().breaker_open_since, Some(0), "{what}");
        let why = host.state().breaker_why().unwrap();
        assert!(why.starts_with(LEDGER), "{what}: {why}");
    };
    let long = vec![b' '; 2 << 20];
    for bytes in [&b""[..], b"{}", b"null", b"\xff\0\x1b[2J", &long] {
        fs::write(&path, bytes).unwrap();
        stands("bytes");
    }
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    stands("a FIFO");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    stands("a directory");
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("remediation.json", &path).unwrap();
    stands("a loop");
}

#[test]
fn a_pause_has_its_reason_and_what_cannot_be_read_is_one() {
    let host = Host::new();
    let path = host.path(PAUSE);
    for (text, reason) in [("", ""), ("firmware update\nmore", "firmware update"), ("\r\n", "")] {
        fs::write(&path, text).unwrap();
        assert_eq!(host.state().pause, Pause::Because(reason.to_owned()));
        assert!(host.standing().paused);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(host.state().pause, Pause::CannotTell(_)));
    assert!(host.standing().paused);
}

#[test]
fn a_reboot_is_pending_for_us_only_where_the_line_is_ours() {
    let host = Host::new();
    let path = host.path("/run/reboot-required.pkgs");
    for (text, pending) in
        [("linux-image\n", false), ("ccgpu-node-fix\n", false), ("libc6\nccgpu-node\n", true)]
    {
        fs::write(&path, text).unwrap();
        assert_eq!(host.standing().pending_reboot, pending, "{text}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(host.standing().pending_reboot);
}
