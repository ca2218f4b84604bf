//! `fix --automatic` on whole machines: what it mends, what it refuses, and that nothing makes it forget
//! what it tried.

use std::collections::BTreeMap;

use crate::checker::Snapshot;
use crate::scenes::{KUBELET, ends, host, is_there, run};
use crate::world::{Outcome, World};

const LEDGER: &str = "/var/lib/ccgpu-node/remediation.json";
const RESTARTS: &str = "/run/stub/restarts";
const GATE: &str = "kubelet-runtime-class-in-image-cri";
const TIMEOUT: &str = "kubelet-runtime-request-timeout";

/// A host whose kubelet lacks a gate and a timeout, and which may be mended without a person.
fn world() -> Option<World> {
    let world = host("h100-single-tdx")?;
    world.edit(KUBELET, "RuntimeClassInImageCriApi: true", "GracefulNodeShutdown: true");
    world.edit(KUBELET, "runtimeRequestTimeout: 20m0s", "runtimeRequestTimeout: 0s");
    world.must(&["systemctl", "restart", "kubelet"]);
    allow(&world, &[GATE, TIMEOUT]);
    world.keep();
    Some(world)
}

fn allow(world: &World, rules: &[&str]) {
    world.write(
        "/etc/ccgpu-node/config.toml",
        &format!("[remediate]\nmode = \"auto\"\nrules = {rules:?}\n"),
    );
}

fn automatic(world: &World) -> Outcome {
    run(world, &["fix", "--automatic"])
}

/// It refuses, says this, and touches no file of the host and no kubelet.
fn refuses(world: &World, because: &str) {
    let (before, restarts) = (Snapshot::of(&world.root()), restarts(world));
    let said = ends(world, &["fix", "--automatic"], 5);
    assert!(said.contains(because), "{because:?} is not in {said}");
    assert!(said.contains("nothing was changed"), "{said}");
    let now = Snapshot::of(&world.root());
    assert!(before.differences(&now).is_empty(), "{:?}", before.differences(&now));
    assert_eq!(self::restarts(world), restarts);
}

/// How often the kubelet was restarted since the world began.
fn restarts(world: &World) -> usize {
    if is_there(world, RESTARTS) { world.read(RESTARTS).lines().count() } else { 0 }
}

fn ledger(world: &World) -> serde_json::Value {
    serde_json::from_str(&world.read(LEDGER)).unwrap()
}

fn attempts(world: &World) -> usize {
    if is_there(world, LEDGER) { ledger(world)["attempts"].as_array().unwrap().len() } else { 0 }
}

/// Runs it on the same machine, booted a minute ago, however long this one has been up.
fn just_booted(world: &World) -> Outcome {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: i64 = uptime.split('.').next().unwrap().parse().unwrap();
    later(world, 60 - seconds)
}

/// Runs it on the same machine, which has been up for so many more seconds.
fn later(world: &World, seconds: i64) -> Outcome {
    let words = ["unshare", "--time", &format!("--boottime={seconds}"), "ccgpu-node"];
    world.run_within(
        std::time::Duration::from_secs(240),
        &[&words[..], &["fix", "--automatic"]].concat(),
    )
}

#[test]
fn what_may_be_mended_is_mended_once_and_nothing_else() {
    let Some(world) = world() else { return };
    allow(&world, &[GATE]);
    let before = restarts(&world);
    let said = ends(&world, &["fix", "--automatic"], 1);
    assert!(said.contains("DONE") && said.contains(&format!("LEFT  {TIMEOUT}")), "{said}");
    let kubelet = world.read(KUBELET);
    assert!(kubelet.contains("RuntimeClassInImageCriApi: true"), "{kubelet}");
    assert!(kubelet.contains("runtimeRequestTimeout: 0s"), "{kubelet}");
    assert_eq!(restarts(&world), before + 1);
    let ledger = ledger(&world);
    assert_eq!(ledger["attempts"][0]["rules"], serde_json::json!([GATE]));
    assert_eq!(ledger["attempts"][0]["outcome"]["kind"], "fixed");
    assert_eq!(ledger["breaker"]["state"], "closed");
    assert_eq!(ledger["outcomes"]["fixed"], 1);
    // It comes back: not again today, whoever asks.
    world.edit(KUBELET, "RuntimeClassInImageCriApi: true", "RuntimeClassInImageCriApi: false");
    refuses(&world, &format!("{GATE} was tried within 24 h"));
    // Another rule, and not so soon after the last restart.
    allow(&world, &[GATE, TIMEOUT]);
    refuses(&world, "the kubelet was restarted within 30 min");
    let outcome = later(&world, 1_900);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(attempts(&world), 2);
    assert_eq!(restarts(&world), before + 2);
    let kubelet = world.read(KUBELET);
    assert!(kubelet.contains("runtimeRequestTimeout: 20m"), "{kubelet}");
    assert!(kubelet.contains("RuntimeClassInImageCriApi: false"), "{kubelet}");
}

#[test]
fn a_kubelet_that_fails_opens_the_breaker_and_a_reset_changes_no_bound() {
    let Some(world) = world() else { return };
    world.mode("kubelet", "new-crash");
    let (before, begun) = (Snapshot::of(&world.root()), restarts(&world));
    let said = ends(&world, &["fix", "--automatic"], 6);
    assert!(said.contains("was taken back, so that all is as before"), "{said}");
    let now = Snapshot::of(&world.root());
    assert!(before.differences(&now).is_empty(), "{:?}", before.differences(&now));
    assert_eq!(restarts(&world), begun + 2);
    world.mode("kubelet", "");
    refuses(&world, "a fix was taken back");
    refuses(&world, "`ccgpu-node reset` goes on");
    // Nobody is there to be asked.
    let said = ends(&world, &["reset"], 2);
    assert!(said.contains("a fix was taken back"), "{said}");
    refuses(&world, "a fix was taken back");
    ends(&world, &["reset", "--yes"], 0);
    assert!(ends(&world, &["reset", "--yes"], 0).contains("nothing to reset"));
    assert_eq!(ledger(&world)["outcomes"]["rolled_back"], 1);
    refuses(&world, "was tried within 24 h");
    // A day later the present counts, and all is mended.
    let outcome = later(&world, 90_000);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(restarts(&world), begun + 3);
}

#[test]
fn a_kubelet_that_never_comes_up_is_restarted_twice_however_often_somebody_asks() {
    let Some(world) = world() else { return };
    world.mode("kubelet", "serve-crash");
    let begun = restarts(&world);
    let outcome = automatic(&world);
    assert_eq!(outcome.code, 7, "{outcome:?}");
    for round in 0..50 {
        if round % 5 == 0 {
            ends(&world, &["reset", "--yes"], 0);
        }
        let outcome = automatic(&world);
        assert_eq!(outcome.code, 5, "{round}: {outcome:?}");
    }
    assert_eq!(restarts(&world), begun + 2);
    // Nor where the machine boots in between, again and again; a boot puts the count back.
    for _ in 0..5 {
        world.reboot();
        world.mode("kubelet", "serve-crash");
        ends(&world, &["reset", "--yes"], 0);
        assert_eq!(just_booted(&world).code, 5);
    }
    assert_eq!(restarts(&world), begun);
}

#[test]
fn a_pause_a_mode_and_an_empty_list_are_obeyed() {
    let Some(world) = world() else { return };
    ends(&world, &["pause", "firmware", "update\u{1b}[2J"], 0);
    refuses(&world, "mending is paused by /etc/ccgpu-node/pause: firmware update");
    let said = ends(&world, &["resume"], 0);
    assert!(said.contains("is over"), "{said}");
    assert!(ends(&world, &["resume"], 0).contains("no pause"));
    for mode in ["off", "plan"] {
        let text = format!("[remediate]\nmode = {mode:?}\nrules = [{TIMEOUT:?}]\n");
        world.write("/etc/ccgpu-node/config.toml", &text);
        refuses(&world, &format!("mode = \"{mode}\""));
    }
    allow(&world, &[]);
    let said = ends(&world, &["fix", "--automatic"], 2);
    assert!(said.contains("no rule is named"), "{said}");
    world.must(&["rm", "/etc/ccgpu-node/config.toml"]);
    refuses(&world, "mode = \"off\"");
    assert_eq!(attempts(&world), 0);
    world.write("/etc/ccgpu-node/config.toml", "[remediate]\nmode = \"automatic\"\n");
    assert_eq!(automatic(&world).code, 2);
}

#[test]
fn whoever_is_at_work_is_left_alone_and_that_is_no_attempt() {
    let Some(world) = world() else { return };
    // kubeadm
    world.write("/proc/4001/comm", "kubeadm\n");
    world.must(&["mkdir", "/proc/4001/fd"]);
    refuses(&world, "kubeadm (process 4001) runs");
    world.must(&["rm", "-r", "/proc/4001"]);
    // A virtual machine with a GPU.
    world.write("/proc/4002/comm", "qemu-system-x86\n");
    world.must(&["sh", "-c", "mkdir /proc/4002/fd && ln -s /dev/vfio/9 /proc/4002/fd/3"]);
    refuses(&world, "qemu-system-x86 (process 4002) has /dev/vfio/9 open");
    world.must(&["rm", "-r", "/proc/4002"]);
    // Another run.
    ends(&world, &["history"], 0);
    world.must(&["sh", "-c", "mkdir -p /var/lib/ccgpu-node && : >>/var/lib/ccgpu-node/lock"]);
    let held = ["flock", "/var/lib/ccgpu-node/lock", "ccgpu-node", "fix", "--automatic"];
    let outcome = world.run(&held);
    assert_eq!(outcome.code, 5, "{outcome:?}");
    assert!(outcome.stderr.contains("another run is changing this host"), "{outcome:?}");
    assert_eq!(attempts(&world), 0);
    assert_eq!(automatic(&world).code, 0);
    assert_eq!(attempts(&world), 1);
}

#[test]
fn a_ledger_that_cannot_be_read_stops_everything_until_a_reset() {
    let Some(world) = world() else { return };
    for text in ["", "{}", "{\"version\": 1", "\u{1b}[2J"] {
        world.write(LEDGER, text);
        refuses(&world, "remediation.json cannot be trusted");
    }
    let said = ends(&world, &["reset", "--yes"], 0);
    assert!(said.contains("is not known"), "{said}");
    assert_eq!(automatic(&world).code, 0);
}

#[test]
fn a_fix_that_somebody_took_back_is_not_made_again() {
    let Some(world) = world() else { return };
    assert_eq!(automatic(&world).code, 0);
    ends(&world, &["rollback", "--yes"], 0);
    let outcome = later(&world, 90_000);
    assert_eq!(outcome.code, 5, "{outcome:?}");
    assert!(outcome.stderr.contains("was taken back"), "{outcome:?}");
    assert_eq!(ledger(&world)["breaker"]["state"], "open");
}

#[test]
fn a_boot_change_waits_for_its_boot_and_one_that_it_did_not_bring_opens_the_breaker() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    allow(&world, &["iommu-active", TIMEOUT]);
    let outcome = automatic(&world);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert!(is_there(&world, "/run/ccgpu-node-fix/reboot-required"));
    assert!(!is_there(&world, "/run/ccgpu-node"));
    refuses(&world, "waits for a reboot");
    // Booted, and not with what the menu says.
    let cmdline = world.read("/proc/cmdline");
    world.reboot();
    world.write("/proc/cmdline", &cmdline);
    refuses(&world, "the reboot did not bring");
    assert_eq!(ledger(&world)["breaker"]["state"], "open");
}

#[test]
fn options_that_a_person_needs_do_not_go_with_it() {
    let Some(world) = world() else { return };
    for option in ["--unsafe", "--allow-busy", "--dry-run", "--only=x", "--root=/", "--assume=x=y"]
    {
        let said = ends(&world, &["fix", "--automatic", option], 2);
        assert!(said.contains("cannot be used with"), "{option}: {said}");
    }
    assert_eq!(attempts(&world), 0);
}

/// One kill: `KILL` where the program makes its `number`-th call of this name.
fn killed(world: &World, call: &str, number: u32) -> Outcome {
    let inject = format!("--inject={call}:signal=KILL:when={number}");
    let trace = format!("--trace={call}");
    let strace = ["strace", "-qq", "-o", "/run/calls", &trace, &inject];
    let outcome = world.run(&[&strace[..], &["ccgpu-node", "fix", "--automatic"]].concat());
    world.settle();
    outcome
}

#[test]
fn a_kill_at_any_moment_loses_no_attempt() {
    let Some(world) = world() else { return };
    // How often it makes each call that changes something, from the first that does.
    let calls = "fsync,renameat,renameat2,unlinkat,mkdirat,ftruncate,pwrite64,write,connect";
    let strace = ["strace", "-qq", "-o", "/run/calls", &format!("--trace={calls}")];
    let outcome = world.run(&[&strace[..], &["ccgpu-node", "fix", "--automatic"]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for line in world.read("/run/calls").lines() {
        if let Some((call, _)) = line.split_once('(').filter(|(call, _)| !call.contains(' ')) {
            *counts.entry(call.to_owned()).or_default() += 1;
        }
    }
    let step: usize =
        std::env::var("CCGPU_FAULT_SAMPLE").map_or(7, |text| text.parse().expect("a number"));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let places: Vec<(&String, u32)> =
        counts.iter().flat_map(|(call, &count)| (1..=count).map(move |n| (call, n))).collect();
    assert!(places.len() > 50, "{counts:?}");
    for (call, number) in places.iter().step_by(step) {
        let place = format!("{call} {number}");
        world.reset();
        world.must(&["systemctl", "restart", "kubelet"]);
        let (before, begun) = (Snapshot::of(&world.root()), restarts(&world));
        let outcome = killed(&world, call, *number);
        if outcome.code != 137 {
            // How often it asks the kubelet depends on when that comes up.
            assert_eq!(outcome.code, 0, "{place}: {outcome:?}");
            *seen.entry("missed").or_default() += 1;
            continue;
        }
        let touched = !before.differences(&Snapshot::of(&world.root())).is_empty();
        let acted = touched || restarts(&world) > begun;
        let known = attempts(&world);
        assert!(known == 1 || !acted, "{place}: it changed something, and the attempt is lost");
        let finished = known == 1 && ledger(&world)["attempts"][0]["outcome"]["kind"] == "fixed";
        let next = automatic(&world);
        let what = match (known, finished) {
            // Nothing was begun: the next one does it all.
            (0, _) => {
                assert_eq!(next.code, 0, "{place}: {next:?}");
                "before"
            }
            (_, true) => {
                assert_eq!(next.code, 0, "{place}: {next:?}");
                "after"
            }
            _ => {
                assert_eq!(next.code, 5, "{place}: {next:?}");
                assert_eq!(ledger(&world)["breaker"]["state"], "open", "{place}");
                let now = Snapshot::of(&world.root());
                assert!(now.temporary().is_empty(), "{place}: {:?}", now.temporary());
                "between"
            }
        };
        *seen.entry(what).or_default() += 1;
        let again = automatic(&world);
        assert!(again.code == 5 || again.code == 0, "{place}: {again:?}");
        assert!(attempts(&world) == 1, "{place}");
        assert!(restarts(&world) <= begun + 2, "{place}: {}", restarts(&world) - begun);
    }
    println!("{seen:?}");
    assert!(seen.contains_key("before") && seen.contains_key("between"), "{seen:?}");
    assert!(seen.get("missed").is_none_or(|missed| missed * 4 < places.len() / step), "{seen:?}");
}
