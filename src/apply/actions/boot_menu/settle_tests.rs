//! The freeze, with a stand-in that writes down what it is asked for; and the real thing where this machine
//! has XFS.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::super::testing::Stubs;
use super::*;
use crate::host::process::Process;

fn frozen_by(script: &str) -> (Stubs, Result<(), String>) {
    let stubs = Stubs::new();
    stubs.program("fsfreeze", &script.replace("LOG", &stubs.path("log")));
    let result = freeze(&stubs.programs(), Path::new("/mount"));
    (stubs, result.map_err(|error| error.to_string()))
}

#[test]
fn a_freeze_is_followed_by_a_thaw() {
    let (stubs, result) = frozen_by("echo \"$*\" >> LOG");
    assert_eq!(result, Ok(()));
    assert_eq!(stubs.read("log"), "--freeze /mount\n--unfreeze /mount\n");
}

#[test]
fn what_somebody_else_has_frozen_is_not_thawed() {
    let (stubs, result) = frozen_by("echo \"$*\" >> LOG; echo 'Device busy' >&2; exit 1");
    assert_eq!(result.unwrap_err(), "fsfreeze ended with code 1: Device busy");
    assert_eq!(stubs.read("log"), "--freeze /mount\n");
}

#[test]
fn a_freeze_that_was_killed_is_thawed() {
    let (stubs, result) =
        frozen_by("echo \"$*\" >> LOG; if [ \"$1\" = --freeze ]; then kill -9 $$; fi");
    // The shell itself says that its child was killed.
    let error = result.unwrap_err();
    assert!(error.starts_with("fsfreeze ended with code 137"), "{error}");
    assert_eq!(stubs.read("log"), "--freeze /mount\n--unfreeze /mount\n");
}

#[test]
fn a_thaw_that_fails_is_tried_again() {
    let (stubs, result) = frozen_by(
        "echo \"$*\" >> LOG; [ \"$1\" = --freeze ] || [ \"$(wc -l < LOG)\" -ge 4 ] || exit 1",
    );
    assert_eq!(result, Ok(()));
    assert_eq!(stubs.read("log").matches("--unfreeze").count(), 3);
}

#[test]
fn neither_signals_nor_the_end_of_its_parent_keep_it_from_thawing() {
    let stubs = Stubs::new();
    let log = stubs.path("log");
    stubs.program("fsfreeze", &format!("echo \"$*\" >> {log}; sleep 1; echo end >> {log}"));
    // It starts the shell as `freeze` does, and is gone at once; the shell tells its own group.
    let script = format!("setsid sh -c \"$1\" sh /mount & echo $! > {}", stubs.path("group"));
    let starter = stubs.programs().program("sh", Duration::from_secs(20));
    let starter = starter.args(["-c", &script, "sh"]).arg(FREEZE);
    assert!(starter.run().unwrap().end.is_success());
    let wait_for = |count: usize| {
        let sleep = || std::thread::sleep(Duration::from_millis(20));
        (0..1000).any(|_| {
            sleep();
            stubs.read("log").lines().count() >= count
        })
    };
    assert!(wait_for(1));
    let group = Pid::from_raw(stubs.read("group").trim().parse().unwrap());
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        killpg(group, signal).unwrap();
    }
    assert!(wait_for(4));
    assert_eq!(stubs.read("log"), "--freeze /mount\nend\n--unfreeze /mount\nend\n");
}

#[test]
fn a_freeze_that_takes_long_is_left_to_end_by_itself() {
    let stubs = Stubs::new();
    let log = stubs.path("log");
    stubs.program("fsfreeze", &format!("sleep 1; echo \"$*\" >> {log}"));
    let shell = stubs.programs().program("sh", Duration::from_millis(100));
    let shell = shell.args(["-c", FREEZE, "sh", "/mount"]).spared();
    assert!(matches!(succeeded("fsfreeze", &shell), Err(ActionError::TimedOut { .. })));
    let thawed = || {
        std::thread::sleep(Duration::from_millis(20));
        stubs.read("log") == "--freeze /mount\n--unfreeze /mount\n"
    };
    assert!((0..1000).any(|_| thawed()));
}

#[test]
fn what_a_running_system_needs_is_never_frozen() {
    for path in ["/", "/usr", "/var/lib", "/etc"] {
        let device = device_of(Path::new(path)).unwrap();
        assert_eq!(freezable(Path::new(path), device).unwrap(), None, "{path}");
    }
    // A file system of its own, below which the topmost directory is found.
    let device = device_of(Path::new("/proc")).unwrap();
    let mount = freezable(Path::new("/proc/sys/kernel"), device).unwrap();
    assert_eq!(mount, Some(PathBuf::from("/proc")));
}

#[test]
fn other_file_systems_than_xfs_are_only_written_out() {
    let stubs = Stubs::new();
    stubs.program("fsfreeze", &format!("echo \"$*\" >> {}", stubs.path("log")));
    stubs.write("boot/grub.cfg", "");
    settle_with(&stubs.programs(), &stubs.path("boot/grub.cfg")).unwrap();
    assert_eq!(stubs.read("log"), "");
    let error = settle_with(&stubs.programs(), &stubs.path("none/grub.cfg")).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: cannot be opened", stubs.path("none")));
}

/// What the kernel asked of the disk of an ext4 while `act` ran: `W...` for a write, `F...` for a flush. `None`
/// where this machine has no loop devices or no tracing.
fn asked_of_the_disk(stubs: &Stubs, act: impl FnOnce(&str)) -> Option<Vec<String>> {
    let sh = |script: &str| {
        let script = format!("cd $1; events=trace/instances/ccgpu-$2\n{script}");
        let process = Process::new("sh", Duration::from_secs(60)).args(["-ec", &script, "sh"]);
        let process = process.arg(stubs.directory()).arg(std::process::id().to_string());
        process.run().unwrap().end.is_success()
    };
    stubs.write("mount/.keep", "");
    stubs.write("trace/.keep", "");
    // Whatever writes by itself later on is switched off.
    let traced = sh("truncate -s 64M image; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 image
        mount -o loop image mount
        mount -t tracefs trace trace
        mkdir $events mount/grub
        echo menu >mount/grub/grub.cfg
        sync
        device=$(mountpoint -d mount)
        echo \"dev == $((${device%:*} << 20 | ${device#*:}))\" >$events/events/block/block_rq_issue/filter
        echo 1 >$events/events/block/block_rq_issue/enable");
    if traced {
        act(&stubs.path("mount/grub/grub.cfg"));
    }
    let read = sh("echo 0 >$events/events/block/block_rq_issue/enable; cat $events/trace >asked");
    sh("rmdir $events || :; umount trace || :; umount mount || :");
    (traced && read).then(|| {
        let trace = stubs.read("asked");
        let asked = trace.lines().filter_map(|line| line.split_once("block_rq_issue: "));
        asked.filter_map(|(_, asked)| asked.split(' ').nth(1)).map(str::to_owned).collect()
    })
}

#[test]
fn ext4_is_asked_to_keep_what_was_written_to_its_place() {
    let stubs = Stubs::new();
    let asked = asked_of_the_disk(&stubs, |menu| {
        stubs.write("mount/grub/new", "another menu");
        rustix::fs::rename(stubs.path("mount/grub/new"), menu).unwrap();
        settle_with(&stubs.programs(), menu).unwrap();
    });
    let Some(asked) = asked else {
        println!("left out: no loop devices or no tracing here");
        return;
    };
    assert!(asked.iter().any(|what| what.starts_with('W')), "{asked:?}");
    assert!(asked.last().is_some_and(|what| what.starts_with('F')), "{asked:?}");
}

#[test]
fn xfs_is_frozen_and_thawed() {
    let stubs = Stubs::new();
    stubs.write("mount/.keep", "");
    let sh = |script: &str| {
        let process = Process::new("sh", Duration::from_secs(60)).args(["-ec", script, "sh"]);
        process.arg(stubs.directory()).run().unwrap().end.is_success()
    };
    if !sh("cd $1; truncate -s 400M image; mkfs.xfs -q image; mount -o loop image mount") {
        println!("left out: no XFS here");
        return;
    }
    let target = stubs.path("mount/grub/grub.cfg");
    stubs.write("mount/grub/grub.cfg", "menu");
    stubs.program(
        "fsfreeze",
        &format!("echo $1 >> {}; exec /usr/sbin/fsfreeze \"$@\"", stubs.path("log")),
    );
    let result = settle_with(&stubs.programs(), &target);
    // It can be written to again.
    let thawed = sh("timeout 10 touch $1/mount/after");
    assert!(sh("umount $1/mount"));
    result.unwrap();
    assert!(thawed);
    assert_eq!(stubs.read("log"), "--freeze\n--unfreeze\n");
}
