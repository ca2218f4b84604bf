//! `fix` under every fault, and that the injection finds what is there to be found.

use std::path::Path;

use crate::checker::State;
use crate::injection::{Subject, campaign};
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
    Subject { fix: words("fix"), recover: words("recover"), begins: "\"/etc/default/grub\"" }
}

#[test]
fn a_careful_program_is_found_to_be_careful() {
    if !possible() {
        return;
    }
    let subject = stand_in("careful");
    let campaign = campaign(&with_stand_in, &subject, sample(11));
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
    world.keep();
    world
}

#[test]
fn the_host_with_much_to_fix_has_it() {
    if !possible() {
        return;
    }
    let world = with_much_to_fix();
    let report = world.run(&["ccgpu-node", "check", "--format", "json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let of = |status: &str| -> Vec<&str> {
        let rules = report["rules"].as_array().unwrap().iter();
        rules
            .filter(|rule| rule["status"] == status)
            .map(|rule| rule["id"].as_str().unwrap())
            .collect()
    };
    let failed = [
        "iommu-active",
        "open-gpu-driver-loaded",
        "kubelet-runtime-class-in-image-cri",
        "kubelet-runtime-request-timeout",
    ];
    assert_eq!(of("fail"), failed);
    assert!(of("unknown").is_empty(), "{:?}", of("unknown"));
}

#[test]
fn fix_survives_every_fault() {
    if !possible() {
        return;
    }
    let subject = Subject {
        fix: vec!["ccgpu-node", "fix", "--yes"],
        recover: vec!["ccgpu-node", "recover"],
        begins: "",
    };
    let campaign = campaign(&with_much_to_fix, &subject, sample(101));
    println!("{}", campaign.table());
    assert!(campaign.violations().is_empty(), "{:#?}", campaign.violations());
    // A campaign that injected nothing must not be taken for a good one.
    assert!(campaign.possible >= 2_000, "only {} faults are possible", campaign.possible);
}
