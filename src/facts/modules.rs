//! Placeholder: modules.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Modules {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
