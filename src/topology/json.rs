//! Version 1 of the topology for programs; the schema is in `schemas/topology-v1.json`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Complex, Group, Kind, Link, Node, Topology};
use crate::facts::pci::Isolation;
use crate::facts::{Cause, Reading};
use crate::report::json;

/// Writes it as one JSON document and a line break.
pub fn json(topology: &Topology, out: &mut dyn Write) -> io::Result<()> {
    json::write(&TopologyV1::of(topology), out)
}

/// The JSON Schema of the topology.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    settings.into_generator().into_root_schema_for::<TopologyV1<'static>>().to_value()
}

/// Where the GPUs and NVSwitches of a host sit.
#[derive(Serialize, JsonSchema)]
struct TopologyV1<'t> {
    /// Always `ccgpu-node-topology`.
    format: &'static str,
    /// Always 1.
    version: u32,
    host: Option<&'t str>,
    /// Why there may be devices that are not here; null where there are not.
    doubt: Option<&'t str>,
    /// The root buses with a GPU or an NVSwitch below them.
    complexes: Vec<ComplexV1<'t>>,
    /// The IOMMU groups of the devices.
    groups: Vec<GroupV1<'t>>,
}

#[derive(Serialize, JsonSchema)]
struct ComplexV1<'t> {
    /// Domain and bus, as `0000:20`.
    bus: String,
    host_bridge: Option<&'t str>,
    functions: Vec<FunctionV1<'t>>,
}

/// A PCI function. What is null does not exist, unless `unknown` has it.
#[derive(Serialize, JsonSchema)]
struct FunctionV1<'t> {
    /// As `0000:18:00.0`.
    address: String,
    kind: KindV1,
    /// As `root port` or `GPU`.
    role: &'static str,
    /// Null where no list has a name for it.
    name: Option<&'t str>,
    /// Vendor and device, as `10de:2335`.
    id: Option<String>,
    driver: Option<&'t str>,
    /// -1 where the firmware does not say.
    numa_node: Option<i64>,
    iommu_group: Option<u32>,
    link: LinkV1<'t>,
    /// Null for a device.
    acs: Option<AcsV1>,
    /// False for a device whose configuration space reads as all ones; null for a bridge, and where it was
    /// not asked.
    answers: Option<bool>,
    /// Why a field cannot be told, by its name.
    unknown: BTreeMap<&'static str, String>,
    /// What is below it.
    functions: Vec<FunctionV1<'t>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum KindV1 {
    Bridge,
    Gpu,
    Nvswitch,
    Companion,
}

/// The link above a function.
#[derive(Serialize, JsonSchema)]
struct LinkV1<'t> {
    /// Lanes in use.
    width: Option<i64>,
    max_width: Option<i64>,
    /// As `32.0 GT/s PCIe`; low while the device sleeps.
    speed: Option<&'t str>,
    max_speed: Option<&'t str>,
}

/// Access Control Services of a bridge.
#[derive(Serialize, JsonSchema)]
struct AcsV1 {
    state: AcsStateV1,
    /// What Linux demands, the bridge can do, and is off.
    off: Vec<&'static str>,
    /// The capability register; null where it has none or cannot be read.
    capability: Option<u16>,
    control: Option<u16>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum AcsStateV1 {
    On,
    Off,
    /// The bridge has no Access Control Services.
    None,
    /// A bridge of a kind that cannot have them.
    Never,
    /// An upstream port, for which others isolate.
    NotNeeded,
    Unknown,
}

#[derive(Serialize, JsonSchema)]
struct GroupV1<'t> {
    number: u32,
    /// As `DMA-FQ`.
    kind: Option<&'t str>,
    /// Whether devices of more than one slot are in it.
    shared: bool,
    /// Members that are no bridges, with their drivers; null where they cannot be listed.
    members: Option<&'t [String]>,
}

impl<'t> TopologyV1<'t> {
    fn of(topology: &'t Topology) -> Self {
        Self {
            format: "ccgpu-node-topology",
            version: 1,
            host: topology.host.as_deref(),
            doubt: topology.doubt.as_deref(),
            complexes: topology.complexes.iter().map(ComplexV1::of).collect(),
            groups: topology.groups.iter().map(GroupV1::of).collect(),
        }
    }
}

impl<'t> ComplexV1<'t> {
    fn of(complex: &'t Complex) -> Self {
        Self {
            bus: complex.name(),
            host_bridge: complex.host_bridge.as_deref(),
            functions: complex.nodes.iter().map(FunctionV1::of).collect(),
        }
    }
}

impl<'t> FunctionV1<'t> {
    fn of(node: &'t Node) -> Self {
        let Node { driver, numa_node, group, isolation, link, .. } = node;
        let mut unknown = BTreeMap::new();
        let mut doubt = |field: &'static str, cause: Option<&Cause>| {
            unknown.extend(cause.map(|cause| (field, cause.to_string())));
        };
        doubt("driver", driver.cause());
        doubt("numa_node", numa_node.cause());
        doubt("iommu_group", group.cause());
        doubt("link.width", link.width.cause());
        doubt("link.max_width", link.max_width.cause());
        doubt("link.speed", link.speed.cause());
        doubt("link.max_speed", link.max_speed.cause());
        if let Some(Isolation::Unknown(cause)) = isolation {
            doubt("acs", Some(cause));
        }
        Self {
            address: node.address.to_string(),
            kind: match node.kind {
                Kind::Bridge => KindV1::Bridge,
                Kind::Gpu => KindV1::Gpu,
                Kind::NvSwitch => KindV1::Nvswitch,
                Kind::Companion => KindV1::Companion,
            },
            role: node.role,
            name: node.name.as_deref(),
            id: node.id.map(|(vendor, device)| format!("{vendor:04x}:{device:04x}")),
            driver: driver.known().map(String::as_str),
            numa_node: numa_node.known().copied(),
            iommu_group: group.known().copied(),
            link: LinkV1::of(link),
            acs: isolation.as_ref().map(|isolation| AcsV1::of(isolation, node)),
            answers: node.answers,
            unknown,
            functions: node.children.iter().map(Self::of).collect(),
        }
    }
}

impl<'t> LinkV1<'t> {
    fn of(link: &'t Link) -> Self {
        let text = |reading: &'t Reading<String>| reading.known().map(String::as_str);
        Self {
            width: link.width.known().copied(),
            max_width: link.max_width.known().copied(),
            speed: text(&link.speed),
            max_speed: text(&link.max_speed),
        }
    }
}

impl AcsV1 {
    fn of(isolation: &Isolation, node: &Node) -> Self {
        let (state, off) = match isolation {
            Isolation::On => (AcsStateV1::On, Vec::new()),
            Isolation::Off(bits) => (AcsStateV1::Off, bits.clone()),
            Isolation::NoCapability => (AcsStateV1::None, Vec::new()),
            Isolation::Never => (AcsStateV1::Never, Vec::new()),
            Isolation::NotItsTask => (AcsStateV1::NotNeeded, Vec::new()),
            Isolation::Unknown(_) => (AcsStateV1::Unknown, Vec::new()),
        };
        let acs = node.acs;
        Self {
            state,
            off,
            capability: acs.map(|acs| acs.capability),
            control: acs.map(|acs| acs.control),
        }
    }
}

impl<'t> GroupV1<'t> {
    fn of(group: &'t Group) -> Self {
        Self {
            number: group.number,
            kind: group.kind.known().map(String::as_str),
            shared: group.is_shared,
            members: group.members.known().map(Vec::as_slice),
        }
    }
}
