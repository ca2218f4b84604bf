//! IOMMU groups that hold a function of interest: their members, and whether VFIO may own them.

use std::collections::BTreeSet;

use crate::host::{Cause, Reading, Root};

use super::super::sysfs;
use super::address::Address;
use super::{Function, Pci, driver, placement};

pub(super) const GROUPS: &str = "/sys/kernel/iommu_groups";

#[derive(Debug)]
pub struct Group {
    pub number: u32,
    /// Type of its default domain: `DMA`, `DMA-FQ`, `identity`.
    pub kind: Reading<String>,
    /// Regions that the firmware insists on, by type `direct`: VFIO refuses such a group.
    pub direct_regions: Reading<BTreeSet<String>>,
    pub members: Reading<Vec<Member>>,
}

/// A device in a group. Not all of them are PCI functions.
#[derive(Debug)]
pub struct Member {
    pub name: Box<str>,
    pub address: Option<Address>,
    /// `Absent` when it is bound to none.
    pub driver: Reading<String>,
}

impl Member {
    /// `0000:65:00.0 nvme`.
    pub fn describe(&self) -> String {
        let driver = match &self.driver {
            Reading::Known(driver) => driver,
            Reading::Absent => "(no driver)",
            Reading::Unreadable(_) => "(driver unknown)",
        };
        format!("{} {driver}", self.name)
    }
}

impl Group {
    pub(super) fn read(root: &Root, pci: &Pci, number: u32) -> Self {
        let base = format!("{GROUPS}/{number}");
        let members = root.list(&format!("{base}/devices")).map(|entries| {
            let member = |name: String| {
                let address = Address::parse(&name);
                let driver = address
                    .and_then(|address| pci.index_of(address))
                    .and_then(|index| placement::driver_of(root, pci, index))
                    .unwrap_or_else(|| foreign_driver(root, &format!("{base}/devices/{name}")));
                Member { name: name.into(), address, driver }
            };
            entries.into_iter().map(|entry| member(entry.name)).collect()
        });
        Self {
            number,
            kind: root.read_attribute(&format!("{base}/type")),
            direct_regions: root
                .read_attribute(&format!("{base}/reserved_regions"))
                .and_then(|text| direct_regions(&text)),
            members,
        }
    }

    /// Whether VFIO may own the group, which takes every member's consent, and who objects.
    pub fn viable(&self, function: Address) -> (Reading<bool>, Vec<String>) {
        let members = match &self.members {
            Reading::Known(members) => members,
            Reading::Absent => {
                return (no_answer("the group has no directory of devices"), Vec::new());
            }
            Reading::Unreadable(cause) => return (Reading::Unreadable(cause.clone()), Vec::new()),
        };
        let mut offenders = Vec::new();
        let mut doubt = None;
        for member in members {
            match &member.driver {
                Reading::Known(name) if driver::leaves_group_to_vfio(name) => {}
                Reading::Known(name) => offenders.push(format!("{} ({name})", member.name)),
                Reading::Absent => {}
                Reading::Unreadable(cause) => doubt = doubt.or(Some(cause)),
            }
        }
        let listed = members.iter().any(|member| member.address == Some(function));
        let viable = if !offenders.is_empty() {
            Reading::Known(false)
        } else if let Some(cause) = doubt {
            Reading::Unreadable(cause.clone())
        } else if listed {
            Reading::Known(true)
        } else {
            no_answer("the group does not list the function")
        };
        (viable, offenders)
    }

    /// Members that are neither functions of the same device nor bridges that only forward.
    pub fn foreign(&self, pci: &Pci, function: Address) -> Reading<BTreeSet<String>> {
        let belongs = |member: &Member| {
            member.address.is_some_and(|address| {
                address.same_slot(function)
                    || pci.at(address).is_some_and(Function::is_forwarding_bridge)
            })
        };
        self.members.as_ref().map(|members| {
            members.iter().filter(|member| !belongs(member)).map(Member::describe).collect()
        })
    }

    /// Members that are no bridges that only forward, with their drivers.
    pub fn endpoints(&self, pci: &Pci) -> Reading<Vec<String>> {
        let forwards = |member: &&Member| {
            let function = member.address.and_then(|address| pci.at(address));
            function.is_some_and(Function::is_forwarding_bridge)
        };
        self.members.as_ref().map(|members| {
            members.iter().filter(|member| !forwards(member)).map(Member::describe).collect()
        })
    }
}

/// The driver of a member that is no PCI function. Without the device itself (a link that leads
/// nowhere) a missing driver link proves nothing.
fn foreign_driver(root: &Root, path: &str) -> Reading<String> {
    match sysfs::link_name(root, &format!("{path}/driver")) {
        Reading::Absent => match root.stat(path) {
            Reading::Known(_) => Reading::Absent,
            Reading::Absent => no_answer("a member's link leads nowhere"),
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
        other => other,
    }
}

fn no_answer<T>(why: &str) -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer(why.to_owned()))
}

/// The regions of type `direct`, as `0x0000000099000000 0x00000000990fffff`. `direct-relaxable` is
/// another type, which VFIO tolerates.
fn direct_regions(text: &str) -> Reading<BTreeSet<String>> {
    let mut regions = BTreeSet::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(start), Some(end), Some("direct"), None) => {
                regions.insert(format!("{start} {end}"));
            }
            (Some(_), Some(_), Some(_), None) => {}
            _ => return Reading::Unreadable(Cause::malformed(number, "no reserved region")),
        }
    }
    Reading::Known(regions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(members: &[(&str, Reading<&str>)]) -> Group {
        let member = |(name, driver): &(&str, Reading<&str>)| Member {
            name: (*name).into(),
            address: Address::parse(name),
            driver: driver.clone().map(str::to_owned),
        };
        Group {
            number: 7,
            kind: Reading::Absent,
            direct_regions: Reading::Absent,
            members: Reading::Known(members.iter().map(member).collect()),
        }
    }

    fn gpu() -> Address {
        Address::parse("0000:18:00.0").unwrap()
    }

    const VFIO: Reading<&str> = Reading::Known("vfio-pci");

    #[test]
    fn a_group_of_consenting_members_is_viable() {
        let group = group(&[
            ("0000:17:00.0", Reading::Known("pcieport")),
            ("0000:18:00.0", VFIO),
            ("0000:18:00.1", Reading::Absent),
            ("AMDI0095:00", Reading::Absent),
        ]);
        assert_eq!(group.viable(gpu()), (Reading::Known(true), Vec::new()));
    }

    #[test]
    fn one_member_with_another_driver_spoils_the_group_whatever_is_unknown() {
        let unknown = Reading::Unreadable(Cause::Permission);
        let group = group(&[
            ("0000:18:00.0", VFIO),
            ("0000:18:00.1", Reading::Known("snd_hda_intel")),
            ("0000:19:00.0", unknown),
        ]);
        let (viable, offenders) = group.viable(gpu());
        assert_eq!(viable, Reading::Known(false));
        assert_eq!(offenders, ["0000:18:00.1 (snd_hda_intel)"]);
    }

    #[test]
    fn a_member_that_cannot_be_read_leaves_the_answer_open() {
        let group = group(&[("0000:18:00.0", VFIO), ("x", Reading::Unreadable(Cause::Permission))]);
        assert_eq!(group.viable(gpu()).0, Reading::Unreadable(Cause::Permission));
    }

    #[test]
    fn a_group_that_does_not_list_its_function_is_not_believed() {
        for group in [group(&[]), group(&[("0000:19:00.0", VFIO)])] {
            assert!(group.viable(gpu()).0.cause().is_some());
        }
    }

    #[test]
    fn only_direct_regions_count() {
        let text = "0x0000000099000000 0x00000000990fffff direct\n\
                    0x00000000000a0000 0x00000000000bffff direct-relaxable\n\
                    0x00000000fee00000 0x00000000feefffff msi";
        let regions = direct_regions(text).into_known().unwrap();
        assert_eq!(regions.iter().collect::<Vec<_>>(), ["0x0000000099000000 0x00000000990fffff"]);
        assert_eq!(direct_regions("").known().unwrap().len(), 0);
        assert_eq!(direct_regions("a b msi\ngarbage").cause().unwrap().line(), Some(2));
    }
}
