//! What `fix` would do to a host, as data: which files change from which bytes to which, which programs
//! run, and what follows from that. Built from a report; shown by `fix --dry-run`; carried out by `apply`.
//!
//! Everything here is pure but [`sources`], which reads through `host::Root`. Nothing here writes. All
//! difficulty of an edit is dealt with here, before the first byte is written: a step that `apply` is
//! given is already known to be right, if the host is still as it was read.

mod digest;
pub mod grub;
pub mod kubelet;

pub use digest::Digest;

/// What is to be done, in order: the boot loader before the kubelet, files before the programs that read
/// them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One step, and the rules that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub rules: Vec<Box<str>>,
    pub kind: StepKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    Write(FileChange),
    Act(Action),
}

/// A file as it is and as it shall be. `None` is a file that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Absolute inside the root; a symbolic link at its end is followed inside the root.
    pub path: String,
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
    /// Permission bits of a file that did not exist before; one that did keeps its own.
    pub new_mode: u32,
}

/// A program from a closed list. None takes anything from a rule file but kernel arguments, which are
/// checked to be single words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Generates the boot menu to a temporary name, validates it, and swaps it in.
    GenerateBootMenu(BootMenu),
    /// `grubby`, for hosts whose arguments are kept in loader entries. It changes the entries of all
    /// kernels; `/etc/default/grub` is changed by a step of its own.
    UpdateLoaderEntries(ArgumentChange),
    RebuildInitramfs(InitramfsTool),
    /// Restarts the unit and watches it for a whole window.
    RestartKubelet {
        unit: String,
    },
}

/// Which arguments of the kernel come and go.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ArgumentChange {
    /// Single words such as `intel_iommu=on`.
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootMenu {
    /// `grub-mkconfig` or `grub2-mkconfig`.
    pub generator: &'static str,
    /// Where the menu stands: `/boot/grub/grub.cfg`.
    pub target: String,
    /// In nothing but this may the new menu differ from the old one.
    pub change: ArgumentChange,
}

/// How a distribution rebuilds the initramfs of its kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitramfsTool {
    /// `update-initramfs -u -k all`
    UpdateInitramfs,
    /// `dracut --force --regenerate-all`
    Dracut,
    /// `mkinitcpio -P`
    Mkinitcpio,
}

/// Why an edit is not made, in words for the person who now has to make it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}: {why}", line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct Refused {
    pub path: String,
    /// From 1.
    pub line: Option<u32>,
    pub why: String,
}
