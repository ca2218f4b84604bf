//! The IOMMU as a whole: groups, instances, and what the firmware offers.
//!
//! The three together tell a switch in the firmware from one in the kernel. Which group a device is in is
//! read with the device, in `pci`.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::interrupts::{self, Remapping};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const GROUPS: &str = "/sys/kernel/iommu_groups";
const INSTANCES: &str = "/sys/class/iommu";
const TABLES: &str = "/sys/firmware/acpi/tables";

/// Of the extended features: the firmware has switched SEV-SNP on in the IOMMU.
const SNP_FEATURE: u64 = 1 << 63;

/// ACPI tables that describe an IOMMU: Intel's, AMD's, and Arm's.
const IOMMU_TABLES: [&str; 3] = ["DMAR", "IVRS", "IORT"];

#[derive(Debug)]
pub struct Iommu {
    /// Numbers in order; `Absent` when the kernel has no notion of groups.
    pub groups: Reading<Vec<u32>>,
    /// `dmar0`, `ivhd0`, `smmu3.0x...`.
    pub instances: Reading<BTreeSet<String>>,
    /// Those of the IOMMU tables that the firmware has.
    pub tables: Reading<BTreeSet<String>>,
    pub remapping: Reading<Remapping>,
    /// The first word of an AMD IOMMU's extended features; `Absent` without one.
    pub amd_features: Reading<u64>,
    amd_features_path: String,
}

pub(super) fn gather(root: &Root) -> Iommu {
    let groups = below(root, GROUPS, "/sys/kernel").map(|names| {
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| number(name)).collect();
        numbers.sort_unstable();
        numbers
    });
    let instances = below(root, INSTANCES, "/sys/class").map(|names| names.into_iter().collect());
    let tables = match names(root, TABLES) {
        // Firmware with ACPI has at least the tables that lead to all others.
        Reading::Known(names) if names.is_empty() => {
            Reading::Unreadable(Cause::NoAnswer("no ACPI table is listed".to_owned()))
        }
        other => other.map(|names| {
            names.into_iter().filter(|name| IOMMU_TABLES.contains(&name.as_str())).collect()
        }),
    };
    let remapping = interrupts::remapping(root);
    let (amd_features, amd_features_path) = amd_features(root, &instances);
    Iommu { groups, instances, tables, remapping, amd_features, amd_features_path }
}

/// The features of the first AMD instance, by which the kernel goes for all of them.
fn amd_features(root: &Root, instances: &Reading<BTreeSet<String>>) -> (Reading<u64>, String) {
    let first = match instances {
        Reading::Known(names) => names.iter().find(|name| name.starts_with("ivhd")),
        Reading::Absent => None,
        Reading::Unreadable(cause) => {
            return (Reading::Unreadable(cause.clone()), INSTANCES.to_owned());
        }
    };
    let Some(first) = first else { return (Reading::Absent, INSTANCES.to_owned()) };
    let path = format!("{INSTANCES}/{first}/amd-iommu/features");
    (root.read_attribute(&path).and_then(|text| features(&text)), path)
}

/// Hexadecimal without `0x`: the extended features, and on newer kernels a colon and the second word.
pub fn features(text: &str) -> Reading<u64> {
    let first = text.split_once(':').map_or(text, |(first, _)| first);
    let digits = first.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u64::from_str_radix(first, 16) {
        Ok(number) if digits => Reading::Known(number),
        _ => Reading::Unreadable(Cause::malformed(1, "no hexadecimal number")),
    }
}

/// The number of a group; whatever else stands in the directory is none.
fn number(name: &str) -> Option<u32> {
    name.parse().ok().filter(|_| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn names(root: &Root, directory: &str) -> Reading<Vec<String>> {
    root.list(directory).map(|entries| entries.into_iter().map(|entry| entry.name).collect())
}

/// The names in a directory, whose absence counts only where its parent is there: a kernel that runs
/// always has it, a tree without sysfs has not.
fn below(root: &Root, directory: &str, parent: &str) -> Reading<Vec<String>> {
    let listed = names(root, directory);
    if !listed.is_absent() {
        return listed;
    }
    match root.stat(parent) {
        Reading::Known(_) => Reading::Absent,
        Reading::Absent => Reading::Unreadable(Cause::NoAnswer(format!("there is no {parent}"))),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

impl Iommu {
    /// What the three readings say together.
    fn state(&self) -> Evidence {
        let known = |state: &str, path: &str, note: String| {
            Evidence::new(Reading::Known(Value::Text(state.to_owned())), Source::file(path))
                .with_note(note)
        };
        let unreadable = |cause: &Cause, path: &str| {
            Evidence::new(Reading::Unreadable(cause.clone()), Source::file(path))
        };
        if let Some(cause) = self.groups.cause() {
            return unreadable(cause, GROUPS);
        }
        let groups = self.groups.known().map_or(0, Vec::len);
        if let Some(cause) = self.instances.cause()
            && groups == 0
        {
            return unreadable(cause, INSTANCES);
        }
        let instances = self.instances.known().map_or(0, BTreeSet::len);
        match (groups, instances) {
            // Kernels before 3.17 have groups and no list of instances.
            (1.., _) => known("active", GROUPS, format!("groups: {groups}")),
            (0, 1..) => known("no-groups", GROUPS, format!("IOMMUs without a group: {instances}")),
            (0, 0) => match &self.tables {
                Reading::Known(tables) if tables.is_empty() => {
                    known("off-in-firmware", TABLES, "no IOMMU table".to_owned())
                }
                Reading::Known(tables) => {
                    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
                    known(
                        "off-in-kernel",
                        TABLES,
                        format!("the firmware has {}", tables.join(", ")),
                    )
                }
                // The kernel's own list is there and empty: that it is off is certain, the reason is not.
                Reading::Absent | Reading::Unreadable(_) if self.groups.known().is_some() => {
                    known("off", GROUPS, "no ACPI tables to tell why".to_owned())
                }
                Reading::Absent => {
                    let why = "no group, no instance, and no ACPI tables to tell why".to_owned();
                    unreadable(&Cause::NoAnswer(why), TABLES)
                }
                Reading::Unreadable(cause) => unreadable(cause, TABLES),
            },
        }
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "iommu.state",
        kind: Kind::Text,
        doc: "`active`, `no-groups`, `off-in-kernel` (the firmware offers one), `off-in-firmware`, or `off` \
              where the reason cannot be told.",
        needs: Needs::IOMMU,
        read: |facts| match &facts.iommu {
            Some(iommu) => iommu.state(),
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "iommu.group-count",
        kind: Kind::Integer,
        doc: "Number of IOMMU groups; absent when the kernel has no notion of them.",
        needs: Needs::IOMMU,
        read: |facts| evidence(facts, GROUPS, |iommu| count(&iommu.groups, Vec::len)),
    },
    Fact {
        name: "iommu.instance-count",
        kind: Kind::Integer,
        doc: "Number of IOMMUs that the kernel drives, about one for each root complex.",
        needs: Needs::IOMMU,
        read: |facts| evidence(facts, INSTANCES, |iommu| count(&iommu.instances, BTreeSet::len)),
    },
    Fact {
        name: "iommu.instances",
        kind: Kind::Set,
        doc: "Names of the IOMMUs that the kernel drives: dmarN for Intel, ivhdN for AMD.",
        needs: Needs::IOMMU,
        read: |facts| evidence(facts, INSTANCES, |iommu| iommu.instances.clone().map(Value::Set)),
    },
    Fact {
        name: "iommu.firmware-tables",
        kind: Kind::Set,
        doc: "ACPI tables that describe an IOMMU: DMAR for Intel, IVRS for AMD, IORT for Arm.",
        needs: Needs::IOMMU,
        read: |facts| evidence(facts, TABLES, |iommu| iommu.tables.clone().map(Value::Set)),
    },
    Fact {
        name: "iommu.interrupt-remapping",
        kind: Kind::Bool,
        doc: "Whether the IOMMU remaps interrupts, so that a guest's device cannot forge any.",
        needs: Needs::IOMMU,
        read: |facts| match &facts.iommu {
            Some(iommu) => remapping(&iommu.remapping),
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "iommu.snp-feature",
        kind: Kind::Bool,
        doc: "Whether the firmware has switched SEV-SNP on in AMD's IOMMU; absent without such an IOMMU.",
        needs: Needs::IOMMU,
        read: |facts| match &facts.iommu {
            Some(iommu) => {
                let on = iommu.amd_features.clone().map(|all| Value::Bool(all & SNP_FEATURE != 0));
                Evidence::new(on, Source::file(iommu.amd_features_path.as_str()))
            }
            None => Evidence::not_gathered(),
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn evidence(facts: &Facts, path: &str, read: impl FnOnce(&Iommu) -> Reading<Value>) -> Evidence {
    match &facts.iommu {
        Some(iommu) => Evidence::new(read(iommu), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

fn remapping(reading: &Reading<Remapping>) -> Evidence {
    let (value, chip) = match reading {
        Reading::Known(Remapping::On(chip)) => (Reading::Known(true), Some(chip)),
        Reading::Known(Remapping::Off(chip)) => (Reading::Known(false), Some(chip)),
        Reading::Known(Remapping::Open(_)) | Reading::Absent => {
            (Reading::Unreadable(Cause::NoAnswer("no interrupt tells".to_owned())), None)
        }
        Reading::Unreadable(cause) => (Reading::Unreadable(cause.clone()), None),
    };
    let evidence = Evidence::new(value.map(Value::Bool), Source::file(interrupts::PATH));
    match chip {
        Some(chip) => evidence.with_note(format!("interrupts are delivered by {chip}")),
        None => evidence,
    }
}

fn count<T>(reading: &Reading<T>, length: fn(&T) -> usize) -> Reading<Value> {
    reading.as_ref().map(|all| Value::Integer(i64::try_from(length(all)).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, tree, value};
    use super::*;

    fn state(files: &[(&str, &str)]) -> Reading<Value> {
        let host = tree(files);
        value(&facts(host.path(), Needs::IOMMU), "iommu.state").reading
    }

    fn text(text: &str) -> Reading<Value> {
        Reading::Known(Value::Text(text.to_owned()))
    }

    const GROUP: (&str, &str) = ("sys/kernel/iommu_groups/7/type", "DMA-FQ\n");
    const NO_GROUPS: (&str, &str) = ("sys/kernel/iommu_groups/", "");
    const INSTANCE: (&str, &str) = ("sys/class/iommu/ivhd0/uevent", "");
    const NO_INSTANCES: (&str, &str) = ("sys/class/iommu/", "");
    const IVRS: (&str, &str) = ("sys/firmware/acpi/tables/IVRS", "");
    const FACP: (&str, &str) = ("sys/firmware/acpi/tables/FACP", "");

    #[test]
    fn groups_and_instances_make_it_active() {
        assert_eq!(state(&[GROUP, INSTANCE, IVRS]), text("active"));
        assert_eq!(state(&[GROUP, ("sys/class/net/lo/mtu", "")]), text("active"));
    }

    #[test]
    fn instances_without_groups_are_a_state_of_their_own() {
        assert_eq!(state(&[NO_GROUPS, INSTANCE, IVRS]), text("no-groups"));
    }

    #[test]
    fn firmware_and_kernel_are_told_apart_by_the_table() {
        assert_eq!(state(&[NO_GROUPS, NO_INSTANCES, IVRS, FACP]), text("off-in-kernel"));
        assert_eq!(state(&[NO_GROUPS, NO_INSTANCES, FACP]), text("off-in-firmware"));
    }

    #[test]
    fn an_empty_list_of_groups_is_off_whatever_the_reason() {
        assert_eq!(state(&[NO_GROUPS, NO_INSTANCES]), text("off"));
        let empty = ("sys/firmware/acpi/tables/", "");
        assert_eq!(state(&[NO_GROUPS, NO_INSTANCES, empty]), text("off"));
    }

    #[test]
    fn what_is_not_there_to_read_is_no_verdict() {
        let empty = ("sys/firmware/acpi/tables/", "");
        assert!(state(&[NO_INSTANCES, empty]).cause().is_some());
        assert!(state(&[("etc/hostname", "")]).cause().is_some());
        assert!(state(&[IVRS]).cause().is_some());
        assert!(state(&[NO_GROUPS, IVRS]).cause().is_some());
    }

    #[test]
    fn the_firmware_s_switch_for_snp_is_the_highest_feature() {
        for (text, wanted) in [
            ("a5bf732fa2295afe:53\n", true),
            ("25bf732fa2295afe:53\n", false),
            ("8000000000000000\n", true),
            ("58f77ef22294ade\n", false),
        ] {
            let host = tree(&[
                ("sys/class/iommu/dmar0/x", ""),
                ("sys/class/iommu/ivhd0/amd-iommu/features", text),
                ("sys/class/iommu/ivhd1/amd-iommu/features", "0:0\n"),
            ]);
            let snp = value(&facts(host.path(), Needs::IOMMU), "iommu.snp-feature");
            assert_eq!(snp.reading, Reading::Known(Value::Bool(wanted)), "{text}");
        }
        for bad in ["", ":53", "0xa5", "+5:0", "g", "1a5bf732fa2295afe"] {
            assert!(features(bad).cause().is_some(), "{bad:?}");
        }
        let intel = tree(&[("sys/class/iommu/dmar0/x", "")]);
        let snp = value(&facts(intel.path(), Needs::IOMMU), "iommu.snp-feature").reading;
        assert!(snp.is_absent());
    }

    #[test]
    fn the_chip_that_delivers_interrupts_is_told() {
        let host = tree(&[("proc/interrupts", "  9:   0  IR-IO-APIC  9-fasteoi  acpi\n")]);
        let remapping = value(&facts(host.path(), Needs::IOMMU), "iommu.interrupt-remapping");
        assert_eq!(remapping.reading, Reading::Known(Value::Bool(true)));
        assert_eq!(remapping.note.as_deref(), Some("interrupts are delivered by IR-IO-APIC"));
    }

    #[test]
    fn counts_take_numbers_only_and_absence_stays_absence() {
        let host = tree(&[
            GROUP,
            ("sys/kernel/iommu_groups/10/type", ""),
            ("sys/kernel/iommu_groups/x/y", ""),
        ]);
        let all = facts(host.path(), Needs::IOMMU);
        assert_eq!(value(&all, "iommu.group-count").reading, Reading::Known(Value::Integer(2)));
        let host = tree(&[("sys/kernel/uevent_seqnum", "1\n")]);
        let all = facts(host.path(), Needs::IOMMU);
        assert!(value(&all, "iommu.group-count").reading.is_absent());
        assert!(value(&all, "iommu.instance-count").reading.cause().is_some());
    }
}
