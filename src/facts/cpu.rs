//! Placeholder: cpu.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Cpu {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
