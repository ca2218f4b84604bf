//! The mode that each GPU and NVSwitch says it is in, from its own registers: confidential computing, and
//! protected PCI Express.
//!
//! Only where a person allowed it for this run, and only of a device that can be touched without harm: it is
//! on vfio-pci, awake, open to memory reads, and nobody has it. All else is unknown, with the reason. A device
//! is never woken, opened or written to for it.

mod list;
mod registers;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use nix::errno::Errno;

use super::pci::{Function, NVIDIA, Pci, is_vfio};
use super::{Cause, Reading};
use crate::format::config_space::{ConfigSpace, HEADER, SpaceError, WHOLE};
use crate::host::{Root, VfioUsers};
pub(super) use list::{FACTS, NEEDS, cc_mode, hardware_mode, ppcie_mode};
pub use registers::CcMode;
use registers::{Chip, NoValue};

const DEVICES: &str = "/sys/bus/pci/devices";
/// The file of the address window that has the registers.
const WINDOW: &str = "resource0";
const DRIVER: &str = "driver";
const POWER: &str = "power_state";
const CONFIG: &str = "config";
const IDENTITY: &str = "uevent";

/// What was found.
#[derive(Debug, Default)]
pub struct GpuModes {
    /// Whether a person allowed it.
    pub probed: bool,
    /// By the index of the function.
    modes: BTreeMap<usize, Modes>,
}

/// What one device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modes {
    /// `Absent` for a device that has no such mode.
    pub cc: Reading<CcMode>,
    pub ppcie: Reading<bool>,
    /// The attribute where it was read, or that kept it from being read.
    attribute: &'static str,
}

/// Why the registers of a device were not read.
struct Shut {
    cause: Cause,
    attribute: &'static str,
}

impl Shut {
    fn new(cause: Cause, attribute: &'static str) -> Self {
        Self { cause, attribute }
    }

    fn because(why: impl Into<String>, attribute: &'static str) -> Self {
        Self::new(Cause::NoAnswer(why.into()), attribute)
    }
}

impl GpuModes {
    pub fn of(&self, index: usize) -> Option<&Modes> {
        self.modes.get(&index)
    }
}

impl Modes {
    /// The one word that cc-manager has for it; protected PCI Express takes the place of plain "on".
    pub fn mode(&self) -> Reading<&'static str> {
        match (&self.cc, &self.ppcie) {
            (Reading::Unreadable(cause), _) | (_, Reading::Unreadable(cause)) => {
                Reading::Unreadable(cause.clone())
            }
            (Reading::Known(CcMode::Off | CcMode::On) | Reading::Absent, Reading::Known(true)) => {
                Reading::Known("ppcie")
            }
            (Reading::Known(mode), _) => Reading::Known(mode.name()),
            (Reading::Absent, Reading::Known(false)) => Reading::Known("off"),
            (Reading::Absent, Reading::Absent) => Reading::Absent,
        }
    }
}

pub(super) fn gather(root: &Root, pci: Option<&Pci>) -> GpuModes {
    let probed = root.probes().gpu;
    let mut modes = BTreeMap::new();
    if let (true, Some(pci)) = (probed, pci) {
        let probe = Probe { root, pci, users: OnceCell::new() };
        for index in pci.passthrough() {
            let Some(function) = pci.all().get(*index) else { continue };
            modes.insert(*index, probe.modes(*index, *function));
        }
    }
    GpuModes { probed, modes }
}

/// One look at all devices. Who has which is asked once, and only where it matters.
struct Probe<'a> {
    root: &'a Root,
    pci: &'a Pci,
    users: OnceCell<Reading<VfioUsers>>,
}

impl Probe<'_> {
    fn modes(&self, index: usize, function: Function) -> Modes {
        match self.ask(index, function) {
            Ok(modes) => modes,
            Err(Shut { cause, attribute }) => Modes {
                cc: Reading::Unreadable(cause.clone()),
                ppcie: Reading::Unreadable(cause),
                attribute,
            },
        }
    }

    fn ask(&self, index: usize, function: Function) -> Result<Modes, Shut> {
        let id = function
            .device
            .ok_or_else(|| Shut::because("the device id cannot be read", IDENTITY))?;
        let is_switch = self.pci.nvswitches().contains(&index);
        let chip = if is_switch { Chip::of_nvswitch(id) } else { Chip::of_gpu(id) };
        let chip = chip.ok_or_else(|| {
            Shut::because("where a device with this id has its mode is not known", IDENTITY)
        })?;
        if chip == Chip::WithoutModes {
            let (cc, ppcie) = (Reading::Absent, Reading::Absent);
            return Ok(Modes { cc, ppcie, attribute: IDENTITY });
        }
        self.is_on_vfio(index)?;
        self.is_awake(index)?;
        self.is_free(index)?;
        self.is_open(function, chip)?;
        let word = self.registers(function, chip)?;
        let absent_or = |known: Option<_>| known.map_or(Reading::Absent, Reading::Known);
        let ppcie = chip.ppcie(word).map_or(Reading::Absent, Reading::Known);
        Ok(Modes { cc: absent_or(chip.cc(word)), ppcie, attribute: WINDOW })
    }

    fn is_on_vfio(&self, index: usize) -> Result<(), Shut> {
        let driver = self.pci.placement(index).map(|placement| &placement.driver);
        match driver {
            Some(Reading::Known(driver)) if is_vfio(driver) => Ok(()),
            Some(Reading::Known(driver)) => {
                Err(Shut::because(format!("not on vfio-pci: {driver} has it"), DRIVER))
            }
            Some(Reading::Absent) => {
                Err(Shut::because("not on vfio-pci: no driver has it", DRIVER))
            }
            Some(Reading::Unreadable(cause)) => Err(Shut::new(cause.clone(), DRIVER)),
            None => Err(Shut::new(Cause::NotGathered, DRIVER)),
        }
    }

    fn is_awake(&self, index: usize) -> Result<(), Shut> {
        match self.pci.detail(index).map(|detail| &detail.power_state) {
            Some(Reading::Known(state)) if state == "D0" => Ok(()),
            Some(Reading::Known(state)) if state.starts_with('D') => {
                Err(Shut::because(format!("asleep ({state}), and not woken for this"), POWER))
            }
            Some(Reading::Known(state)) => {
                Err(Shut::because(format!("its power state is {state}"), POWER))
            }
            Some(Reading::Absent) => {
                Err(Shut::because("the kernel does not tell whether it is awake", POWER))
            }
            Some(Reading::Unreadable(cause)) => Err(Shut::new(cause.clone(), POWER)),
            None => Err(Shut::new(Cause::NotGathered, POWER)),
        }
    }

    /// The nodes are found here and not where VFIO's facts are, as a group without a node is free too.
    fn is_free(&self, index: usize) -> Result<(), Shut> {
        let placement = self.pci.placement(index);
        let placement = placement.ok_or_else(|| Shut::new(Cause::NotGathered, DRIVER))?;
        let mut nodes = Vec::new();
        match &placement.vfio_device {
            Reading::Known(name) => nodes.push(format!("/dev/vfio/devices/{name}")),
            Reading::Absent => {}
            Reading::Unreadable(cause) => return Err(Shut::new(cause.clone(), "vfio-dev")),
        }
        match &placement.iommu_group {
            Reading::Known(number) => {
                nodes.push(format!("/dev/vfio/{number}"));
                // A group that is used without the IOMMU has a node of another name.
                nodes.push(format!("/dev/vfio/noiommu-{number}"));
            }
            Reading::Absent => {}
            Reading::Unreadable(cause) => return Err(Shut::new(cause.clone(), "iommu_group")),
        }
        match self.users.get_or_init(|| self.root.vfio_users()) {
            Reading::Known(users) => match users.of(&nodes) {
                Some(who) => Err(Shut::because(format!("in use: {who}"), DRIVER)),
                None => Ok(()),
            },
            Reading::Absent => Err(Shut::because(cannot_tell("there is no /proc"), DRIVER)),
            Reading::Unreadable(cause) => {
                Err(Shut::because(cannot_tell(&cause.to_string()), DRIVER))
            }
        }
    }

    /// Whether reads from its memory reach it, by its configuration space.
    fn is_open(&self, function: Function, chip: Chip) -> Result<(), Shut> {
        let path = format!("{DEVICES}/{}/{CONFIG}", function.address);
        let length = if chip.has_firewall() { WHOLE } else { HEADER };
        let bytes = match self.root.read_at(&path, 0, length) {
            Reading::Known(bytes) => bytes,
            Reading::Absent => return Err(Shut::because("it has no configuration space", CONFIG)),
            Reading::Unreadable(cause) => return Err(Shut::new(cause, CONFIG)),
        };
        let broken = |error: SpaceError| match error {
            SpaceError::Hidden(_) => Shut::new(Cause::Permission, CONFIG),
            error => Shut::because(error.to_string(), CONFIG),
        };
        let space = ConfigSpace::new(&bytes).map_err(broken)?;
        if !space.decodes_memory() {
            return Err(Shut::because(
                "it does not decode memory reads, and is not made to",
                CONFIG,
            ));
        }
        if chip.has_firewall() {
            let capability = space.designated(NVIDIA, registers::VENDOR_CAPABILITY);
            match capability.map_err(broken)? {
                Some(word) if word & registers::FIREWALL == 0 => {}
                Some(_) => {
                    return Err(Shut::because("a firewall stands before its registers", CONFIG));
                }
                None => {
                    let why = "whether a firewall stands before its registers is not told";
                    return Err(Shut::because(why, CONFIG));
                }
            }
        }
        Ok(())
    }

    /// The word with the mode, of a device that answers and has started.
    fn registers(&self, function: Function, chip: Chip) -> Result<u32, Shut> {
        let path = format!("{DEVICES}/{}/{WINDOW}", function.address);
        let no_value = |why: NoValue| Shut::because(why.to_string(), WINDOW);
        let read = |offset: u64| match self.root.device_word(&path, offset) {
            Reading::Known(word) => Ok(word),
            Reading::Absent => Err(Shut::because("it has no window to its registers", WINDOW)),
            Reading::Unreadable(cause) => Err(Shut::new(explained(cause), WINDOW)),
        };
        registers::identity(read(registers::IDENTITY)?).map_err(no_value)?;
        let started = registers::value(read(chip.started_at())?).map_err(no_value)?;
        if !registers::has_started(started) {
            return Err(Shut::because("its firmware has not started", WINDOW));
        }
        registers::value(read(chip.mode_at())?).map_err(no_value)
    }
}

fn cannot_tell(why: &str) -> String {
    format!("whether somebody has it cannot be told: {why}")
}

/// What the kernel means by its refusals to map a device's memory.
fn explained(cause: Cause) -> Cause {
    let is = |errno: Errno| cause == Cause::Os(errno as i32);
    let why = if is(Errno::EPERM) {
        "the kernel's lockdown, which comes with Secure Boot, closes its registers"
    } else if is(Errno::EINVAL) {
        "the kernel keeps its registers for a driver"
    } else if is(Errno::ENXIO) {
        "the window to its registers ends before them"
    } else {
        return cause;
    };
    Cause::NoAnswer(why.to_owned())
}

#[cfg(test)]
mod tests;
