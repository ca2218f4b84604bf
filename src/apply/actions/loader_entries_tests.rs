//! Entries as Fedora and RHEL have them, and a `grubby` that does its work, a part of it, or nothing.

use super::super::testing::Stubs;
use super::*;

const ENTRY: &str = "title Fedora Linux\nversion 6.17.4\nlinux /vmlinuz-6.17.4\n\
    options root=UUID=5c1f ro quiet $tuned_params\n";
const RESCUE: &str = "title Rescue\nversion 0-rescue-ab\nlinux /vmlinuz-0-rescue-ab\noptions ro\n";

fn host(entries: &[(&str, &str)]) -> (Stubs, Root) {
    let stubs = Stubs::new();
    stubs.write("root/etc/.keep", "");
    for (name, text) in entries {
        stubs.write(&format!("root/boot/loader/entries/{name}"), text);
    }
    let root = Root::directory(&stubs.directory().join("root")).unwrap();
    (stubs, root)
}

/// `grubby` as a script that runs in the directory of the entries.
fn updated(entries: &[(&str, &str)], script: &str) -> (Stubs, Result<(), String>) {
    let (stubs, root) = host(entries);
    let directory = stubs.path("root/boot/loader/entries");
    let log = stubs.path("log");
    let script = format!("printf '%s|' \"$@\" > {log}; cd {directory} || exit 1; {script}");
    stubs.program("grubby", &script);
    let change = ArgumentChange {
        add: vec!["intel_iommu=on".to_owned(), "vfio-pci.ids=10de:2335".to_owned()],
        remove: vec!["quiet".to_owned()],
    };
    let result = update_with(&stubs.programs(), &root, &change);
    (stubs, result.map_err(|error| error.to_string()))
}

const GOOD: &str = "sed -i 's/ quiet/ intel_iommu=on vfio_pci.ids=10de:2335/' *.conf";

#[test]
fn all_kernels_are_changed_and_looked_at() {
    let entries = [("a.conf", ENTRY), ("b.conf", ENTRY), ("r.conf", RESCUE), ("a.conf.old", "")];
    let (stubs, result) = updated(&entries, GOOD);
    assert_eq!(result, Ok(()));
    assert_eq!(
        stubs.read("log"),
        "--update-kernel=ALL|--remove-args=quiet|--args=intel_iommu=on vfio-pci.ids=10de:2335|"
    );
}

#[test]
fn what_grubby_did_not_do_is_seen() {
    let refused =
        |why: &str| Err(format!("what grubby made is refused: /boot/loader/entries/{why}"));
    let entries = [("a.conf", ENTRY), ("b.conf", ENTRY)];
    for (script, error) in [
        ("true", refused("a.conf has no intel_iommu=on")),
        (
            "sed -i 's/ quiet/ intel_iommu=on vfio_pci.ids=10de:2335/' a.conf",
            refused("b.conf has no intel_iommu=on"),
        ),
        (
            "sed -i 's/ quiet/ quiet intel_iommu=on vfio_pci.ids=10de:2335/' *.conf",
            refused("a.conf still has quiet"),
        ),
        (
            "sed -i 's/ quiet/ -- intel_iommu=on vfio_pci.ids=10de:2335/' *.conf",
            refused("a.conf has no intel_iommu=on"),
        ),
        (
            "rm *.conf",
            Err(
                "what grubby made is refused: /boot/loader/entries holds no entry that boots Linux"
                    .to_owned(),
            ),
        ),
        (
            "echo 'The param /boot is incorrect' >&2; exit 1",
            Err("grubby ended with code 1: The param /boot is incorrect".to_owned()),
        ),
    ] {
        assert_eq!(updated(&entries, script).1, error, "{script}");
    }
}

#[test]
fn arguments_in_the_environment_block_count() {
    let entry = "linux /vmlinuz\noptions $kernelopts $tuned_params\n";
    let block = |options: &str| {
        format!("# GRUB Environment Block\nkernelopts=root=/dev/vda1 {options}\n###")
    };
    for (options, fits) in [("quiet", false), ("intel_iommu=on vfio_pci.ids=10de:2335", true)] {
        let script =
            format!("mkdir -p ../../grub2; printf %s '{}' > ../../grub2/grubenv", block(options));
        let result = updated(&[("a.conf", entry)], &script).1;
        assert_eq!(result.is_ok(), fits, "{options}: {result:?}");
    }
}

#[test]
fn the_files_that_may_change_are_named_once() {
    let (stubs, _) = host(&[("a.conf", ENTRY), ("b.conf", ENTRY), ("note", "")]);
    stubs.write("root/boot/efi/grubenv", "");
    stubs.write("root/etc/kernel/cmdline", "");
    stubs.write("root/boot/grub2/.keep", "");
    std::os::unix::fs::symlink("../efi/grubenv", stubs.path("root/boot/grub2/grubenv")).unwrap();
    std::os::unix::fs::symlink("grub2", stubs.path("root/boot/grub")).unwrap();
    let root = Root::directory(&stubs.directory().join("root")).unwrap();
    assert_eq!(
        files(&root),
        [
            "/boot/efi/grubenv",
            "/boot/loader/entries/a.conf",
            "/boot/loader/entries/b.conf",
            "/etc/kernel/cmdline"
        ]
    );
}
