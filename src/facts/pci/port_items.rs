//! What rules may ask about each port above a GPU or NVSwitch.

use crate::facts::catalogue::{Evidence, ItemFact};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Value};

use super::evidence::{name, number, of_detail, of_function, of_placement, text};
use super::items::item;
use super::{Isolation, Port};

const CONFIG: Needs = Needs::PCI.and(Needs::PCI_CONFIG);
const DETAIL: Needs = CONFIG.and(Needs::PCI_DETAIL);
const LINK: Needs = DETAIL.and(Needs::PCI_HEALTH);

/// The index of a subject is that of its function.
pub(super) const PORT_FACTS: &[ItemFact] = &[
    item("address", Kind::Text, CONFIG, "Domain, bus, device and function.", |facts, index| {
        of_function(facts, index, "", |_, function| {
            Reading::Known(Value::Text(function.address.to_string()))
        })
    }),
    item("id", Kind::Text, CONFIG, "Vendor and device id, as `1000:c030`.", |facts, index| {
        of_function(facts, index, "/uevent", |_, function| {
            match (function.vendor, function.device) {
                (Some(vendor), Some(device)) => {
                    Reading::Known(Value::Text(format!("{vendor:04x}:{device:04x}")))
                }
                _ => {
                    Reading::Unreadable(Cause::NoAnswer("the device id cannot be read".to_owned()))
                }
            }
        })
    }),
    item("name", Kind::Text, CONFIG, "What the device is called.", name),
    item(
        "port-type",
        Kind::Text,
        CONFIG,
        "What it is on PCI Express, as `root port`; absent for a conventional bridge.",
        |facts, index| {
            of_port(facts, index, |port| {
                port.kind.as_ref().map(|kind| Value::Text(kind.name().to_owned()))
            })
        },
    ),
    item(
        "acs",
        Kind::Text,
        CONFIG,
        "Its Access Control Services, as `SrcValid+ TransBlk- ...`; absent where it has none.",
        |facts, index| {
            of_port(facts, index, |port| port.acs.as_ref().map(|acs| Value::Text(acs.to_string())))
        },
    ),
    item(
        "acs-off",
        Kind::Set,
        CONFIG,
        "What Linux demands of it to part devices, what it can do, and what is off; absent where nothing is demanded, or it has no Access Control Services.",
        |facts, index| {
            let mut note = None;
            let evidence = of_port(facts, index, |port| match port.isolation() {
                Isolation::On => Reading::Known(Value::Set(std::collections::BTreeSet::new())),
                Isolation::Off(bits) => {
                    note = port.acs.known().map(ToString::to_string);
                    Reading::Known(Value::Set(bits.into_iter().map(str::to_owned).collect()))
                }
                Isolation::NoCapability | Isolation::Never | Isolation::NotItsTask => {
                    Reading::Absent
                }
                Isolation::Unknown(cause) => Reading::Unreadable(cause),
            });
            if evidence.reading.cause() == Some(&Cause::Permission) {
                note = Some("to root its whole configuration space shows".to_owned());
            }
            Evidence { note, ..evidence }
        },
    ),
    item("driver", Kind::Text, DETAIL, "The driver it is bound to.", |facts, index| {
        of_placement(facts, index, "/driver", |it| text(&it.driver))
    }),
    item("iommu-group", Kind::Integer, DETAIL, "The number of its IOMMU group.", |facts, index| {
        of_placement(facts, index, "/iommu_group", |it| {
            it.iommu_group.as_ref().map(|number| Value::Integer(i64::from(*number)))
        })
    }),
    item("link-width", Kind::Integer, LINK, "Lanes in use now.", |facts, index| {
        of_detail(facts, index, "current_link_width", |it| number(&it.link_width))
    }),
    item("max-link-width", Kind::Integer, LINK, "Lanes that it has.", |facts, index| {
        of_detail(facts, index, "max_link_width", |it| number(&it.max_link_width))
    }),
    item("link-speed", Kind::Text, DETAIL, "Speed of the link now.", |facts, index| {
        of_detail(facts, index, "current_link_speed", |it| text(&it.link_speed))
    }),
    item("max-link-speed", Kind::Text, DETAIL, "Speed it is capable of.", |facts, index| {
        of_detail(facts, index, "max_link_speed", |it| text(&it.max_link_speed))
    }),
    item(
        "numa-node",
        Kind::Integer,
        DETAIL,
        "The memory node it is near; -1 when the firmware does not say.",
        |facts, index| of_detail(facts, index, "numa_node", |it| number(&it.numa_node)),
    ),
];

fn of_port(facts: &Facts, index: usize, read: impl FnOnce(&Port) -> Reading<Value>) -> Evidence {
    of_function(facts, index, "/config", |pci, _| {
        pci.port(index).map_or(Reading::Unreadable(Cause::NotGathered), read)
    })
}
