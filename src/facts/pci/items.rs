//! What rules may ask about each GPU, NVSwitch and companion function.

use std::collections::BTreeSet;

use crate::facts::catalogue::{Collection, Evidence, ItemFact, Selection, Subject};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

use super::facts::{evidence, row};
use super::{DEVICES, Detail, Function, Group, Pci, Placement, group, is_vfio, names};

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[
    Collection {
        name: "pci.gpus",
        item: "GPU",
        doc: "NVIDIA GPUs by class, virtual functions left out.",
        needs: Needs::PCI,
        select: |facts| select(facts, Pci::gpus),
        facts: ITEM_FACTS,
    },
    Collection {
        name: "pci.nvswitches",
        item: "NVSwitch",
        doc: "NVIDIA functions of class \"bridge, other\".",
        needs: Needs::PCI,
        select: |facts| select(facts, Pci::nvswitches),
        facts: ITEM_FACTS,
    },
    Collection {
        name: "pci.companions",
        item: "companion function",
        doc: "Audio, USB and USB-C functions of the same device as a GPU.",
        needs: Needs::PCI,
        select: |facts| select(facts, Pci::companions_of_gpus),
        facts: ITEM_FACTS,
    },
    Collection {
        name: "pci.passthrough",
        item: "device",
        doc: "GPUs and NVSwitches together: all that a confidential guest is given.",
        needs: Needs::PCI,
        select: |facts| select(facts, Pci::passthrough),
        facts: ITEM_FACTS,
    },
];

const DETAIL: Needs = Needs::PCI.and(Needs::PCI_DETAIL);
const NODES: Needs = Needs::PCI.and(Needs::VFIO);

const fn item(
    name: &'static str,
    kind: Kind,
    needs: Needs,
    doc: &'static str,
    read: fn(&Facts, usize) -> Evidence,
) -> ItemFact {
    ItemFact { name, kind, doc, needs, read }
}

/// The index of a subject is that of its function.
const ITEM_FACTS: &[ItemFact] = &[
    item("address", Kind::Text, Needs::PCI, "Domain, bus, device and function.", |facts, index| {
        of_function(facts, index, "", |_, function| {
            Reading::Known(Value::Text(function.address.to_string()))
        })
    }),
    item("id", Kind::Text, Needs::PCI, "Vendor and device id, as `10de:2335`.", |facts, index| {
        of_function(facts, index, "/uevent", |_, function| {
            match (function.vendor, function.device) {
                (Some(vendor), Some(device)) => {
                    Reading::Known(Value::Text(format!("{vendor:04x}:{device:04x}")))
                }
                _ => no_answer("the device id cannot be read"),
            }
        })
    }),
    item("name", Kind::Text, Needs::PCI, "What the device is called.", name),
    item(
        "family",
        Kind::Text,
        Needs::PCI,
        "The listed family, as \"H100 SXM5 80GB\"; absent when the id is not on the list.",
        |facts, index| listed(facts, index, |model| Some(model.family), "not on the list"),
    ),
    item(
        "architecture",
        Kind::Text,
        Needs::PCI,
        "The listed architecture, as \"Hopper\"; absent when the id is not on the list.",
        |facts, index| listed(facts, index, |model| Some(model.architecture), "not on the list"),
    ),
    item(
        "supported-family",
        Kind::Text,
        Needs::PCI,
        "The family under which NVIDIA supports it for confidential containers; absent when it does not.",
        |facts, index| {
            listed(facts, index, |model| model.supported, "not among the supported families")
        },
    ),
    item("driver", Kind::Text, Needs::PCI, "The driver it is bound to.", |facts, index| {
        let evidence = of_placement(facts, index, "/driver", |it| text(&it.driver));
        if evidence.reading.is_absent() { evidence.with_note("no driver") } else { evidence }
    }),
    item("bound", Kind::Bool, Needs::PCI, "Whether any driver holds it.", |facts, index| {
        of_placement(facts, index, "/driver", |it| {
            it.driver.as_ref().map(|_| Value::Bool(true)).or_absent(Value::Bool(false))
        })
    }),
    item(
        "bound-to-vfio",
        Kind::Bool,
        Needs::PCI,
        "Whether a VFIO driver holds it: vfio-pci or a variant of it.",
        |facts, index| {
            let evidence = of_placement(facts, index, "/driver", |it| {
                it.driver
                    .as_ref()
                    .map(|driver| Value::Bool(is_vfio(driver)))
                    .or_absent(Value::Bool(false))
            });
            match facts.pci.as_ref().and_then(|pci| pci.placement(index)).map(|it| &it.driver) {
                Some(Reading::Known(driver)) => evidence.with_note(driver),
                Some(Reading::Absent) => evidence.with_note("no driver"),
                _ => evidence,
            }
        },
    ),
    item(
        "driver-override",
        Kind::Text,
        Needs::PCI,
        "The only driver that may bind it; absent when any may.",
        |facts, index| {
            of_placement(facts, index, "/driver_override", |it| text(&it.driver_override))
        },
    ),
    item("iommu-group", Kind::Integer, Needs::PCI, "The number of its IOMMU group.", {
        |facts, index| {
            let evidence = of_placement(facts, index, "/iommu_group", |it| {
                it.iommu_group.as_ref().map(|number| Value::Integer(i64::from(*number)))
            });
            if evidence.reading.is_absent() {
                evidence.with_note("in no IOMMU group")
            } else {
                evidence
            }
        }
    }),
    item(
        "iommu-group-type",
        Kind::Text,
        Needs::PCI,
        "The type of the group's default domain, as `DMA-FQ` or `identity`.",
        |facts, index| of_group(facts, index, "/type", |_, _, group| (text(&group.kind), None)),
    ),
    item(
        "iommu-group-viable",
        Kind::Bool,
        Needs::PCI,
        "Whether VFIO may own its group: every member is unbound, with VFIO, or bound to a driver that does no DMA.",
        |facts, index| {
            of_group(facts, index, "/devices", |_, function, group| {
                let (viable, offenders) = group.viable(function.address);
                let note = row(offenders.iter().map(String::as_str));
                (viable.map(Value::Bool), Some(note).filter(|note| !note.is_empty()))
            })
        },
    ),
    item(
        "iommu-group-foreign",
        Kind::Set,
        Needs::PCI,
        "Members of its group that are neither functions of the same device nor bridges, with drivers.",
        |facts, index| {
            of_group(facts, index, "/devices", |pci, function, group| {
                (group.foreign(pci, function.address).map(Value::Set), None)
            })
        },
    ),
    item(
        "iommu-group-direct-regions",
        Kind::Set,
        Needs::PCI,
        "Memory in its group that the firmware keeps mapped (type `direct`); VFIO refuses such a group.",
        |facts, index| {
            of_group(facts, index, "/reserved_regions", |_, _, group| {
                (group.direct_regions.clone().map(Value::Set), None)
            })
        },
    ),
    item("link-width", Kind::Integer, DETAIL, "Lanes in use now.", |facts, index| {
        of_detail(facts, index, "current_link_width", |it| number(&it.link_width))
    }),
    item("max-link-width", Kind::Integer, DETAIL, "Lanes that it has.", |facts, index| {
        of_detail(facts, index, "max_link_width", |it| number(&it.max_link_width))
    }),
    item(
        "link-speed",
        Kind::Text,
        DETAIL,
        "Speed of the link now; low while the device is idle.",
        |facts, index| of_detail(facts, index, "current_link_speed", |it| text(&it.link_speed)),
    ),
    item("max-link-speed", Kind::Text, DETAIL, "Speed it is capable of.", |facts, index| {
        of_detail(facts, index, "max_link_speed", |it| text(&it.max_link_speed))
    }),
    item(
        "power-state",
        Kind::Text,
        DETAIL,
        "`D0` to `D3cold`; D3hot is normal for an idle device with VFIO.",
        |facts, index| of_detail(facts, index, "power_state", |it| text(&it.power_state)),
    ),
    item(
        "reset-methods",
        Kind::Set,
        DETAIL,
        "Ways to reset it between guests; empty when they are switched off.",
        |facts, index| {
            let evidence = of_detail(facts, index, "reset_method", |it| {
                it.reset_methods.clone().map(Value::Set)
            });
            if evidence.reading.is_absent() {
                evidence.with_note("no way to reset it, or a kernel before 5.15")
            } else {
                evidence
            }
        },
    ),
    item(
        "resettable",
        Kind::Bool,
        DETAIL,
        "Whether there is a way to reset it between guests.",
        |facts, index| {
            let evidence = of_detail(facts, index, "reset_method", |it| {
                it.reset_methods.as_ref().map(|methods| Value::Bool(!methods.is_empty()))
            });
            if evidence.reading.is_absent() {
                evidence.with_note("no way to reset it, or a kernel before 5.15")
            } else {
                evidence
            }
        },
    ),
    item(
        "numa-node",
        Kind::Integer,
        DETAIL,
        "The memory node it is near; -1 when the firmware does not say.",
        |facts, index| {
            let evidence = of_detail(facts, index, "numa_node", |it| number(&it.numa_node));
            if evidence.reading == Reading::Known(Value::Integer(-1)) {
                evidence.with_note("unknown to the firmware")
            } else {
                evidence
            }
        },
    ),
    item(
        "sriov-vfs",
        Kind::Integer,
        DETAIL,
        "Virtual functions that exist; absent when it can have none.",
        |facts, index| of_detail(facts, index, "sriov_numvfs", |it| number(&it.sriov_vfs)),
    ),
    item(
        "bars-assigned",
        Kind::Bool,
        DETAIL,
        "Whether all its address windows got addresses; false without Above 4G Decoding in the firmware.",
        bars_assigned,
    ),
    item(
        "vfio-device",
        Kind::Text,
        NODES,
        "The name of its VFIO device node, as `vfio3`.",
        |facts, index| of_placement(facts, index, "/vfio-dev", |it| text(&it.vfio_device)),
    ),
    item(
        "vfio-cdev",
        Kind::Bool,
        NODES,
        "Whether its VFIO device node exists, as confidential guests need it (iommufd).",
        vfio_cdev,
    ),
    item(
        "vfio-group-node",
        Kind::Bool,
        NODES,
        "Whether its IOMMU group's VFIO node exists.",
        vfio_group_node,
    ),
];

fn select(facts: &Facts, members: fn(&Pci) -> &[usize]) -> Selection {
    let Some(pci) = &facts.pci else {
        let doubt = Some((Cause::NotGathered, Source::file(DEVICES)));
        return Selection { subjects: Vec::new(), doubt };
    };
    let subject = |index: &usize| {
        let function = pci.all().get(*index)?;
        Some(Subject { index: *index, label: function.address.to_string() })
    };
    Selection { subjects: members(pci).iter().filter_map(subject).collect(), doubt: pci.doubt() }
}

fn no_answer<T>(why: &str) -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer(why.to_owned()))
}

fn text(reading: &Reading<String>) -> Reading<Value> {
    reading.as_ref().map(|text| Value::Text(text.clone()))
}

fn number(reading: &Reading<i64>) -> Reading<Value> {
    reading.as_ref().map(|number| Value::Integer(*number))
}

fn of_function(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Pci, &Function) -> Reading<Value>,
) -> Evidence {
    evidence(facts, |pci| match pci.all().get(index) {
        Some(function) => {
            let source = Source::file(format!("{DEVICES}/{}{attribute}", function.address));
            Evidence::new(read(pci, function), source)
        }
        None => Evidence::not_gathered(),
    })
}

fn of_placement(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Placement) -> Reading<Value>,
) -> Evidence {
    of_function(facts, index, attribute, |pci, _| match pci.placement(index) {
        Some(placement) => read(placement),
        None => Reading::Unreadable(Cause::NotGathered),
    })
}

fn of_detail(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Detail) -> Reading<Value>,
) -> Evidence {
    of_function(facts, index, &format!("/{attribute}"), |pci, _| match pci.detail(index) {
        Some(detail) => read(detail),
        None => Reading::Unreadable(Cause::NotGathered),
    })
}

/// A fact of the group that a function is in; `Absent` when it is in none.
fn of_group(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Pci, &Function, &Group) -> (Reading<Value>, Option<String>),
) -> Evidence {
    let link = of_placement(facts, index, "/iommu_group", |placement| {
        placement.iommu_group.as_ref().map(|group| Value::Integer(i64::from(*group)))
    });
    evidence(facts, |pci| {
        let placement = pci.placement(index).map(|placement| &placement.iommu_group);
        match (placement, pci.all().get(index)) {
            (Some(Reading::Known(number)), Some(function)) => match pci.group(*number) {
                Some(group) => {
                    let (reading, note) = read(pci, function, group);
                    let path = format!("{}/{number}{attribute}", group::GROUPS);
                    Evidence { reading, source: Some(Source::file(path)), note }
                }
                None => Evidence::not_gathered(),
            },
            (Some(Reading::Absent), _) => link.with_note("in no IOMMU group"),
            _ => link,
        }
    })
}

fn listed(
    facts: &Facts,
    index: usize,
    pick: fn(&super::models::Model) -> Option<&'static str>,
    otherwise: &str,
) -> Evidence {
    let evidence = of_function(facts, index, "/uevent", |_, function| match function.device {
        Some(_) => function
            .model()
            .and_then(pick)
            .map_or(Reading::Absent, |text| Reading::Known(Value::Text(text.to_owned()))),
        None => no_answer("the device id cannot be read"),
    });
    if evidence.reading.is_absent() { evidence.with_note(otherwise) } else { evidence }
}

/// The listed family, else the public name, else what the class says.
fn name(facts: &Facts, index: usize) -> Evidence {
    let mut unlisted_switch = false;
    let evidence = of_function(facts, index, "/uevent", |_, function| {
        unlisted_switch = function.is_nvswitch() && function.model().is_none();
        let public = || {
            let (vendor, device) = (function.vendor?, function.device?);
            names::device(vendor, device)
        };
        function.model().map(|model| model.family).or_else(public).map_or_else(
            || no_answer("no list has a name for this id"),
            |name| Reading::Known(Value::Text(name.to_owned())),
        )
    });
    if unlisted_switch {
        evidence.with_note("an NVSwitch by class only; its id is not on the list")
    } else {
        evidence
    }
}

fn bars_assigned(facts: &Facts, index: usize) -> Evidence {
    let mut note = None;
    let evidence = of_detail(facts, index, "resource", |detail| {
        detail.bars.as_ref().map(|bars| {
            let unassigned: BTreeSet<u8> =
                bars.iter().filter(|bar| !bar.is_assigned()).map(|bar| bar.index).collect();
            if bars.is_empty() {
                note = Some("it has no address window at all".to_owned());
            } else if !unassigned.is_empty() {
                let windows: Vec<String> =
                    unassigned.iter().map(|index| format!("BAR {index}")).collect();
                note = Some(format!("no address for {}", windows.join(", ")));
            }
            Value::Bool(!bars.is_empty() && unassigned.is_empty())
        })
    });
    Evidence { note, ..evidence }
}

fn vfio_cdev(facts: &Facts, index: usize) -> Evidence {
    evidence(facts, |pci| match (pci.placement(index), &facts.vfio) {
        (Some(placement), Some(vfio)) => match &placement.vfio_device {
            Reading::Known(name) => Evidence::new(
                vfio.has_cdev(name).map(Value::Bool),
                Source::file(format!("/dev/vfio/devices/{name}")),
            ),
            Reading::Absent => {
                of_function(facts, index, "/vfio-dev", |_, _| Reading::Known(Value::Bool(false)))
                    .with_note("no VFIO driver made a device for it")
            }
            Reading::Unreadable(cause) => {
                let cause = cause.clone();
                of_function(facts, index, "/vfio-dev", |_, _| Reading::Unreadable(cause))
            }
        },
        _ => Evidence::not_gathered(),
    })
}

fn vfio_group_node(facts: &Facts, index: usize) -> Evidence {
    evidence(facts, |pci| match (pci.placement(index), &facts.vfio) {
        (Some(placement), Some(vfio)) => match &placement.iommu_group {
            Reading::Known(number) => Evidence::new(
                vfio.has_group(*number).map(Value::Bool),
                Source::file(format!("/dev/vfio/{number}")),
            ),
            Reading::Absent => {
                of_function(facts, index, "/iommu_group", |_, _| Reading::Known(Value::Bool(false)))
                    .with_note("in no IOMMU group")
            }
            Reading::Unreadable(cause) => {
                let cause = cause.clone();
                of_function(facts, index, "/iommu_group", |_, _| Reading::Unreadable(cause))
            }
        },
        _ => Evidence::not_gathered(),
    })
}
