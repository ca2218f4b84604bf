//! What goes wrong around a daemon: it is killed, its disk is full, its directories come and go, events
//! come in floods or not at all.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::daemon::{
    CONFIG, Daemon, PATIENCE, Start, break_kubelet, machine, mend_kubelet, report_where,
};
use crate::world::World;

const DIRECTORY: &str = "/var/lib/prometheus/node-exporter";
const TEXTFILE: &str = "/var/lib/prometheus/node-exporter/ccgpu-node.prom";

/// A text file as the exporter of the machine would read it; `None` where there is none.
fn textfile(world: &World) -> Option<String> {
    let read = world.run(&["cat", TEXTFILE]);
    (read.code == 0).then_some(read.stdout)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn killed_at_any_moment_it_leaves_whole_outputs_and_starts_again() {
    let Some(world) = machine() else { return };
    // Not before it has begun to work, nor only in the pause afterwards.
    for round in 0..40_u64 {
        let mut daemon = Daemon::start(&world, &Start::default());
        if round % 2 == 0 {
            daemon.hears("READY=1");
            if round % 4 == 0 { break_kubelet(&world) } else { mend_kubelet(&world) }
        } else {
            daemon.pid();
        }
        std::thread::sleep(Duration::from_millis(round * 3));
        daemon.signal(Signal::SIGKILL);
        daemon.ends();
        let path = world.path(crate::daemon::REPORT);
        if let Ok(text) = std::fs::read_to_string(path) {
            let whole = serde_json::from_str::<serde_json::Value>(&text);
            assert!(whole.is_ok(), "{whole:?}: {text}");
        }
        if let Some(text) = textfile(&world) {
            assert!(text.ends_with('\n') && text.contains("ccgpu_node_"), "{text}");
        }
    }
    let daemon = Daemon::ready(&world);
    report_where(&world, |report| report["verdict"] == "ready");
    // Nothing half-written is left of those that were killed.
    let left: Vec<_> = [DIRECTORY, "/run/ccgpu-node"]
        .iter()
        .flat_map(|directory| std::fs::read_dir(world.path(directory)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    daemon.stop();
}

#[test]
fn a_full_disk_is_told_once_and_so_is_its_end() {
    let Some(world) = machine() else { return };
    world.must(&["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=20", "none", DIRECTORY]);
    world.run(&["sh", "-c", &format!("cat /dev/zero > {DIRECTORY}/ballast")]);
    let mut daemon = Daemon::start(&world, &Start::default());
    let ready = daemon.hears("READY=1");
    assert!(ready.contains("No space left"), "{ready}");
    assert_eq!(textfile(&world), None);
    break_kubelet(&world);
    report_where(&world, |report| report["verdict"] == "not-ready");
    mend_kubelet(&world);
    report_where(&world, |report| report["verdict"] == "ready");
    assert_eq!(daemon.said().matches("No space left").count(), 1, "{}", daemon.said());
    let names = world.must(&["ls", "-A", DIRECTORY]);
    assert_eq!(names, "ballast\n");

    world.must(&["rm", &format!("{DIRECTORY}/ballast")]);
    break_kubelet(&world);
    until("the textfile is there", || textfile(&world).is_some());
    until("its being there is told", || daemon.said().contains("works again"));
    daemon.stop();
}

#[test]
fn directories_that_are_not_there_or_read_only_are_used_when_they_can_be() {
    let Some(world) = machine() else { return };
    let features = "/etc/kubernetes/node-feature-discovery/features.d";
    world.write(CONFIG, "[publish.nfd]\nenabled = true\n");
    std::fs::remove_dir_all(world.path(DIRECTORY)).unwrap();
    std::fs::create_dir_all(world.path(features)).unwrap();
    world.must(&["mount", "-t", "tmpfs", "-o", "ro", "none", features]);
    let daemon = Daemon::ready(&world);
    report_where(&world, |report| report["verdict"] == "ready");
    let said = daemon.said();
    assert_eq!(said.matches("ERROR").count(), 2, "{said}");
    std::fs::create_dir_all(world.path(DIRECTORY)).unwrap();
    world.must(&["mount", "-o", "remount,rw", features]);
    break_kubelet(&world);
    until("the textfile is there", || textfile(&world).is_some());
    let file = format!("{features}/ccgpu-node");
    until("the features are there", || world.run(&["test", "-s", &file]).code == 0);
    until("both are told", || daemon.said().matches("works again").count() == 2);
    daemon.stop();
}

#[test]
fn a_flood_of_events_is_a_few_checks_and_the_last_one_is_right() {
    let Some(world) = machine() else { return };
    std::fs::create_dir_all(world.path("/etc/modprobe.d")).unwrap();
    let daemon = Daemon::ready(&world);
    let inode = |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        world.path(path).metadata().unwrap().ino()
    };
    let path = world.path("/etc/modprobe.d/flood.conf");
    let mut reports = std::collections::BTreeSet::new();
    for round in 0..25_000_u32 {
        // Made, written, closed, removed.
        std::fs::write(&path, "# nothing\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        if round % 100 == 0 {
            reports.insert(inode(crate::daemon::REPORT));
        }
    }
    break_kubelet(&world);
    report_where(&world, |report| report["verdict"] == "not-ready");
    assert!(reports.len() < 200, "{} reports", reports.len());
    daemon.stop();
}

#[test]
fn without_watches_left_it_says_so_and_goes_by_the_timer() {
    let Some(world) = machine() else { return };
    world.write(CONFIG, "[daemon]\ninterval = \"10s\"\n");
    for (limit, count) in [("max_inotify_watches", 3), ("max_inotify_instances", 0)] {
        let script = format!("echo {count} >/proc/kernel/sys/user/{limit} && exec \"$@\"");
        let through = ["unshare", "--user", "--map-root-user", "sh", "-c", &script, "sh"];
        let mut daemon = Daemon::start(&world, &Start { through: &through, ..Start::default() });
        let ready = daemon.hears("READY=1");
        assert!(ready.contains("watch"), "{ready}");
        assert!(daemon.said().contains("ERROR"), "{}", daemon.said());
        break_kubelet(&world);
        report_where(&world, |report| report["verdict"] == "not-ready");
        mend_kubelet(&world);
        report_where(&world, |report| report["verdict"] == "ready");
        assert_eq!(daemon.said().matches("ERROR").count(), 1, "{}", daemon.said());
        daemon.stop();
    }
}
