//! Where a function sits and who owns it, from its links: driver, IOMMU group, the bridges above it.
//!
//! Read for NVIDIA functions only, unless every detail is wanted.

use crate::host::{Cause, Reading, Root};

use super::super::{Needs, sysfs};
use super::address::Address;
use super::function::{Driver, Function};
use super::{DEVICES, Pci};

#[derive(Debug)]
pub struct Placement {
    /// The driver by the function's link, `Absent` when it is bound to none.
    pub driver: Reading<String>,
    /// The only driver that may bind it, `Absent` when any may; `NotGathered` unless details are wanted.
    pub driver_override: Reading<String>,
    /// `Absent` when it is in no group.
    pub iommu_group: Reading<u32>,
    /// The bridges between the root bus and this function, the root port first.
    pub upstream: Reading<Vec<Address>>,
    /// The physical function that this virtual one belongs to, `Absent` when it is none.
    pub physical_function: Reading<Address>,
    /// The VFIO device node's name, such as `vfio3`; `NotGathered` unless VFIO facts are wanted.
    pub vfio_device: Reading<String>,
}

impl Placement {
    pub(super) fn read(root: &Root, pci: &Pci, function: &Function, needs: Needs) -> Self {
        let base = format!("{DEVICES}/{}", function.address);
        let path = |attribute: &str| format!("{base}/{attribute}");
        let wanted = |source: Needs| needs.has(source) || needs.has(Needs::PCI_EVERY_DETAIL);
        Self {
            driver: driver(root, pci, function),
            driver_override: if wanted(Needs::PCI_DETAIL) {
                driver_override(root, &path("driver_override"))
            } else {
                Reading::Unreadable(Cause::NotGathered)
            },
            iommu_group: sysfs::link_name(root, &path("iommu_group"))
                .and_then(|number| sysfs::decimal(&number)),
            upstream: root.link(&base).and_then(|target| upstream(&target, function.address)),
            physical_function: sysfs::link_name(root, &path("physfn")).and_then(|name| {
                Address::parse(&name).map_or_else(
                    || {
                        Reading::Unreadable(Cause::malformed(
                            None,
                            format!("{name:?} is no address"),
                        ))
                    },
                    Reading::Known,
                )
            }),
            vfio_device: if needs.has(Needs::VFIO) {
                vfio_device(root, &path("vfio-dev"))
            } else {
                Reading::Unreadable(Cause::NotGathered)
            },
        }
    }
}

/// The driver of a function by its link. A missing link means "no driver" only where `uevent` does not
/// name one: a copy of a host may have lost its links.
fn driver(root: &Root, pci: &Pci, function: &Function) -> Reading<String> {
    let link = sysfs::link_name(root, &format!("{DEVICES}/{}/driver", function.address));
    match (link, function.driver) {
        (Reading::Absent, Driver::Named(number)) => Reading::Unreadable(Cause::NoAnswer(format!(
            "uevent names {}, but there is no driver link",
            pci.names.name(number)
        ))),
        // Whether the function itself is there is not known, so neither is that it has no driver.
        (Reading::Absent, _) if function.vendor.is_none() => {
            Reading::Unreadable(Cause::NoAnswer("the function could not be identified".to_owned()))
        }
        (link, _) => link,
    }
}

fn driver_override(root: &Root, path: &str) -> Reading<String> {
    root.read_attribute(path).and_then(|name| match name.as_str() {
        "" | "(null)" => Reading::Absent,
        _ => Reading::Known(name),
    })
}

/// The driver of the function with this index, by its link, which is read only once.
pub(super) fn driver_of(root: &Root, pci: &Pci, index: usize) -> Option<Reading<String>> {
    match pci.placement(index) {
        Some(placement) => Some(placement.driver.clone()),
        None => pci.all().get(index).map(|function| driver(root, pci, function)),
    }
}

/// The chain of functions in the target of a device's link, without the function itself.
fn upstream(target: &str, address: Address) -> Reading<Vec<Address>> {
    match target.rsplit_once('/') {
        Some((above, name)) if Address::parse(name) == Some(address) => {
            Reading::Known(above.split('/').filter_map(Address::parse).collect())
        }
        _ => Reading::Unreadable(Cause::malformed(None, "the link leads to another device")),
    }
}

fn vfio_device(root: &Root, directory: &str) -> Reading<String> {
    root.list(directory).and_then(|entries| {
        entries
            .into_iter()
            .map(|entry| entry.name)
            .find(|name| name.starts_with("vfio"))
            .map_or(Reading::Absent, Reading::Known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_what_lies_above() {
        let address = Address::parse("0000:18:00.0").unwrap();
        let chain = upstream(
            "../../../devices/pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:00.0/0000:18:00.0",
            address,
        );
        let names: Vec<String> = chain.known().unwrap().iter().map(Address::to_string).collect();
        assert_eq!(names, ["0000:15:01.0", "0000:16:00.0", "0000:17:00.0"]);
        let alone = upstream("../../../devices/pci0000:00/0000:18:00.0", address);
        assert_eq!(alone, Reading::Known(Vec::new()));
    }

    #[test]
    fn a_link_to_elsewhere_gives_no_chain() {
        let address = Address::parse("0000:18:00.0").unwrap();
        for target in ["", "/", "../../../devices/pci0000:15/0000:15:01.0", "0000:18:00.0/net"] {
            assert!(upstream(target, address).cause().is_some(), "{target}");
        }
    }
}
