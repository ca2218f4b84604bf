//! Placeholder: os.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Os {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
