//! VFIO as user space sees it: device nodes, and the module parameters that weaken it.
//!
//! A node counts only when it is a character device. What a copied tree has in its place is a file like
//! any other, and proves nothing about a kernel.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value, sysfs};
use crate::host::{FileKind, Root};

const IOMMUFD: &str = "/dev/iommu";
const DIRECTORY: &str = "/dev/vfio";
const CONTAINER: &str = "/dev/vfio/vfio";
const CDEVS: &str = "/dev/vfio/devices";
const DRIVER: &str = "/sys/bus/pci/drivers/vfio-pci";
const UNSAFE_TYPE1: &str = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";
const NOIOMMU: &str = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
const MAPPINGS: &str = "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit";
const UNSAFE_IOMMUFD: &str = "/sys/module/iommufd/parameters/allow_unsafe_interrupts";

/// Nodes and parameters.
#[derive(Debug)]
pub struct Vfio {
    /// `/dev/iommu`, `Absent` when there is none.
    pub iommufd: Reading<FileKind>,
    /// What is in `/dev/vfio`; nothing where the directory certainly does not exist.
    pub nodes: Reading<Vec<Node>>,
    /// What is in `/dev/vfio/devices`, likewise.
    pub cdevs: Reading<Vec<Node>>,
    pub allow_unsafe_interrupts: Reading<bool>,
    pub iommufd_unsafe_interrupts: Reading<bool>,
    /// Whether devices without an IOMMU may be given away.
    pub noiommu_allowed: Reading<bool>,
    /// How many mappings a container may have.
    pub mapping_limit: Reading<i64>,
    /// Whether the kernel has the vfio-pci driver registered.
    pub driver_registered: Reading<bool>,
}

/// A name in a directory of device nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub kind: Reading<FileKind>,
}

impl Node {
    fn is_device(&self) -> Reading<bool> {
        self.kind.as_ref().map(|kind| *kind == FileKind::CharDevice).or_absent(false)
    }
}

pub(super) fn gather(root: &Root) -> Vfio {
    let devices = devices(root);
    let nodes = match &devices {
        Reading::Known(names) if names.contains("vfio") => nodes(root, DIRECTORY),
        Reading::Known(_) => Reading::Known(Vec::new()),
        Reading::Absent => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
    };
    let has_cdevs = nodes.as_ref().map(|nodes| nodes.iter().any(|node| node.name == "devices"));
    Vfio {
        iommufd: devices.and_then(|names| {
            if names.contains("iommu") { kind(root, IOMMUFD) } else { Reading::Absent }
        }),
        cdevs: match has_cdevs {
            Reading::Known(true) => self::nodes(root, CDEVS),
            Reading::Known(false) => Reading::Known(Vec::new()),
            Reading::Absent => Reading::Absent,
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
        nodes,
        allow_unsafe_interrupts: sysfs::read_parameter(root, UNSAFE_TYPE1),
        iommufd_unsafe_interrupts: sysfs::read_parameter(root, UNSAFE_IOMMUFD),
        noiommu_allowed: sysfs::read_parameter(root, NOIOMMU),
        mapping_limit: sysfs::parameter(root, MAPPINGS).and_then(|text| sysfs::decimal(&text)),
        driver_registered: driver_registered(root),
    }
}

/// The names in `/dev`. A kernel always has some there, so none at all means that it is not mounted.
fn devices(root: &Root) -> Reading<BTreeSet<String>> {
    let unmounted = || Reading::Unreadable(Cause::NoAnswer("/dev is not mounted".to_owned()));
    match root.list("/dev") {
        Reading::Known(entries) if entries.is_empty() => unmounted(),
        Reading::Known(entries) => {
            Reading::Known(entries.into_iter().map(|entry| entry.name).collect())
        }
        Reading::Absent => unmounted(),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

fn nodes(root: &Root, directory: &str) -> Reading<Vec<Node>> {
    root.list(directory).map(|entries| {
        let node = |name: String| {
            let kind = kind(root, &format!("{directory}/{name}"));
            Node { name, kind }
        };
        entries.into_iter().map(|entry| node(entry.name)).collect()
    })
}

fn kind(root: &Root, path: &str) -> Reading<FileKind> {
    root.stat(path).map(|stat| stat.kind)
}

/// A driver that is loaded or built in has a directory of this name; a kernel without the bus's
/// directory of drivers does not say.
fn driver_registered(root: &Root) -> Reading<bool> {
    match root.stat(DRIVER) {
        Reading::Known(_) => Reading::Known(true),
        Reading::Absent => match root.stat("/sys/bus/pci/drivers") {
            Reading::Known(_) => Reading::Known(false),
            Reading::Absent => {
                Reading::Unreadable(Cause::NoAnswer("sysfs lists no PCI drivers".to_owned()))
            }
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

impl Vfio {
    /// Whether `/dev/vfio/devices` has this node.
    pub fn has_cdev(&self, name: &str) -> Reading<bool> {
        has_device(&self.cdevs, name)
    }

    /// Whether `/dev/vfio` has the node of this group.
    pub fn has_group(&self, number: u32) -> Reading<bool> {
        has_device(&self.nodes, &number.to_string())
    }
}

fn has_device(nodes: &Reading<Vec<Node>>, name: &str) -> Reading<bool> {
    nodes.as_ref().and_then(|nodes| {
        nodes.iter().find(|node| node.name == name).map_or(Reading::Known(false), Node::is_device)
    })
}

/// The names of all nodes that pass; unknown as a whole when one that passes is of an unknown kind.
fn names(nodes: &Reading<Vec<Node>>, passes: impl Fn(&str) -> bool) -> Reading<BTreeSet<String>> {
    nodes.as_ref().and_then(|nodes| {
        let mut names = BTreeSet::new();
        for node in nodes.iter().filter(|node| passes(&node.name)) {
            match node.is_device() {
                Reading::Known(true) => {
                    names.insert(node.name.clone());
                }
                Reading::Known(false) | Reading::Absent => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
        Reading::Known(names)
    })
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "vfio.iommufd",
        kind: Kind::Bool,
        doc: "Whether /dev/iommu is a character device, as confidential guests need it.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, IOMMUFD, |vfio| {
                let reading = vfio.iommufd.as_ref().map(|kind| *kind == FileKind::CharDevice);
                (reading.or_absent(false).map(Value::Bool), stand_in(&vfio.iommufd))
            })
        },
    },
    Fact {
        name: "vfio.container-node",
        kind: Kind::Bool,
        doc: "Whether /dev/vfio/vfio is a character device.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, CONTAINER, |vfio| {
                let node = vfio
                    .nodes
                    .known()
                    .and_then(|nodes| nodes.iter().find(|node| node.name == "vfio"));
                let note = node.and_then(|node| stand_in(&node.kind));
                (has_device(&vfio.nodes, "vfio").map(Value::Bool), note)
            })
        },
    },
    Fact {
        name: "vfio.noiommu-nodes",
        kind: Kind::Set,
        doc: "Nodes of the mode without an IOMMU, which gives a device all of memory.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, DIRECTORY, |vfio| {
                let unsafe_mode = |name: &str| name.starts_with("noiommu-");
                let groups = names(&vfio.nodes, unsafe_mode);
                let both = groups.and_then(|mut groups| {
                    names(&vfio.cdevs, unsafe_mode).map(|cdevs| {
                        groups.extend(cdevs);
                        groups
                    })
                });
                (both.map(Value::Set), None)
            })
        },
    },
    Fact {
        name: "vfio.cdevs",
        kind: Kind::Set,
        doc: "Names of the device nodes in /dev/vfio/devices.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, CDEVS, |vfio| (names(&vfio.cdevs, |_| true).map(Value::Set), None))
        },
    },
    Fact {
        name: "vfio.allow-unsafe-interrupts",
        kind: Kind::Bool,
        doc: "Whether VFIO works without interrupt remapping; absent when its module is not there.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, UNSAFE_TYPE1, |vfio| {
                (vfio.allow_unsafe_interrupts.clone().map(Value::Bool), None)
            })
        },
    },
    Fact {
        name: "vfio.iommufd-unsafe-interrupts",
        kind: Kind::Bool,
        doc: "Whether iommufd works without interrupt remapping; absent when it is not there.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, UNSAFE_IOMMUFD, |vfio| {
                (vfio.iommufd_unsafe_interrupts.clone().map(Value::Bool), None)
            })
        },
    },
    Fact {
        name: "vfio.noiommu-allowed",
        kind: Kind::Bool,
        doc: "Whether VFIO may give away devices without an IOMMU; absent when its module is not there.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, NOIOMMU, |vfio| (vfio.noiommu_allowed.clone().map(Value::Bool), None))
        },
    },
    Fact {
        name: "vfio.dma-entry-limit",
        kind: Kind::Integer,
        doc: "How many pieces of memory the older VFIO interface maps for a guest; absent when its \
              module is not there.",
        needs: Needs::VFIO,
        read: |facts| {
            evidence(facts, MAPPINGS, |vfio| (vfio.mapping_limit.clone().map(Value::Integer), None))
        },
    },
    Fact {
        name: "vfio.driver-available",
        kind: Kind::Bool,
        doc: "Whether the running kernel has the vfio-pci driver, loaded or built in.",
        needs: Needs::VFIO.and(Needs::MODULES),
        read: |facts| {
            let present = facts.modules.as_ref().and_then(|modules| modules.present.known());
            let loaded = present.is_some_and(|modules| modules.contains("vfio_pci"));
            evidence(facts, DRIVER, |vfio| {
                let reading =
                    if loaded { Reading::Known(true) } else { vfio.driver_registered.clone() };
                (reading.map(Value::Bool), None)
            })
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn evidence(
    facts: &Facts,
    path: &str,
    read: impl FnOnce(&Vfio) -> (Reading<Value>, Option<String>),
) -> Evidence {
    match &facts.vfio {
        Some(vfio) => {
            let (reading, note) = read(vfio);
            Evidence { reading, source: Some(Source::file(path)), note }
        }
        None => Evidence::not_gathered(),
    }
}

/// What stands where a device node is wanted.
fn stand_in(kind: &Reading<FileKind>) -> Option<String> {
    match kind {
        Reading::Known(FileKind::CharDevice) | Reading::Absent | Reading::Unreadable(_) => None,
        Reading::Known(other) => Some(format!("{} stands there", other.describe())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::{facts, tree, value};
    use super::*;

    fn read(directory: &Path, name: &str) -> Evidence {
        value(&facts(directory, Needs::VFIO.and(Needs::MODULES)), name)
    }

    fn known(evidence: Evidence) -> Value {
        evidence.reading.into_known().unwrap()
    }

    #[test]
    fn a_file_is_no_device_node() {
        let host = tree(&[("dev/iommu", ""), ("dev/vfio/vfio", "")]);
        let iommufd = read(host.path(), "vfio.iommufd");
        assert_eq!(iommufd.reading, Reading::Known(Value::Bool(false)));
        assert_eq!(iommufd.note.as_deref(), Some("a regular file stands there"));
        assert_eq!(known(read(host.path(), "vfio.container-node")), Value::Bool(false));
    }

    #[test]
    fn a_dev_with_other_devices_proves_that_there_is_no_vfio() {
        let host = tree(&[("dev/null", "")]);
        assert_eq!(known(read(host.path(), "vfio.iommufd")), Value::Bool(false));
        assert_eq!(known(read(host.path(), "vfio.container-node")), Value::Bool(false));
        assert_eq!(known(read(host.path(), "vfio.noiommu-nodes")), Value::Set(BTreeSet::new()));
        assert_eq!(known(read(host.path(), "vfio.cdevs")), Value::Set(BTreeSet::new()));
    }

    #[test]
    fn without_dev_nothing_is_told() {
        let host = tree(&[("etc/hostname", "gpu-07\n")]);
        for name in ["vfio.iommufd", "vfio.container-node", "vfio.noiommu-nodes", "vfio.cdevs"] {
            assert!(read(host.path(), name).reading.cause().is_some(), "{name}");
        }
    }

    #[test]
    fn parameters_are_absent_without_their_module_and_malformed_is_no_answer() {
        let host = tree(&[
            ("dev/null", ""),
            ("sys/module/iommufd/parameters/allow_unsafe_interrupts", "maybe\n"),
        ]);
        assert!(read(host.path(), "vfio.allow-unsafe-interrupts").reading.is_absent());
        let malformed = read(host.path(), "vfio.iommufd-unsafe-interrupts").reading;
        assert!(matches!(malformed.cause(), Some(Cause::Malformed { .. })));
    }

    #[test]
    fn the_driver_is_available_when_registered() {
        let registered = tree(&[("sys/bus/pci/drivers/vfio-pci/bind", "")]);
        assert_eq!(known(read(registered.path(), "vfio.driver-available")), Value::Bool(true));
        let others = tree(&[("sys/bus/pci/drivers/nvme/bind", "")]);
        assert_eq!(known(read(others.path(), "vfio.driver-available")), Value::Bool(false));
        let nothing = tree(&[("etc/hostname", "")]);
        assert!(read(nothing.path(), "vfio.driver-available").reading.cause().is_some());
        assert!(read(nothing.path(), "vfio.allow-unsafe-interrupts").reading.cause().is_some());
    }

    #[test]
    fn nodes_count_by_kind_and_name() {
        let node = |name: &str, kind| Node { name: name.to_owned(), kind };
        let device = || Reading::Known(FileKind::CharDevice);
        let nodes = Reading::Known(vec![
            node("noiommu-0", device()),
            node("noiommu-1", Reading::Known(FileKind::Regular)),
            node("7", device()),
        ]);
        let found = names(&nodes, |name| name.starts_with("noiommu-")).into_known().unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["noiommu-0"]);
        assert_eq!(has_device(&nodes, "7"), Reading::Known(true));
        assert_eq!(has_device(&nodes, "8"), Reading::Known(false));
        let hidden = Reading::Known(vec![node("7", Reading::Unreadable(Cause::Permission))]);
        assert!(names(&hidden, |_| true).cause().is_some());
    }
}
