//! The boot menu: generated, validated, settled.

use super::ActionError;
use crate::plan::BootMenu;

/// The validated bytes of the new menu.
pub fn generate(_menu: &BootMenu) -> Result<Vec<u8>, ActionError> {
    Err(ActionError)
}

/// Makes the menu at this path one that the boot loader can read, whatever happens next.
pub fn settle(_target: &str) -> Result<(), ActionError> {
    Err(ActionError)
}
