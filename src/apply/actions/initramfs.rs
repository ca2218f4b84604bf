//! The initramfs, by the distribution's own tool.

use super::ActionError;
use crate::plan::InitramfsTool;

/// Rebuilds those of all kernels.
pub fn rebuild(_tool: InitramfsTool) -> Result<(), ActionError> {
    Err(ActionError)
}
