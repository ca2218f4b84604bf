//! Placeholder: boot_config.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct BootConfig {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
