//! What replacing a file keeps, and what it refuses: compared with what `stat` and `getfattr` see.

mod settle;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::swap::Swap;
use super::*;
use crate::apply::testing::{attributes, everything, on_disk, succeeds};
use crate::apply::tree::Tree;

const BEFORE: &[u8] = b"GRUB_CMDLINE_LINUX=\"\"\n";
const AFTER: &[u8] = b"GRUB_CMDLINE_LINUX=\"intel_iommu=on\"\n";
const TEMPORARY: &str = ".ccgpu-node.000001-1.tmp";

/// A tree with a file `/etc/default/grub`.
fn host() -> (tempfile::TempDir, Tree, PathBuf) {
    let (directory, tree) = on_disk();
    let file = directory.path().join("etc/default/grub");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, BEFORE).unwrap();
    (directory, tree, file)
}

fn change(tree: &Tree, path: &str, after: Option<&[u8]>) -> Result<(), ReplaceError> {
    change_from(tree, path, Some(BEFORE), after)
}

fn change_from(
    tree: &Tree,
    path: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<(), ReplaceError> {
    let before = Content::of(before);
    let change = Change { before, after, metadata: None, temporary: TEMPORARY, settle: None };
    replace(tree, &tree.place(path)?, &change)
}

/// That a change is refused with this reason, and that nothing at all happened.
fn refused(tree: &Tree, root: &Path, path: &str) -> Refusal {
    let before = everything(root);
    let error = change(tree, path, Some(AFTER)).unwrap_err();
    assert_eq!(before, everything(root), "{error}");
    match error {
        ReplaceError::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// Root may do what these tests do; others leave them out.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("left out: not root");
    }
    root
}

/// Runs in a mount namespace of its own, which goes with the thread.
fn with_own_mounts(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let run = || {
            let none = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            if unshare(CloneFlags::CLONE_NEWNS).is_err()
                || mount(none, "/", none, private, none).is_err()
            {
                eprintln!("left out: no mount namespaces here");
                return;
            }
            test();
        };
        scope.spawn(run).join().unwrap();
    });
}

#[test]
fn a_replaced_file_keeps_mode_owner_attributes_and_access_list() {
    if !is_root() {
        return;
    }
    let (directory, tree, file) = host();
    for mode in [0o644, 0o600, 0o640, 0o755, 0o444, 0o4755] {
        for group in [0, 1001] {
            fs::write(&file, BEFORE).unwrap();
            std::os::unix::fs::chown(&file, Some(0), Some(group)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            succeeds("setfattr", &["-n", "user.note", "-v", "kept"], &file);
            succeeds("setfattr", &["-n", "security.note", "-v", "kept too"], &file);
            succeeds("setfattr", &["-n", "trusted.empty"], &file);
            succeeds("setfacl", &["-m", "u:1000:r,g:1002:rw"], &file);
            let before = attributes(&file);
            assert!(before.contains("user.note"), "{before}");
            change(&tree, "/etc/default/grub", Some(AFTER)).unwrap();
            assert_eq!(fs::read(&file).unwrap(), AFTER);
            assert_eq!(attributes(&file), before);
            fs::remove_file(&file).unwrap();
        }
    }
    assert_eq!(names(&directory.path().join("etc/default")), Vec::<String>::new());
}

#[test]
fn a_list_that_the_directory_hands_down_is_not_added() {
    let (_directory, tree, file) = host();
    let before = attributes(&file);
    if !succeeds("setfacl", &["-d", "-m", "u:1000:rwx"], file.parent().unwrap()) {
        eprintln!("left out: no setfacl");
        return;
    }
    change(&tree, "/etc/default/grub", Some(AFTER)).unwrap();
    assert_eq!(attributes(&file), before);
}

#[test]
fn the_checker_of_attributes_sees_what_a_rename_alone_loses() {
    let (_directory, _tree, file) = host();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let before = attributes(&file);
    let other = file.with_extension("new");
    fs::write(&other, AFTER).unwrap();
    fs::rename(&other, &file).unwrap();
    assert_ne!(attributes(&file), before);
}

/// What a reader gets who had the file open all along.
fn an_open_reader_sees(write: impl FnOnce(&Path, &Tree)) -> Vec<u8> {
    let (_directory, tree, file) = host();
    let mut open = fs::File::open(&file).unwrap();
    write(&file, &tree);
    assert_eq!(fs::read(&file).unwrap(), AFTER);
    let mut seen = Vec::new();
    std::io::Read::read_to_end(&mut open, &mut seen).unwrap();
    seen
}

#[test]
fn no_byte_of_the_old_file_is_ever_written_over() {
    let replaced = |_: &Path, tree: &Tree| change(tree, "/etc/default/grub", Some(AFTER)).unwrap();
    assert_eq!(an_open_reader_sees(replaced), BEFORE);
    // The control: a plain write is caught by the same check.
    assert_ne!(an_open_reader_sees(|file, _| fs::write(file, AFTER).unwrap()), BEFORE);
}

#[test]
fn links_stay_and_the_file_behind_them_is_changed_inside_the_root() {
    let (directory, tree, file) = host();
    let etc = directory.path().join("etc");
    symlink("default/grub", etc.join("relative")).unwrap();
    symlink("/etc/default/grub", etc.join("absolute")).unwrap();
    symlink("absolute", etc.join("chain")).unwrap();
    symlink("../../../../etc/default/grub", etc.join("climbing")).unwrap();
    symlink("default", etc.join("directory")).unwrap();
    for path in ["relative", "absolute", "chain", "climbing", "directory/grub"] {
        fs::write(&file, BEFORE).unwrap();
        change(&tree, &format!("/etc/{path}"), Some(AFTER)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), AFTER, "{path}");
        let link = etc.join(path.split('/').next().unwrap());
        assert!(fs::symlink_metadata(link).unwrap().is_symlink(), "{path}");
    }
    symlink("loop", etc.join("loop")).unwrap();
    assert!(matches!(tree.place("/etc/loop"), Err(TreeError::Failed { .. })));
    for path in ["/", "/etc/", "/etc/..", "", "/etc/."] {
        assert!(matches!(tree.place(path), Err(TreeError::Unfit { .. })), "{path}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let (directory, tree, file) = host();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let why = refused(&tree, directory.path(), "/etc/default/grub");
    assert_eq!(why, Refusal::NotRegular("a directory"));
    fs::remove_dir(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let why = refused(&tree, directory.path(), "/etc/default/grub");
    assert_eq!(why, Refusal::NotRegular("a FIFO"));
    fs::remove_file(&file).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
    let why = refused(&tree, directory.path(), "/etc/default/grub");
    assert_eq!(why, Refusal::NotRegular("a socket or device"));
}

#[test]
fn hard_links_foreign_owners_and_loose_directories_are_refused() {
    let (directory, tree, file) = host();
    let root = directory.path();
    let path = "/etc/default/grub";
    fs::hard_link(&file, root.join("etc/second")).unwrap();
    assert_eq!(refused(&tree, root, path), Refusal::HardLinked(2));
    fs::remove_file(root.join("etc/second")).unwrap();
    let parent = file.parent().unwrap();
    for mode in [0o775, 0o757, 0o1777] {
        fs::set_permissions(parent, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(refused(&tree, root, path), Refusal::LooseDirectory);
    }
    fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(parent, Some(1000), None).unwrap();
        assert_eq!(refused(&tree, root, path), Refusal::ForeignDirectory(1000));
        std::os::unix::fs::chown(parent, Some(0), None).unwrap();
        std::os::unix::fs::chown(&file, Some(1000), None).unwrap();
        assert_eq!(refused(&tree, root, path), Refusal::ForeignOwner(1000));
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
    }
    change(&tree, path, Some(AFTER)).unwrap();
}

#[test]
fn a_tree_of_another_user_may_be_changed_where_its_files_are_that_users() {
    if !is_root() {
        return;
    }
    let (directory, _, file) = host();
    for path in ["", "etc", "etc/default", "etc/default/grub"] {
        std::os::unix::fs::chown(directory.path().join(path), Some(1000), Some(1000)).unwrap();
    }
    let tree = Tree::directory(directory.path()).unwrap();
    let before = attributes(&file);
    change(&tree, "/etc/default/grub", Some(AFTER)).unwrap();
    assert_eq!(attributes(&file), before);
}

#[test]
fn flags_that_protect_a_file_are_respected() {
    if !is_root() {
        return;
    }
    let (directory, tree, file) = host();
    let parent = file.parent().unwrap();
    for (set, unset, at, why) in [
        ("+i", "-i", &*file, Refusal::Immutable),
        ("+a", "-a", &*file, Refusal::AppendOnly),
        ("+i", "-i", parent, Refusal::DirectoryFlag),
        ("+a", "-a", parent, Refusal::DirectoryFlag),
    ] {
        if !succeeds("chattr", &[set], at) {
            eprintln!("left out: no chattr here");
            return;
        }
        let outcome =
            std::panic::catch_unwind(|| refused(&tree, directory.path(), "/etc/default/grub"));
        assert!(succeeds("chattr", &[unset], at));
        assert_eq!(outcome.unwrap(), why);
    }
}

#[test]
fn a_file_on_a_read_only_mount_is_refused() {
    if !is_root() {
        return;
    }
    let (directory, _, file) = host();
    with_own_mounts(|| {
        let etc = directory.path().join("etc");
        let none = None::<&str>;
        mount(Some(&etc), &etc, none, MsFlags::MS_BIND, none).unwrap();
        let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, &etc, none, again, none).unwrap();
        let tree = Tree::directory(directory.path()).unwrap();
        let why = refused(&tree, directory.path(), "/etc/default/grub");
        assert_eq!(why, Refusal::ReadOnly);
    });
    assert_eq!(fs::read(file).unwrap(), BEFORE);
}

#[test]
fn a_file_that_is_a_mount_point_is_refused() {
    if !is_root() {
        return;
    }
    let (directory, _, file) = host();
    with_own_mounts(|| {
        let other = directory.path().join("other");
        fs::write(&other, BEFORE).unwrap();
        let none = None::<&str>;
        for source in [&other, &file] {
            mount(Some(source), &file, none, MsFlags::MS_BIND, none).unwrap();
            let tree = Tree::directory(directory.path()).unwrap();
            let why = refused(&tree, directory.path(), "/etc/default/grub");
            assert_eq!(why, Refusal::BindMounted);
            nix::mount::umount(&file).unwrap();
        }
    });
}

#[test]
fn a_file_in_the_lower_layer_of_an_overlay_is_no_mount_point() {
    if !is_root() {
        return;
    }
    let (directory, _, file) = host();
    with_own_mounts(|| {
        let (etc, room) = (directory.path().join("etc"), directory.path().join("room"));
        fs::create_dir(&room).unwrap();
        // Layers of two file systems: the file and its directory have different devices.
        let tmpfs = Some("tmpfs");
        mount(tmpfs, &room, tmpfs, MsFlags::empty(), None::<&str>).unwrap();
        fs::create_dir(room.join("up")).unwrap();
        fs::create_dir(room.join("work")).unwrap();
        let (lower, room) = (etc.display(), room.display());
        let layers = format!("lowerdir={lower},upperdir={room}/up,workdir={room}/work");
        let overlay = Some("overlay");
        if mount(overlay, &etc, overlay, MsFlags::empty(), Some(layers.as_str())).is_err() {
            eprintln!("left out: no overlay here");
            return;
        }
        let tree = Tree::directory(directory.path()).unwrap();
        change(&tree, "/etc/default/grub", Some(AFTER)).unwrap();
        assert_eq!(fs::read(&file).unwrap(), AFTER);
    });
    assert_eq!(fs::read(file).unwrap(), BEFORE);
}

#[test]
fn a_full_disk_leaves_the_file_and_no_temporary_one() {
    if !is_root() {
        return;
    }
    let (directory, _, file) = host();
    with_own_mounts(|| {
        let parent = file.parent().unwrap();
        let (none, kind) = (None::<&str>, Some("tmpfs"));
        mount(kind, parent, kind, MsFlags::empty(), Some("size=64k,mode=755")).unwrap();
        fs::write(&file, BEFORE).unwrap();
        let tree = Tree::directory(directory.path()).unwrap();
        let large = vec![b'x'; 128 << 10];
        let error = change(&tree, "/etc/default/grub", Some(&large)).unwrap_err();
        assert!(matches!(error, ReplaceError::Failed { source: Errno::NOSPC, .. }), "{error:?}");
        assert_eq!(names(parent), ["grub"]);
        assert_eq!(fs::read(&file).unwrap(), BEFORE);
        let _ = none;
    });
}

#[test]
fn a_file_that_is_not_as_it_was_read_is_left_alone() {
    let (directory, tree, file) = host();
    let (root, path) = (directory.path(), "/etc/default/grub");
    fs::write(&file, "somebody else").unwrap();
    assert_eq!(refused(&tree, root, path), Refusal::Changed);
    let error = change_from(&tree, path, None, Some(AFTER)).unwrap_err();
    assert!(matches!(error, ReplaceError::Refused { why: Refusal::Appeared, .. }), "{error:?}");
    fs::remove_file(&file).unwrap();
    assert_eq!(refused(&tree, root, path), Refusal::Vanished);
    fs::File::create(&file).unwrap().set_len(CAP + 1).unwrap();
    assert_eq!(refused(&tree, root, path), Refusal::TooLarge(CAP));
}

/// The new file is written, then somebody else changes the old one, then they change places.
fn meanwhile(somebody: impl FnOnce(&Path)) -> (Result<(), ReplaceError>, Vec<u8>, Vec<String>) {
    let (_directory, tree, file) = host();
    let place = tree.place("/etc/default/grub").unwrap();
    let before = Content::of(Some(BEFORE));
    let change =
        Change { before, after: Some(AFTER), metadata: None, temporary: TEMPORARY, settle: None };
    let swap = Swap { place: &place, change: &change };
    let original = examine(&tree, &place).unwrap().unwrap();
    let new = swap.write(AFTER, &original.metadata).unwrap();
    somebody(&file);
    let outcome = swap.exchange(&original, &new);
    let outcome = swap.or_drop(&new, outcome);
    (outcome, fs::read(&file).unwrap_or_default(), names(file.parent().unwrap()))
}

#[test]
fn an_edit_at_the_last_moment_comes_back_into_place() {
    let same_bytes_other_file = |file: &Path| {
        fs::write(file.with_extension("new"), BEFORE).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    };
    let (outcome, content, names) = meanwhile(|_| {});
    outcome.unwrap();
    assert_eq!((content.as_slice(), names.len()), (AFTER, 1));
    for (somebody, wanted) in [
        (&(|file: &Path| fs::write(file, "theirs").unwrap()) as &dyn Fn(&Path), &b"theirs"[..]),
        (&same_bytes_other_file, BEFORE),
        (&|file: &Path| fs::remove_file(file).unwrap(), b""),
    ] {
        let (outcome, content, names) = meanwhile(somebody);
        assert!(matches!(outcome, Err(ReplaceError::Refused { .. })), "{outcome:?}");
        assert_eq!(content, wanted);
        assert!(names.iter().all(|name| name == "grub"), "{names:?}");
    }
}

#[test]
fn filesystems_that_cannot_exchange_get_a_look_and_a_rename() {
    let (_directory, tree, file) = host();
    let place = tree.place("/etc/default/grub").unwrap();
    let before = Content::of(Some(BEFORE));
    let change =
        Change { before, after: Some(AFTER), metadata: None, temporary: TEMPORARY, settle: None };
    let swap = Swap { place: &place, change: &change };
    let original = examine(&tree, &place).unwrap().unwrap();
    swap.write(AFTER, &original.metadata).unwrap();
    fs::write(&file, "theirs").unwrap();
    assert!(matches!(swap.rename_over(&original), Err(ReplaceError::Refused { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"theirs");
    fs::write(&file, BEFORE).unwrap();
    swap.rename_over(&original).unwrap();
    assert_eq!(fs::read(&file).unwrap(), AFTER);
    assert_eq!(names(file.parent().unwrap()), ["grub"]);
}

#[test]
fn files_come_and_go() {
    let (_directory, tree, file) = host();
    change(&tree, "/etc/default/grub", None).unwrap();
    assert_eq!(names(file.parent().unwrap()), Vec::<String>::new());
    let before = Content::Absent;
    let metadata = Metadata::new(0o640, tree.owner());
    let metadata = Some(&metadata);
    let change =
        Change { before, after: Some(AFTER), metadata, temporary: TEMPORARY, settle: None };
    replace(&tree, &tree.place("/etc/default/grub").unwrap(), &change).unwrap();
    assert_eq!(fs::read(&file).unwrap(), AFTER);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
}

#[test]
fn a_temporary_file_is_swept_unless_it_holds_the_work_of_somebody_else() {
    let (_directory, tree, file) = host();
    let place = tree.place("/etc/default/grub").unwrap();
    let temporary = file.with_file_name(TEMPORARY);
    let (from, to) = (Content::of(Some(BEFORE)), Content::of(Some(AFTER)));
    assert!(!sweep(&place, TEMPORARY, from, to).unwrap());
    // Interrupted as it was written; interrupted after the exchange.
    for (content, left) in [(BEFORE, &AFTER[..5]), (BEFORE, AFTER), (AFTER, BEFORE)] {
        fs::write(&file, content).unwrap();
        fs::write(&temporary, left).unwrap();
        assert!(sweep(&place, TEMPORARY, from, to).unwrap());
        assert_eq!(names(file.parent().unwrap()), ["grub"]);
    }
    fs::write(&file, AFTER).unwrap();
    fs::write(&temporary, "theirs").unwrap();
    let error = sweep(&place, TEMPORARY, from, to).unwrap_err();
    assert!(matches!(error, ReplaceError::Refused { why: Refusal::Kept(_), .. }), "{error:?}");
    assert_eq!(fs::read(&temporary).unwrap(), b"theirs");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
