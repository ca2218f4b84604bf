//! The tree that is changed, the moment it is changed in, and what `recover` has to know about both.

use std::path::Path;

use super::{CommandError, host};
use crate::apply::{
    Boot, Entry, Interrupt, Lock, Occasion, Recovery, Tree, TreeError, history, recover,
};
use crate::facts::{Assumptions, Needs, gather};
use crate::format::cmdline::Cmdline;
use crate::host::{Reading, now, uptime};
use crate::plan::why_ineffective;
use crate::remediate::Moment;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const CMDLINE: &str = "/proc/cmdline";

/// A host that is open for reading, and may be changed.
pub(super) struct Site<'a> {
    pub(super) opened: host::Opened,
    pub(super) occasion: Occasion,
    root: Option<&'a Path>,
}

/// The right to change it, which nobody else has meanwhile.
pub(super) struct Hold {
    pub(super) tree: Tree,
    pub(super) lock: Lock,
    pub(super) interrupt: Interrupt,
}

/// The tree of the running machine, or that below a directory.
pub(super) fn tree(root: Option<&Path>) -> Result<Tree, TreeError> {
    root.map_or_else(Tree::live, Tree::directory)
}

impl<'a> Site<'a> {
    /// The running machine, or the tree below a directory.
    pub(super) fn open(root: Option<&'a Path>) -> Result<Self, CommandError> {
        let opened = host::open(root, None)?;
        let boot = match root {
            Some(_) => None,
            None => Some(boot(&opened)?),
        };
        Ok(Self { opened, occasion: Occasion { wall: now(), boot }, root })
    }

    /// Takes the lock of the tree and the signals of this process.
    pub(super) fn hold(&self) -> Result<Hold, CommandError> {
        let tree = tree(self.root)?;
        let lock = Lock::take(&tree)?;
        let interrupt = Interrupt::install().map_err(CommandError::Signals)?;
        Ok(Hold { tree, lock, interrupt })
    }

    /// Now, by all clocks; in no boot where this is not the running machine.
    pub(super) fn moment(&self) -> Moment {
        let boot = self.occasion.boot.as_ref().map(|boot| boot.id.clone());
        Moment { wall: now(), boot: boot.unwrap_or_default(), uptime: uptime() }
    }

    /// Whether this is not the running machine: files only.
    pub(super) fn is_offline(&self) -> bool {
        self.occasion.boot.is_none()
    }

    /// All transactions. A dry run of somebody who may not read them knows of none.
    pub(super) fn history(&self) -> Vec<Entry> {
        tree(self.root).ok().and_then(|tree| history(&tree).ok()).unwrap_or_default()
    }

    /// Ends what an earlier run left behind.
    pub(super) fn recover(&self, hold: &Hold) -> Result<Recovery, CommandError> {
        let mut reason = |change: &_| {
            let needs = Needs::BOOT_CONFIG.and(Needs::CMDLINE).and(Needs::OS);
            let facts = gather(&self.opened.root, &self.opened.run, needs, Assumptions::default());
            why_ineffective(&facts, change)
        };
        Ok(recover(&hold.tree, &hold.lock, &self.occasion, &mut reason)?)
    }
}

fn boot(opened: &host::Opened) -> Result<Boot, CommandError> {
    let missing = |path: &'static str, why: String| CommandError::Boot { path, why };
    let id = match opened.root.read_attribute(BOOT_ID) {
        Reading::Known(id) => id,
        Reading::Absent => return Err(missing(BOOT_ID, "no such file".to_owned())),
        Reading::Unreadable(cause) => return Err(missing(BOOT_ID, cause.to_string())),
    };
    let arguments = match opened.root.read_text(CMDLINE) {
        Reading::Known(text) => {
            let line = Cmdline::parse(text.as_bytes());
            line.params().map(|param| param.token.to_owned()).collect()
        }
        Reading::Absent => return Err(missing(CMDLINE, "no such file".to_owned())),
        Reading::Unreadable(cause) => return Err(missing(CMDLINE, cause.to_string())),
    };
    Ok(Boot { id, arguments })
}
