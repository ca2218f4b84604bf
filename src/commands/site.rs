//! The tree that is changed, the moment it is changed in, and what `recover` has to know about both.

use std::path::Path;

use super::{CommandError, host};
use crate::apply::{Boot, Interrupt, Lock, Occasion, Recovered, Tree, recover, sentinel};
use crate::facts::{Assumptions, Needs, gather};
use crate::format::cmdline::Cmdline;
use crate::host::{Reading, now};
use crate::plan::why_ineffective;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const CMDLINE: &str = "/proc/cmdline";

/// A host that is open for reading and for writing.
pub(super) struct Site {
    pub(super) opened: host::Opened,
    pub(super) tree: Tree,
    pub(super) occasion: Occasion,
}

impl Site {
    /// The running machine, or the tree below a directory.
    pub(super) fn open(root: Option<&Path>) -> Result<Self, CommandError> {
        let opened = host::open(root, None)?;
        let tree = match root {
            Some(path) => Tree::directory(path)?,
            None => Tree::live()?,
        };
        let boot = match root {
            Some(_) => None,
            None => Some(boot(&opened)?),
        };
        Ok(Self { opened, tree, occasion: Occasion { wall: now(), boot } })
    }

    /// Whether this is not the running machine: files only.
    pub(super) fn is_offline(&self) -> bool {
        self.occasion.boot.is_none()
    }

    /// Ends what an earlier run left behind.
    pub(super) fn recover(&self, lock: &Lock) -> Result<Vec<Recovered>, CommandError> {
        let mut reason = |change: &_| {
            let needs = Needs::BOOT_CONFIG.and(Needs::CMDLINE).and(Needs::OS);
            let facts = gather(&self.opened.root, &self.opened.run, needs, Assumptions::default());
            why_ineffective(&facts, change)
        };
        Ok(recover(&self.tree, lock, &self.occasion, &mut reason)?)
    }

    /// The reboot flag says what is so: raised while a change of ours waits for a boot, else not by us.
    pub(super) fn settle_sentinel(&self) -> Result<(), CommandError> {
        if self.is_offline() {
            return Ok(());
        }
        let waits = crate::apply::history(&self.tree)?
            .iter()
            .any(|entry| matches!(entry.state, crate::apply::State::PendingReboot { .. }));
        if waits {
            sentinel::raise(&self.tree)?
        } else {
            sentinel::clear(&self.tree)?
        }
        Ok(())
    }
}

/// Takes the lock of this tree and the signals of this process.
pub(super) fn begin(site: &Site) -> Result<(Lock, Interrupt), CommandError> {
    let lock = Lock::take(&site.tree)?;
    let interrupt = Interrupt::install().map_err(CommandError::Signals)?;
    Ok((lock, interrupt))
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
