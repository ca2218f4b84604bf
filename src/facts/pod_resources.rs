//! What the running kubelet tells of devices: whether it answers Kata's question, what device plugins offer,
//! and which pods hold something.
//!
//! Only a running machine has a kubelet to ask; a captured host holds what it said then. A tree, and a
//! capture without an answer, have none, and all of this is absent: nobody could be asked.

use std::collections::BTreeSet;
use std::path::Path;

use super::catalogue::{Collection, Evidence, Fact};
use super::kubelet::Kubelet;
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Run;
use crate::host::pod_resources::{Device, Get, PodResources as Told};

/// Where the kubelet keeps its files, unless `--root-dir` says otherwise.
pub const KUBELET_ROOT: &str = "/var/lib/kubelet";
const SOCKET: &str = "pod-resources/kubelet.sock";

/// Where the socket is depends on how the kubelet is started.
const NEEDS: Needs = Needs::POD_RESOURCES.and(Needs::KUBELET);

#[derive(Debug)]
pub struct PodResources {
    socket: String,
    /// `Known(None)` where no kubelet serves the socket.
    pub told: Reading<Option<Told>>,
}

pub(super) fn gather(run: &Run, kubelet: Option<&Kubelet>) -> PodResources {
    let start = kubelet.and_then(|kubelet| kubelet.start.known());
    let directory = start.and_then(|start| start.root_dir.as_deref()).unwrap_or(KUBELET_ROOT);
    let socket = format!("{}/{SOCKET}", directory.trim_end_matches('/'));
    let told = run.pod_resources(Path::new(&socket));
    PodResources { socket, told }
}

impl PodResources {
    /// NVIDIA's resources that are offered, each with the number of its devices. Absent where the kubelet is
    /// too old to tell.
    pub fn offered(&self) -> Reading<Vec<(&str, usize)>> {
        self.all_offered().map(|offered| {
            let mut counted: Vec<(&str, usize)> = Vec::new();
            for device in offered.iter().filter(|device| device.is_nvidia()) {
                match counted.iter_mut().find(|(resource, _)| *resource == device.resource) {
                    Some((_, count)) => *count += device.ids.len(),
                    None => counted.push((&device.resource, device.ids.len())),
                }
            }
            counted
        })
    }

    /// How many devices of a resource no pod holds. Absent as with [`Self::offered`].
    pub fn free(&self, resource: &str) -> Reading<usize> {
        fn ids<'d>(
            devices: impl Iterator<Item = &'d Device>,
            resource: &str,
        ) -> BTreeSet<&'d String> {
            let own = devices.filter(|device| device.resource == resource);
            own.flat_map(|device| &device.ids).collect()
        }
        self.all_offered().and_then(|offered| {
            let offered = ids(offered.iter(), resource);
            self.answer(|told| {
                let held = told.pods.iter().flat_map(|pod| &pod.devices);
                offered.difference(&ids(held, resource)).count()
            })
        })
    }

    fn all_offered(&self) -> Reading<&Vec<Device>> {
        self.answer(|told| told.offered.as_ref())
            .and_then(|offered| offered.map_or(Reading::Absent, Reading::Known))
    }

    /// Absent where none serves the socket.
    fn answer<'t, T>(&'t self, read: impl FnOnce(&'t Told) -> T) -> Reading<T> {
        match &self.told {
            Reading::Known(Some(told)) => Reading::Known(read(told)),
            Reading::Known(None) | Reading::Absent => Reading::Absent,
            Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        }
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "pod-resources.served",
        kind: Kind::Bool,
        doc: "Whether a kubelet answers on its Pod Resources socket; absent where none could be asked.",
        needs: NEEDS,
        read: |facts| of(facts, |it| it.told.as_ref().map(|told| Value::Bool(told.is_some()))),
    },
    Fact {
        name: "pod-resources.get",
        kind: Kind::Bool,
        doc: "Whether the running kubelet answers Get, as it was tried; absent where none could be asked.",
        needs: NEEDS,
        read: get,
    },
    Fact {
        name: "pod-resources.offered",
        kind: Kind::Set,
        doc: "The resources with NVIDIA devices that device plugins have told the kubelet of, as \
              nvidia.com/pgpu.",
        needs: NEEDS,
        read: |facts| {
            let mut counts = String::new();
            let evidence = of(facts, |it| {
                it.offered().map(|offered| {
                    let words = offered.iter().map(|(name, count)| format!("{count} x {name}"));
                    counts = words.collect::<Vec<_>>().join(", ");
                    set(offered.into_iter().map(|(resource, _)| resource.to_owned()))
                })
            });
            if counts.is_empty() { evidence } else { evidence.with_note(counts) }
        },
    },
    Fact {
        name: "pod-resources.held",
        kind: Kind::Set,
        doc: "The NVIDIA devices that pods hold, as nvidia.com/pgpu=12.",
        needs: NEEDS,
        read: |facts| {
            held(facts, |_, device| {
                device.ids.iter().map(|id| format!("{}={id}", device.resource)).collect()
            })
        },
    },
    Fact {
        name: "pod-resources.gpu-pods",
        kind: Kind::Set,
        doc: "The pods that hold NVIDIA devices, as namespace/name.",
        needs: NEEDS,
        read: |facts| held(facts, |pod, _| vec![pod.to_owned()]),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn set(names: impl Iterator<Item = String>) -> Value {
    Value::Set(names.collect())
}

fn of(facts: &Facts, read: impl FnOnce(&PodResources) -> Reading<Value>) -> Evidence {
    match &facts.pod_resources {
        Some(it) => Evidence::new(read(it), Source::file(it.socket.as_str())),
        None => Evidence::not_gathered(),
    }
}

fn get(facts: &Facts) -> Evidence {
    let mut note = None;
    let evidence = of(facts, |it| match it.answer(|told| &told.get) {
        Reading::Known(Get::Answered) => Reading::Known(Value::Bool(true)),
        Reading::Known(Get::Disabled) => {
            note = Some("it says that the method is disabled");
            Reading::Known(Value::Bool(false))
        }
        Reading::Known(Get::Unimplemented) => {
            note = Some("it does not know the method");
            Reading::Known(Value::Bool(false))
        }
        Reading::Known(Get::Unclear(words)) => Reading::Unreadable(Cause::NoAnswer(words.clone())),
        Reading::Absent => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    });
    match note {
        Some(note) => evidence.with_note(note),
        None => evidence,
    }
}

fn held(facts: &Facts, words: fn(&str, &Device) -> Vec<String>) -> Evidence {
    of(facts, |it| {
        it.answer(|told| {
            set(told.pods.iter().flat_map(|pod| {
                let name = format!("{}/{}", pod.namespace, pod.name);
                let own = pod.devices.iter().filter(|device| device.is_nvidia());
                own.flat_map(|device| words(&name, device)).collect::<Vec<_>>()
            }))
        })
    })
}

#[cfg(test)]
#[path = "pod_resources_tests.rs"]
mod tests;
