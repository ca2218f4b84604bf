//! The kubelet's configuration, with a kubelet and a systemd that misbehave in every way before and after
//! the change.

use crate::checker::{Oracle, Snapshot, State};
use crate::scenes::{KUBELET, ends, host, is_there, run};
use crate::world::World;

/// A host that is ready but for a gate and the timeout of its kubelet.
fn world() -> Option<World> {
    let world = host("h100-single-tdx")?;
    world.edit(KUBELET, "RuntimeClassInImageCriApi: true", "GracefulNodeShutdown: true");
    world.edit(KUBELET, "runtimeRequestTimeout: 20m0s", "runtimeRequestTimeout: 0s");
    world.must(&["systemctl", "restart", "kubelet"]);
    world.keep();
    Some(world)
}

fn pid(world: &World) -> String {
    world.must(&["systemctl", "show", "kubelet", "--value", "--property=MainPID"])
}

/// Whether the kubelet that runs answers well, within a second.
fn is_healthy(world: &World) -> bool {
    let ask = "import urllib.request as u, time
for _ in range(40):
    try:
        print(u.urlopen('http://127.0.0.1:10248/healthz', timeout=2).status); break
    except OSError:
        time.sleep(0.05)";
    world.must(&["/usr/bin/python3", "-c", ask]).trim() == "200"
}

/// A fix that ends with this code and leaves every file as it was; all that it said.
fn leaves_all(world: &World, code: i32) -> String {
    let before = Snapshot::of(&world.root());
    let said = ends(world, &["fix", "--yes"], code);
    let now = Snapshot::of(&world.root());
    assert!(before.differences(&now).is_empty(), "{:?}", before.differences(&now));
    assert!(now.temporary().is_empty(), "{:?}", now.temporary());
    assert!(!is_there(world, "/run/reboot-required"));
    said
}

#[test]
fn what_the_kubelet_lacks_is_written_and_the_kubelet_restarted_and_watched() {
    let Some(world) = world() else { return };
    let before = Snapshot::of(&world.root());
    let old = pid(&world);
    ends(&world, &["check"], 1);
    let shown = ends(&world, &["fix", "--dry-run"], 1);
    assert!(shown.contains("it takes the new configuration."), "{shown}");
    assert!(shown.contains("The kubelet restarts"), "{shown}");
    assert_eq!(pid(&world), old);
    let done = ends(&world, &["fix", "--yes"], 0);
    assert!(done.contains("DONE") && done.contains("READY"), "{done}");
    assert_ne!(pid(&world), old);
    assert!(is_healthy(&world));
    ends(&world, &["check"], 0);
    let after = Snapshot::of(&world.root());
    assert!(ends(&world, &["fix", "--yes"], 0).contains("Nothing to change"));
    let new = pid(&world);
    ends(&world, &["rollback", "--yes"], 0);
    assert_ne!(pid(&world), new);
    assert!(is_healthy(&world));
    let state = Oracle { before, after }.judge(&Snapshot::of(&world.root()));
    assert_eq!(state, Ok(State::Before));
    ends(&world, &["check"], 1);
}

#[test]
fn a_configuration_that_the_kubelet_refuses_is_not_put_in_place() {
    let Some(world) = world() else { return };
    let old = pid(&world);
    for mode in ["dry-run-fail", "dry-run-panic"] {
        world.mode("kubelet", mode);
        let said = leaves_all(&world, 5);
        assert!(said.contains("it refuses the new configuration"), "{mode}: {said}");
        assert!(said.contains("nothing was changed"), "{mode}: {said}");
    }
    assert_eq!(pid(&world), old);
}

#[test]
fn a_dry_run_without_a_verdict_is_shown_as_such_and_the_watch_decides() {
    let Some(world) = world() else { return };
    for mode in ["dry-run-garbage", "dry-run-silent", "dry-run-hang"] {
        world.mode("kubelet", mode);
        let said = ends(&world, &["fix", "--yes"], 0);
        assert!(said.contains("no verdict on the new configuration"), "{mode}: {said}");
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{mode}: {said:?}");
        assert!(is_healthy(&world));
        ends(&world, &["rollback", "--yes"], 0);
    }
}

/// The kubelet does this with the new configuration and is well with the old one.
fn fails_with_the_new_one(world: &World, how: &str) -> String {
    world.mode("kubelet", &format!("new-{how}"));
    let old = pid(world);
    let said = leaves_all(world, 6);
    assert!(said.contains("was taken back, so that all is as before"), "{said}");
    assert_ne!(pid(world), old, "the old configuration was not read again");
    assert!(is_healthy(world));
    let history = ends(world, &["history"], 0);
    assert!(history.contains("taken back"), "{history}");
    assert!(ends(world, &["recover"], 0).contains("Nothing to recover"));
    said
}

#[test]
fn a_kubelet_that_dies_with_the_new_configuration_gets_the_old_one() {
    let Some(world) = world() else { return };
    for how in ["crash", "late"] {
        let said = fails_with_the_new_one(&world, how);
        assert!(said.contains("kubelet.service did not come up"), "{how}: {said}");
    }
}

#[test]
fn a_kubelet_that_is_unhealthy_or_silent_with_the_new_configuration_gets_the_old_one() {
    let Some(world) = world() else { return };
    for (how, why) in [("unhealthy", "says 500"), ("hang", "does not answer")] {
        let said = fails_with_the_new_one(&world, how);
        assert!(said.contains(why), "{how}: {said}");
    }
}

#[test]
fn a_kubelet_that_no_longer_comes_up_at_all_needs_a_person() {
    let Some(world) = world() else { return };
    world.mode("kubelet", "serve-crash");
    let said = leaves_all(&world, 7);
    assert!(said.contains("a person has to look"), "{said}");
    assert!(said.contains("all files are as they were"), "{said}");
    let history = ends(&world, &["history"], 0);
    assert!(history.contains("needs a person"), "{history}");
    // It is no longer this program's affair, and does not keep it from working.
    assert!(ends(&world, &["recover"], 0).contains("Nothing to recover"));
    world.mode("kubelet", "");
    world.kill_all();
    world.must(&["systemctl", "restart", "kubelet"]);
    ends(&world, &["fix", "--yes"], 0);
    let first = run(&world, &["rollback", "1", "--yes"]);
    assert_eq!(first.code, 5, "{first:?}");
    ends(&world, &["rollback", "--yes"], 0);
}

#[test]
fn a_systemctl_that_fails_or_talks_nonsense_ends_in_no_false_success() {
    let Some(world) = world() else { return };
    for (mode, code) in
        [("fail-restart", 7), ("lie-restart", 7), ("garbage-show", 7), ("deaf-show", 7)]
    {
        world.reset();
        world.must(&["systemctl", "restart", "kubelet"]);
        world.mode("systemctl", mode);
        let before = Snapshot::of(&world.root());
        let outcome = run(&world, &["fix", "--yes"]);
        let now = Snapshot::of(&world.root());
        assert_eq!(outcome.code, code, "{mode}: {outcome:?}");
        assert!(before.differences(&now).is_empty(), "{mode}: {:?}", before.differences(&now));
        let said = outcome.stdout + &outcome.stderr;
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{mode}: {said:?}");
    }
}

#[test]
#[ignore = "takes five minutes"]
fn a_systemctl_that_never_answers_is_given_up() {
    let Some(world) = world() else { return };
    world.mode("systemctl", "hang-restart");
    let before = Snapshot::of(&world.root());
    let outcome =
        world.run_within(std::time::Duration::from_secs(400), &["ccgpu-node", "fix", "--yes"]);
    assert_eq!(outcome.code, 7, "{outcome:?}");
    assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
}
