//! The facts about the container runtime that rules may name.

use super::{ContainerRuntime, Handler};
use crate::facts::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use crate::facts::kata::tee_of_cpu;
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

const NOWHERE: &str = super::detect::CONTAINERD;
const VERSION: Needs = Needs::CONTAINER_RUNTIME.and(Needs::CONTAINER_RUNTIME_VERSION);
const WITH_CPU: Needs = VERSION.and(Needs::CPU);
const WITH_KATA: Needs = VERSION.and(Needs::KATA);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "container-runtime.name",
        kind: Kind::Text,
        doc: "The container runtime that is installed: containerd, crio.",
        needs: Needs::CONTAINER_RUNTIME,
        read: |facts| of(facts, |it| it.name.evidence(|name| Value::Text(name.word().to_owned()))),
    },
    Fact {
        name: "container-runtime.version",
        kind: Kind::Version,
        doc: "The version that its program says.",
        needs: VERSION,
        read: |facts| {
            of(facts, |it| it.version.evidence(|version| Value::Version(version.clone())))
        },
    },
    Fact {
        name: "container-runtime.loads",
        kind: Kind::Bool,
        doc: "Whether it starts with its configuration: every file that it is told to read is there \
              and what it should be.",
        needs: VERSION,
        read: |facts| of(facts, |it| it.loads.evidence(|loads| Value::Bool(*loads))),
    },
    Fact {
        name: "container-runtime.cri-enabled",
        kind: Kind::Bool,
        doc: "Whether it serves the kubelet; a package of containerd disables that.",
        needs: VERSION,
        read: |facts| of(facts, |it| it.cri_enabled.evidence(|on| Value::Bool(*on))),
    },
    Fact {
        name: "container-runtime.handlers",
        kind: Kind::Set,
        doc: "The handlers that runtime classes may name.",
        needs: VERSION,
        read: |facts| {
            of(facts, |it| {
                it.handlers.evidence(|all| {
                    Value::Set(all.iter().map(|handler| handler.name.clone()).collect())
                })
            })
        },
    },
    Fact {
        name: "container-runtime.misplaced-handlers",
        kind: Kind::Set,
        doc: "Handlers that stand under a plugin that this runtime does not read.",
        needs: VERSION,
        read: |facts| {
            of(facts, |it| {
                let evidence = it
                    .misplaced
                    .evidence(|all| Value::Set(all.iter().map(|(name, _)| name.clone()).collect()));
                match it.misplaced.reading.known().and_then(|all| all.first()) {
                    Some((_, why)) => evidence.with_note(why.clone()),
                    None => evidence,
                }
            })
        },
    },
    Fact {
        name: "container-runtime.proxy-snapshotters",
        kind: Kind::Set,
        doc: "Snapshotters that are programs of their own.",
        needs: VERSION,
        read: |facts| {
            of(facts, |it| it.proxy_snapshotters.evidence(|names| Value::Set(names.clone())))
        },
    },
    Fact {
        name: "container-runtime.gpu-handler",
        kind: Kind::Bool,
        doc: "Whether a handler starts a Kata shim for NVIDIA GPUs and the trusted execution \
              environment of this CPU.",
        needs: WITH_CPU,
        read: gpu_handler,
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[Collection {
    name: "container-runtime.gpu-handlers",
    item: "handler",
    doc: "The handlers that start a Kata shim for NVIDIA GPUs.",
    needs: VERSION,
    select,
    facts: ITEM_FACTS,
}];

const ITEM_FACTS: &[ItemFact] = &[
    ItemFact::new("handler", Kind::Text, VERSION, "Its name.", |facts, index| {
        handler(facts, index, |it| known(it, Value::Text(it.name.clone())))
    }),
    ItemFact::new(
        "for-this-cpu",
        Kind::Bool,
        WITH_CPU,
        "Whether its guests have the trusted execution environment of this host's CPU.",
        |facts, index| {
            handler(facts, index, |it| {
                let tee = it.shim().map_or("none", |shim| shim.tee());
                let reading = tee_of_cpu(facts).map(|own| Value::Bool(own == tee));
                Evidence::new(reading, it.source.clone())
            })
        },
    ),
    ItemFact::new(
        "shim-exists",
        Kind::Bool,
        VERSION,
        "Whether the shim's program is there; absent where none is named.",
        |facts, index| handler(facts, index, |it| exists(it, it.program.as_ref())),
    ),
    ItemFact::new(
        "config-exists",
        Kind::Bool,
        VERSION,
        "Whether the shim's configuration is there; absent where none is named.",
        |facts, index| handler(facts, index, |it| exists(it, it.config.as_ref())),
    ),
    ItemFact::new(
        "snapshotter",
        Kind::Text,
        VERSION,
        "What its containers are unpacked with.",
        |facts, index| {
            handler(facts, index, |it| {
                let source = it.snapshotter.source.as_ref().unwrap_or(&it.source).clone();
                Evidence::new(Reading::Known(Value::Text(it.snapshotter.name.clone())), source)
            })
        },
    ),
    ItemFact::new(
        "image-snapshotter",
        Kind::Text,
        VERSION,
        "What its images are unpacked with; absent where that is never another one.",
        |facts, index| {
            handler(facts, index, |it| match &it.image_snapshotter {
                Some(snapshotter) => {
                    let source = snapshotter.source.as_ref().unwrap_or(&it.source).clone();
                    let value = Value::Text(snapshotter.name.clone());
                    Evidence::new(Reading::Known(value), source)
                }
                None => Evidence::new(Reading::Absent, it.source.clone()),
            })
        },
    ),
    ItemFact::new(
        "snapshotters-agree",
        Kind::Bool,
        VERSION,
        "Whether images and containers are unpacked with the same one.",
        |facts, index| handler(facts, index, agree),
    ),
    ItemFact::new(
        "guest-pull",
        Kind::Bool,
        WITH_KATA,
        "Whether its guests pull their images themselves: by a snapshotter of its own, or because \
         shim or runtime are told so.",
        |facts, index| handler(facts, index, |it| guest_pull(facts, it)),
    ),
];

fn of(facts: &Facts, read: impl FnOnce(&ContainerRuntime) -> Evidence) -> Evidence {
    facts.container_runtime.as_ref().map_or_else(Evidence::not_gathered, read)
}

fn known(handler: &Handler, value: Value) -> Evidence {
    Evidence::new(Reading::Known(value), handler.source.clone())
}

fn is_for_gpus(handler: &Handler) -> bool {
    handler.is_kata() && handler.shim().is_some_and(|shim| shim.is_for_nvidia_gpus())
}

fn handler(facts: &Facts, index: usize, read: impl FnOnce(&Handler) -> Evidence) -> Evidence {
    facts
        .container_runtime
        .as_ref()
        .and_then(|it| it.handlers.reading.known())
        .and_then(|all| all.get(index))
        .map_or_else(Evidence::not_gathered, read)
}

fn select(facts: &Facts) -> Selection {
    let none = |doubt| Selection { subjects: Vec::new(), doubt };
    let Some(it) = &facts.container_runtime else {
        return none(Some((Cause::NotGathered, Source::file(NOWHERE))));
    };
    match &it.handlers.reading {
        Reading::Known(all) => {
            let of_interest = all.iter().enumerate().filter(|(_, handler)| is_for_gpus(handler));
            let subjects = of_interest
                .map(|(index, handler)| Subject { index, label: handler.name.clone() })
                .collect();
            Selection { subjects, doubt: None }
        }
        Reading::Absent => none(None),
        Reading::Unreadable(cause) => none(Some((cause.clone(), it.handlers.source.clone()))),
    }
}

fn gpu_handler(facts: &Facts) -> Evidence {
    of(facts, |it| {
        let source = it.handlers.source.clone();
        let tee = match tee_of_cpu(facts) {
            Reading::Known(tee) => tee,
            Reading::Absent => return Evidence::new(Reading::Absent, source),
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause), source);
            }
        };
        let fits = |handler: &Handler| {
            is_for_gpus(handler) && handler.shim().is_some_and(|shim| shim.tee() == tee)
        };
        let evidence = it.handlers.evidence(|all: &Vec<Handler>| Value::Bool(all.iter().any(fits)));
        let wanted = |name: &str| name.contains("nvidia-gpu");
        let misplaced = it.misplaced.reading.known();
        let misplaced = misplaced.and_then(|all| all.iter().find(|(name, _)| wanted(name)));
        if let Some((name, why)) = misplaced {
            return evidence.with_note(format!("{name}: {why}"));
        }
        match it.handlers.reading.known() {
            Some(all) if all.is_empty() => evidence.with_note("no handler is configured"),
            Some(all) => {
                let names: Vec<&str> = all.iter().map(|handler| handler.name.as_str()).collect();
                evidence.with_note(format!("there are {}", names.join(", ")))
            }
            None => evidence,
        }
    })
}

fn exists(handler: &Handler, named: Option<&super::handler::Named>) -> Evidence {
    match named {
        Some(named) => {
            let reading = named.there.as_ref().map(|there| Value::Bool(*there));
            Evidence::new(reading, named.source.clone()).with_note(named.path.clone())
        }
        None => Evidence::new(Reading::Absent, handler.source.clone()),
    }
}

fn agree(handler: &Handler) -> Evidence {
    let Some(of_images) = &handler.image_snapshotter else {
        return Evidence::new(Reading::Absent, handler.source.clone());
    };
    let own = &handler.snapshotter;
    let source = own.source.as_ref().unwrap_or(&handler.source).clone();
    let value = Value::Bool(own.name == of_images.name);
    let evidence = Evidence::new(Reading::Known(value), source);
    if own.name == of_images.name {
        return evidence;
    }
    let named = of_images.source.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    evidence.with_note(format!(
        "containers are unpacked with {}, images with {}{named}",
        own.name, of_images.name
    ))
}

/// A snapshotter that comes with containerd unpacks images on the host, where a confidential guest must not
/// take them from; all others for Kata leave them to the guest, but for erofs, which hands them in as
/// sealed disks.
fn guest_pull(facts: &Facts, handler: &Handler) -> Evidence {
    of(facts, |it| {
        let own = &handler.snapshotter;
        let source = own.source.as_ref().unwrap_or(&handler.source).clone();
        let told = |value: bool, note: String| {
            Evidence::new(Reading::Known(Value::Bool(value)), source.clone()).with_note(note)
        };
        if handler.guest_pull {
            return told(true, "runtime_pull_image is set".to_owned());
        }
        let proxies = it.proxy_snapshotters.reading.known();
        if proxies.is_some_and(|names| names.contains(&own.name)) || own.name == "erofs" {
            return told(true, format!("snapshotter {}", own.name));
        }
        match forced(facts, handler) {
            Reading::Known(true) => told(true, "the shim is told to".to_owned()),
            Reading::Unreadable(cause) => Evidence::new(Reading::Unreadable(cause), source.clone()),
            Reading::Known(false) | Reading::Absent if own.source.is_none() => {
                told(false, "no snapshotter is named for it".to_owned())
            }
            Reading::Known(false) | Reading::Absent => {
                told(false, format!("{} is no snapshotter among the proxy plugins", own.name))
            }
        }
    })
}

/// Whether the shim's own configuration says so.
fn forced(facts: &Facts, handler: &Handler) -> Reading<bool> {
    let (Some(kata), Some(config)) = (&facts.kata, &handler.config) else {
        return Reading::Known(false);
    };
    let file = config.path.rsplit('/').next();
    match &kata.configurations {
        // The same file may be known by a path through a link.
        Reading::Known(all) => {
            let same = all.iter().find(|it| it.path == config.path);
            let alike = || all.iter().find(|it| it.path.rsplit('/').next() == file);
            same.or_else(alike)
                .map_or(Reading::Known(false), |it| it.force_guest_pull.reading.clone())
        }
        Reading::Absent => Reading::Known(false),
        Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
    }
}
