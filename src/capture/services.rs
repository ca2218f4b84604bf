//! What the kubelet and the API server said, as far as it may be shown: what facts need of it, with names
//! that say nothing.
//!
//! An answer is read and written anew, so a field that no fact reads is never shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::cluster::{Node, RuntimeClasses, is_of_interest};
use crate::host::pod_resources::{Device, Get, PodResources};
use crate::host::{Archive, NODE, Output, POD_RESOURCES, RUNTIME_CLASSES};

/// Redacts the answers in place.
pub(super) fn redact(archive: &mut Archive) {
    if let Some(output) = archive.answer_mut(POD_RESOURCES) {
        rewrite(output, pod_resources);
    }
    let classes = archive.answer(RUNTIME_CLASSES);
    let classes = classes.and_then(|output| serde_json::from_slice(&output.stdout).ok());
    let selected = classes.as_ref().map(selected).unwrap_or_default();
    if let Some(output) = archive.answer_mut(NODE) {
        rewrite(output, |node| self::node(node, &selected));
    }
    if let Some(output) = archive.answer_mut(RUNTIME_CLASSES) {
        rewrite(output, runtime_classes);
    }
}

/// Why nothing was said, and what an error says, may name anything.
fn rewrite<T>(output: &mut Output, change: impl FnOnce(T) -> T)
where
    T: serde::de::DeserializeOwned + serde::Serialize,
{
    output.stdout = match output.code {
        None if output.stdout.is_empty() => Vec::new(),
        None => b"no answer when the host was captured\n".to_vec(),
        Some(0 | 200) => serde_json::from_slice(&output.stdout)
            .ok()
            .and_then(|object| serde_json::to_vec_pretty(&change(object)).ok())
            .unwrap_or_default(),
        Some(_) => Vec::new(),
    };
}

/// NVIDIA's devices and who holds them, by numbers instead of names.
fn pod_resources(told: PodResources) -> PodResources {
    let PodResources { mut pods, mut offered, get } = told;
    if let Some(offered) = &mut offered {
        offered.retain(Device::is_nvidia);
    }
    for pod in &mut pods {
        pod.devices.retain(Device::is_nvidia);
    }
    pods.retain(|pod| !pod.devices.is_empty());
    for (number, pod) in (1..).zip(&mut pods) {
        "captured".clone_into(&mut pod.namespace);
        pod.name = format!("pod-{number}");
    }
    let get = match get {
        Get::Unclear(_) => Get::Unclear("another answer than is known".to_owned()),
        clear => clear,
    };
    PodResources { pods, offered, get }
}

/// The labels that RuntimeClasses select nodes by: without them it cannot be told what is missing.
fn selected(classes: &RuntimeClasses) -> BTreeSet<String> {
    let scheduling = classes.items.iter().filter_map(|class| class.scheduling.as_ref());
    scheduling.flat_map(|scheduling| scheduling.node_selector.keys().cloned()).collect()
}

fn node(mut node: Node, selected: &BTreeSet<String>) -> Node {
    "captured-host".clone_into(&mut node.metadata.name);
    node.metadata.labels.retain(|key, _| is_of_interest(key) || selected.contains(key));
    node.status.allocatable.retain(|name, _| name.starts_with("nvidia.com/"));
    node
}

fn runtime_classes(mut classes: RuntimeClasses) -> RuntimeClasses {
    for class in &mut classes.items {
        class.metadata.labels = BTreeMap::new();
    }
    classes
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
