//! Placeholder: kubelet.

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Kubelet {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
