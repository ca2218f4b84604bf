//! Placeholder: kubelet.

mod decode;
mod gates;
mod schema;

use super::catalogue::{Collection, Fact};

#[derive(Debug, Default)]
pub struct Kubelet {}

pub(super) const FACTS: &[Fact] = &[];
pub(super) const COLLECTIONS: &[Collection] = &[];
