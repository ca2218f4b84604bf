//! A host that only a reboot makes fit is told from one on which something is still to be changed.

use crate::program::{fixture, run};

const ARGUMENT: &str = "amd_iommu=off";
/// What a menu entry's arguments begin with.
const ENTRY: &str = "ro  quiet";

/// What `check` ends with on the host that was not rebooted since its argument was removed, after a change.
fn exit(from: &str, to: &str) -> i32 {
    let text =
        String::from_utf8(std::fs::read(fixture("iommu-off-argument-removed")).unwrap()).unwrap();
    assert!(text.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.host");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    let path = path.display().to_string();
    run(&["check", "--host", &path, "--only", "iommu-argument-off"]).code
}

#[test]
fn an_argument_that_only_the_running_kernel_has_waits_for_a_reboot() {
    assert_eq!(exit(ARGUMENT, ARGUMENT), 4);
}

#[test]
fn what_the_next_boot_or_the_next_menu_brings_again_is_not_waited_for() {
    let variable = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet";
    assert_eq!(exit(variable, &format!("{variable} {ARGUMENT}")), 1);
    assert_eq!(exit(ENTRY, &format!("{ENTRY} {ARGUMENT}")), 1);
    // Another argument that does the same.
    assert_eq!(exit(ENTRY, &format!("{ENTRY} iommu=off")), 1);
}

#[test]
fn a_menu_that_is_not_there_is_not_waited_for() {
    assert_eq!(exit("/boot/grub/grub.cfg mode=0600", "/boot/grub/other.cfg mode=0600"), 1);
}
