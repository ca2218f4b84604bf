//! Configuration space: what the bridges above GPUs and NVSwitches isolate, and whether those devices
//! answer at all.
//!
//! The kernel parted the IOMMU groups by these bits when it found the devices, so the groups are the
//! verdict and the bits are the explanation. Only what exists is read, never written; a device that sleeps
//! without power is not woken for it.

use std::collections::BTreeSet;

use crate::format::config_space::{Acs, ConfigSpace, HEADER, PortType, SpaceError, WHOLE};
use crate::host::{Cause, Reading, Root};

use super::super::Needs;
use super::address::Address;
use super::detail::Detail;
use super::placement::Placement;
use super::{DEVICES, Pci};

/// A bridge above a GPU or NVSwitch.
#[derive(Debug)]
pub struct Port {
    /// `Absent` for a conventional bridge.
    pub kind: Reading<PortType>,
    /// Whether its device has, or could have, further functions.
    pub multifunction: Reading<bool>,
    /// `Absent` where it has no such capability.
    pub acs: Reading<Acs>,
}

/// What a bridge does to keep apart what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// All that it can do of what Linux demands is on.
    On,
    /// These bits are off.
    Off(Vec<&'static str>),
    /// It has no Access Control Services. The kernel knows some such ports that isolate all the same.
    NoCapability,
    /// It is of a kind that cannot isolate: conventional PCI, or a bridge to it.
    Never,
    /// Another port does that for it: an upstream port that is alone in its device.
    NotItsTask,
    Unknown(Cause),
}

impl Port {
    fn of(space: &Reading<Vec<u8>>) -> Self {
        let space = opened(space);
        Self {
            kind: space.clone().and_then(|space| reading(space.port_type())),
            multifunction: space.clone().map(ConfigSpace::is_multifunction),
            acs: space.and_then(|space| reading(space.acs())),
        }
    }

    /// By the rules of Linux for its kind.
    pub fn isolation(&self) -> Isolation {
        let kind = match &self.kind {
            Reading::Known(kind) => *kind,
            Reading::Absent => return Isolation::Never,
            Reading::Unreadable(cause) => return Isolation::Unknown(cause.clone()),
        };
        match kind {
            PortType::BridgeToPci | PortType::BridgeFromPci | PortType::EventCollector => {
                return Isolation::Never;
            }
            PortType::RootPort | PortType::SwitchDownstream => {}
            _ if self.multifunction == Reading::Known(false) => return Isolation::NotItsTask,
            _ => {}
        }
        match &self.acs {
            Reading::Known(acs) => {
                let off: Vec<&str> = acs.off().collect();
                if off.is_empty() { Isolation::On } else { Isolation::Off(off) }
            }
            Reading::Absent => Isolation::NoCapability,
            Reading::Unreadable(cause) => Isolation::Unknown(cause.clone()),
        }
    }
}

fn opened(space: &Reading<Vec<u8>>) -> Reading<ConfigSpace<'_>> {
    space.as_ref().and_then(|bytes| reading(ConfigSpace::new(bytes).map(Some)))
}

fn reading<T>(answer: Result<Option<T>, SpaceError>) -> Reading<T> {
    match answer {
        Ok(Some(value)) => Reading::Known(value),
        Ok(None) => Reading::Absent,
        // The kernel shows the rest to root and refuses nobody: the same cause by another way.
        Err(SpaceError::Hidden(_)) => Reading::Unreadable(Cause::Permission),
        Err(SpaceError::Inaccessible) => Reading::Unreadable(Cause::DeviceGone),
        Err(error @ (SpaceError::Short(_) | SpaceError::Broken { .. })) => {
            Reading::Unreadable(Cause::malformed(None, error.to_string()))
        }
    }
}

/// The header of a device: the windows that it has for certain. `Absent` where it was not asked because
/// that would wake it, `DeviceGone` where it does not answer.
fn header(root: &Root, address: Address) -> Reading<Vec<u8>> {
    let header = root.read_at(&format!("{DEVICES}/{address}/config"), 0, HEADER);
    opened(&header).map(ConfigSpace::windows)
}

impl Pci {
    /// Reads configuration space, and where details are wanted, those of the bridges too.
    pub(super) fn inspect_ports(&mut self, root: &Root, needs: Needs) {
        let mut above = BTreeSet::new();
        for index in self.roles.passthrough.clone() {
            let Some(address) = self.all().get(index).map(|function| function.address) else {
                continue;
            };
            let sleeps = self.sleeps_without_power(root, index, address);
            self.headers
                .insert(index, if sleeps { Reading::Absent } else { header(root, address) });
            if !sleeps {
                above.extend(self.above(index));
            }
        }
        for index in above {
            let Some(function) = self.all().get(index).copied() else { continue };
            let space = root.read_at(&format!("{DEVICES}/{}/config", function.address), 0, WHOLE);
            // Every kernel has the file; a copy of a host without it says nothing about the bridge.
            if !space.is_absent() {
                self.ports.insert(index, Port::of(&space));
            }
            if needs.has(Needs::PCI_DETAIL) && !self.placements.contains_key(&index) {
                let placement = Placement::read(root, self, &function, needs);
                self.placements.insert(index, placement);
                self.details.insert(index, Detail::read(root, function.address, needs));
            }
        }
        self.roles.ports = self.ports.keys().copied().collect();
    }

    fn sleeps_without_power(&self, root: &Root, index: usize, address: Address) -> bool {
        let state = match self.detail(index).map(|detail| &detail.power_state) {
            None | Some(Reading::Unreadable(Cause::NotGathered)) => {
                root.read_attribute(&format!("{DEVICES}/{address}/power_state"))
            }
            Some(known) => known.clone(),
        };
        state.known().is_some_and(|state| state == "D3cold")
    }

    /// Indices of the bridges above a function that was looked at closely, the root port first. One that
    /// the list of functions does not have is left out.
    pub fn above(&self, index: usize) -> Vec<usize> {
        let chain = self.placement(index).and_then(|placement| placement.upstream.known());
        chain.into_iter().flatten().filter_map(|address| self.index_of(*address)).collect()
    }

    /// A bridge above a GPU or NVSwitch; `None` where none such is at this index, or it was not read.
    pub fn port(&self, index: usize) -> Option<&Port> {
        self.ports.get(&index)
    }

    /// Indices of the bridges above GPUs and NVSwitches whose configuration space was read.
    pub fn ports(&self) -> &[usize] {
        &self.roles.ports
    }

    /// Whether a GPU or NVSwitch answers; `None` where nobody wanted to know, `Absent` where it was not
    /// asked because that would wake it.
    pub fn answers(&self, index: usize) -> Option<Reading<bool>> {
        Some(match self.headers.get(&index)? {
            Reading::Known(_) => Reading::Known(true),
            Reading::Unreadable(Cause::DeviceGone) => Reading::Known(false),
            Reading::Absent => Reading::Absent,
            Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        })
    }

    /// Windows that a GPU or NVSwitch has for certain, whatever the kernel lists.
    pub(super) fn windows(&self, index: usize) -> &[u8] {
        self.headers.get(&index).and_then(Reading::known).map_or(&[], Vec::as_slice)
    }

    /// Which bridges above a function let devices below them reach each other, with what they lack; the
    /// nearest first. `None` where none does, or nobody wanted to know.
    pub(super) fn why_not_isolated(&self, index: usize) -> Option<String> {
        let mut open = Vec::new();
        let mut unseen = None;
        for above in self.above(index).into_iter().rev() {
            let (Some(port), Some(function)) = (self.port(above), self.all().get(above)) else {
                continue;
            };
            match port.isolation() {
                Isolation::Off(bits) => {
                    open.push(format!("ACS of {} has {} off", function.address, bits.join(", ")));
                }
                Isolation::NoCapability => open.push(format!("{} has no ACS", function.address)),
                Isolation::Never => {
                    open.push(format!("{} is no port that can isolate", function.address));
                }
                Isolation::Unknown(cause) => unseen = Some(cause),
                Isolation::On | Isolation::NotItsTask => {}
            }
        }
        match (open.is_empty(), unseen) {
            (false, _) => Some(open.join("; ")),
            (true, Some(Cause::Permission)) => {
                Some("which port above it lacks ACS shows to root only".to_owned())
            }
            (true, Some(cause)) => {
                Some(format!("which port above it lacks ACS cannot be told: {cause}"))
            }
            (true, None) => None,
        }
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
