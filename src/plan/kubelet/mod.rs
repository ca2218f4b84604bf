//! The kubelet's configuration: gates and the request timeout, set where they take effect.

use std::collections::BTreeMap;

use super::{FileChange, Refused};

/// What the configuration shall say. Nothing else in it changes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// By name; `None` takes the gate out.
    pub gates: BTreeMap<String, Option<bool>>,
    /// As the kubelet writes durations: `20m`.
    pub runtime_request_timeout: Option<String>,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty() && self.runtime_request_timeout.is_none()
    }
}

/// What rules ask of the kubelet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ask {
    pub pod_resources_get: bool,
    pub runtime_class_in_image_cri: bool,
    pub timeout_at_least: Option<crate::format::duration::GoDuration>,
    pub drop_refused_gates: bool,
}

#[derive(Debug, Default)]
pub struct Files;

/// The files that change; none where all is so already.
pub(super) fn changes(
    _kubelet: &crate::facts::kubelet::Kubelet,
    _files: &Files,
    _ask: &Ask,
) -> Result<Vec<FileChange>, Refused> {
    Ok(Vec::new())
}

pub(super) fn unit(_kubelet: &crate::facts::kubelet::Kubelet) -> Result<String, Refused> {
    Ok("kubelet.service".to_owned())
}
