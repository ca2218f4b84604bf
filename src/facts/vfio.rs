//! Placeholder: vfio.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Vfio {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
