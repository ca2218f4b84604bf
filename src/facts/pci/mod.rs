//! PCI functions: every one's identity and driver, and all that matters about NVIDIA's.
//!
//! One `uevent` is read for each function; links, groups and details only for NVIDIA functions, because
//! a host can have ten thousand others. Configuration space is read only of GPUs, NVSwitches and what is
//! above them, and only where somebody wants it: each read of it goes to the device.

mod address;
mod detail;
mod driver;
mod evidence;
mod facts;
mod framebuffer;
mod function;
mod group;
mod items;
pub mod models;
pub mod names;
mod placement;
mod port_items;
mod ports;

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{Cause, DirEntry, Reading, Root, Source};

use super::Needs;
pub use address::Address;
pub use detail::{Bar, Detail};
pub use driver::{is_vfio, leaves_group_to_vfio};
pub(super) use facts::FACTS;
pub use function::Function;
pub use group::{Group, Member};
pub(super) use items::COLLECTIONS;
pub use placement::Placement;
pub use ports::{Isolation, Port};

/// Where the kernel lists all functions.
const DEVICES: &str = "/sys/bus/pci/devices";

/// NVIDIA's vendor id.
pub const NVIDIA: u16 = 0x10de;

/// All functions of a host, ordered by address.
#[derive(Debug)]
pub struct Pci {
    /// `Absent` where sysfs has no directory of PCI devices but does not prove that there is no PCI.
    pub functions: Reading<Vec<Function>>,
    /// What stands in the list of devices and may be a GPU for all one knows.
    pub unidentified: Vec<Unidentified>,
    names: driver::Names,
    placements: BTreeMap<usize, Placement>,
    details: BTreeMap<usize, Detail>,
    groups: BTreeMap<u32, Group>,
    /// Who keeps the firmware's picture in which function.
    framebuffers: Reading<BTreeMap<Address, String>>,
    ports: BTreeMap<usize, Port>,
    /// Of GPUs and NVSwitches: the windows that their headers show.
    headers: BTreeMap<usize, Reading<Vec<u8>>>,
    roles: Roles,
}

/// An entry in the list of devices whose identity cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unidentified {
    pub name: String,
    pub cause: Cause,
}

/// Indices of functions by what they are to the rules.
#[derive(Debug, Default)]
struct Roles {
    gpus: Vec<usize>,
    /// Virtual functions of GPUs, which are no GPUs to pass through.
    virtual_gpus: Vec<usize>,
    nvswitches: Vec<usize>,
    companions: Vec<usize>,
    /// GPUs and NVSwitches.
    passthrough: Vec<usize>,
    /// Bridges above those, where their configuration space was read.
    ports: Vec<usize>,
}

/// Reads what `needs` asks for. VFIO facts name each device's node, so they add a look at it.
pub(super) fn gather(root: &Root, needs: Needs) -> Pci {
    let mut pci = Pci {
        functions: Reading::Absent,
        unidentified: Vec::new(),
        names: driver::Names::default(),
        placements: BTreeMap::new(),
        details: BTreeMap::new(),
        groups: BTreeMap::new(),
        framebuffers: Reading::Unreadable(Cause::NotGathered),
        ports: BTreeMap::new(),
        headers: BTreeMap::new(),
        roles: Roles::default(),
    };
    pci.functions = list(root).map(|entries| pci.identify(root, entries));
    pci.inspect(root, needs);
    pci.assign_roles();
    // Only a function that can show a picture is asked for one; data centre GPUs cannot.
    if needs.has(Needs::FRAMEBUFFER) && pci.functions_of_gpus().any(Function::shows_pictures) {
        pci.framebuffers = framebuffer::read(root);
    }
    if needs.has(Needs::PCI_CONFIG) {
        pci.inspect_ports(root, needs);
    }
    pci
}

/// The names of all functions. Only a full list of buses without PCI among them proves that there are
/// none; every kernel has the platform bus, so a list without that is an excerpt.
fn list(root: &Root) -> Reading<Vec<DirEntry>> {
    let devices = root.list(DEVICES);
    if !devices.is_absent() {
        return devices;
    }
    match root.list("/sys/bus") {
        Reading::Known(buses) => {
            let has = |name: &str| buses.iter().any(|bus| bus.name == name);
            if has("platform") && !has("pci") {
                Reading::Known(Vec::new())
            } else {
                Reading::Absent
            }
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
        Reading::Absent => match root.list("/sys") {
            Reading::Known(entries) if !entries.is_empty() => Reading::Absent,
            Reading::Known(_) | Reading::Absent => {
                Reading::Unreadable(Cause::NoAnswer("/sys is not mounted".to_owned()))
            }
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
    }
}

impl Pci {
    fn identify(&mut self, root: &Root, entries: Vec<DirEntry>) -> Vec<Function> {
        let mut reader = function::Reader::new(root);
        let mut functions = Vec::with_capacity(entries.len());
        for DirEntry { name } in entries {
            let cause = match Address::parse(&name) {
                Some(address) => {
                    let (function, cause) = reader.function(&name, address, &mut self.names);
                    functions.push(function);
                    cause
                }
                None => Some(Cause::malformed(None, "its name is no PCI address")),
            };
            if let Some(cause) = cause {
                self.unidentified.push(Unidentified { name, cause });
            }
        }
        functions.sort_unstable_by_key(|function| function.address);
        functions
    }

    /// Looks closer at the functions that `needs` makes interesting.
    fn inspect(&mut self, root: &Root, needs: Needs) {
        let everything = needs.has(Needs::PCI_EVERY_DETAIL);
        let described = everything || needs.has(Needs::PCI_DETAIL);
        let detailed = described || needs.has(Needs::PCI_POWER) || needs.has(Needs::PCI_HEALTH);
        let of_interest: Vec<(usize, Function)> = self
            .all()
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, function)| everything || function.is_nvidia())
            .collect();
        for (index, function) in of_interest {
            let placement = Placement::read(root, self, &function, needs);
            self.placements.insert(index, placement);
            if detailed {
                self.details.insert(index, Detail::read(root, function.address, needs));
            }
            if described {
                self.complete_subsystem(root, index, &function);
            }
        }
        // After all placements, which know the drivers of most members.
        let numbers: BTreeSet<u32> =
            self.placements.values().filter_map(|it| it.iommu_group.known().copied()).collect();
        for number in numbers {
            let group = Group::read(root, self, number);
            self.groups.insert(number, group);
        }
    }

    /// Reads the board's ids where `uevent` left them out.
    fn complete_subsystem(&mut self, root: &Root, index: usize, function: &Function) {
        if function.subsystem.is_some() {
            return;
        }
        let subsystem = function::Reader::new(root).subsystem(&function.address.to_string());
        if let Reading::Known(functions) = &mut self.functions
            && let Some(function) = functions.get_mut(index)
        {
            function.subsystem = subsystem;
        }
    }

    fn assign_roles(&mut self) {
        let mut roles = Roles::default();
        for (index, function) in self.all().iter().enumerate() {
            if function.is_gpu() {
                let physical = self.placements.get(&index).map(|it| &it.physical_function);
                match physical {
                    Some(Reading::Known(_)) => roles.virtual_gpus.push(index),
                    _ => roles.gpus.push(index),
                }
            } else if function.is_nvswitch() {
                roles.nvswitches.push(index);
            }
        }
        roles.companions = self.companions(&roles.gpus);
        roles.passthrough = roles.gpus.iter().chain(&roles.nvswitches).copied().collect();
        // Functions are ordered by address, so their indices are too.
        roles.passthrough.sort_unstable();
        self.roles = roles;
    }

    /// Functions of the same device as a GPU. They are its neighbours in the order of addresses.
    fn companions(&self, gpus: &[usize]) -> Vec<usize> {
        let functions = self.all();
        let mut companions = Vec::new();
        for gpu in gpus.iter().filter_map(|index| functions.get(*index)) {
            let slot = Address { function: 0, ..gpu.address };
            let first = functions.partition_point(|function| function.address < slot);
            let siblings = functions.iter().enumerate().skip(first);
            for (index, sibling) in siblings {
                if !sibling.address.same_slot(slot) {
                    break;
                }
                if sibling.is_companion_class() {
                    companions.push(index);
                }
            }
        }
        companions.sort_unstable();
        // A device may hold more than one GPU function.
        companions.dedup();
        companions
    }

    /// All functions; none where they could not be listed, which [`Pci::doubt`] tells apart.
    pub fn all(&self) -> &[Function] {
        self.functions.known().map_or(&[], Vec::as_slice)
    }

    /// The function at an address.
    pub fn at(&self, address: Address) -> Option<&Function> {
        self.all().get(self.index_of(address)?)
    }

    /// The index of the function at an address.
    pub fn index_of(&self, address: Address) -> Option<usize> {
        self.all().binary_search_by_key(&address, |function| function.address).ok()
    }

    /// The driver of any function, as the first look at it told.
    pub fn driver(&self, function: &Function) -> Reading<&str> {
        match function.driver {
            function::Driver::Named(number) => Reading::Known(self.names.name(number)),
            function::Driver::None if function.vendor.is_some() => Reading::Absent,
            function::Driver::None | function::Driver::Unreadable => Reading::Unreadable(
                Cause::NoAnswer("neither uevent nor the driver link could be read".to_owned()),
            ),
        }
    }

    /// Where a function sits, for those looked at closely.
    pub fn placement(&self, index: usize) -> Option<&Placement> {
        self.placements.get(&index)
    }

    /// Details of a function, for those looked at closely.
    pub fn detail(&self, index: usize) -> Option<&Detail> {
        self.details.get(&index)
    }

    /// The groups of the functions looked at closely.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    pub fn group(&self, number: u32) -> Option<&Group> {
        self.groups.get(&number)
    }

    fn functions_of_gpus(&self) -> impl Iterator<Item = &Function> {
        self.roles.gpus.iter().filter_map(|index| self.all().get(*index))
    }

    /// Who keeps the firmware's picture in a function; `Absent` where nobody does.
    pub fn framebuffer(&self, function: &Function) -> Reading<&str> {
        if !function.shows_pictures() {
            return Reading::Absent;
        }
        self.framebuffers.as_ref().and_then(|found| {
            found
                .get(&function.address)
                .map_or(Reading::Absent, |name| Reading::Known(name.as_str()))
        })
    }

    /// Indices of GPUs, virtual functions left out.
    pub fn gpus(&self) -> &[usize] {
        &self.roles.gpus
    }

    pub fn nvswitches(&self) -> &[usize] {
        &self.roles.nvswitches
    }

    /// Indices of audio, USB and USB-C functions of GPUs.
    pub fn companions_of_gpus(&self) -> &[usize] {
        &self.roles.companions
    }

    /// Indices of GPUs and NVSwitches.
    pub fn passthrough(&self) -> &[usize] {
        &self.roles.passthrough
    }

    /// Why there may be NVIDIA devices that are not listed.
    pub fn doubt(&self) -> Option<(Cause, Source)> {
        let devices = || Source::file(DEVICES);
        match &self.functions {
            Reading::Unreadable(cause) => Some((cause.clone(), devices())),
            Reading::Absent => {
                let why = "sysfs has no directory of PCI devices".to_owned();
                Some((Cause::NoAnswer(why), devices()))
            }
            Reading::Known(_) => self.unidentified.first().map(|first| {
                (first.cause.clone(), Source::file(format!("{DEVICES}/{}", first.name)))
            }),
        }
    }
}

#[cfg(test)]
mod tests;
