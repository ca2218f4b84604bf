//! Loader entries, by `grubby`.

use super::ActionError;
use crate::host::Root;
use crate::plan::ArgumentChange;

/// Adds and removes arguments in the entries of all kernels.
pub fn update(_change: &ArgumentChange) -> Result<(), ActionError> {
    Err(ActionError)
}

/// Files that [`update`] may change.
pub fn files(_root: &Root) -> Vec<String> {
    Vec::new()
}
