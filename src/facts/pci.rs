//! Placeholder: pci.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Pci {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
