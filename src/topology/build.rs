//! Makes the tree of the facts about PCI.

use std::collections::BTreeSet;

use super::{Complex, Group, Kind, Link, Node, Topology};
use crate::facts::pci::{Address, Function, Isolation, Pci, Port, names};
use crate::facts::{Cause, Facts, Reading};
use crate::format::config_space::PortType;

/// Base class and subclass of a host bridge.
const HOST_BRIDGE: u16 = 0x0600;

pub(super) fn topology(facts: &Facts) -> Topology {
    let host = facts.os.as_ref().and_then(|os| os.host_name.known().cloned());
    let Some(pci) = &facts.pci else {
        let doubt = Some(Cause::NotGathered.to_string());
        return Topology { host, complexes: Vec::new(), groups: Vec::new(), doubt };
    };
    let devices: BTreeSet<usize> =
        pci.passthrough().iter().chain(pci.companions_of_gpus()).copied().collect();
    let mut complexes = Vec::new();
    for index in &devices {
        place(pci, *index, &mut complexes);
    }
    complexes.sort_by_key(|complex| (complex.domain, complex.bus));
    let doubt = pci.doubt().map(|(cause, source)| format!("{source}: {cause}"));
    Topology { host, complexes, groups: groups(pci, &devices), doubt }
}

/// Puts a device and the bridges above it into the tree.
fn place(pci: &Pci, index: usize, complexes: &mut Vec<Complex>) {
    let Some(function) = pci.all().get(index) else { return };
    let chain = pci.placement(index).and_then(|placement| placement.upstream.known());
    let path = chain.into_iter().flatten().copied().chain([function.address]);
    let path: Vec<Address> = path.collect();
    let Some(top) = path.first() else { return };
    let is_top = |complex: &Complex| (complex.domain, complex.bus) == (top.domain, top.bus);
    let known = complexes.iter().position(is_top).unwrap_or_else(|| {
        complexes.push(Complex {
            domain: top.domain,
            bus: top.bus,
            host_bridge: host_bridge(pci, *top),
            nodes: Vec::new(),
        });
        complexes.len() - 1
    });
    if let Some(complex) = complexes.get_mut(known) {
        descend(pci, &path, &mut complex.nodes);
    }
}

fn descend(pci: &Pci, path: &[Address], nodes: &mut Vec<Node>) {
    let [address, below @ ..] = path else { return };
    let known = nodes.iter().position(|known| known.address == *address).unwrap_or_else(|| {
        let place = nodes.partition_point(|known| known.address < *address);
        nodes.insert(place, node(pci, *address));
        place
    });
    if let Some(node) = nodes.get_mut(known) {
        descend(pci, below, &mut node.children);
    }
}

fn host_bridge(pci: &Pci, top: Address) -> Option<String> {
    let bridge = pci.all().iter().find(|function| {
        let Address { domain, bus, .. } = function.address;
        (domain, bus) == (top.domain, top.bus) && function.class_code() == Some(HOST_BRIDGE)
    })?;
    device_name(bridge)
}

fn device_name(function: &Function) -> Option<String> {
    let listed = function.model().map(|model| model.family);
    listed.or_else(|| names::device(function.vendor?, function.device?)).map(str::to_owned)
}

fn node(pci: &Pci, address: Address) -> Node {
    let index = pci.index_of(address);
    let function = index.and_then(|index| pci.all().get(index));
    let placement = index.and_then(|index| pci.placement(index));
    let detail = index.and_then(|index| pci.detail(index));
    let port = index.and_then(|index| pci.port(index));
    let kind = index.map_or(Kind::Bridge, |index| kind(pci, index));
    Node {
        address,
        kind,
        role: role(kind, port.and_then(|port| port.kind.known()).copied()),
        name: function.and_then(device_name),
        id: function.and_then(|function| Some((function.vendor?, function.device?))),
        driver: placement.map_or_else(
            || function.map_or_else(unknown, |it| pci.driver(it).map(str::to_owned)),
            |placement| placement.driver.clone(),
        ),
        numa_node: detail.map_or_else(unknown, |detail| detail.numa_node.clone()),
        group: placement.map_or_else(unknown, |placement| placement.iommu_group.clone()),
        link: Link {
            width: detail.map_or_else(unknown, |detail| detail.link_width.clone()),
            max_width: detail.map_or_else(unknown, |detail| detail.max_link_width.clone()),
            speed: detail.map_or_else(unknown, |detail| detail.link_speed.clone()),
            max_speed: detail.map_or_else(unknown, |detail| detail.max_link_speed.clone()),
        },
        isolation: match kind {
            Kind::Bridge => {
                Some(port.map_or(Isolation::Unknown(Cause::NotGathered), Port::isolation))
            }
            _ => None,
        },
        acs: port.and_then(|port| port.acs.known().copied()),
        answers: index.and_then(|index| pci.answers(index)?.into_known()),
        children: Vec::new(),
    }
}

fn kind(pci: &Pci, index: usize) -> Kind {
    if pci.gpus().contains(&index) {
        Kind::Gpu
    } else if pci.nvswitches().contains(&index) {
        Kind::NvSwitch
    } else if pci.companions_of_gpus().contains(&index) {
        Kind::Companion
    } else {
        Kind::Bridge
    }
}

fn role(kind: Kind, port: Option<PortType>) -> &'static str {
    match kind {
        Kind::Gpu => "GPU",
        Kind::NvSwitch => "NVSwitch",
        Kind::Companion => "companion function",
        Kind::Bridge => port.map_or("bridge", PortType::name),
    }
}

fn unknown<T>() -> Reading<T> {
    Reading::Unreadable(Cause::NotGathered)
}

/// The groups of the devices.
fn groups(pci: &Pci, devices: &BTreeSet<usize>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for index in devices {
        let Some(function) = pci.all().get(*index) else { continue };
        let number = pci.placement(*index).and_then(|placement| placement.iommu_group.known());
        let Some(facts) = number.and_then(|number| pci.group(*number)) else { continue };
        let foreign = facts.foreign(pci, function.address);
        let is_shared = foreign.known().is_some_and(|foreign| !foreign.is_empty());
        let place = groups.partition_point(|group| group.number < facts.number);
        let known = groups.get_mut(place).filter(|group| group.number == facts.number);
        if let Some(group) = known {
            group.devices.push(function.address);
            group.is_shared |= is_shared;
        } else {
            let group = Group {
                number: facts.number,
                kind: facts.kind.clone(),
                devices: vec![function.address],
                members: facts.endpoints(pci),
                others: Vec::new(),
                is_shared,
            };
            groups.insert(place, group);
        }
    }
    for group in &mut groups {
        let shown = |member: &&String| {
            let address = member.split(' ').next().and_then(Address::parse);
            address.is_some_and(|address| group.devices.contains(&address))
        };
        let members = group.members.known().into_iter().flatten();
        group.others = members.filter(|member| !shown(member)).cloned().collect();
    }
    groups
}
