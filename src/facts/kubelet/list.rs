//! The facts about the kubelet that rules may name.

use std::collections::BTreeSet;

use super::{Gate, Kubelet, Told};
use crate::facts::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

const WITH_VERSION: Needs = Needs::KUBELET.and(Needs::KUBELET_VERSION);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "kubelet.found",
        kind: Kind::Bool,
        doc: "Whether there is a kubelet: a process, a unit or a configuration file.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| evidence(&kubelet.found, |found| Value::Bool(*found))),
    },
    Fact {
        name: "kubelet.running",
        kind: Kind::Bool,
        doc: "Whether a kubelet process runs.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| evidence(&kubelet.running, |runs| Value::Bool(*runs))),
    },
    Fact {
        name: "kubelet.layout",
        kind: Kind::Text,
        doc: "The distribution that the kubelet's files look like: kubeadm, kubespray, k3s, rke2, \
              microk8s, eks, aks, gke, openshift, kops, talos or unknown.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| evidence(&kubelet.layout, |name| text(name))),
    },
    Fact {
        name: "kubelet.version",
        kind: Kind::Version,
        doc: "The version of the kubelet.",
        needs: WITH_VERSION,
        read: |facts| {
            of(facts, |kubelet| {
                evidence(&kubelet.version, |version| Value::Version(version.clone()))
            })
        },
    },
    Fact {
        name: "kubelet.config-path",
        kind: Kind::Text,
        doc: "The configuration file that the kubelet is told to read.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| evidence(&kubelet.config_path, |path| text(path))),
    },
    Fact {
        name: "kubelet.config-verdict",
        kind: Kind::Text,
        doc: "How the kubelet takes its configuration: strict, lenient where it ignores something in \
              it, fails where it does not start.",
        needs: WITH_VERSION,
        read: |facts| of(facts, |kubelet| evidence(&kubelet.verdict, |own| text(own.name()))),
    },
    Fact {
        name: "kubelet.gates-on",
        kind: Kind::Set,
        doc: "The feature gates that the configuration or a flag switches on.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| gates_set_to(kubelet, true)),
    },
    Fact {
        name: "kubelet.gates-off",
        kind: Kind::Set,
        doc: "The feature gates that the configuration or a flag switches off.",
        needs: Needs::KUBELET,
        read: |facts| of(facts, |kubelet| gates_set_to(kubelet, false)),
    },
    Fact {
        name: "kubelet.pod-resources-get",
        kind: Kind::Bool,
        doc: "Whether the feature gate KubeletPodResourcesGet is on, be it by default.",
        needs: WITH_VERSION,
        read: |facts| {
            of(facts, |kubelet| evidence(&kubelet.pod_resources_get, |on| Value::Bool(*on)))
        },
    },
    Fact {
        name: "kubelet.runtime-class-in-image-cri-api",
        kind: Kind::Bool,
        doc: "Whether the feature gate RuntimeClassInImageCriApi is on, be it by default.",
        needs: WITH_VERSION,
        read: |facts| {
            of(facts, |kubelet| {
                evidence(&kubelet.runtime_class_in_image_cri_api, |on| Value::Bool(*on))
            })
        },
    },
    Fact {
        name: "kubelet.runtime-request-timeout",
        kind: Kind::Duration,
        doc: "The time limit of the kubelet's requests to the container runtime; image pulls inside a \
              guest count against it.",
        needs: WITH_VERSION,
        read: |facts| {
            of(facts, |kubelet| {
                evidence(&kubelet.runtime_request_timeout, |timeout| Value::Duration(*timeout))
            })
        },
    },
    Fact {
        name: "kubelet.config-newer-than-process",
        kind: Kind::Bool,
        doc: "Whether a configuration file changed after the kubelet started, so that it runs with an \
              older one.",
        needs: Needs::KUBELET,
        read: |facts| {
            of(facts, |kubelet| {
                evidence(&kubelet.config_newer_than_process, |newer| Value::Bool(*newer))
            })
        },
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[Collection {
    name: "kubelet.gates",
    item: "feature gate",
    doc: "The feature gates that the kubelet's configuration or a flag sets.",
    needs: Needs::KUBELET,
    select: select_gates,
    facts: &[
        ItemFact {
            name: "name",
            kind: Kind::Text,
            doc: "The name of the gate.",
            needs: Needs::KUBELET,
            read: |facts, index| {
                gate(facts, index, |gate| {
                    Evidence::new(Reading::Known(text(&gate.name)), gate.value.source.clone())
                })
            },
        },
        ItemFact {
            name: "value",
            kind: Kind::Bool,
            doc: "What the gate is set to.",
            needs: Needs::KUBELET,
            read: |facts, index| {
                gate(facts, index, |gate| evidence(&gate.value, |value| Value::Bool(*value)))
            },
        },
        ItemFact {
            name: "accepted",
            kind: Kind::Bool,
            doc: "Whether a kubelet of this version starts with the gate set so.",
            needs: WITH_VERSION,
            read: |facts, index| {
                gate(facts, index, |gate| evidence(&gate.accepted, |value| Value::Bool(*value)))
            },
        },
    ],
}];

const NOWHERE: &str = "/var/lib/kubelet/config.yaml";

fn not_gathered() -> Evidence {
    Evidence::new(Reading::Unreadable(Cause::NotGathered), Source::file(NOWHERE))
}

fn of(facts: &Facts, read: impl FnOnce(&Kubelet) -> Evidence) -> Evidence {
    facts.kubelet.as_ref().map_or_else(not_gathered, read)
}

fn evidence<T>(told: &Told<T>, value: impl FnOnce(&T) -> Value) -> Evidence {
    Evidence {
        reading: told.reading.as_ref().map(value),
        source: Some(told.source.clone()),
        note: told.note.clone(),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn gates_set_to(kubelet: &Kubelet, wanted: bool) -> Evidence {
    evidence(&kubelet.gates, |gates| {
        let names: BTreeSet<String> = gates
            .iter()
            .filter(|gate| gate.value.reading == Reading::Known(wanted))
            .map(|gate| gate.name.clone())
            .collect();
        Value::Set(names)
    })
}

fn select_gates(facts: &Facts) -> Selection {
    let none = |doubt| Selection { subjects: Vec::new(), doubt };
    let Some(kubelet) = &facts.kubelet else {
        return none(Some((Cause::NotGathered, Source::file(NOWHERE))));
    };
    match &kubelet.gates.reading {
        Reading::Known(gates) => {
            let subjects = gates
                .iter()
                .enumerate()
                .map(|(index, gate)| Subject { index, label: gate.name.clone() })
                .collect();
            Selection { subjects, doubt: None }
        }
        Reading::Absent => none(None),
        Reading::Unreadable(cause) => none(Some((cause.clone(), kubelet.gates.source.clone()))),
    }
}

fn gate(facts: &Facts, index: usize, read: impl FnOnce(&Gate) -> Evidence) -> Evidence {
    facts
        .kubelet
        .as_ref()
        .and_then(|kubelet| kubelet.gates.reading.known())
        .and_then(|gates| gates.get(index))
        .map_or_else(not_gathered, read)
}
