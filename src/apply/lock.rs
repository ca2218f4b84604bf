//! One writer at a time: `/var/lib/ccgpu-node/lock`, locked by `flock`, with the holder's name in it.
//!
//! The lock is a descriptor: it goes with the process that holds it, however that ends. What stands in
//! the file is for people only.

use std::os::fd::OwnedFd;

use super::tree::{Tree, TreeError};

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
    _file: OwnedFd,
}

impl Lock {
    /// Takes the lock of this tree, or says at once who has it.
    pub fn take(_tree: &Tree) -> Result<Self, LockError> {
        Err(LockError::Held { holder: String::new() })
    }
}
