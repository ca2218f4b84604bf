//! What a service manager sees: the start, the reload, the watchdog, the end, and that there is only one.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::daemon::{
    CONFIG, Daemon, KUBELET, REPORT, Start, break_kubelet, machine, mend_kubelet, report_where,
};

const TEXTFILE: &str = "/var/lib/prometheus/node-exporter/ccgpu-node.prom";

#[test]
fn it_is_ready_when_its_verdict_is_published_and_takes_it_back_at_its_end() {
    let Some(world) = machine() else { return };
    let mut daemon = Daemon::start(&world, &Start::default());
    let ready = daemon.hears("READY=1");
    assert!(ready.contains("STATUS=ready; ready for stage "), "{ready}");
    assert_eq!(daemon.told.len(), 1, "{:?}", daemon.told);
    assert_eq!(report_where(&world, |_| true)["verdict"], "ready");
    assert!(world.read(TEXTFILE).contains("ccgpu_node_"));

    daemon.signal(Signal::SIGTERM);
    daemon.hears("STOPPING=1");
    assert!(daemon.ends().success(), "{}", daemon.said());
    for path in [REPORT, TEXTFILE] {
        assert!(world.path(path).symlink_metadata().is_err(), "{path} is left");
    }
    assert_eq!(
        std::fs::read_dir(world.path("/var/lib/prometheus/node-exporter")).unwrap().count(),
        0
    );
}

#[test]
fn a_change_is_told_and_so_is_its_end() {
    let Some(world) = machine() else { return };
    let mut daemon = Daemon::ready(&world);
    break_kubelet(&world);
    let status = daemon.hears("STATUS=");
    assert!(status.contains("not-ready; kubelet-runtime-request-timeout"), "{status}");
    report_where(&world, |report| report["verdict"] == "not-ready");
    mend_kubelet(&world);
    daemon.hears("STATUS=ready");
    report_where(&world, |report| report["verdict"] == "ready");
    daemon.stop();
}

#[test]
fn a_file_that_is_replaced_or_removed_is_noticed_like_one_that_is_written() {
    let Some(world) = machine() else { return };
    let mut daemon = Daemon::ready(&world);
    let text = world.read(KUBELET);
    let beside = world.path("/var/lib/kubelet/.new");
    std::fs::write(&beside, text.replace("20m0s", "1s")).unwrap();
    std::fs::rename(&beside, world.path(KUBELET)).unwrap();
    daemon.hears("STATUS=not-ready");
    std::fs::remove_file(world.path(KUBELET)).unwrap();
    report_where(&world, |report| {
        report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["id"] == "kubelet-config-refused" && rule["status"] != "pass")
    });
    world.write(KUBELET, &text);
    report_where(&world, |report| {
        report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["id"] == "kubelet-runtime-request-timeout" && rule["status"] == "pass")
    });
    daemon.stop();
}

#[test]
fn a_second_daemon_is_refused_and_told_who_is_there() {
    let Some(world) = machine() else { return };
    let first = Daemon::ready(&world);
    let second = world.run(&["ccgpu-node", "daemon"]);
    assert_eq!(second.code, 5, "{}", second.stderr);
    let holder = world.read("/run/ccgpu-node/daemon.lock");
    assert!(second.stderr.contains(&format!("process {}", holder.trim())), "{}", second.stderr);
    report_where(&world, |report| report["verdict"] == "ready");
    first.stop();
}

#[test]
fn a_reload_takes_all_of_a_good_configuration_and_nothing_of_a_bad_one() {
    let Some(world) = machine() else { return };
    let mut daemon = Daemon::ready(&world);
    world.write(CONFIG, "[check]\nskip = [\"kubelet-*\"]\n");
    daemon.signal(Signal::SIGHUP);
    let reloading = daemon.hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    daemon.hears("READY=1");
    report_where(&world, |report| report["left_out"].as_u64() > Some(3));

    world.write(CONFIG, "[check]\nskipp = []\n[publish]\ntextfile = false\n");
    daemon.signal(Signal::SIGHUP);
    daemon.hears("RELOADING=1");
    let ready = daemon.hears("READY=1");
    assert!(ready.contains("reload failed") && ready.contains("skipp"), "{ready}");
    assert!(daemon.said().contains("the one before stays"), "{}", daemon.said());
    break_kubelet(&world);
    mend_kubelet(&world);
    assert!(world.read(TEXTFILE).contains("ccgpu_node_"));
    assert!(report_where(&world, |_| true)["left_out"].as_u64() > Some(3));

    world.write(CONFIG, "[publish.textfile]\nenabled = false\n");
    daemon.signal(Signal::SIGHUP);
    daemon.hears("RELOADING=1");
    let ready = daemon.hears("READY=1");
    assert!(!ready.contains("reload failed"), "{ready}");
    report_where(&world, |report| report["left_out"] == 0);
    assert!(world.path(TEXTFILE).symlink_metadata().is_err());
    daemon.stop();
}

#[test]
fn a_wrong_configuration_at_the_start_is_the_end() {
    let Some(world) = machine() else { return };
    world.write(CONFIG, "[daemon]\ninterval = \"soon\"\n");
    let ended = world.run(&["ccgpu-node", "daemon"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("interval"), "{}", ended.stderr);
    assert!(world.path(REPORT).symlink_metadata().is_err());
}

#[test]
fn the_watchdog_is_fed_as_often_as_it_wants() {
    let Some(world) = machine() else { return };
    let environment = &[("WATCHDOG_USEC", "200000")];
    let mut daemon = Daemon::start(&world, &Start { environment, ..Start::default() });
    daemon.hears("READY=1");
    for _ in 0..5 {
        daemon.hears("WATCHDOG=1");
    }
    daemon.stop();
    let environment = &[("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")];
    let mut other = Daemon::start(&world, &Start { environment, ..Start::default() });
    other.hears("READY=1");
    while let Some(message) = other.message(Duration::from_secs(1)) {
        assert!(!message.contains("WATCHDOG"), "the watchdog of another process is fed");
    }
    other.stop();
}

#[test]
fn an_end_waits_for_no_kubelet_that_hangs() {
    let Some(world) = machine() else { return };
    world.mode("kubelet", "version-hang");
    let mut daemon = Daemon::start(&world, &Start::default());
    let is_asked = || world.run(&["sh", "-c", "cat /proc/kernel/[0-9]*/comm"]).stdout;
    let mut asked = is_asked();
    while !asked.contains("kubelet") {
        asked = is_asked();
    }
    daemon.signal(Signal::SIGTERM);
    daemon.hears("STOPPING=1");
    assert!(daemon.ends().success(), "{}", daemon.said());
    assert!(!daemon.told.iter().any(|told| told.contains("READY")), "{:?}", daemon.told);
    assert!(world.path(REPORT).symlink_metadata().is_err());
}
