//! Modules that must not load, with the real `update-initramfs`; and arguments in loader entries, with a
//! stand-in for `grubby`.

use crate::checker::{Oracle, Snapshot, State};
use crate::scenes::{DEFAULTS, KERNELS, ends, host, is_there};
use crate::world::{Recipe, World};

const DENYLIST: &str = "etc/modprobe.d/ccgpu-node.conf";

fn images_with_the_list(world: &World) -> usize {
    let has = |version: &&&str| {
        world
            .must(&["lsinitramfs", &format!("/boot/initrd.img-{version}")])
            .lines()
            .any(|line| line == DENYLIST)
    };
    KERNELS.iter().filter(has).count()
}

#[test]
fn a_denied_module_is_denied_in_every_image_and_taken_out_again() {
    let Some(world) = host("nouveau-bound") else { return };
    if !is_there(&world, "/etc/initramfs-tools") {
        println!("left out: initramfs-tools is not installed");
        return;
    }
    let safe = ends(&world, &["fix", "--dry-run"], 1);
    assert!(safe.contains("UNSAFE"), "{safe}");
    assert!(!safe.contains("initramfs of every kernel"), "{safe}");
    let done = ends(&world, &["fix", "--unsafe", "--yes"], 4);
    assert!(done.contains("DONE"), "{done}");
    assert_eq!(images_with_the_list(&world), 2);
    assert!(is_there(&world, "/run/reboot-required"));
    ends(&world, &["fix", "--unsafe", "--yes"], 4);
    ends(&world, &["rollback", "--yes"], 0);
    assert_eq!(images_with_the_list(&world), 0);
    assert!(!is_there(&world, &format!("/{DENYLIST}")));
    assert!(!is_there(&world, "/run/reboot-required"));
}

fn with_loader_entries() -> Option<World> {
    let stubs = &["systemctl", "kubelet", "journalctl", "grubby"];
    let world = World::start(&Recipe {
        fixture: "h200-single-snp-rhel-bls",
        programs: Vec::new(),
        stubs,
        kernels: &[],
    })?;
    for path in world.must(&["sh", "-c", "echo /boot/loader/entries/*"]).split_whitespace() {
        world.edit(path, "amd_iommu=on", "amd_iommu=off");
    }
    world.edit(DEFAULTS, "amd_iommu=on", "amd_iommu=off");
    world.keep();
    Some(world)
}

fn entries(world: &World) -> String {
    world.must(&["sh", "-c", "cat /boot/loader/entries/*"])
}

#[test]
fn loader_entries_and_the_defaults_of_later_kernels_change_and_change_back() {
    let Some(world) = with_loader_entries() else { return };
    let before = Snapshot::of(&world.root());
    ends(&world, &["fix", "--yes"], 4);
    assert!(!entries(&world).contains("amd_iommu=off"), "{}", entries(&world));
    assert!(!world.read(DEFAULTS).contains("amd_iommu=off"));
    let after = Snapshot::of(&world.root());
    // The machine still runs with what it was booted with, and that was right; the next boot is to show it.
    ends(&world, &["fix", "--yes"], 4);
    ends(&world, &["fix", "--dry-run"], 4);
    assert!(after.differences(&Snapshot::of(&world.root())).is_empty());
    ends(&world, &["rollback", "--yes"], 0);
    let state = Oracle { before, after }.judge(&Snapshot::of(&world.root()));
    assert_eq!(state, Ok(State::Before));
}

#[test]
fn a_grubby_that_fails_lies_or_stops_half_way_is_taken_back() {
    let Some(world) = with_loader_entries() else { return };
    let before = Snapshot::of(&world.root());
    for mode in ["fail", "lie", "half"] {
        world.mode("grubby", mode);
        ends(&world, &["fix", "--yes"], 6);
        let now = Snapshot::of(&world.root());
        assert!(before.differences(&now).is_empty(), "{mode}: {:?}", before.differences(&now));
    }
}
