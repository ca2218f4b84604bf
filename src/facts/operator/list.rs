//! The facts about the GPU Operator, its device plugin and CDI that rules may name.

use std::collections::BTreeSet;

use super::{CC_MANAGER, Cdi, Device, Files, VALIDATIONS, cdi, sockets};
use crate::facts::catalogue::{Collection, Evidence, Fact};
use crate::facts::pci::{Pci, is_vfio};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

/// Which devices are handed over, and by which nodes.
const WITH_DEVICES: Needs = Needs::PCI.and(Needs::VFIO);
const CDI: Needs = Needs::CDI.and(WITH_DEVICES);

/// Files that a node leaves behind that gives its GPUs to containers.
const OF_CONTAINERS: [&str; 4] =
    [".driver-ctr-ready", "driver-ready", "toolkit-ready", "cuda-ready"];
const VFIO_READY: &str = "vfio-pci-ready";
const WORKLOAD_TYPE: &str = "workload-type";

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "operator.validations",
        kind: Kind::Bool,
        doc: "The GPU Operator has left its validation files on this node.",
        needs: Needs::OPERATOR,
        read: |facts: &Facts| {
            let reading = match &facts.operator {
                Some(operator) => operator.validations.as_ref().map(|there| Value::Bool(*there)),
                None => Reading::Unreadable(Cause::NotGathered),
            };
            Evidence::new(reading, Source::file(VALIDATIONS))
        },
    },
    Fact {
        name: "operator.validation-files",
        kind: Kind::Set,
        doc: "The names of the validation files.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            files(facts, VALIDATIONS, |files| {
                let all = files.validations.files.as_ref();
                all.map(|all| set(all.iter().map(|file| file.name.as_str())))
            })
        },
    },
    Fact {
        name: "operator.stale-validations",
        kind: Kind::Set,
        doc: "Validation files from before the last boot, which attest nothing any more.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            files(facts, VALIDATIONS, |files| {
                files.validations.stale().map(|names| set(names.into_iter()))
            })
        },
    },
    Fact {
        name: "operator.contradicted-validations",
        kind: Kind::Set,
        doc: "Validation files that the drivers of the devices contradict.",
        needs: Needs::OPERATOR_FILES.and(Needs::PCI),
        read: contradicted,
    },
    Fact {
        name: "operator.workload-type",
        kind: Kind::Text,
        doc: "What the operator's operands take this node for: container, vm-passthrough, vm-vgpu.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            let path = format!("{VALIDATIONS}/{WORKLOAD_TYPE}");
            files(facts, &path, |files| {
                files.validations.workload_type.as_ref().map(|text| Value::Text(text.clone()))
            })
        },
    },
    Fact {
        name: "operator.cc-manager-ran",
        kind: Kind::Bool,
        doc: "Whether the manager of the confidential computing mode has run; it says so even where \
              it could not set the mode.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            let path = format!("{VALIDATIONS}/{CC_MANAGER}");
            files(facts, &path, |files| files.validations.has(CC_MANAGER).map(Value::Bool))
        },
    },
    Fact {
        name: "operator.device-plugin-sockets",
        kind: Kind::Set,
        doc: "Sockets of the device plugins that give devices to virtual machines.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            files(facts, sockets::DIRECTORY, |files| {
                let names = files.sockets.names.as_ref();
                names.map(|names| set(names.iter().map(String::as_str)))
            })
        },
    },
    Fact {
        name: "operator.resources",
        kind: Kind::Set,
        doc: "The resources that they offer, by the names of their sockets: nvidia.com/pgpu, or as \
              P_GPU_ALIAS and NVSWITCH_ALIAS say, or by model.",
        needs: Needs::OPERATOR_FILES,
        read: |facts| {
            files(facts, sockets::DIRECTORY, |files| {
                files.sockets.names.as_ref().map(|names| {
                    Value::Set(names.iter().filter_map(|name| sockets::resource(name)).collect())
                })
            })
        },
    },
    Fact {
        name: "operator.device-plugins-complete",
        kind: Kind::Bool,
        doc: "Whether there is a device plugin for each sort of device, GPUs and NVSwitches, that is \
              bound to vfio-pci; absent where none is.",
        needs: Needs::OPERATOR_FILES.and(Needs::PCI),
        read: plugins_complete,
    },
    Fact {
        name: "cdi.kinds",
        kind: Kind::Set,
        doc: "The kinds of NVIDIA devices in CDI specifications, as nvidia.com/pgpu.",
        needs: Needs::CDI,
        read: |facts| {
            of_cdi(facts, |cdi| {
                let kinds = |all: &Vec<Device>| set(all.iter().map(|device| device.kind.as_str()));
                Evidence::new(cdi.devices.as_ref().map(kinds), directory())
            })
        },
    },
    Fact {
        name: "cdi.vfio-devices",
        kind: Kind::Set,
        doc: "The devices in CDI specifications that stand for a VFIO device node, as nvidia.com/pgpu=0.",
        needs: Needs::CDI,
        read: |facts| {
            of_cdi(facts, |cdi| {
                let reading = cdi.devices.as_ref().map(|all| {
                    Value::Set(all.iter().filter(|it| it.is_vfio()).map(Device::name).collect())
                });
                Evidence::new(reading.or_absent(Value::Set(BTreeSet::new())), directory())
            })
        },
    },
    Fact {
        name: "cdi.specification",
        kind: Kind::Bool,
        doc: "Whether a CDI specification has a device that stands for a VFIO device node.",
        needs: Needs::CDI,
        read: |facts| {
            of_cdi(facts, |cdi| {
                let reading = cdi.devices.as_ref().map(|all| all.iter().any(Device::is_vfio));
                let evidence =
                    Evidence::new(reading.or_absent(false).map(Value::Bool), directory());
                evidence.with_note(format!("looked in {}", cdi::DIRECTORIES.join(" and ")))
            })
        },
    },
    Fact {
        name: "cdi.refused",
        kind: Kind::Set,
        doc: "Files in the directories of CDI that are no specification.",
        needs: Needs::CDI,
        read: |facts| {
            of_cdi(facts, |cdi| {
                let names = cdi.refused.iter().map(|(source, _)| source.path.as_ref());
                let first = cdi.refused.first();
                let source = first.map_or_else(directory, |(source, _)| source.clone());
                let evidence = Evidence::new(Reading::Known(set(names)), source);
                match first {
                    Some((_, why)) => evidence.with_note(why.clone()),
                    None => evidence,
                }
            })
        },
    },
    Fact {
        name: "cdi.stale-devices",
        kind: Kind::Set,
        doc: "Devices in CDI specifications whose VFIO node is that of no GPU or NVSwitch.",
        needs: CDI,
        read: stale,
    },
    Fact {
        name: "cdi.missing-devices",
        kind: Kind::Set,
        doc: "GPUs and NVSwitches on vfio-pci whose node no CDI specification has.",
        needs: CDI,
        read: missing,
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[];

fn set<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    Value::Set(names.map(str::to_owned).collect())
}

fn directory() -> Source {
    let [_, run] = cdi::DIRECTORIES;
    Source::file(run)
}

fn files(facts: &Facts, path: &str, read: impl FnOnce(&Files) -> Reading<Value>) -> Evidence {
    match &facts.operator_files {
        Some(files) => Evidence::new(read(files), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

fn of_cdi(facts: &Facts, read: impl FnOnce(&Cdi) -> Evidence) -> Evidence {
    facts.cdi.as_ref().map_or_else(Evidence::not_gathered, read)
}

/// GPUs and NVSwitches, by whether they are on vfio-pci.
struct Devices {
    bound: Vec<usize>,
    unbound: usize,
}

fn devices(pci: &Pci) -> Reading<Devices> {
    if let Some((cause, _)) = pci.doubt() {
        return Reading::Unreadable(cause);
    }
    let mut devices = Devices { bound: Vec::new(), unbound: 0 };
    for index in pci.passthrough() {
        match pci.placement(*index).map(|placement| &placement.driver) {
            Some(Reading::Known(driver)) if is_vfio(driver) => devices.bound.push(*index),
            Some(Reading::Known(_) | Reading::Absent) => devices.unbound += 1,
            Some(Reading::Unreadable(cause)) => return Reading::Unreadable(cause.clone()),
            None => return Reading::Unreadable(Cause::NotGathered),
        }
    }
    Reading::Known(devices)
}

/// The nodes below `/dev/vfio` by which a device may be named: its own and its group's.
pub(crate) fn nodes(pci: &Pci, index: usize) -> Reading<Vec<String>> {
    let Some(placement) = pci.placement(index) else {
        return Reading::Unreadable(Cause::NotGathered);
    };
    let mut nodes = Vec::new();
    match &placement.vfio_device {
        Reading::Known(name) => nodes.push(format!("/dev/vfio/devices/{name}")),
        Reading::Absent => {}
        Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
    }
    match &placement.iommu_group {
        Reading::Known(number) => nodes.push(format!("/dev/vfio/{number}")),
        Reading::Absent => {}
        Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
    }
    Reading::Known(nodes)
}

fn contradicted(facts: &Facts) -> Evidence {
    let Some(pci) = &facts.pci else { return Evidence::not_gathered() };
    let mut why: Option<&str> = None;
    let evidence = files(facts, VALIDATIONS, |files| {
        let names = match &files.validations.files {
            Reading::Known(files) => files.iter().map(|file| file.name.as_str()),
            Reading::Absent => return Reading::Absent,
            Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
        };
        devices(pci).map(|devices| {
            let all_bound = !devices.bound.is_empty() && devices.unbound == 0;
            let container =
                files.validations.workload_type.known().map(String::as_str) == Some("container");
            let contradicted = |name: &&str| match *name {
                VFIO_READY => !all_bound,
                WORKLOAD_TYPE => all_bound && container,
                other => all_bound && OF_CONTAINERS.contains(&other),
            };
            let contradicted: Vec<&str> = names.filter(contradicted).collect();
            why = contradicted.first().map(|_| {
                if all_bound {
                    "every GPU and NVSwitch is on vfio-pci, so no container has them"
                } else {
                    "not every GPU and NVSwitch is on vfio-pci"
                }
            });
            set(contradicted.into_iter())
        })
    });
    match why {
        Some(why) => evidence.with_note(why),
        None => evidence,
    }
}

fn plugins_complete(facts: &Facts) -> Evidence {
    let Some(pci) = &facts.pci else { return Evidence::not_gathered() };
    let mut note = None;
    let evidence = files(facts, sockets::DIRECTORY, |files| {
        let bound = match devices(pci) {
            Reading::Known(devices) => devices.bound,
            Reading::Absent => return Reading::Absent,
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        };
        let of = |all: &[usize]| bound.iter().any(|index| all.contains(index));
        let sorts = [("GPUs", of(pci.gpus())), ("NVSwitches", of(pci.nvswitches()))];
        let sorts: Vec<&str> =
            sorts.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        if sorts.is_empty() {
            return Reading::Absent;
        }
        files.sockets.names.as_ref().map(Vec::clone).or_absent(Vec::new()).map(|names| {
            let offered = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            note = Some(format!("{} are on vfio-pci; sockets: {offered}", sorts.join(" and ")));
            Value::Bool(names.len() >= sorts.len())
        })
    });
    Evidence { note, ..evidence }
}

impl Device {
    fn name(&self) -> String {
        format!("{}={}", self.kind, self.name)
    }

    /// Its own nodes below `/dev/vfio`; the container's node belongs to all.
    fn vfio_nodes(&self) -> impl Iterator<Item = &str> {
        let own = self.nodes.iter().map(String::as_str);
        own.filter(|node| node.starts_with("/dev/vfio/") && *node != "/dev/vfio/vfio")
    }

    fn is_vfio(&self) -> bool {
        self.vfio_nodes().next().is_some()
    }
}

/// The nodes of all devices on vfio-pci, with the addresses of the devices.
fn live_nodes(pci: &Pci) -> Reading<Vec<(String, Vec<String>)>> {
    devices(pci).and_then(|devices| {
        let mut live = Vec::new();
        for index in devices.bound {
            let Some(function) = pci.all().get(index) else { continue };
            match nodes(pci, index) {
                Reading::Known(nodes) => live.push((function.address.to_string(), nodes)),
                Reading::Absent => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
        Reading::Known(live)
    })
}

fn stale(facts: &Facts) -> Evidence {
    let Some(pci) = &facts.pci else { return Evidence::not_gathered() };
    of_cdi(facts, |cdi| {
        let all = match &cdi.devices {
            Reading::Known(all) => all,
            Reading::Absent => return Evidence::new(Reading::Absent, directory()),
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause.clone()), directory());
            }
        };
        let live = match live_nodes(pci) {
            Reading::Known(live) => live,
            Reading::Absent => Vec::new(),
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause), directory());
            }
        };
        let live: BTreeSet<&str> =
            live.iter().flat_map(|(_, nodes)| nodes).map(String::as_str).collect();
        let mut gone = all.iter().filter_map(|device| {
            Some((device, device.vfio_nodes().find(|it| !live.contains(it))?))
        });
        let first = gone.clone().next();
        let names = gone.by_ref().map(|(device, _)| device.name()).collect();
        let source = first.map_or_else(directory, |(device, _)| device.source.clone());
        let evidence = Evidence::new(Reading::Known(Value::Set(names)), source);
        match first {
            Some((device, node)) => evidence.with_note(format!(
                "{} stands for {node}, which is the node of no GPU or NVSwitch",
                device.name()
            )),
            None => evidence,
        }
    })
}

fn missing(facts: &Facts) -> Evidence {
    let Some(pci) = &facts.pci else { return Evidence::not_gathered() };
    of_cdi(facts, |cdi| {
        let all = match &cdi.devices {
            Reading::Known(all) => all.as_slice(),
            Reading::Absent => &[],
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause.clone()), directory());
            }
        };
        let named: BTreeSet<&str> = all.iter().flat_map(Device::vfio_nodes).collect();
        let reading = live_nodes(pci).map(|live| {
            let unnamed = live
                .into_iter()
                .filter(|(_, nodes)| !nodes.iter().any(|node| named.contains(node.as_str())));
            Value::Set(unnamed.map(|(address, _)| address).collect())
        });
        Evidence::new(reading, directory())
    })
}
