//! What a boot loader that replays no journal would find, each time before something moves or goes.

use std::cell::RefCell;
use std::io;

use super::*;

/// What stands under the name, and under the temporary name.
type Seen = [Option<Vec<u8>>; 2];

/// What stands under the name and under the temporary name each time the file system is to be settled. The
/// `fails`th time it cannot be.
fn settled(
    before: Option<&[u8]>,
    after: Option<&[u8]>,
    fails: usize,
) -> (Result<(), ReplaceError>, Vec<Seen>, PathBuf, tempfile::TempDir) {
    let (directory, tree, file) = host();
    if before.is_none() {
        fs::remove_file(&file).unwrap();
    }
    let seen = RefCell::new(Vec::new());
    let settle = || {
        let both = [file.clone(), file.with_file_name(TEMPORARY)];
        seen.borrow_mut().push(both.map(|path| fs::read(path).ok()));
        if seen.borrow().len() == fails { Err(io::Error::other("busy")) } else { Ok(()) }
    };
    let place = tree.place("/etc/default/grub").unwrap();
    let change = Change {
        before: Content::of(before),
        after,
        metadata: None,
        temporary: TEMPORARY,
        settle: Some(&settle),
    };
    let result = replace(&tree, &place, &change);
    (result, seen.into_inner(), file, directory)
}

#[test]
fn both_files_are_whole_where_a_boot_loader_looks_before_either_of_them_moves_or_goes() {
    let (old, new) = (Some(BEFORE.to_vec()), Some(AFTER.to_vec()));
    let (result, seen, file, _directory) = settled(Some(BEFORE), Some(AFTER), 0);
    result.unwrap();
    assert_eq!(seen, [[old.clone(), new.clone()], [new.clone(), old.clone()]]);
    assert_eq!(names(file.parent().unwrap()), ["grub"]);
    let (result, seen, ..) = settled(None, Some(AFTER), 0);
    result.unwrap();
    assert_eq!(seen, [[None, new]]);
    let (result, seen, ..) = settled(Some(BEFORE), None, 0);
    result.unwrap();
    assert_eq!(seen, [[None, old]]);
}

#[test]
fn a_filesystem_that_cannot_be_settled_keeps_the_old_file_somewhere() {
    let unsettled = |result| match result {
        Err(ReplaceError::Unsettled { now, .. }) => now,
        other => panic!("{other:?}"),
    };
    let (result, _, file, _directory) = settled(Some(BEFORE), Some(AFTER), 1);
    assert_eq!(unsettled(result), Now::Before);
    assert_eq!(names(file.parent().unwrap()), ["grub"]);
    let (result, _, file, _directory) = settled(Some(BEFORE), Some(AFTER), 2);
    assert_eq!(unsettled(result), Now::After);
    assert_eq!(fs::read(file.with_file_name(TEMPORARY)).unwrap(), BEFORE);
}
