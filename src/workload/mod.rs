//! The sample pod of NVIDIA's guide, made for a node: its runtime class, the resources that its device plugin
//! offers, and as many of them as the architecture of its GPUs demands.
//!
//! What the host does not tell is assumed as the guide has it, and every assumption is said. Nothing here reads
//! a host or asks a cluster; whether the pod would run is for `check --stage workload` to say.

mod document;
mod names;
mod resources;

use crate::facts::catalogue::{self, Collection};
use crate::facts::kata::tee_of_cpu;
use crate::facts::{Facts, Needs, Reading, Value};
use document::{table, text};

pub use document::Node;
pub use names::{is_image, is_object_name};

/// What must be read of a host.
pub const NEEDS: Needs = Needs::CPU
    .and(Needs::OS)
    .and(Needs::PCI)
    .and(Needs::VFIO)
    .and(Needs::CONTAINER_RUNTIME)
    .and(Needs::CONTAINER_RUNTIME_VERSION)
    .and(Needs::OPERATOR_FILES)
    .and(Needs::CDI);

/// The image of the guide's sample.
pub const IMAGE: &str = "nvcr.io/nvidia/k8s/cuda-sample:vectoradd-cuda12.5.0-ubuntu22.04";
/// What the sample is called.
pub const NAME: &str = "cuda-vectoradd-kata";
const MEMORY: &str = "16Gi";

/// What the user wants otherwise than the host shows.
#[derive(Debug, Default, Clone)]
pub struct Wishes {
    /// A name of an object of Kubernetes.
    pub name: Option<String>,
    pub image: Option<String>,
    /// As many GPUs; at least 1.
    pub gpus: Option<usize>,
    /// A name of an object of Kubernetes.
    pub runtime_class: Option<String>,
}

/// A pod and all that was assumed about the host for it, a sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub pod: Node,
    pub assumed: Vec<String>,
}

/// Why there is no pod for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    #[error("this host has no NVIDIA GPU")]
    NoGpu,
    #[error("{asked} GPUs are asked for, and this host has {there}")]
    TooMany { asked: usize, there: usize },
    #[error(
        "a guest here has one GPU or all {there}: Hopper GPUs behind NVSwitches are not shared out \
         otherwise"
    )]
    Part { there: usize },
}

/// The pod for a host.
pub fn workload(facts: &Facts, wishes: &Wishes) -> Result<Workload, WorkloadError> {
    let mut assumed = Vec::new();
    let runtime_class = match &wishes.runtime_class {
        Some(name) => name.clone(),
        None => runtime_class(facts, &mut assumed),
    };
    let (gpus, switches) = resources::counts(facts, wishes.gpus, &mut assumed)?;
    let mut limits = Vec::new();
    let names = resources::names(facts, switches > 0, &mut assumed);
    limits.push((names.gpu, text(gpus.to_string())));
    if switches > 0 {
        limits.push((names.nvswitch, text(switches.to_string())));
    }
    limits.push(("memory".to_owned(), text(MEMORY)));
    let mut spec = vec![
        ("runtimeClassName".to_owned(), text(runtime_class)),
        ("restartPolicy".to_owned(), text("Never")),
    ];
    if let Some(node) = node(facts, &mut assumed) {
        spec.push(("nodeSelector".to_owned(), table([("kubernetes.io/hostname", text(node))])));
    }
    let container = table([
        ("name", text("cuda-vectoradd")),
        ("image", text(wishes.image.as_deref().unwrap_or(IMAGE))),
        ("resources", table([("limits", Node::Table(limits))])),
    ]);
    spec.push(("containers".to_owned(), Node::List(vec![container])));
    let pod = table([
        ("apiVersion", text("v1")),
        ("kind", text("Pod")),
        (
            "metadata",
            table([
                ("name", text(wishes.name.as_deref().unwrap_or(NAME))),
                ("namespace", text("default")),
            ]),
        ),
        ("spec", Node::Table(spec)),
    ]);
    Ok(Workload { pod, assumed })
}

/// By the handler for GPUs and this CPU's guests; kata-deploy calls runtime class and handler the same.
fn runtime_class(facts: &Facts, assumed: &mut Vec<String>) -> String {
    let tee = match tee_of_cpu(facts) {
        Reading::Known(tee) => tee,
        Reading::Absent => "none",
        Reading::Unreadable(cause) => {
            assumed.push(format!(
                "a guest that is not confidential: the CPU's vendor cannot be told: {cause}"
            ));
            "none"
        }
    };
    let usual = match tee {
        "none" => "kata-qemu-nvidia-gpu".to_owned(),
        tee => format!("kata-qemu-nvidia-gpu-{tee}"),
    };
    let found = handlers(facts);
    if let Some(name) = found.iter().find(|name| **name == usual).or_else(|| found.first()) {
        return name.clone();
    }
    assumed.push(format!(
        "the runtime class {usual}: no such handler of the container runtime was found"
    ));
    usual
}

/// The names of the handlers for GPUs and this CPU's guests.
fn handlers(facts: &Facts) -> Vec<String> {
    let Some(collection) = catalogue::collection("container-runtime.gpu-handlers") else {
        return Vec::new();
    };
    let of = |index: usize, name: &str| member(collection, facts, index, name);
    (collection.select)(facts)
        .subjects
        .iter()
        .filter(|subject| of(subject.index, "for-this-cpu") == Some(Value::Bool(true)))
        .filter_map(|subject| match of(subject.index, "handler") {
            Some(Value::Text(name)) if is_object_name(&name) => Some(name),
            _ => None,
        })
        .collect()
}

fn member(collection: &Collection, facts: &Facts, index: usize, name: &str) -> Option<Value> {
    let fact = collection.facts.iter().find(|fact| fact.name == name)?;
    (fact.read)(facts, index).reading.into_known()
}

/// What the node's label says, which the kubelet sets to the host's name in small letters.
fn node(facts: &Facts, assumed: &mut Vec<String>) -> Option<String> {
    let read = catalogue::fact("host.name").map(|fact| (fact.read)(facts).reading);
    match read {
        Some(Reading::Known(Value::Text(name))) => {
            let name = name.trim().to_ascii_lowercase();
            if names::is_label_value(&name) {
                return Some(name);
            }
            assumed.push("any node: the host's name cannot be the value of a label".to_owned());
        }
        _ => assumed.push("any node: the host's name is not told".to_owned()),
    }
    None
}

#[cfg(test)]
mod tests;
