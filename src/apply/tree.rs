//! The writable twin of `host::Root`: a directory, and everything below it by descriptor.
//!
//! Every path is resolved by `openat2(RESOLVE_IN_ROOT)`, so absolute links and `..` stay inside, whatever
//! changes meanwhile. Files are changed through `replace` only; this module makes and removes names.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why something in the tree could not be had or done.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot open {} as a root directory", path.display())]
    Open { path: PathBuf, source: Errno },
    #[error("cannot {what} {path}")]
    Failed { what: &'static str, path: String, source: Errno },
    #[error("{path} is {what}")]
    Unfit { path: String, what: &'static str },
}

/// A machine's files, to be changed: those of `/`, or of a directory given by `--root`.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// The machine that this program runs on.
    pub fn live() -> Result<Self, TreeError> {
        Self::open(Path::new("/"))
    }

    /// A directory that holds a machine's files, such as a mounted image.
    pub fn directory(path: &Path) -> Result<Self, TreeError> {
        Self::open(path)
    }

    fn open(path: &Path) -> Result<Self, TreeError> {
        Err(TreeError::Open { path: path.to_owned(), source: Errno::NOSYS })
    }

    /// The bytes of a regular file; `None` where nothing has that name.
    pub fn read(&self, path: &str, _cap: u64) -> Result<Option<Vec<u8>>, TreeError> {
        let _ = &self.root;
        Err(TreeError::Failed { what: "read", path: path.to_owned(), source: Errno::NOSYS })
    }
}
