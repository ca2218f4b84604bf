//! Placeholder: cmdline.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Cmdline {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
