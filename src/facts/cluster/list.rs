//! The facts about the cluster's view of this node that rules may name.

use std::collections::BTreeSet;

use super::object::{Node, RuntimeClass};
use super::schedule::{Missing, missing, untolerated};
use super::{Cluster, predict};
use crate::facts::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use crate::facts::kata::{Shim, tee_of_cpu};
use crate::facts::pci::{Pci, is_vfio};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

/// Where the kubelet's flags and the name of the host stand, which say how and for what it is asked.
pub(in crate::facts) const NEEDS: Needs = Needs::CLUSTER.and(Needs::KUBELET).and(Needs::OS);
const WITH_CPU: Needs = NEEDS.and(Needs::CPU);
const WITH_PCI: Needs = NEEDS.and(Needs::PCI);

/// How evidence from the API server is marked.
pub(in crate::facts) const NODE: &str = "/api/v1/nodes";
const CLASSES: &str = "/apis/node.k8s.io/v1/runtimeclasses";

/// What the labels that matter here begin with, or contain.
const LABELS: [&str; 4] = [
    "nvidia.com/",
    "katacontainers.io/",
    "amd.feature.node.kubernetes.io/",
    "intel.feature.node.kubernetes.io/",
];

macro_rules! label {
    ($name:literal, $label:literal, $doc:literal) => {
        Fact {
            name: $name,
            kind: Kind::Text,
            doc: concat!("The node's label ", $label, ", ", $doc, "; absent where it has none."),
            needs: NEEDS,
            read: |facts| of_node(facts, |node| text(node.metadata.labels.get($label))),
        }
    };
}

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "cluster.asked",
        kind: Kind::Bool,
        doc: "Whether the API server was asked, as --cluster does; where not, all else of the cluster \
              is absent.",
        needs: NEEDS,
        read: |facts| of(facts, NODE, |cluster| Reading::Known(Value::Bool(cluster.asked))),
    },
    Fact {
        name: "cluster.node",
        kind: Kind::Text,
        doc: "The name of this node; absent where the API server knows no such node.",
        needs: NEEDS,
        read: |facts| of_node(facts, |node| text(Some(&node.metadata.name))),
    },
    Fact {
        name: "cluster.labels",
        kind: Kind::Set,
        doc: "The node's labels of NVIDIA, Kata and the trusted execution environments, as \
              nvidia.com/cc.mode=on.",
        needs: NEEDS,
        read: |facts| {
            of_node(facts, |node| {
                let labels = node.metadata.labels.iter();
                let own = labels.filter(|(key, _)| is_of_interest(key));
                Reading::Known(set(own.map(|(key, value)| format!("{key}={value}"))))
            })
        },
    },
    label!(
        "cluster.workload-config",
        "nvidia.com/gpu.workload.config",
        "what the GPU Operator prepares it for"
    ),
    label!("cluster.cc-mode", "nvidia.com/cc.mode", "the mode that is wanted of its GPUs"),
    label!("cluster.cc-mode-state", "nvidia.com/cc.mode.state", "the mode that was set, or failed"),
    label!(
        "cluster.cc-ready-state",
        "nvidia.com/cc.ready.state",
        "whether its GPUs are ready for confidential guests"
    ),
    label!("cluster.snp", "amd.feature.node.kubernetes.io/snp", "true on hosts with SEV-SNP"),
    label!("cluster.tdx", "intel.feature.node.kubernetes.io/tdx", "true on hosts with TDX"),
    label!("cluster.kata-runtime", "katacontainers.io/kata-runtime", "true once Kata is installed"),
    Fact {
        name: "cluster.allocatable",
        kind: Kind::Set,
        doc: "NVIDIA's resources that the node offers to pods, as nvidia.com/pgpu=8.",
        needs: NEEDS,
        read: |facts| {
            of_node(facts, |node| {
                let own = resources(node).map(|(name, count)| format!("{name}={count}"));
                Reading::Known(set(own))
            })
        },
    },
    Fact {
        name: "cluster.allocatable-gpus",
        kind: Kind::Integer,
        doc: "How many GPUs the node offers to pods, under whatever names.",
        needs: NEEDS,
        read: |facts| of_node(facts, |node| count(node, false).map(Value::Integer)),
    },
    Fact {
        name: "cluster.allocatable-nvswitches",
        kind: Kind::Integer,
        doc: "How many NVSwitches the node offers to pods.",
        needs: NEEDS,
        read: |facts| of_node(facts, |node| count(node, true).map(Value::Integer)),
    },
    Fact {
        name: "cluster.devices-allocatable",
        kind: Kind::Bool,
        doc: "Whether the node offers every GPU and NVSwitch that is bound to vfio-pci.",
        needs: WITH_PCI,
        read: all_allocatable,
    },
    Fact {
        name: "cluster.taints",
        kind: Kind::Set,
        doc: "The node's taints, as key=value:NoSchedule.",
        needs: NEEDS,
        read: |facts| {
            of_node(facts, |node| {
                Reading::Known(set(node.spec.taints.iter().map(ToString::to_string)))
            })
        },
    },
    Fact {
        name: "cluster.gpu-classes",
        kind: Kind::Set,
        doc: "The RuntimeClasses whose handler is a Kata shim for NVIDIA GPUs and the trusted execution \
              environment of this host's CPU.",
        needs: WITH_CPU,
        read: |facts| {
            over_gpu_classes(facts, |classes| {
                set(classes.iter().map(|it| it.metadata.name.clone()))
            })
        },
    },
    Fact {
        name: "cluster.gpu-class",
        kind: Kind::Bool,
        doc: "Whether there is such a RuntimeClass.",
        needs: WITH_CPU,
        read: |facts| over_gpu_classes(facts, |classes| Value::Bool(!classes.is_empty())),
    },
    Fact {
        name: "cluster.missing-from",
        kind: Kind::Set,
        doc: "Who has to set the labels that these RuntimeClasses select nodes by and that this node \
              lacks: the GPU Operator, Node Feature Discovery, kata-deploy, an administrator.",
        needs: WITH_CPU,
        read: |facts| {
            let node = match node(facts) {
                Reading::Known(node) => node,
                Reading::Absent => return Evidence::new(Reading::Absent, Source::file(NODE)),
                Reading::Unreadable(cause) => {
                    return Evidence::new(Reading::Unreadable(cause), Source::file(NODE));
                }
            };
            over_gpu_classes(facts, |classes| {
                let missing = classes.iter().flat_map(|class| missing(node, class));
                set(missing.map(|missing| missing.setter.name().to_owned()))
            })
        },
    },
    Fact {
        name: "cluster.predicted-missing",
        kind: Kind::Set,
        doc: "What the node is predicted to lack for a confidential pod with a GPU, labels and resources, \
              by the host's own facts; absent where the API server was asked.",
        needs: predict::NEEDS.and(NEEDS),
        read: predict::missing,
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[Collection {
    name: "cluster.runtime-classes",
    item: "RuntimeClass",
    doc: "The RuntimeClasses of the cluster; none where the API server was not asked.",
    needs: NEEDS,
    select,
    facts: &[
        ItemFact::new("name", Kind::Text, NEEDS, "Its name.", |facts, index| {
            of_class(facts, index, |class| text(Some(&class.metadata.name)))
        }),
        ItemFact::new(
            "handler",
            Kind::Text,
            NEEDS,
            "The handler that it names.",
            |facts, index| of_class(facts, index, |class| text(Some(&class.handler))),
        ),
        ItemFact::new(
            "for-gpus-of-this-cpu",
            Kind::Bool,
            WITH_CPU,
            "Whether its handler is a Kata shim for NVIDIA GPUs and the trusted execution environment \
             of this host's CPU.",
            |facts, index| {
                of_class(facts, index, |class| {
                    tee_of_cpu(facts).map(|tee| Value::Bool(is_for(class, tee)))
                })
            },
        ),
        ItemFact::new(
            "missing-labels",
            Kind::Set,
            NEEDS,
            "The labels that it selects nodes by and that this node lacks.",
            |facts, index| {
                let mut why = None;
                let evidence = of_class(facts, index, |class| {
                    node(facts).map(|node| {
                        let missing = missing(node, class);
                        why = Some(missing.iter().map(explained).collect::<Vec<_>>().join("; "));
                        set(missing.into_iter().map(|missing| missing.label))
                    })
                });
                Evidence { note: why.filter(|why| !why.is_empty()), ..evidence }
            },
        ),
        ItemFact::new(
            "untolerated-taints",
            Kind::Set,
            NEEDS,
            "The taints of this node that keep its pods away, unless they tolerate them themselves.",
            |facts, index| {
                of_class(facts, index, |class| {
                    node(facts).map(|node| {
                        set(untolerated(node, class).into_iter().map(ToString::to_string))
                    })
                })
            },
        ),
    ],
}];

/// `nvidia.com/cc.ready.state is "false", and the GPU Operator sets it`
fn explained(missing: &Missing) -> String {
    let key = missing.label.split('=').next().unwrap_or_default();
    let setter = missing.setter.name();
    match &missing.instead {
        Some(value) => format!("{key} is {value:?}, and {setter} sets it"),
        None => format!("{setter} sets {key}"),
    }
}

pub(crate) fn is_of_interest(label: &str) -> bool {
    LABELS.iter().any(|start| label.starts_with(start))
}

fn set(names: impl Iterator<Item = String>) -> Value {
    Value::Set(names.collect::<BTreeSet<_>>())
}

fn text(value: Option<&String>) -> Reading<Value> {
    value.map_or(Reading::Absent, |value| Reading::Known(Value::Text(value.clone())))
}

fn of(facts: &Facts, path: &str, read: impl FnOnce(&Cluster) -> Reading<Value>) -> Evidence {
    match &facts.cluster {
        Some(cluster) => Evidence::new(read(cluster), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

fn of_node(facts: &Facts, read: impl FnOnce(&Node) -> Reading<Value>) -> Evidence {
    of(facts, NODE, |cluster| cluster.node.as_ref().and_then(read))
}

/// A label of the node; absent where it has none, or nobody was asked.
pub(in crate::facts) fn label<'f>(facts: &'f Facts, key: &str) -> Reading<&'f str> {
    node(facts).and_then(|node| match node.metadata.labels.get(key) {
        Some(value) => Reading::Known(value.as_str()),
        None => Reading::Absent,
    })
}

fn node(facts: &Facts) -> Reading<&Node> {
    match &facts.cluster {
        Some(cluster) => cluster.node.as_ref(),
        None => Reading::Unreadable(Cause::NotGathered),
    }
}

fn of_class(
    facts: &Facts,
    index: usize,
    read: impl FnOnce(&RuntimeClass) -> Reading<Value>,
) -> Evidence {
    of(facts, CLASSES, |cluster| {
        let class = cluster.classes.known().and_then(|classes| classes.get(index));
        class.map_or(Reading::Unreadable(Cause::NotGathered), read)
    })
}

fn over_gpu_classes(facts: &Facts, read: impl FnOnce(Vec<&RuntimeClass>) -> Value) -> Evidence {
    of(facts, CLASSES, |cluster| {
        cluster.classes.as_ref().and_then(|classes| {
            tee_of_cpu(facts)
                .map(|tee| read(classes.iter().filter(|class| is_for(class, tee)).collect()))
        })
    })
}

fn select(facts: &Facts) -> Selection {
    let none = |doubt| Selection { subjects: Vec::new(), doubt };
    let source = || Source::file(CLASSES);
    match facts.cluster.as_ref().map(|cluster| &cluster.classes) {
        Some(Reading::Known(classes)) => {
            let subjects = classes
                .iter()
                .enumerate()
                .map(|(index, class)| Subject { index, label: class.metadata.name.clone() });
            Selection { subjects: subjects.collect(), doubt: None }
        }
        Some(Reading::Absent) => none(None),
        Some(Reading::Unreadable(cause)) => none(Some((cause.clone(), source()))),
        None => none(Some((Cause::NotGathered, source()))),
    }
}

/// Whether it starts guests with GPUs and this trusted execution environment.
fn is_for(class: &RuntimeClass, tee: &str) -> bool {
    let shim = class.handler.strip_prefix("kata-").unwrap_or(&class.handler);
    Shim::of_file("/", &format!("configuration-{shim}.toml"))
        .is_some_and(|shim| shim.is_for_nvidia_gpus() && shim.tee() == tee)
}

fn resources(node: &Node) -> impl Iterator<Item = (&str, &str)> {
    let all = node.status.allocatable.iter().map(|(name, count)| (name.as_str(), count.as_str()));
    all.filter(|(name, _)| name.starts_with("nvidia.com/"))
}

/// A site may call its resources as it likes, so those of NVSwitches are told by their name, and all others
/// are GPUs.
fn count(node: &Node, of_switches: bool) -> Reading<i64> {
    let mut sum = 0_i64;
    for (name, count) in resources(node) {
        if name.to_ascii_lowercase().contains("nvswitch") != of_switches {
            continue;
        }
        if let Ok(count) = count.parse::<u32>() {
            sum = sum.saturating_add(count.into());
        } else {
            let what = format!("{name} is {count:?}, which is no number of devices");
            return Reading::Unreadable(Cause::malformed(None, what));
        }
    }
    Reading::Known(sum)
}

fn all_allocatable(facts: &Facts) -> Evidence {
    let mut note = None;
    let evidence = of_node(facts, |node| {
        let Some(pci) = &facts.pci else { return Reading::Unreadable(Cause::NotGathered) };
        let offered = count(node, false).and_then(|gpus| count(node, true).map(|it| (gpus, it)));
        let bound = bound(pci, pci.gpus())
            .and_then(|gpus| bound(pci, pci.nvswitches()).map(|nvswitches| (gpus, nvswitches)));
        offered.and_then(|offered| {
            bound.map(|bound| {
                note = Some(format!(
                    "{} of {} GPUs, {} of {} NVSwitches",
                    offered.0, bound.0, offered.1, bound.1
                ));
                Value::Bool(offered.0 >= bound.0 && offered.1 >= bound.1)
            })
        })
    });
    Evidence { note, ..evidence }
}

/// How many of some functions are on vfio-pci.
fn bound(pci: &Pci, indices: &[usize]) -> Reading<i64> {
    if let Some((cause, _)) = pci.doubt() {
        return Reading::Unreadable(cause);
    }
    let mut count = 0;
    for index in indices {
        match pci.placement(*index).map(|placement| &placement.driver) {
            Some(Reading::Known(driver)) if is_vfio(driver) => count += 1,
            Some(Reading::Known(_) | Reading::Absent) => {}
            Some(Reading::Unreadable(cause)) => return Reading::Unreadable(cause.clone()),
            None => return Reading::Unreadable(Cause::NotGathered),
        }
    }
    Reading::Known(count)
}
