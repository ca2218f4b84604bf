//! What a word of memory and a register are read from, and what is left alone.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;

use nix::sys::stat::{SFlag, makedev, mknod};
use tempfile::TempDir;

use super::*;

const WINDOW: &str = "sys/bus/pci/devices/0000:18:00.0/resource0";
const MSR: &str = "dev/cpu/0/msr";
const ALL: Probes = Probes { gpu: true, processor: true };

/// A tree with a sparse file of this size that holds these bytes.
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn sparse(path: &str, size: u64, pieces: &[(u64, &[u8])]) -> TempDir {
    let tree = TempDir::new().unwrap();
    let path = tree.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, bytes) in pieces {
        file.write_all_at(bytes, *offset).unwrap();
    }
    tree
}

fn allowed(tree: &Path) -> Root {
    Root::directory(tree).unwrap().allowing(ALL)
}

fn word(tree: &Path, offset: u64) -> Reading<u32> {
    allowed(tree).device_word(&format!("/{WINDOW}"), offset)
}

fn os<T>(errno: Errno) -> Reading<T> {
    Reading::Unreadable(Cause::Os(errno as i32))
}

#[test]
fn a_word_is_the_four_bytes_at_its_place() {
    let bytes: &[(u64, &[u8])] = &[
        (0, &[0xa1, 0, 0, 0x18]),
        (0x590, &[1, 0, 0, 0]),
        (0x0f_fffc, &[4, 3, 2, 1]),
        (0x11_82cc, &[0x21, 0, 0, 0xff]),
    ];
    let tree = sparse(WINDOW, 16 << 20, bytes);
    for (offset, bytes) in bytes {
        let wanted = u32::from_le_bytes((*bytes).try_into().unwrap());
        assert_eq!(word(tree.path(), *offset), Reading::Known(wanted), "{offset:#x}");
    }
    assert_eq!(word(tree.path(), 4), Reading::Known(0));
    assert_eq!(word(tree.path(), (16 << 20) - 4), Reading::Known(0));
}

#[test]
fn nothing_behind_the_end_and_nothing_between_words_is_touched() {
    for size in [0, 3, 0x11_82cc, 0x11_82cf] {
        let tree = sparse(WINDOW, size, &[]);
        assert_eq!(word(tree.path(), 0x11_82cc), os(Errno::ENXIO), "{size:#x}");
    }
    let tree = sparse(WINDOW, 0x11_82d0, &[(0x11_82cc, &[1, 0, 0, 0])]);
    assert_eq!(word(tree.path(), 0x11_82cc), Reading::Known(1));
    for offset in [0x11_82cd, 0x11_82d0, u64::MAX, u64::MAX - 3] {
        assert_eq!(word(tree.path(), offset), os(Errno::ENXIO), "{offset:#x}");
    }
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let tree = TempDir::new().unwrap();
    let path = tree.path().join(WINDOW);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(word(tree.path(), 0).is_absent());
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    assert_eq!(word(tree.path(), 0), Reading::Unreadable(Cause::NotAFile("a FIFO")));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(word(tree.path(), 0), Reading::Unreadable(Cause::NotAFile("a directory")));
    fs::remove_dir(&path).unwrap();
    symlink("resource0", &path).unwrap();
    assert_eq!(word(tree.path(), 0), Reading::Unreadable(Cause::SymlinkLoop));
}

#[test]
fn without_leave_nothing_is_asked() {
    let tree = sparse(WINDOW, 4096, &[]);
    let path = format!("/{WINDOW}");
    let not_asked = Cause::NotGathered;
    for probes in [Probes::default(), Probes { gpu: false, processor: true }] {
        let root = Root::directory(tree.path()).unwrap().allowing(probes);
        assert_eq!(root.device_word(&path, 0).cause(), Some(&not_asked));
        assert_eq!(root.vfio_users().cause(), Some(&not_asked));
    }
    let tree = sparse(MSR, 4096, &[]);
    let root = Root::directory(tree.path()).unwrap();
    let root = root.allowing(Probes { gpu: true, processor: false });
    assert_eq!(root.processor_register(&format!("/{MSR}"), 0).cause(), Some(&not_asked));
}

#[test]
fn a_register_is_the_eight_bytes_at_its_number() {
    let value = 0x0123_4567_89ab_cdef_u64;
    let tree = sparse(MSR, 0xc001_0200, &[(0xc001_0132, &value.to_le_bytes())]);
    let register = |number| allowed(tree.path()).processor_register(&format!("/{MSR}"), number);
    assert_eq!(register(0xc001_0132), Reading::Known(value));
    assert_eq!(register(0x87), Reading::Known(0));
    // A short file gives no whole register.
    assert_eq!(register(0xc001_01fc), Reading::Unreadable(Cause::DeviceGone));
    assert_eq!(register(0xc001_0200), Reading::Unreadable(Cause::DeviceGone));
}

/// To open a terminal or a tape would be felt by it.
#[test]
fn registers_are_read_from_their_own_device_only() {
    let tree = TempDir::new().unwrap();
    let path = tree.path().join(MSR);
    let register = || allowed(tree.path()).processor_register(&format!("/{MSR}"), 0);
    assert!(register().is_absent());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
    assert_eq!(register(), Reading::Unreadable(Cause::NotAFile("a FIFO")));
    fs::remove_file(&path).unwrap();
    // The null device, which would give bytes of a kind.
    if mknod(&path, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(1, 5)).is_ok() {
        assert_eq!(register(), Reading::Unreadable(Cause::NotAFile("a character device")));
    }
}

/// Makes `/proc` of a host whose processes have these files open.
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn processes(namespace: &str, open: &[(u32, &[&str])]) -> TempDir {
    let tree = TempDir::new().unwrap();
    let proc = tree.path().join("proc");
    fs::create_dir_all(proc.join("1/ns")).unwrap();
    symlink(namespace, proc.join("1/ns/pid")).unwrap();
    for (pid, targets) in open {
        let place = proc.join(pid.to_string());
        fs::create_dir_all(place.join("fd")).unwrap();
        fs::write(place.join("comm"), "qemu-system-x86\n").unwrap();
        for (number, target) in targets.iter().enumerate() {
            symlink(target, place.join(format!("fd/{number}"))).unwrap();
        }
    }
    tree
}

const HOST: &str = "pid:[4026531836]";

#[test]
fn who_has_a_node_open_is_found_by_its_file_descriptors() {
    let tree = processes(
        HOST,
        &[
            (1, &["/dev/null"]),
            (20, &["/dev/vfio/vfio", "/dev/vfio/44", "anon_inode:[vfio-device]"]),
            (21, &["/dev/iommu", "/dev/vfio/devices/vfio3", "anon_inode:kvm-vm"]),
        ],
    );
    let users = allowed(tree.path()).vfio_users().into_known().unwrap();
    let of = |nodes: &[&str]| {
        let nodes: Vec<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
        users.of(&nodes).map(str::to_owned)
    };
    let first = Some("qemu-system-x86 (process 20) has /dev/vfio/44 open".to_owned());
    assert_eq!(of(&["/dev/vfio/devices/vfio1", "/dev/vfio/44"]), first);
    let second = Some("qemu-system-x86 (process 21) has /dev/vfio/devices/vfio3 open".to_owned());
    assert_eq!(of(&["/dev/vfio/devices/vfio3", "/dev/vfio/45"]), second);
    assert_eq!(of(&["/dev/vfio/4", "/dev/vfio/devices/vfio33"]), None);
}

#[test]
fn a_device_that_was_handed_over_may_be_any() {
    let tree = processes(HOST, &[(30, &["/dev/vfio/vfio", "anon_inode:[vfio-device]"])]);
    let users = allowed(tree.path()).vfio_users().into_known().unwrap();
    assert!(users.of(&["/dev/vfio/1".to_owned()]).unwrap().contains("some VFIO device"));
}

#[test]
fn where_the_hosts_processes_do_not_show_nothing_counts_as_free() {
    let container = processes("pid:[4026532281]", &[(1, &[])]);
    assert!(allowed(container.path()).vfio_users().cause().is_some());
    let nothing = TempDir::new().unwrap();
    assert!(allowed(nothing.path()).vfio_users().cause().is_some());
    let closed = processes(HOST, &[(1, &[])]);
    let loops = closed.path().join("proc/7");
    symlink("7", loops).unwrap();
    assert_eq!(
        allowed(closed.path()).vfio_users(),
        Reading::Unreadable(Cause::SymlinkLoop),
        "a process that cannot be looked at may have anything open"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn a_recording_answers_like_the_hardware_and_holds_no_more() {
    let tree = processes(HOST, &[(20, &["/dev/vfio/44", "/home/someone/secret"])]);
    for (path, piece) in [(WINDOW, (0x590, 3_u64)), (MSR, (0x87, 32 << 32))] {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = File::create(path).unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(&piece.1.to_le_bytes(), piece.0).unwrap();
    }
    let (window, msr) = (format!("/{WINDOW}"), format!("/{MSR}"));
    let ask = |root: &Root| {
        let words = [0, 0x590, 4 << 20].map(|offset| root.device_word(&window, offset));
        let free = ["/dev/vfio/44", "/dev/vfio/45"].map(|node| {
            root.vfio_users().known().map(|users| users.of(&[node.to_owned()]).is_none())
        });
        (words, root.processor_register(&msr, 0x87), free)
    };
    let root = Root::directory(tree.path()).unwrap().recording().allowing(ALL);
    let (words, register, free) = ask(&root);
    assert_eq!((&words[1], &register), (&Reading::Known(3), &Reading::Known(32 << 32)));
    assert_eq!(free, [Some(false), Some(true)]);

    let text = root.recorded().to_text();
    assert!(!text.contains("secret") && !text.contains("qemu"), "{text}");
    assert!(text.len() < 2000, "{text}");
    let archive = crate::host::Archive::parse(text.as_bytes()).unwrap();
    assert_eq!(archive.to_text(), text);
    // A captured host needs no leave: nothing is asked any more.
    let again = ask(&Root::archive(archive));
    assert_eq!((&again.0[..2], &again.1, &again.2), (&words[..2], &register, &free));
    assert_eq!(again.0[2], Reading::Unreadable(Cause::NotCaptured));
}

#[test]
fn a_capture_without_probes_says_that_there_were_none() {
    let root = Root::archive(crate::host::Archive::default());
    assert_eq!(root.probes(), Probes::default());
    assert_eq!(root.device_word("/x", 0), Reading::Unreadable(Cause::NotGathered));
}
