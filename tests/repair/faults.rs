//! `fix` under every fault, and that the injection finds what is there to be found.

use std::path::Path;
use std::sync::OnceLock;

use crate::checker::{Snapshot, State};
use crate::injection::{Ends, Subject, campaign};
use crate::world::{QUICK, Recipe, World, possible};

/// Of this many faults, one is injected.
fn sample(default: usize) -> usize {
    std::env::var("CCGPU_FAULT_SAMPLE").map_or(default, |text| text.parse().expect("a number"))
}

/// A world with a stand-in for the program under test.
fn with_stand_in() -> World {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/repair/stand_in.py");
    let programs = vec![("stand-in", script)];
    let kernels = &["6.17.0-8-generic"];
    World::start(&Recipe { fixture: "grub-not-generated", programs, stubs: QUICK, kernels })
        .unwrap()
}

fn stand_in(way: &'static str) -> Subject {
    let words = |verb| vec!["stand-in", way, verb];
    // What is before that is Python's.
    Subject {
        fix: words("fix"),
        recover: words("recover"),
        begins: "\"/etc/default/grub\"",
        ends: Ends::Either,
    }
}

#[test]
fn a_careful_program_is_found_to_be_careful() {
    if !possible() {
        return;
    }
    let subject = stand_in("careful");
    // A sample any sparser than this need not see all three states.
    let campaign = campaign(&with_stand_in, &subject, sample(11).min(11));
    println!("{}", campaign.table());
    assert!(campaign.violations().is_empty(), "{:#?}", campaign.violations());
    let seen = |state| campaign.verdicts.iter().filter(|v| v.state == Some(state)).count();
    assert!(seen(State::Before) > 0 && seen(State::Between) > 0 && seen(State::After) > 0);
}

#[test]
fn a_program_that_truncates_and_writes_is_caught() {
    if !possible() {
        return;
    }
    let subject = stand_in("careless");
    let campaign = campaign(&with_stand_in, &subject, 1);
    println!("{}", campaign.table());
    let violations = campaign.violations();
    let caught = |what: &str| violations.iter().any(|found| found.contains(what));
    assert!(caught("KILL at write") && caught("neither before nor after"), "{violations:#?}");
    assert!(caught("ENOSPC at write") && caught("recover left neither"), "{violations:#?}");
    assert!(caught("recover left it between"), "{violations:#?}");
}

#[test]
fn a_program_that_claims_success_without_looking_is_caught() {
    if !possible() {
        return;
    }
    let subject = stand_in("boastful");
    let campaign = campaign(&with_stand_in, &subject, 5);
    println!("{}", campaign.table());
    let violations = campaign.violations();
    assert!(violations.iter().any(|found| found.contains("claims success")), "{violations:#?}");
}

/// A subject that starts a program is also tried with that program failing to start, and is caught when it
/// does not look.
#[test]
fn programs_that_a_subject_starts_are_made_to_fail() {
    if !possible() {
        return;
    }
    let script = "grub-mkconfig -o /boot/grub/grub.cfg </etc/default/grub; exit 0";
    let subject = Subject {
        fix: vec!["sh", "-c", script],
        recover: vec!["true"],
        begins: "\"/etc/default/grub\"",
        ends: Ends::Either,
    };
    let campaign = campaign(&with_stand_in, &subject, 1);
    println!("{}", campaign.table());
    let violations = campaign.violations();
    for kind in ["EIO", "EACCES", "KILL", "TERM"] {
        let what = format!("{kind} at the start of grub-mkconfig: it claims success");
        assert!(violations.iter().any(|found| found.contains(&what)), "{kind}: {violations:#?}");
    }
}

/// A host that lacks an argument of the kernel, a gate and a timeout of the kubelet, and has the open
/// driver loaded: a plan with every kind of step.
fn with_much_to_fix() -> World {
    let world = World::start(&Recipe {
        fixture: "iommu-off-in-kernel",
        programs: Vec::new(),
        stubs: QUICK,
        kernels: &["6.17.0-8-generic"],
    })
    .unwrap();
    world.must(&["grub-mkconfig", "-o", "/boot/grub/grub.cfg"]);
    world.edit(
        "/var/lib/kubelet/config.yaml",
        "RuntimeClassInImageCriApi: true",
        "GracefulNodeShutdown: true",
    );
    world.edit(
        "/var/lib/kubelet/config.yaml",
        "runtimeRequestTimeout: 20m0s",
        "runtimeRequestTimeout: 0s",
    );
    let modules = world.read("/proc/modules");
    world
        .write("/proc/modules", &format!("{modules}nouveau 3000000 0 - Live 0x0000000000000000\n"));
    world.must(&["update-initramfs", "-u", "-k", "all"]);
    // A unit that is started again this soon is watched for the shortest time.
    world.write("/run/stub/unit/restart_usec", "200ms\n");
    world.write("/run/stub/unit/restart_sec", "0.2\n");
    world.keep();
    world
}

/// The same host, with all of it done.
fn with_all_fixed() -> World {
    let world = with_much_to_fix();
    let outcome = world.run(&fix());
    assert_eq!(outcome.code, 4, "{outcome:?}");
    world.settle();
    world.keep();
    world
}

/// The same host, with a repair that was killed at its first call of this name.
fn killed_at(call: &str) -> World {
    let world = with_much_to_fix();
    let before = Snapshot::of(&world.root());
    let (trace, kill) = (format!("--trace={call}"), format!("--inject={call}:signal=KILL:when=1"));
    let strace = ["strace", "-qq", "-o", "/run/calls", &trace, &kill];
    let outcome = world.run(&[&strace[..], &fix()].concat());
    assert_eq!(outcome.code, 137, "{outcome:?}");
    world.settle();
    assert!(
        !before.differences(&Snapshot::of(&world.root())).is_empty(),
        "it was killed too early"
    );
    world.keep();
    world
}

/// With the boot menu in place, and the kubelet untouched.
fn with_half_done() -> World {
    killed_at("syncfs")
}

/// With all files in place, and the kubelet restarted, which is being watched.
fn with_most_done() -> World {
    killed_at("socket")
}

/// With the hash of the plan: an input that cannot be read makes another plan, which a clean run tells
/// nothing of.
fn fix() -> Vec<&'static str> {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| {
        let plan = with_much_to_fix().run(&["ccgpu-node", "fix", "--dry-run", "--unsafe"]).stdout;
        let hash = plan.lines().find_map(|line| line.strip_prefix("plan "));
        hash.unwrap_or_else(|| panic!("{plan}")).to_owned()
    });
    vec!["ccgpu-node", "fix", "--yes", "--unsafe", "--plan", hash]
}

const ROLLBACK: &[&str] = &["ccgpu-node", "rollback", "--yes"];
const RECOVER: &[&str] = &["ccgpu-node", "recover"];

/// Injects faults into the real program. A campaign that injected too little must not be taken for a
/// good one, so that both numbers have a floor.
fn survives(start: fn() -> World, words: &[&'static str], ends: Ends, step: usize, floor: usize) {
    if !possible() {
        return;
    }
    let subject = Subject { fix: words.to_vec(), recover: RECOVER.to_vec(), begins: "", ends };
    let campaign = campaign(&start, &subject, sample(step));
    println!("{}: {}", words[1], campaign.table());
    assert!(campaign.violations().is_empty(), "{:#?}", campaign.violations());
    let possible = campaign.possible;
    assert!(possible >= floor, "only {possible} faults are possible");
    let runs = campaign.verdicts.len();
    assert!(runs >= floor / sample(step), "only {runs} faults were injected");
    assert!(campaign.kinds_left_out().is_empty(), "no {:?}", campaign.kinds_left_out());
}

#[test]
fn fix_survives_every_fault() {
    if possible() {
        survives(with_much_to_fix, &fix(), Ends::Either, 101, 4_000);
    }
}

#[test]
fn rollback_survives_every_fault() {
    survives(with_all_fixed, ROLLBACK, Ends::Either, 101, 2_000);
}

#[test]
fn recover_survives_every_fault() {
    survives(with_half_done, RECOVER, Ends::After, 37, 700);
}

#[test]
fn recover_of_a_kubelet_too_survives_every_fault() {
    survives(with_most_done, RECOVER, Ends::After, 101, 1_500);
}
