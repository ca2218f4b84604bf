//! Would the scheduler place a pod of a RuntimeClass on a node, and if not, who has to do something?
//!
//! Only what a RuntimeClass adds to its pods is looked at: a selector of nodes, and tolerations.

use super::object::{Node, RuntimeClass, Scheduling, Taint, Toleration};

/// Who sets a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Setter {
    /// The manager of the GPUs' confidential computing mode, of the GPU Operator.
    Operator,
    /// Node Feature Discovery, by a rule that the chart of Kata brings.
    FeatureDiscovery,
    KataDeploy,
    /// A person.
    Administrator,
}

impl Setter {
    pub(super) fn of(label: &str) -> Self {
        match label {
            "nvidia.com/gpu.workload.config" | "nvidia.com/cc.mode" => Self::Administrator,
            _ if label.starts_with("nvidia.com/") => Self::Operator,
            _ if label.contains("feature.node.kubernetes.io/") => Self::FeatureDiscovery,
            _ if label.starts_with("katacontainers.io/") => Self::KataDeploy,
            _ => Self::Administrator,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Operator => "the GPU Operator",
            Self::FeatureDiscovery => "Node Feature Discovery",
            Self::KataDeploy => "kata-deploy",
            Self::Administrator => "an administrator",
        }
    }
}

/// A label that a RuntimeClass selects nodes by and that this node has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// `nvidia.com/cc.ready.state=true`
    pub(super) label: String,
    /// What it is instead; `None` where the node has no such label.
    pub(super) instead: Option<String>,
    pub(super) setter: Setter,
}

pub(super) fn missing(node: &Node, class: &RuntimeClass) -> Vec<Missing> {
    let selector = class.scheduling.iter().flat_map(|scheduling| &scheduling.node_selector);
    let missing = selector.filter_map(|(key, value)| {
        let own = node.metadata.labels.get(key);
        (own != Some(value)).then(|| Missing {
            label: format!("{key}={value}"),
            instead: own.cloned(),
            setter: Setter::of(key),
        })
    });
    missing.collect()
}

/// The taints that keep the pods of a RuntimeClass away, unless they tolerate them themselves.
pub(super) fn untolerated<'n>(node: &'n Node, class: &RuntimeClass) -> Vec<&'n Taint> {
    let tolerations =
        class.scheduling.as_ref().map_or(&[][..], |Scheduling { tolerations, .. }| tolerations);
    let keeps_away = |taint: &&Taint| {
        taint.effect != "PreferNoSchedule"
            && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
    };
    node.spec.taints.iter().filter(keeps_away).collect()
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let Toleration { key, operator, value, effect } = toleration;
    if !effect.is_empty() && *effect != taint.effect {
        return false;
    }
    match operator.as_str() {
        // Without a key it tolerates everything.
        "Exists" => key.is_empty() || *key == taint.key,
        "Equal" | "" => *key == taint.key && *value == taint.value,
        _ => false,
    }
}
