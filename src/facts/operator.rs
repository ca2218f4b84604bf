//! Traces that the GPU Operator leaves on a node.
//!
//! They say that it ran, not that it succeeded: validation files can outlive what they attest.

use super::catalogue::{Collection, Evidence, Fact};
use super::{Facts, Kind, Needs, Reading, Source, Value};
use crate::host::{FileKind, Root};

const VALIDATIONS: &str = "/run/nvidia/validations";

#[derive(Debug)]
pub struct Operator {
    /// Whether the directory of validation files exists.
    pub validations: Reading<bool>,
}

pub(super) fn gather(root: &Root) -> Operator {
    let validations = root.stat(VALIDATIONS).map(|stat| stat.kind == FileKind::Directory);
    Operator { validations: validations.or_absent(false) }
}

pub(super) const FACTS: &[Fact] = &[Fact {
    name: "operator.validations",
    kind: Kind::Bool,
    doc: "The GPU Operator has left its validation files on this node.",
    needs: Needs::OPERATOR,
    read: |facts: &Facts| {
        let reading = match &facts.operator {
            Some(operator) => operator.validations.as_ref().map(|there| Value::Bool(*there)),
            None => Reading::Unreadable(super::Cause::NotGathered),
        };
        Evidence::new(reading, Source::file(VALIDATIONS))
    },
}];

pub(super) const COLLECTIONS: &[Collection] = &[];
