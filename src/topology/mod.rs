//! Where the GPUs and NVSwitches of a host sit: the bridges above each, what those isolate, and the IOMMU
//! groups that came of it.
//!
//! The model is made of facts alone and judges nothing; each of the other files writes it in one format. Its
//! texts are a host's own words, so whoever writes them makes them harmless first.

mod build;
mod card;
mod dot;
mod json;
mod layout;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use dot::dot;
pub use json::{json, schema};
pub use svg::svg;
pub use text::{Look, text};

use crate::facts::pci::{Address, Isolation};
use crate::facts::{Facts, Needs, Reading};
use crate::format::config_space::Acs;

/// What must be read for a topology without gaps.
pub const NEEDS: Needs = Needs::OS
    .and(Needs::PCI)
    .and(Needs::PCI_POWER)
    .and(Needs::PCI_DETAIL)
    .and(Needs::PCI_CONFIG)
    .and(Needs::PCI_HEALTH);

/// The paths to all GPUs and NVSwitches of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The host's name, where it is known.
    pub host: Option<String>,
    /// Ordered by bus.
    pub complexes: Vec<Complex>,
    /// The IOMMU groups of the devices, ordered by number.
    pub groups: Vec<Group>,
    /// Why there may be devices that are not here.
    pub doubt: Option<String>,
}

/// A root bus, and what hangs below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complex {
    pub domain: u32,
    pub bus: u8,
    /// What the host bridge is called, where one is listed on this bus.
    pub host_bridge: Option<String>,
    pub nodes: Vec<Node>,
}

/// What a function is to the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything above a device.
    Bridge,
    Gpu,
    NvSwitch,
    /// An audio, USB or USB-C function of a GPU's board.
    Companion,
}

/// A function, and what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub address: Address,
    pub kind: Kind,
    /// What it is among functions: `root port`, `GPU`.
    pub role: &'static str,
    /// What the device is called; `None` where no list has a name for it.
    pub name: Option<String>,
    pub id: Option<(u16, u16)>,
    /// `Absent` when it is bound to none.
    pub driver: Reading<String>,
    /// -1 where the firmware does not say.
    pub numa_node: Reading<i64>,
    /// `Absent` when it is in no group.
    pub group: Reading<u32>,
    pub link: Link,
    /// What a bridge keeps apart; `None` for a device, and where nobody read it.
    pub isolation: Option<Isolation>,
    /// Its Access Control Services, where it has them.
    pub acs: Option<Acs>,
    /// Whether a device answers; `None` for a bridge, and where it was not asked.
    pub answers: Option<bool>,
    pub children: Vec<Node>,
}

/// The link above a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Lanes.
    pub width: Reading<i64>,
    pub max_width: Reading<i64>,
    /// As the kernel writes it: `32.0 GT/s PCIe`.
    pub speed: Reading<String>,
    pub max_speed: Reading<String>,
}

/// An IOMMU group that holds a device of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub number: u32,
    /// The type of its default domain, as `DMA-FQ`.
    pub kind: Reading<String>,
    /// The devices of the picture in it.
    pub devices: Vec<Address>,
    /// All its members that are no bridges, with their drivers: `0000:65:00.0 nvme`.
    pub members: Reading<Vec<String>>,
    /// Those of them that are not in the picture.
    pub others: Vec<String>,
    /// Whether devices of more than one slot are in it.
    pub is_shared: bool,
}

impl Topology {
    /// What the facts tell; a part that was not gathered is unknown.
    pub fn of(facts: &Facts) -> Self {
        build::topology(facts)
    }

    /// Only the paths through a function; `None` where it is on none.
    #[must_use]
    pub fn only(mut self, address: Address) -> Option<Self> {
        for complex in &mut self.complexes {
            complex.nodes.retain_mut(|node| node.keep(address));
        }
        self.complexes.retain(|complex| !complex.nodes.is_empty());
        let mut left = Vec::new();
        self.visit(&mut |node| left.push(node.address));
        self.groups.retain(|group| group.devices.iter().any(|device| left.contains(device)));
        (!left.is_empty()).then_some(self)
    }

    /// Every function, from the root downwards.
    pub fn visit<'t>(&'t self, look: &mut impl FnMut(&'t Node)) {
        for complex in &self.complexes {
            for node in &complex.nodes {
                node.visit(look);
            }
        }
    }

    pub fn group(&self, number: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.number == number)
    }

    fn count(&self, kind: Kind) -> usize {
        let mut count = 0;
        self.visit(&mut |node| count += usize::from(node.kind == kind));
        count
    }
}

impl Node {
    fn visit<'t>(&'t self, look: &mut impl FnMut(&'t Self)) {
        look(self);
        for child in &self.children {
            child.visit(look);
        }
    }

    /// Drops what is neither above nor below a function; says whether anything is left.
    fn keep(&mut self, address: Address) -> bool {
        if self.address == address {
            return true;
        }
        self.children.retain_mut(|child| child.keep(address));
        !self.children.is_empty()
    }
}
