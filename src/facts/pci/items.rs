//! What rules may ask about each GPU, NVSwitch and companion function.

use crate::facts::catalogue::{Collection, Evidence, ItemFact};
use crate::facts::{Facts, Kind, Needs, Reading, Value, drivers, gpu_mode};

use super::evidence::{
    answers, bars_assigned, firmware_framebuffer, full_width, group_foreign, group_viable, listed,
    memory_window, memory_window_above_4g, name, named, no_answer, number, of_detail, of_function,
    of_group, of_placement, select, select_every, text, vfio_cdev, vfio_group_node,
};
use super::port_items::PORT_FACTS;
use super::{Pci, is_vfio, names};

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
    Collection {
        name: "pci.ports",
        item: "port",
        doc: "Bridges above GPUs and NVSwitches: root ports, and the ports of switches.",
        needs: CONFIG,
        select: |facts| select(facts, Pci::ports),
        facts: PORT_FACTS,
    },
    Collection {
        name: "pci.functions",
        item: "PCI function",
        doc: "Every PCI function; rules over it make a check read much more.",
        needs: DETAIL.and(Needs::PCI_POWER).and(HEALTH).and(Needs::PCI_EVERY_DETAIL),
        select: select_every,
        facts: ITEM_FACTS,
    },
];

const DETAIL: Needs = Needs::PCI.and(Needs::PCI_DETAIL);
const HEALTH: Needs = Needs::PCI.and(Needs::PCI_HEALTH);
const CONFIG: Needs = Needs::PCI.and(Needs::PCI_CONFIG);
const POWER: Needs = Needs::PCI.and(Needs::PCI_POWER);
const NODES: Needs = Needs::PCI.and(Needs::VFIO);

pub(super) const fn item(
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
    item("vendor-name", Kind::Text, Needs::PCI, "What its vendor is called.", |facts, index| {
        of_function(facts, index, "/uevent", |_, function| named(function.vendor, names::vendor))
    }),
    item(
        "class",
        Kind::Text,
        Needs::PCI,
        "Base class, subclass and programming interface, as `030200`.",
        |facts, index| {
            of_function(facts, index, "/uevent", |_, function| match function.class {
                Some(class) => Reading::Known(Value::Text(format!("{class:06x}"))),
                None => no_answer("the class cannot be read"),
            })
        },
    ),
    item(
        "subsystem",
        Kind::Text,
        DETAIL,
        "Vendor and device id of the board, as `10de:18be`; absent where the function names none.",
        |facts, index| {
            of_function(facts, index, "/uevent", |_, function| match function.subsystem {
                Some((vendor, device)) => {
                    Reading::Known(Value::Text(format!("{vendor:04x}:{device:04x}")))
                }
                None => Reading::Absent,
            })
        },
    ),
    item("subsystem-name", Kind::Text, DETAIL, "What the board is called.", |facts, index| {
        of_function(facts, index, "/uevent", |_, function| {
            let ids = (function.vendor, function.device, function.subsystem);
            match ids {
                (Some(vendor), Some(device), Some(board)) => {
                    named(Some(board), |board| names::subsystem(vendor, device, board))
                }
                _ => Reading::Absent,
            }
        })
    }),
    item(
        "next-boot-modules",
        Kind::Set,
        drivers::NEEDS,
        "Modules that the next boot would load for it by its alias, denied ones too.",
        drivers::next_boot_modules,
    ),
    item(
        "next-boot-drivers",
        Kind::Set,
        drivers::NEEDS,
        "Modules outside VFIO that nothing keeps from taking it at the next boot.",
        drivers::next_boot_drivers,
    ),
    item("revision", Kind::Text, DETAIL, "Revision, as `a1`.", |facts, index| {
        of_detail(facts, index, "revision", |it| {
            it.revision.as_ref().map(|revision| Value::Text(format!("{revision:02x}")))
        })
    }),
    item(
        "upstream",
        Kind::Text,
        Needs::PCI,
        "The bridges above it, the root port first, with blanks between.",
        |facts, index| {
            of_placement(facts, index, "", |it| {
                it.upstream.as_ref().map(|bridges| {
                    let bridges: Vec<String> = bridges.iter().map(ToString::to_string).collect();
                    Value::Text(bridges.join(" "))
                })
            })
        },
    ),
    item(
        "physical-function",
        Kind::Text,
        Needs::PCI,
        "The function that this virtual one belongs to; absent when it is none.",
        |facts, index| {
            of_placement(facts, index, "/physfn", |it| {
                it.physical_function.as_ref().map(|address| Value::Text(address.to_string()))
            })
        },
    ),
    item(
        "bars",
        Kind::Set,
        HEALTH,
        "Its address windows, as `BAR 0: 0x1000000 bytes at 0x20204200000, 64-bit, prefetchable`.",
        |facts, index| {
            of_detail(facts, index, "resource", |it| {
                it.bars
                    .as_ref()
                    .map(|bars| Value::Set(bars.iter().map(ToString::to_string).collect()))
            })
        },
    ),
    item("d3cold-allowed", Kind::Bool, DETAIL, "Whether its power may be cut.", |facts, index| {
        of_detail(facts, index, "d3cold_allowed", |it| {
            it.d3cold_allowed.as_ref().map(|allowed| Value::Bool(*allowed))
        })
    }),
    item("enabled", Kind::Integer, DETAIL, "How often it was enabled.", |facts, index| {
        of_detail(facts, index, "enable", |it| number(&it.enabled))
    }),
    item(
        "sriov-total-vfs",
        Kind::Integer,
        DETAIL,
        "Virtual functions that it could have.",
        |facts, index| of_detail(facts, index, "sriov_totalvfs", |it| number(&it.sriov_total_vfs)),
    ),
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
        DETAIL,
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
        CONFIG,
        "Whether VFIO may own its group: every member is unbound, with VFIO, or bound to a driver that does no DMA.",
        group_viable,
    ),
    item(
        "iommu-group-foreign",
        Kind::Set,
        CONFIG,
        "Members of its group that are neither functions of the same device nor bridges, with drivers.",
        group_foreign,
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
    item(
        "firmware-framebuffer",
        Kind::Bool,
        Needs::PCI.and(Needs::FRAMEBUFFER),
        "Whether the firmware's picture is still kept in one of its address windows.",
        firmware_framebuffer,
    ),
    item("link-width", Kind::Integer, HEALTH, "Lanes in use now.", |facts, index| {
        of_detail(facts, index, "current_link_width", |it| number(&it.link_width))
    }),
    item("max-link-width", Kind::Integer, HEALTH, "Lanes that it has.", |facts, index| {
        of_detail(facts, index, "max_link_width", |it| number(&it.max_link_width))
    }),
    item(
        "link-at-full-width",
        Kind::Bool,
        HEALTH,
        "Whether all lanes that it has are in use; false when it sits in a slot with fewer, absent when it does not tell how many it has.",
        full_width,
    ),
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
        "cc-mode",
        Kind::Text,
        gpu_mode::NEEDS,
        "The confidential computing mode that its registers show: on, off, devtools, or invalid; absent for a device that has none. Only with --probe-gpu.",
        gpu_mode::cc_mode,
    ),
    item(
        "ppcie-mode",
        Kind::Text,
        gpu_mode::NEEDS,
        "Whether its registers show protected PCI Express: on or off; absent for a device that has none. Only with --probe-gpu.",
        gpu_mode::ppcie_mode,
    ),
    item(
        "hardware-mode",
        Kind::Text,
        gpu_mode::NEEDS,
        "Both in the one word that cc-manager has for it: on, off, devtools, ppcie, or invalid. Only with --probe-gpu.",
        gpu_mode::hardware_mode,
    ),
    item(
        "power-state",
        Kind::Text,
        POWER,
        "`D0` to `D3cold`; D3hot is normal for an idle device with VFIO.",
        |facts, index| of_detail(facts, index, "power_state", |it| text(&it.power_state)),
    ),
    item(
        "reset-methods",
        Kind::Set,
        POWER,
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
        POWER,
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
        HEALTH,
        "Virtual functions that exist; absent when it can have none.",
        |facts, index| of_detail(facts, index, "sriov_numvfs", |it| number(&it.sriov_vfs)),
    ),
    item(
        "bars-assigned",
        Kind::Bool,
        HEALTH.and(Needs::PCI_CONFIG),
        "Whether all its address windows got addresses; false without Above 4G Decoding in the firmware.",
        bars_assigned,
    ),
    item(
        "memory-window",
        Kind::Integer,
        HEALTH,
        "Size of its largest memory window that has an address, in MiB; that of a GPU shows its memory.",
        memory_window,
    ),
    item(
        "memory-window-above-4g",
        Kind::Bool,
        HEALTH,
        "Whether its largest memory window with an address lies above 4 GiB.",
        memory_window_above_4g,
    ),
    item(
        "fatal-errors",
        Kind::Integer,
        HEALTH,
        "Errors since boot that broke its link; absent where the firmware keeps them to itself.",
        |facts, index| of_detail(facts, index, "aer_dev_fatal", |it| number(&it.fatal_errors)),
    ),
    item(
        "nonfatal-errors",
        Kind::Integer,
        HEALTH,
        "Errors since boot that lost a transaction, likewise.",
        |facts, index| {
            of_detail(facts, index, "aer_dev_nonfatal", |it| number(&it.nonfatal_errors))
        },
    ),
    item(
        "correctable-errors",
        Kind::Integer,
        DETAIL,
        "Errors since boot that the hardware repaired, likewise.",
        |facts, index| {
            of_detail(facts, index, "aer_dev_correctable", |it| number(&it.correctable_errors))
        },
    ),
    item(
        "answers",
        Kind::Bool,
        CONFIG.and(Needs::PCI_POWER),
        "Whether it can be reached at all; absent while it has no power, because to ask would wake it.",
        answers,
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
