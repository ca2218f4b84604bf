//! Programs that change a host, and the checks around them.

pub mod boot_menu;
pub mod initramfs;
pub mod kubelet;
pub mod loader_entries;

/// Why a program did not do what it is for.
#[derive(Debug, thiserror::Error)]
#[error("not built in")]
pub struct ActionError;
