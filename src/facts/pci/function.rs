//! One function: its identity, and who drives it, from one read of `uevent` where that suffices.

use crate::host::{Cause, Reading, Root};

use super::super::sysfs;
use super::address::Address;
use super::driver::{Names, Number};
use super::{DEVICES, NVIDIA, models};

/// More than any attribute of sysfs, which is a page at most.
const CAP: u64 = 4096;

/// What every function is kept as; small, because there can be ten thousand.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    pub address: Address,
    pub vendor: Option<u16>,
    pub device: Option<u16>,
    /// Base class, subclass and programming interface in 24 bits.
    pub class: Option<u32>,
    /// Vendor and device of the board; zeros where the function names none.
    pub subsystem: Option<(u16, u16)>,
    pub(super) driver: Driver,
}

/// Who drives a function, as the first look at it told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    None,
    Named(Number),
    /// Neither `uevent` nor the link could be read.
    Unreadable,
}

impl Function {
    pub fn is_nvidia(&self) -> bool {
        self.vendor == Some(NVIDIA)
    }

    /// Base class and subclass, as `0x0302`.
    pub fn class_code(&self) -> Option<u16> {
        self.class.and_then(|class| u16::try_from(class >> 8).ok())
    }

    /// What it says of itself to whoever looks for its driver, as the kernel writes it into `modalias`. `None`
    /// where it cannot be read.
    pub fn modalias(&self) -> Option<String> {
        let (vendor, device, class) = (self.vendor?, self.device?, self.class?);
        let (subvendor, subdevice) = self.subsystem.unwrap_or_default();
        let [_, base, sub, interface] = class.to_be_bytes();
        Some(format!(
            "pci:v{vendor:08X}d{device:08X}sv{subvendor:08X}sd{subdevice:08X}bc{base:02X}sc{sub:02X}i{interface:02X}"
        ))
    }

    /// The listed model, for an NVIDIA function.
    pub fn model(&self) -> Option<&'static models::Model> {
        self.device.filter(|_| self.is_nvidia()).and_then(models::find)
    }

    /// Whether its class is a GPU's; its id decides only where the class is not known.
    pub(super) fn is_gpu(&self) -> bool {
        self.is_nvidia()
            && match self.class_code() {
                Some(class) => matches!(class, 0x0300 | 0x0302),
                None => self.model().is_some_and(|model| model.kind == models::Kind::Gpu),
            }
    }

    /// Whether it may be the display that the firmware draws on. An unknown class is asked like one.
    pub(super) fn shows_pictures(&self) -> bool {
        self.class_code().is_none_or(|class| class == 0x0300)
    }

    /// NVSwitches show as "bridge, other". So might another part by NVIDIA; that is for the reader
    /// of the note to see, since leaving out a switch is worse.
    pub(super) fn is_nvswitch(&self) -> bool {
        self.is_nvidia()
            && match self.class_code() {
                Some(class) => class == 0x0680,
                None => self.model().is_some_and(|model| model.kind == models::Kind::NvSwitch),
            }
    }

    /// Audio, USB and USB-C functions, as boards with display outputs have.
    pub(super) fn is_companion_class(&self) -> bool {
        self.is_nvidia() && matches!(self.class_code(), Some(0x0403 | 0x0c03 | 0x0c80))
    }

    /// Bridges that only forward: host, PCI-to-PCI, and semi-transparent ones.
    pub(super) fn is_forwarding_bridge(&self) -> bool {
        matches!(self.class_code(), Some(0x0600 | 0x0604 | 0x0609))
    }
}

/// Reads attributes of functions, their paths built in one buffer.
pub(super) struct Reader<'root> {
    root: &'root Root,
    path: String,
}

impl<'root> Reader<'root> {
    pub(super) fn new(root: &'root Root) -> Self {
        Self { root, path: String::with_capacity(64) }
    }

    fn go_to(&mut self, name: &str, attribute: &str) {
        self.path.clear();
        for part in [DEVICES, "/", name, "/", attribute] {
            self.path.push_str(part);
        }
    }

    fn read<T>(
        &mut self,
        name: &str,
        attribute: &str,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Reading<T> {
        self.go_to(name, attribute);
        self.root.read_with(&self.path, CAP, look)
    }

    fn hexadecimal<T: TryFrom<u32>>(&mut self, name: &str, attribute: &str) -> Reading<T> {
        let number = self.read(name, attribute, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            sysfs::hexadecimal(text.strip_suffix('\n').unwrap_or(&text))
        });
        number.and_then(|number| number)
    }

    /// The function with this name, and why it is not identified where it is not: it may be a GPU.
    pub(super) fn function(
        &mut self,
        name: &str,
        address: Address,
        names: &mut Names,
    ) -> (Function, Option<Cause>) {
        let uevent = self.read(name, "uevent", |bytes| Uevent::parse(bytes, names));
        let uevent = uevent.into_known().unwrap_or_default();
        let mut function = Function {
            address,
            vendor: uevent.id.map(|(vendor, _)| vendor),
            device: uevent.id.map(|(_, device)| device),
            class: uevent.class,
            subsystem: uevent.subsystem,
            driver: uevent.driver.map_or(Driver::None, Driver::Named),
        };
        let mut cause = None;
        if uevent.id.is_none() {
            let vendor = self.hexadecimal(name, "vendor");
            cause = missing(&vendor, "vendor");
            function.vendor = vendor.into_known();
            function.device = self.hexadecimal(name, "device").into_known();
            function.subsystem = self.subsystem(name);
            function.driver = self.driver(name, names);
        }
        if function.class.is_none() {
            let class = self.hexadecimal(name, "class");
            if function.is_nvidia() && function.model().is_none() {
                cause = cause.or(missing(&class, "class"));
            }
            function.class = class.into_known();
        }
        (function, cause)
    }

    /// The board's ids from their own files.
    pub(super) fn subsystem(&mut self, name: &str) -> Option<(u16, u16)> {
        let vendor = self.hexadecimal(name, "subsystem_vendor").into_known()?;
        Some((vendor, self.hexadecimal(name, "subsystem_device").into_known()?))
    }

    fn driver(&mut self, name: &str, names: &mut Names) -> Driver {
        self.go_to(name, "driver");
        match sysfs::link_name(self.root, &self.path) {
            Reading::Known(driver) => Driver::Named(names.number(&driver)),
            Reading::Absent => Driver::None,
            Reading::Unreadable(_) => Driver::Unreadable,
        }
    }
}

fn missing<T>(reading: &Reading<T>, attribute: &str) -> Option<Cause> {
    match reading {
        Reading::Known(_) => None,
        Reading::Absent => Some(Cause::NoAnswer(format!("it has no {attribute}"))),
        Reading::Unreadable(cause) => Some(cause.clone()),
    }
}

/// The lines of `uevent` that tell something. A tree made from text has the file without them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uevent {
    id: Option<(u16, u16)>,
    class: Option<u32>,
    subsystem: Option<(u16, u16)>,
    driver: Option<Number>,
}

impl Uevent {
    fn parse(bytes: &[u8], names: &mut Names) -> Self {
        let mut uevent = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (key, value) = line.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            let text = || String::from_utf8_lossy(value);
            match key {
                b"PCI_ID" => uevent.id = ids(&text()),
                b"PCI_CLASS" => {
                    uevent.class = sysfs::hex(&text()).filter(|class| *class <= 0xff_ffff);
                }
                b"PCI_SUBSYS_ID" => uevent.subsystem = ids(&text()),
                b"DRIVER" if !value.is_empty() => uevent.driver = Some(names.number(&text())),
                _ => {}
            }
        }
        uevent
    }
}

/// Two ids as `10DE:2335`.
fn ids(text: &str) -> Option<(u16, u16)> {
    let (vendor, device) = text.split_once(':')?;
    let id = |text| sysfs::hex(text).and_then(|id| u16::try_from(id).ok());
    Some((id(vendor)?, id(device)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> (Uevent, Names) {
        let mut names = Names::default();
        (Uevent::parse(text, &mut names), names)
    }

    #[test]
    fn a_uevent_tells_identity_and_driver() {
        let (uevent, names) = parse(
            b"DRIVER=vfio-pci\nPCI_CLASS=30200\nPCI_ID=10DE:2335\nPCI_SUBSYS_ID=10DE:18BE\n\
              PCI_SLOT_NAME=0000:18:00.0\nMODALIAS=pci:v000010DEd00002335sv000010DEsd000018BEbc03sc02i00\n",
        );
        assert_eq!(uevent.id, Some((0x10de, 0x2335)));
        assert_eq!(uevent.class, Some(0x03_0200));
        assert_eq!(uevent.subsystem, Some((0x10de, 0x18be)));
        assert_eq!(names.name(uevent.driver.unwrap()), "vfio-pci");
    }

    #[test]
    fn a_uevent_without_an_id_tells_none() {
        for text in [
            &b""[..],
            b"DRIVER=\n",
            b"PCI_ID=\n",
            b"PCI_ID=10DE\n",
            b"PCI_ID=10DE:110DE\n",
            b"PCI_ID=+0DE:2335\n",
            b"\xff\xfe=\n=\n==\nPCI_ID\n",
        ] {
            let (uevent, _) = parse(text);
            assert_eq!(uevent, Uevent::default(), "{text:?}");
        }
        assert_eq!(parse(b"PCI_CLASS=1030200\n").0.class, None);
    }

    #[test]
    fn a_function_stays_small() {
        assert!(size_of::<Function>() <= 40, "{}", size_of::<Function>());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
