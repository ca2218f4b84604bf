//! The files that this program keeps about itself: what was done without a person, and the pause. No
//! journal stands behind them; each is replaced at once and made to last, and is nobody else's.

use super::journal;
use super::lock::Lock;
use super::replace::{self, CAP, Change, Content, Metadata, ReplaceError};
use super::tree::{Tree, TreeError};
use crate::remediate::state::{LEDGER, PAUSE};
use crate::remediate::{Ledger, LedgerError};

/// Why such a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    #[error("cannot write the ledger")]
    Ledger(#[from] LedgerError),
}

/// Writes the ledger. When this returns, it outlives a power cut.
pub fn write_ledger(tree: &Tree, _lock: &Lock, ledger: &Ledger) -> Result<(), StateError> {
    journal::prepare_state_directory(tree)?;
    put(tree, LEDGER, Some(&ledger.render()?))
}

/// Writes the pause file, whose text is for people.
pub fn write_pause(tree: &Tree, reason: &str) -> Result<(), StateError> {
    for directory in ["/etc", "/etc/ccgpu-node"] {
        if tree.stat(directory)?.is_none() {
            tree.make_directory(directory, 0o755)?;
        }
    }
    put(tree, PAUSE, Some(format!("{reason}\n").as_bytes()))
}

/// Removes the pause file. Says whether there was one.
pub fn remove_pause(tree: &Tree) -> Result<bool, StateError> {
    Ok(tree.missing_parents(PAUSE)?.is_empty() && tree.remove_file(PAUSE)?)
}

fn put(tree: &Tree, path: &str, after: Option<&[u8]>) -> Result<(), StateError> {
    let place = tree.place(path)?;
    let temporary = format!(".ccgpu-node.{}.tmp", place.name);
    let (directory, _) = place.path.rsplit_once('/').unwrap_or_default();
    // Of a run that was killed.
    tree.remove_file(&format!("{directory}/{temporary}"))?;
    replace::check_directory(tree, &place)?;
    let before = match tree.read(path, CAP) {
        // What is too large to be one of ours is not kept.
        Err(TreeError::TooLarge { .. }) => {
            tree.remove_file(&place.path)?;
            None
        }
        other => other?,
    };
    let metadata = Metadata::new(0o644, tree.owner());
    let metadata = before.is_none().then_some(&metadata);
    let before = Content::of(before.as_deref());
    replace::replace(
        tree,
        &place,
        &Change { before, after, metadata, temporary: &temporary, settle: None },
    )?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::testing::quick;
    use super::*;
    use crate::host::Root;
    use crate::remediate::{Pause, State};

    #[test]
    fn a_ledger_is_written_and_read_and_all_may_read_it() {
        let (directory, tree) = quick();
        let lock = Lock::take(&tree).unwrap();
        let root = Root::directory(directory.path()).unwrap();
        assert_eq!(State::read(&root).ledger, Ok(Ledger::default()));
        for _ in 0..2 {
            write_ledger(&tree, &lock, &Ledger::default()).unwrap();
            assert_eq!(State::read(&root).ledger, Ok(Ledger::default()));
        }
        let mode = |path: &str| {
            fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!(mode("var/lib/ccgpu-node"), 0o755);
        assert_eq!(mode("var/lib/ccgpu-node/remediation.json"), 0o644);
        assert_eq!(mode("var/lib/ccgpu-node/transactions"), 0o700);
    }

    #[test]
    fn what_a_killed_run_left_is_in_nobodys_way() {
        let (directory, tree) = quick();
        let lock = Lock::take(&tree).unwrap();
        let left = directory.path().join("var/lib/ccgpu-node/.ccgpu-node.remediation.json.tmp");
        fs::write(&left, "half").unwrap();
        write_ledger(&tree, &lock, &Ledger::default()).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_ledger_of_any_size_or_content_can_be_replaced_but_no_directory() {
        let (directory, tree) = quick();
        let lock = Lock::take(&tree).unwrap();
        let root = Root::directory(directory.path()).unwrap();
        let path = directory.path().join("var/lib/ccgpu-node/remediation.json");
        for bytes in [vec![0xff; 10], vec![b' '; 5 << 20]] {
            fs::write(&path, bytes).unwrap();
            assert!(State::read(&root).ledger.is_err());
            write_ledger(&tree, &lock, &Ledger::default()).unwrap();
            assert_eq!(State::read(&root).ledger, Ok(Ledger::default()));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(State::read(&root).ledger.is_err());
        write_ledger(&tree, &lock, &Ledger::default()).unwrap_err();
    }

    #[test]
    fn a_pause_comes_and_goes() {
        let (directory, tree) = quick();
        let root = Root::directory(directory.path()).unwrap();
        assert!(!remove_pause(&tree).unwrap());
        assert_eq!(State::read(&root).pause, Pause::No);
        for reason in ["firmware update", "still at it"] {
            write_pause(&tree, reason).unwrap();
            assert_eq!(State::read(&root).pause, Pause::Because(reason.to_owned()));
        }
        assert!(remove_pause(&tree).unwrap());
        assert_eq!(State::read(&root).pause, Pause::No);
    }
}
