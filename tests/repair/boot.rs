//! Arguments of the kernel, from the first look to the boot that shows them and back, with the real
//! `grub-mkconfig`.

use crate::checker::{Oracle, Snapshot, State};
use crate::scenes::{DEFAULTS, MENU, ends, hash, host, is_there, run};
use crate::world::World;

const SENTINEL: &str = "/run/reboot-required";

/// The whole way there and back: `good` is a host with the hardware as the new arguments make it, `bad` the
/// one that the world was made from.
fn there_and_back(world: &World, rule: &str, bad: &str, good: &str) {
    let before = Snapshot::of(&world.root());
    let all_before = Snapshot::of_all(&world.root());
    assert!(ends(world, &["check"], 1).contains(&format!("FAIL  {rule}")));

    let shown = ends(world, &["fix", "--dry-run"], 1);
    assert!(shown.contains("A reboot is needed"), "{shown}");
    assert!(shown.contains("+++ /etc/default/grub"), "{shown}");
    assert_eq!(
        all_before.touched(&Snapshot::of_all(&world.root())),
        Vec::<std::path::PathBuf>::new()
    );

    let done = ends(world, &["fix", "--plan", &hash(&shown), "--yes"], 4);
    assert!(done.contains("rollback 1"), "{done}");
    assert!(is_there(world, SENTINEL));
    assert_eq!(world.read("/run/reboot-required.pkgs"), "ccgpu-node\n");
    let after = Snapshot::of(&world.root());
    assert!(after.temporary().is_empty(), "{:?}", after.temporary());

    let again = ends(world, &["fix", "--yes"], 4);
    assert!(again.contains("Nothing to change"), "{again}");
    assert!(after.differences(&Snapshot::of(&world.root())).is_empty());

    world.reboot();
    world.hardware_of(good);
    let recovered = ends(world, &["recover"], 0);
    assert!(recovered.contains("CONFIRMED"), "{recovered}");
    assert!(!is_there(world, SENTINEL));
    let nothing = ends(world, &["recover"], 0);
    assert!(nothing.contains("Nothing to recover"), "{nothing}");
    assert!(ends(world, &["check"], 0).contains("READY"));
    run(world, &["history"]);

    let back = ends(world, &["rollback", "--yes"], 4);
    assert!(back.contains("TAKEN BACK"), "{back}");
    assert!(is_there(world, SENTINEL));
    world.reboot();
    world.hardware_of(bad);
    let recovered = ends(world, &["recover"], 0);
    assert!(recovered.contains("CONFIRMED"), "{recovered}");
    assert!(!is_there(world, SENTINEL));
    run(world, &["history"]);
    let state = Oracle { before, after }.judge(&Snapshot::of(&world.root()));
    assert_eq!(state, Ok(State::Before));
}

#[test]
fn a_host_without_the_argument_gets_it_and_gives_it_back() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    there_and_back(&world, "iommu-active", "iommu-off-in-kernel", "h100-single-tdx");
}

#[test]
fn a_cloud_drop_in_that_decides_is_outdone_and_untouched() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    world.write(
        "/etc/default/grub.d/50-cloudimg-settings.cfg",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"console=tty1 console=ttyS0\"\n",
    );
    world.must(&["grub-mkconfig", "-o", MENU]);
    world.keep();
    there_and_back(&world, "iommu-active", "iommu-off-in-kernel", "h100-single-tdx");
}

#[test]
fn single_quotes_are_kept() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    let line = |text: &str| {
        text.lines().find(|line| line.starts_with("GRUB_CMDLINE_LINUX_DEFAULT")).unwrap().to_owned()
    };
    let old = line(&world.read(DEFAULTS));
    world.edit(DEFAULTS, &old, &(old.replace('"', "'") + " # ours"));
    world.keep();
    ends(&world, &["fix", "--yes"], 4);
    assert_eq!(
        line(&world.read(DEFAULTS)),
        old.replace('"', "'").trim_end_matches('\'').to_owned() + " intel_iommu=on' # ours"
    );
    world.reset();
    there_and_back(&world, "iommu-active", "iommu-off-in-kernel", "h100-single-tdx");
}

#[test]
fn an_argument_that_must_go_goes_and_comes_back() {
    let Some(world) = host("snp-passthrough") else { return };
    let report = ends(&world, &["check"], 1);
    let rule = report.lines().find_map(|line| line.strip_prefix("FAIL  ")).unwrap();
    let rule = rule.split(':').next().unwrap().to_owned();
    there_and_back(&world, &rule, "snp-passthrough", "h200x8-snp");
}

#[test]
fn a_boot_of_another_entry_is_told_with_its_likely_reason() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    let cmdline = world.read("/proc/cmdline");
    ends(&world, &["fix", "--yes"], 4);
    world.reboot();
    world.write("/proc/cmdline", &cmdline);
    let told = ends(&world, &["recover"], 7);
    assert!(told.contains("INEFFECTIVE"), "{told}");
    assert!(told.contains("another menu entry was booted"), "{told}");
    assert!(!is_there(&world, SENTINEL), "a second reboot would do no better");
    assert!(ends(&world, &["history"], 0).contains("the reboot did not bring it"));
    ends(&world, &["recover"], 0);
    // Nor is it called done by a reboot, or whoever goes by that would reboot for ever.
    let said = ends(&world, &["fix", "--yes"], 1);
    assert!(said.contains("Nothing to change") && !said.contains("DONE"), "{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.join(" ").contains("is in place, but the reboot did not bring it"), "{said}");
    assert!(!said.contains("systemctl reboot"), "{said}");
    ends(&world, &["rollback", "--yes"], 0);
}

#[test]
fn a_plan_is_not_carried_out_when_its_file_changed_since() {
    let Some(world) = host("iommu-off-in-kernel") else { return };
    let plan = hash(&ends(&world, &["fix", "--dry-run"], 1));
    world.edit(DEFAULTS, "GRUB_TIMEOUT=0", "GRUB_TIMEOUT=5");
    let before = Snapshot::of(&world.root());
    let said = ends(&world, &["fix", "--plan", &plan, "--yes"], 5);
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(before.differences(&Snapshot::of(&world.root())).is_empty());
    let said = ends(&world, &["fix", "--plan", "abc", "--yes"], 2);
    assert!(said.contains("64 hexadecimal digits"), "{said}");
}
