//! Whole transactions on trees: carried out, taken back, interrupted everywhere.

mod interruption;
mod journeys;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::apply::interrupt::Interrupt;
use crate::apply::journal::{Entry, history};
use crate::apply::lock::Lock;
use crate::apply::tree::Tree;
use crate::plan::{Digest, FileChange, Plan, Step, StepKind};

/// The same tree, by the paths that the tests use.
struct Host {
    directory: tempfile::TempDir,
    tree: Tree,
}

impl Host {
    /// A tree with one file, `/etc/default/grub`.
    fn new((directory, tree): (tempfile::TempDir, Tree)) -> Self {
        let host = Self { directory, tree };
        fs::create_dir_all(host.path("/etc/default")).unwrap();
        host.set("/etc/default/grub", Some(b"old grub"));
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    fn get(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.path(path)).ok()
    }

    fn set(&self, path: &str, content: Option<&[u8]>) {
        match content {
            Some(content) => {
                let path = self.path(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, content).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
            }
            None => drop(fs::remove_file(self.path(path))),
        }
    }

    fn apply(&self, plan: &Plan) -> Result<Applied, ApplyError> {
        self.apply_with(plan, &offline(), &Interrupt::default(), &mut || Verification::Holds)
    }

    fn apply_with(
        &self,
        plan: &Plan,
        occasion: &Occasion,
        interrupt: &Interrupt,
        verify: &mut dyn FnMut() -> Verification,
    ) -> Result<Applied, ApplyError> {
        let lock = Lock::take(&self.tree).unwrap();
        apply(&self.tree, &lock, occasion, interrupt, plan, Digest::of(b"plan"), verify)
    }

    fn rollback(&self, number: Option<u32>) -> Result<RolledBack, RollbackError> {
        let lock = Lock::take(&self.tree).unwrap();
        rollback(&self.tree, &lock, &offline(), number)
    }

    fn recover(&self, occasion: &Occasion) -> Recovery {
        let lock = Lock::take(&self.tree).unwrap();
        let mut reason = |_: &ArgumentChange| "another file decides".to_owned();
        recover(&self.tree, &lock, occasion, &mut reason).unwrap()
    }

    fn history(&self) -> Vec<Entry> {
        history(&self.tree).unwrap()
    }
}

fn offline() -> Occasion {
    Occasion { wall: 1_700_000_000, boot: None }
}

fn booted(id: &str, arguments: &str) -> Occasion {
    let arguments = arguments.split_whitespace().map(ToOwned::to_owned).collect();
    Occasion { wall: 1_700_000_000, boot: Some(Boot { id: id.to_owned(), arguments }) }
}

fn write(path: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Step {
    let (before, after) = (before.map(<[u8]>::to_vec), after.map(<[u8]>::to_vec));
    let path = path.to_owned();
    let change = FileChange { path, before, after, new_mode: 0o644 };
    Step { rules: vec!["a-rule".into()], kind: StepKind::Write(change) }
}

fn plan(steps: impl IntoIterator<Item = Step>) -> Plan {
    Plan { steps: steps.into_iter().collect() }
}
