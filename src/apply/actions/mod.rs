//! Programs that change a host, and the checks around them.
//!
//! The list is closed: the boot menu's generator, `grubby`, the rebuild of an initramfs, the restart of
//! the kubelet, and the freeze of a file system that makes a boot loader see what was written. Each
//! judges what came of it, since a clean exit proves nothing. None decides what should change, and none
//! swaps a file into its place: that is for the engine that calls them.

pub mod boot_menu;
pub mod busy;
mod error;
pub mod initramfs;
pub mod kubelet;
pub mod loader_entries;
mod locks;
mod programs;
#[cfg(test)]
mod testing;

pub use error::ActionError;
