//! Traces that the GPU Operator and its device plugin leave on a node.
//!
//! They say that something ran, not that it succeeded: validation files can outlive what they attest, and
//! are written when nothing was found to validate. So none is trusted alone.

mod cdi;
mod list;
mod sockets;
mod validations;

use super::Reading;
use crate::host::{FileKind, Root};

pub(super) use cdi::gather as gather_cdi;
pub use cdi::{Cdi, Device};
pub(crate) use list::nodes as nodes_of;
pub(super) use list::{COLLECTIONS, FACTS};
pub use sockets::Sockets;
pub(super) use validations::CLOCK_SLACK;
pub use validations::{Validation, Validations};

/// Where the operands leave their validation files.
pub(super) const VALIDATIONS: &str = "/run/nvidia/validations";

/// The one that cc-manager leaves when it has tried to set a mode, whether it could or not.
pub(super) const CC_MANAGER: &str = ".cc-manager-ctr-ready";

#[derive(Debug)]
pub struct Operator {
    /// Whether the directory of validation files exists.
    pub validations: Reading<bool>,
}

pub(super) fn gather(root: &Root) -> Operator {
    let validations = root.stat(VALIDATIONS).map(|stat| stat.kind == FileKind::Directory);
    Operator { validations: validations.or_absent(false) }
}

/// What stands in files and sockets.
#[derive(Debug)]
pub struct Files {
    pub validations: Validations,
    pub sockets: Sockets,
}

pub(super) fn gather_files(root: &Root) -> Files {
    Files { validations: validations::read(root), sockets: sockets::read(root) }
}

#[cfg(test)]
mod tests;
