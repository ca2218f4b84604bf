//! One writer at a time: `/var/lib/ccgpu-node/lock`, locked by `flock`, with the holder's name in it.
//!
//! The lock is a descriptor: it goes with the process that holds it, however that ends, and no program
//! that is started inherits it. What stands in the file is for people only.

use std::os::fd::OwnedFd;

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::journal;
use super::tree::{Tree, TreeError, read_whole};

/// Bytes of the holder's name that are kept and shown.
const NAME: usize = 300;

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process is at work; `holder` is its pid and command line, or what is known of it.
    #[error("another run is changing this host: {holder}")]
    Held { holder: String },
    #[error("cannot take the lock")]
    Tree(#[from] TreeError),
}

/// Held as long as this value lives.
#[derive(Debug)]
pub struct Lock {
    file: OwnedFd,
}

impl Lock {
    /// Takes the lock of this tree, or says at once who has it.
    pub fn take(tree: &Tree) -> Result<Self, LockError> {
        journal::prepare_state_directory(tree)?;
        let path = format!("{}/lock", journal::STATE);
        let file = tree.open_own(&path, OFlags::RDWR | OFlags::CREATE)?;
        let operation = FlockOperation::NonBlockingLockExclusive;
        match retry_on_intr(|| rustix::fs::flock(&file, operation)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let text = read_whole(&file, NAME as u64 + 1, &path).unwrap_or_default();
                return Err(LockError::Held { holder: printable(&String::from_utf8_lossy(&text)) });
            }
            Err(errno) => return Err(TreeError::failed("lock", &path)(errno).into()),
        }
        // A lock whose holder has no name is held all the same.
        let _ = rustix::fs::ftruncate(&file, 0)
            .and_then(|()| rustix::io::pwrite(&file, name().as_bytes(), 0));
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, but for a program that is being started at this moment: until it is, it has
        // the descriptor too.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Pid and command line of this process, one line.
fn name() -> String {
    let words: Vec<_> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut name = printable(&format!("pid {}, {}", std::process::id(), words.join(" ")));
    let end = (0..=NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name.truncate(end.unwrap_or_default());
    name.push('\n');
    name
}

fn printable(text: &str) -> String {
    match text.trim() {
        "" => "a process that did not leave its name".to_owned(),
        text => text.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_has_it_and_gets_it_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::directory(directory.path()).unwrap();
        let first = Lock::take(&tree).unwrap();
        let second = std::thread::scope(|scope| {
            scope.spawn(|| Lock::take(&Tree::directory(directory.path()).unwrap())).join().unwrap()
        });
        let pid = format!("pid {}", std::process::id());
        match second {
            Err(LockError::Held { holder }) => assert!(holder.starts_with(&pid), "{holder}"),
            other => panic!("{other:?}"),
        }
        drop(first);
        Lock::take(&tree).unwrap();
    }

    #[test]
    fn of_many_takers_at_once_one_gets_it() {
        let directory = tempfile::tempdir().unwrap();
        let taken = std::thread::scope(|scope| {
            let take = || Lock::take(&Tree::directory(directory.path()).unwrap());
            let all: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            all.into_iter().map(|taker| taker.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1, "{taken:?}");
    }

    #[test]
    fn a_lock_file_that_is_a_link_or_a_fifo_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::directory(directory.path()).unwrap();
        journal::prepare_state_directory(&tree).unwrap();
        let lock = directory.path().join("var/lib/ccgpu-node/lock");
        std::os::unix::fs::symlink("/etc/passwd", &lock).unwrap();
        assert!(matches!(Lock::take(&tree), Err(LockError::Tree(_))));
        std::fs::remove_file(&lock).unwrap();
        nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Lock::take(&tree), Err(LockError::Tree(_))));
    }
}
