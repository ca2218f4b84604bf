#![expect(clippy::disallowed_methods, reason = "tests make the files that they read")]

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::publish::testing::{author, judged, with_snapshot};
use crate::report::json;
use crate::rules::testing::{judged as results, report, rule};

fn text() -> Vec<u8> {
    let good = rule("good", "expect = [{ fact = \"bool.true\", equals = true }]");
    let mut out = Vec::new();
    with_snapshot(&report(results(&good)), |snapshot| {
        json::render_snapshot(&snapshot, &author(), &mut out).unwrap();
    });
    out
}

fn running() -> Daemon {
    Daemon::Running(Some(author().pid))
}

fn seen(daemon: Daemon, boot: Option<&str>, now: Duration) -> Last {
    Last::of(Reading::Known(text()), daemon, boot, now)
}

/// A report that says ready, at the moment at which it was judged and later.
#[test]
fn a_report_is_fresh_until_its_time_is_over() {
    let boot = author().boot_id;
    let at = judged().uptime;
    for (age, fresh) in [(0, true), (1, true), (1_260, true), (1_261, false), (1 << 40, false)] {
        let age = Duration::from_secs(age);
        let last = seen(running(), Some(&boot), at + age);
        assert_eq!(last.age, Some(age));
        assert_eq!(last.stale.is_none(), fresh, "{age:?}");
        let verdict = if fresh { Verdict::Ready } else { Verdict::CannotTell };
        assert_eq!(last.verdict(), verdict, "{age:?}");
    }
}

#[test]
fn whatever_is_in_doubt_is_never_green() {
    let boot = author().boot_id;
    let now = judged().uptime + Duration::from_secs(1);
    let unknown = || Daemon::Unknown("permission denied".to_owned());
    let cases = [
        (seen(Daemon::NotRunning, Some(&boot), now), "the daemon is not running"),
        (seen(unknown(), Some(&boot), now), "cannot tell whether the daemon is running"),
        (seen(running(), Some("other"), now), "of another boot"),
        (seen(running(), None, now), "which boot"),
        (seen(running(), Some(""), now), "which boot"),
        // Of the future: the boot's clock never goes back, so it is not of this boot.
        (seen(running(), Some(&boot), Duration::ZERO), "of another boot"),
        (seen(Daemon::Running(Some(1)), Some(&boot), now), "not judged this host yet"),
        (seen(Daemon::Running(None), Some(&boot), now), "not judged this host yet"),
        (Last::of(Reading::Absent, running(), Some(&boot), now), "not judged this host yet"),
        (Last::of(Reading::Known(Vec::new()), running(), Some(&boot), now), "cannot be used"),
        (
            Last::of(Reading::Unreadable(Cause::Permission), running(), Some(&boot), now),
            "cannot be read: permission denied",
        ),
    ];
    for (last, why) in cases {
        assert_eq!(last.verdict(), Verdict::CannotTell, "{why}");
        let said = last.stale.unwrap().to_string();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn the_lock_tells_whether_a_daemon_is_at_work() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(LOCK);
    let at = || Daemon::at(directory.path());
    assert_eq!(at(), Daemon::NotRunning);
    fs::write(&path, "4711\n").unwrap();
    assert_eq!(at(), Daemon::NotRunning);
    let holder = fs::File::open(&path).unwrap();
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(&holder, exclusive).unwrap();
    assert_eq!(at(), Daemon::Running(Some(4711)));
    for text in ["", "x", "-1", "99999999999999999999", "4711 4711", "\x1b[2J"] {
        fs::write(&path, text).unwrap();
        assert_eq!(at(), Daemon::Running(None), "{text}");
    }
    drop(holder);
    assert_eq!(at(), Daemon::NotRunning);
    // Having asked holds nobody up.
    rustix::fs::flock(fs::File::open(&path).unwrap(), exclusive).unwrap();
}

#[test]
fn a_lock_that_is_something_else_tells_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(LOCK);
    let unknown = || matches!(Daemon::at(directory.path()), Daemon::Unknown(_));
    symlink("/etc/passwd", &path).unwrap();
    assert!(unknown());
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(unknown());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(unknown());
}
