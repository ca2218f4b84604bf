//! What `fix` would do to a host, as data: which files change from which bytes to which, which programs
//! run, and what follows from that. Built from a report; shown by `fix --dry-run`; carried out by `apply`.
//!
//! Everything here is pure but [`sources`], which reads through `host::Root`. Nothing here writes. All
//! difficulty of an edit is dealt with here, before the first byte is written: a step that `apply` is
//! given is already known to be right, if the host is still as it was read.

mod boot;
mod difference;
mod digest;
pub mod grub;
pub mod kubelet;
mod modules;
mod propose;
mod shim;
pub mod sources;
#[cfg(test)]
mod tests;

pub use boot::why_ineffective;
pub use digest::Digest;
pub use propose::{Allowed, Fate, Proposal, propose};

/// What is to be done, in order: the boot loader before the kubelet, files before the programs that read
/// them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What a plan is known by: equal for equal steps over equal files, and for no others.
    pub fn digest(&self) -> Digest {
        let image = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => Digest::of(bytes).to_string(),
            None => "none".to_owned(),
        };
        let mut text = String::new();
        for step in &self.steps {
            let line = match &step.kind {
                StepKind::Write(change) => format!(
                    "write {:?} {} {}",
                    change.path,
                    image(&change.before),
                    image(&change.after)
                ),
                StepKind::Act(action) => format!("act {action:?}"),
            };
            text.push_str(&line);
            text.push('\n');
        }
        Digest::of(text.as_bytes())
    }

    /// Whether it takes effect with a reboot, in part at least.
    pub fn needs_reboot(&self) -> bool {
        self.steps.iter().any(|step| match &step.kind {
            StepKind::Write(change) => {
                change.path == modules::DENYLIST || change.path == modules::LOADED
            }
            StepKind::Act(action) => !matches!(action, Action::RestartKubelet { .. }),
        })
    }

    pub fn restarts_kubelet(&self) -> bool {
        let restarts =
            |step: &Step| matches!(step.kind, StepKind::Act(Action::RestartKubelet { .. }));
        self.steps.iter().any(restarts)
    }

    /// The same without its programs, for a tree that is not the running machine, and the commands that
    /// are left to be run on that machine.
    pub fn files_only(mut self) -> (Self, Vec<String>) {
        let mut left = Vec::new();
        self.steps.retain(|step| match &step.kind {
            StepKind::Write(_) => true,
            StepKind::Act(action) => {
                left.push(action.command());
                false
            }
        });
        (self, left)
    }
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

impl Action {
    /// What a person would type for the same effect.
    pub fn command(&self) -> String {
        match self {
            Self::GenerateBootMenu(menu) => format!("{} -o {}", menu.generator, menu.target),
            Self::UpdateLoaderEntries(change) => change.grubby(),
            Self::RebuildInitramfs(tool) => tool.command().to_owned(),
            Self::RestartKubelet { unit } => format!("systemctl restart {unit}"),
        }
    }
}

/// Which arguments of the kernel come and go.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ArgumentChange {
    /// Single words such as `intel_iommu=on`.
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

impl ArgumentChange {
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// The same for a host whose arguments are kept in loader entries.
    fn grubby(&self) -> String {
        let flag = |name: &str, list: &[String]| match list {
            [] => String::new(),
            list => format!(" --{name}=\"{}\"", list.join(" ")),
        };
        let (add, remove) = (flag("args", &self.add), flag("remove-args", &self.remove));
        format!("grubby --update-kernel=ALL{add}{remove}")
    }
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

impl InitramfsTool {
    fn command(self) -> &'static str {
        match self {
            Self::UpdateInitramfs => "update-initramfs -u -k all",
            Self::Dracut => "dracut --force --regenerate-all",
            Self::Mkinitcpio => "mkinitcpio -P",
        }
    }
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

/// A refusal, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Refused,
    /// Commands of whoever owns what would have to change.
    pub instead: Vec<String>,
}

impl From<Refused> for Refusal {
    fn from(why: Refused) -> Self {
        Self { why, instead: Vec::new() }
    }
}
