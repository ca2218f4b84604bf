//! The facts about Kata Containers that rules may name.

use std::collections::BTreeSet;

use super::{Configuration, Kata, Language, tee_of_cpu, timeouts};
use crate::facts::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

const NOWHERE: &str = "/opt/kata";

/// Which configurations are for this host depends on its CPU.
const WITH_CPU: Needs = Needs::KATA.and(Needs::CPU);
const WITH_KUBELET: Needs = Needs::KATA.and(Needs::KUBELET).and(Needs::KUBELET_VERSION);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "kata.found",
        kind: Kind::Bool,
        doc: "Whether Kata Containers is installed: a shim, or the configurations of shims.",
        needs: Needs::KATA_FOUND,
        read: |facts| match &facts.kata_places {
            Some(places) => places.found.evidence(|found| Value::Bool(*found)),
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "kata.layout",
        kind: Kind::Set,
        doc: "Who installed it: kata-deploy, kata-manager, package.",
        needs: Needs::KATA_FOUND,
        read: |facts| match &facts.kata_places {
            Some(places) => {
                let names = places.all.iter().map(|place| place.layout.name().to_owned()).collect();
                let paths: Vec<&str> = places.all.iter().map(|place| place.path.as_str()).collect();
                let evidence = places.found.evidence(|_| Value::Set(names));
                Evidence { note: (!paths.is_empty()).then(|| paths.join(", ")), ..evidence }
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "kata.version",
        kind: Kind::Version,
        doc: "The version of Kata; of several installations, the oldest.",
        needs: Needs::KATA,
        read: |facts| {
            of(facts, |kata| kata.version.evidence(|version| Value::Version(version.clone())))
        },
    },
    Fact {
        name: "kata.shims",
        kind: Kind::Set,
        doc: "The shims that have a configuration, as `qemu-nvidia-gpu-snp`.",
        needs: Needs::KATA,
        read: |facts| {
            of(facts, |kata| {
                kata.shims.evidence(|names| Value::Set(names.iter().cloned().collect()))
            })
        },
    },
    Fact {
        name: "kata.gpu-shim",
        kind: Kind::Bool,
        doc: "Whether a shim for NVIDIA GPUs and the trusted execution environment of this CPU has a \
              configuration.",
        needs: WITH_CPU,
        read: gpu_shim,
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[Collection {
    name: "kata.configurations",
    item: "shim configuration",
    doc: "The configurations of the shims for NVIDIA GPUs, with the drop-ins beside them.",
    needs: Needs::KATA,
    select,
    facts: ITEM_FACTS,
}];

const ITEM_FACTS: &[ItemFact] = &[
    ItemFact::new("shim", Kind::Text, Needs::KATA, "The name of the shim.", |facts, index| {
        configuration(facts, index, |it| own(it, Value::Text(it.shim.name.clone())))
    }),
    ItemFact::new(
        "runtime",
        Kind::Text,
        Needs::KATA,
        "What it is written in: go, rust.",
        |facts, index| {
            configuration(facts, index, |it| {
                let name = if it.shim.language == Language::Go { "go" } else { "rust" };
                own(it, Value::Text(name.to_owned()))
            })
        },
    ),
    ItemFact::new(
        "guest-tee",
        Kind::Text,
        Needs::KATA,
        "The trusted execution environment of its guests: snp, tdx, none.",
        |facts, index| {
            configuration(facts, index, |it| own(it, Value::Text(it.shim.tee().to_owned())))
        },
    ),
    ItemFact::new(
        "for-this-cpu",
        Kind::Bool,
        WITH_CPU,
        "Whether that is the one of this host's CPU.",
        |facts, index| {
            configuration(facts, index, |it| {
                let reading = tee_of_cpu(facts).map(|tee| Value::Bool(tee == it.shim.tee()));
                Evidence::new(reading, Source::file(it.path.as_str()))
            })
        },
    ),
    ItemFact::new(
        "loads",
        Kind::Bool,
        Needs::KATA,
        "Whether a shim starts with it: all files are what they should be.",
        |facts, index| {
            configuration(facts, index, |it| it.loads.evidence(|loads| Value::Bool(*loads)))
        },
    ),
    ItemFact::new(
        "confidential-guest",
        Kind::Bool,
        Needs::KATA,
        "Whether its guests are confidential.",
        |facts, index| {
            configuration(facts, index, |it| it.confidential_guest.evidence(|on| Value::Bool(*on)))
        },
    ),
    ItemFact::new(
        "cold-plug-vfio",
        Kind::Text,
        Needs::KATA,
        "Where a guest's devices are plugged in before it starts: root-port, switch-port, \
         bridge-port, no-port.",
        |facts, index| configuration(facts, index, |it| it.cold_plug_vfio.evidence(text)),
    ),
    ItemFact::new(
        "pod-resource-api-sock",
        Kind::Text,
        Needs::KATA,
        "The socket at which the shim asks the kubelet for a pod's devices.",
        |facts, index| configuration(facts, index, |it| it.pod_resource_api_sock.evidence(text)),
    ),
    ItemFact::new(
        "asks-kubelet",
        Kind::Bool,
        WITH_KUBELET,
        "Whether that is the socket of this host's kubelet.",
        |facts, index| configuration(facts, index, |it| asks_kubelet(facts, it)),
    ),
    ItemFact::new(
        "create-container-timeout",
        Kind::Duration,
        Needs::KATA,
        "How long the shim waits for a container to be created, the pull of its image included.",
        |facts, index| {
            configuration(facts, index, |it| {
                it.create_container_timeout.evidence(|time| Value::Duration(*time))
            })
        },
    ),
    ItemFact::new(
        "image-pull-timeout",
        Kind::Duration,
        Needs::KATA,
        "How long the agent in the guest gives the pull of an image.",
        |facts, index| {
            configuration(facts, index, |it| {
                it.image_pull_timeout.evidence(|time| Value::Duration(*time))
            })
        },
    ),
    ItemFact::new(
        "image-pull-limit",
        Kind::Duration,
        WITH_KUBELET,
        "The time after which the first of kubelet, shim and agent ends the pull of an image.",
        |facts, index| configuration(facts, index, |it| timeouts::limit(facts, it)),
    ),
    ItemFact::new(
        "image-pull-limited-by",
        Kind::Set,
        WITH_KUBELET,
        "Which of them does.",
        |facts, index| configuration(facts, index, |it| timeouts::limited_by(facts, it)),
    ),
    ItemFact::new(
        "timeouts-without-effect",
        Kind::Set,
        WITH_KUBELET,
        "Timeouts that are set to more than the shortest one, and so never run out.",
        |facts, index| configuration(facts, index, |it| timeouts::without_effect(facts, it)),
    ),
    ItemFact::new(
        "kernel-params",
        Kind::Text,
        Needs::KATA,
        "Arguments of the guest's kernel.",
        |facts, index| configuration(facts, index, |it| it.kernel_params.evidence(text)),
    ),
    ItemFact::new(
        "kernel-params-lost",
        Kind::Set,
        Needs::KATA,
        "Arguments of the guest's kernel in its own file that a drop-in threw away.",
        |facts, index| configuration(facts, index, |it| it.kernel_params_lost.evidence(set)),
    ),
    ItemFact::new(
        "force-guest-pull",
        Kind::Bool,
        Needs::KATA,
        "Whether guests pull their images whatever the snapshotter does.",
        |facts, index| {
            configuration(facts, index, |it| it.force_guest_pull.evidence(|on| Value::Bool(*on)))
        },
    ),
    ItemFact::new(
        "stray-drop-ins",
        Kind::Set,
        Needs::KATA,
        "Files in config.d that look like leftovers of an editor, and are read like all others.",
        |facts, index| configuration(facts, index, |it| it.stray_drop_ins.evidence(set)),
    ),
];

#[expect(clippy::ptr_arg, reason = "told values are owned")]
fn text(text: &String) -> Value {
    Value::Text(text.clone())
}

fn set(members: &BTreeSet<String>) -> Value {
    Value::Set(members.clone())
}

/// What is told by the name of the file alone.
fn own(configuration: &Configuration, value: Value) -> Evidence {
    Evidence::new(Reading::Known(value), Source::file(configuration.path.as_str()))
}

fn of(facts: &Facts, read: impl FnOnce(&Kata) -> Evidence) -> Evidence {
    facts.kata.as_ref().map_or_else(Evidence::not_gathered, read)
}

fn configuration(
    facts: &Facts,
    index: usize,
    read: impl FnOnce(&Configuration) -> Evidence,
) -> Evidence {
    facts
        .kata
        .as_ref()
        .and_then(|kata| kata.configurations.known())
        .and_then(|all| all.get(index))
        .map_or_else(Evidence::not_gathered, read)
}

fn select(facts: &Facts) -> Selection {
    let none = |cause: Option<Cause>| Selection {
        subjects: Vec::new(),
        doubt: cause.map(|cause| (cause, Source::file(NOWHERE))),
    };
    let Some(kata) = &facts.kata else { return none(Some(Cause::NotGathered)) };
    match &kata.configurations {
        Reading::Known(all) => {
            let label = |it: &Configuration| it.shim.name.clone();
            let subjects = all.iter().enumerate();
            let subjects =
                subjects.map(|(index, it)| Subject { index, label: label(it) }).collect();
            Selection { subjects, doubt: None }
        }
        Reading::Absent => none(None),
        Reading::Unreadable(cause) => none(Some(cause.clone())),
    }
}

fn gpu_shim(facts: &Facts) -> Evidence {
    of(facts, |kata| {
        let source = kata.shims.source.clone();
        let tee = match tee_of_cpu(facts) {
            Reading::Known(tee) => tee,
            Reading::Absent => return Evidence::new(Reading::Absent, source),
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause), source);
            }
        };
        let reading = kata.configurations.as_ref().map(|all| {
            Value::Bool(all.iter().any(|configuration| configuration.shim.tee() == tee))
        });
        let evidence = Evidence::new(reading, source);
        match kata.shims.reading.known() {
            Some(names) if names.is_empty() => evidence.with_note("no shim has a configuration"),
            Some(names) => evidence.with_note(format!("there are {}", names.join(", "))),
            None => evidence,
        }
    })
}

/// An empty path switches the question off, so that a pod's devices are not found.
fn asks_kubelet(facts: &Facts, configuration: &Configuration) -> Evidence {
    let Some(kubelet) = &facts.kubelet else { return Evidence::not_gathered() };
    let told = &configuration.pod_resource_api_sock;
    let start = match &kubelet.start {
        Reading::Known(start) => start,
        Reading::Absent => return Evidence::new(Reading::Absent, told.source.clone()),
        Reading::Unreadable(cause) => {
            return Evidence::new(Reading::Unreadable(cause.clone()), told.source.clone());
        }
    };
    let directory = start.root_dir.as_deref().unwrap_or("/var/lib/kubelet").trim_end_matches('/');
    let wanted = format!("{directory}/pod-resources/kubelet.sock");
    let evidence = told.evidence(|path| Value::Bool(*path == wanted));
    match told.reading.known() {
        Some(path) if path.is_empty() => evidence.with_note("pod_resource_api_sock is empty"),
        Some(path) if *path != wanted => {
            evidence.with_note(format!("{path}; the kubelet serves {wanted}"))
        }
        _ => evidence,
    }
}
