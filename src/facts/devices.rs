//! Device nodes in `/dev`, for the sources that want to know of some by name.
//!
//! A node counts only when it is a character device. What a copied tree has in its place is a file like
//! any other, and proves nothing about a kernel.

use std::cell::OnceCell;

use super::{Cause, Reading, Value};
use crate::host::{FileKind, Root};

const DIRECTORY: &str = "/dev";

/// The nodes of one host. `/dev` is listed once, and only when a node is missing.
pub(super) struct Devices<'r> {
    root: &'r Root,
    mounted: OnceCell<Reading<()>>,
}

impl<'r> Devices<'r> {
    pub(super) fn of(root: &'r Root) -> Self {
        Self { root, mounted: OnceCell::new() }
    }

    /// What stands at a path. `Absent` only where `/dev` has something else: a kernel always puts some
    /// nodes there, so none at all means that it is not mounted.
    pub(super) fn node(&self, path: &str) -> Reading<FileKind> {
        match self.root.stat(path) {
            Reading::Known(stat) => Reading::Known(stat.kind),
            Reading::Absent => self.mounted().and_then(|()| Reading::Absent),
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        }
    }

    fn mounted(&self) -> Reading<()> {
        let look = || match self.root.list(DIRECTORY) {
            Reading::Known(entries) if !entries.is_empty() => Reading::Known(()),
            Reading::Known(_) | Reading::Absent => {
                Reading::Unreadable(Cause::NoAnswer("/dev is not mounted".to_owned()))
            }
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        };
        self.mounted.get_or_init(look).clone()
    }
}

/// Whether it is a character device; not, where there is nothing.
pub(super) fn is_device(node: &Reading<FileKind>) -> Reading<Value> {
    node.as_ref()
        .map(|kind| Value::Bool(*kind == FileKind::CharDevice))
        .or_absent(Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::*;

    #[test]
    fn a_node_is_missing_only_where_dev_has_others() {
        let host = tree(&[("dev/null", "")]);
        let root = Root::directory(host.path()).unwrap();
        let devices = Devices::of(&root);
        assert!(devices.node("/dev/sev").is_absent());
        assert_eq!(devices.node("/dev/null"), Reading::Known(FileKind::Regular));
        for empty in [tree(&[("dev/", "")]), tree(&[("etc/hostname", "")])] {
            let root = Root::directory(empty.path()).unwrap();
            assert!(Devices::of(&root).node("/dev/sev").cause().is_some());
        }
    }

    #[test]
    fn a_file_in_the_place_of_a_node_is_no_device() {
        let known = |kind| is_device(&Reading::Known(kind));
        assert_eq!(known(FileKind::CharDevice), Reading::Known(Value::Bool(true)));
        assert_eq!(known(FileKind::Regular), Reading::Known(Value::Bool(false)));
        assert_eq!(is_device(&Reading::Absent), Reading::Known(Value::Bool(false)));
        assert!(is_device(&Reading::Unreadable(Cause::Permission)).cause().is_some());
    }
}
