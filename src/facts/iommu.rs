//! Placeholder: iommu.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Iommu {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
