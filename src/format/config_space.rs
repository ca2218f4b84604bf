//! Understands the configuration space of a PCI function, as far as isolation depends on it: the kind of
//! port, and its Access Control Services.
//!
//! It takes bytes, which come from a device or from whoever made a file of them, and believes no offset
//! in them. What lies behind the bytes that it was given is unknown, never "not there".

use std::fmt;

/// Bytes that every user may see, and that every function has.
pub const HEADER: usize = 64;
/// Bytes of a PCI Express function's configuration space.
pub const WHOLE: usize = 4096;
/// Bytes that the kernel shows to a user without privileges, at most: those of a `CardBus` bridge.
const SHOWN_TO_ALL: usize = 128;
/// Where extended capabilities begin, and the configuration space of a conventional function ends.
const EXTENDED: usize = 0x100;

/// The function names another header behind its first one.
const MULTIFUNCTION: u8 = 0x80;
const CARDBUS: u8 = 2;
/// Bit of the status register: there is a list of capabilities.
const HAS_CAPABILITIES: u8 = 0x10;
const PCI_EXPRESS: u8 = 0x10;
const ACCESS_CONTROL_SERVICES: u16 = 0x000d;
const DESIGNATED_VENDOR_SPECIFIC: u16 = 0x0023;
/// Bit of the command register: the function answers reads of its memory.
const DECODES_MEMORY: u16 = 2;

/// Why something cannot be told from configuration space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    #[error("its configuration space has {0} bytes, and 64 are the least")]
    Short(usize),
    #[error("it does not answer: its configuration space reads as all ones")]
    Inaccessible,
    #[error("only the first {0} bytes of its configuration space can be seen")]
    Hidden(usize),
    #[error("its list of capabilities {what} at {at:#x}")]
    Broken { at: usize, what: &'static str },
}

/// The bytes of a function's configuration space, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigSpace<'b> {
    bytes: &'b [u8],
}

impl<'b> ConfigSpace<'b> {
    /// Takes at least a header of a function that answers.
    pub fn new(bytes: &'b [u8]) -> Result<Self, SpaceError> {
        if bytes.len() < HEADER {
            return Err(SpaceError::Short(bytes.len()));
        }
        let space = Self { bytes };
        // No vendor has this id: it is what a bus reads where nobody answers.
        if space.word(0) == Some(0xffff) { Err(SpaceError::Inaccessible) } else { Ok(space) }
    }

    /// Whether the device has more functions than this one, or could have.
    pub fn is_multifunction(self) -> bool {
        self.byte(0x0e).is_some_and(|kind| kind & MULTIFUNCTION != 0)
    }

    /// Whether the function answers reads of its memory.
    pub fn decodes_memory(self) -> bool {
        self.word(4).is_some_and(|command| command & DECODES_MEMORY != 0)
    }

    /// The word that begins with the id of a vendor's own capability (DVSEC); `None` where it has none of
    /// this vendor and id.
    pub fn designated(self, vendor: u16, id: u16) -> Result<Option<u32>, SpaceError> {
        // The kernel shows no more of a function without such capabilities.
        if self.bytes.len() == EXTENDED {
            return Ok(None);
        }
        for capability in extended_capabilities(self.bytes) {
            let (at, found) = capability.map_err(|stop| self.stopped(stop))?;
            if found != DESIGNATED_VENDOR_SPECIFIC {
                continue;
            }
            let whose = self.word(at + 4).ok_or_else(|| self.cut(at))?;
            let (Some(low), Some(high)) = (self.word(at + 8), self.word(at + 10)) else {
                return Err(self.cut(at));
            };
            if (whose, low) == (vendor, id) {
                return Ok(Some(u32::from(high) << 16 | u32::from(low)));
            }
        }
        Ok(None)
    }

    /// Which of its six address windows a device has for certain: a window that is larger than 32 bits can
    /// address, or is prefetchable, or is one of ports, says so even where it has no address.
    pub fn windows(self) -> Vec<u8> {
        let mut windows = Vec::new();
        let mut index = 0;
        // Bridges have other things there.
        while index < 6 && self.byte(0x0e).is_some_and(|kind| kind & !MULTIFUNCTION == 0) {
            let kind = self.byte(0x10 + 4 * usize::from(index)).unwrap_or(0) & 0xf;
            if kind != 0 {
                windows.push(index);
            }
            // One of 64 bits takes the next place too; of a window of ports these bits mean nothing.
            index += if kind & 0b111 == 0b100 { 2 } else { 1 };
        }
        windows
    }

    /// What the function is on PCI Express; `None` where it is a conventional one.
    pub fn port_type(self) -> Result<Option<PortType>, SpaceError> {
        let Some(at) = self.capability(PCI_EXPRESS)? else { return Ok(None) };
        let flags = self.word(at + 2).ok_or_else(|| self.cut(at))?;
        Ok(Some(PortType::of_flags(flags)))
    }

    /// Its Access Control Services; `None` where it has not that capability.
    pub fn acs(self) -> Result<Option<Acs>, SpaceError> {
        let Some(at) = self.extended_capability(ACCESS_CONTROL_SERVICES)? else { return Ok(None) };
        // Both registers are twice as wide where the hardware has them so by mistake.
        let control = if self.has_wide_acs() { 8 } else { 6 };
        match (self.word(at + 4), self.word(at + control)) {
            (Some(capability), Some(control)) => Ok(Some(Acs { capability, control })),
            _ => Err(self.cut(at)),
        }
    }

    /// Root ports of Intel's 100 and 200 series chipsets, an erratum that Linux knows as well.
    fn has_wide_acs(self) -> bool {
        self.word(0) == Some(0x8086)
            && self.word(2).is_some_and(|device| {
                matches!(device,
                    0xa110..=0xa11f | 0xa167..=0xa16a | 0xa290..=0xa29f | 0xa2e7..=0xa2ee
                    | 0x9d10..=0x9d1b)
            })
    }

    /// Where a capability of the first 256 bytes is; `None` where the list ends without it.
    fn capability(self, id: u8) -> Result<Option<usize>, SpaceError> {
        if self.byte(0x06).is_none_or(|status| status & HAS_CAPABILITIES == 0) {
            return Ok(None);
        }
        let is_cardbus = self.byte(0x0e).is_some_and(|kind| kind & !MULTIFUNCTION == CARDBUS);
        let mut pointer = if is_cardbus { 0x14 } else { 0x34 };
        // Each capability takes four bytes at least, so a longer walk runs in a circle.
        for _ in 0..=(EXTENDED - HEADER) / 4 {
            let at = usize::from(self.byte(pointer).ok_or_else(|| self.cut(pointer))? & 0xfc);
            match at {
                0 => return Ok(None),
                1..HEADER => return Err(SpaceError::Broken { at: pointer, what: "leads astray" }),
                _ => {}
            }
            match self.byte(at).ok_or_else(|| self.cut(at))? {
                0xff => return Err(SpaceError::Broken { at, what: "reads as ones" }),
                found if found == id => return Ok(Some(at)),
                _ => pointer = at + 1,
            }
        }
        Err(SpaceError::Broken { at: pointer, what: "runs in a circle" })
    }

    fn extended_capability(self, id: u16) -> Result<Option<usize>, SpaceError> {
        // The kernel shows no more of a function without them.
        if self.bytes.len() == EXTENDED {
            return Ok(None);
        }
        for capability in extended_capabilities(self.bytes) {
            let (at, found) = capability.map_err(|stop| self.stopped(stop))?;
            if found == id {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn stopped(self, stop: Stop) -> SpaceError {
        match stop {
            Stop::End(at) => self.cut(at),
            Stop::Ones(at) => SpaceError::Broken { at, what: "reads as ones" },
            Stop::Astray(at) => SpaceError::Broken { at, what: "leads astray" },
            Stop::Circle(at) => SpaceError::Broken { at, what: "runs in a circle" },
        }
    }

    /// Why there is nothing at a place.
    fn cut(self, at: usize) -> SpaceError {
        match self.bytes.len() {
            seen if seen <= SHOWN_TO_ALL => SpaceError::Hidden(seen),
            _ => SpaceError::Broken { at, what: "is cut off" },
        }
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn word(self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?;
        bytes.try_into().ok().map(u16::from_le_bytes)
    }
}

/// Why the list of extended capabilities does not end as it should, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Behind the last byte.
    End(usize),
    Ones(usize),
    /// Back into the first 256 bytes.
    Astray(usize),
    Circle(usize),
}

/// Place and id of each extended capability; the last item says why the list stops before its end.
pub(crate) fn extended_capabilities(space: &[u8]) -> ExtendedCapabilities<'_> {
    // As many as there is room for; more run in a circle.
    ExtendedCapabilities { space, next: Some(EXTENDED), left: (WHOLE - EXTENDED) / 4 }
}

#[derive(Debug)]
pub(crate) struct ExtendedCapabilities<'b> {
    space: &'b [u8],
    next: Option<usize>,
    left: usize,
}

impl Iterator for ExtendedCapabilities<'_> {
    type Item = Result<(usize, u16), Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next.take()?;
        if at < EXTENDED {
            return Some(Err(Stop::Astray(at)));
        }
        let Some(left) = self.left.checked_sub(1) else { return Some(Err(Stop::Circle(at))) };
        self.left = left;
        let Some(header) = self.space.get(at..at + 4).and_then(|bytes| bytes.try_into().ok())
        else {
            return Some(Err(Stop::End(at)));
        };
        match u32::from_le_bytes(header) {
            0 => None,
            u32::MAX => Some(Err(Stop::Ones(at))),
            whole => {
                let behind = usize::try_from(whole >> 20 & 0xffc).unwrap_or(0);
                self.next = (behind != 0).then_some(behind);
                let [low, high, ..] = header;
                Some(Ok((at, u16::from_le_bytes([low, high]))))
            }
        }
    }
}

/// What a function is on PCI Express, by the port type of its capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortType {
    Endpoint,
    LegacyEndpoint,
    RootPort,
    SwitchUpstream,
    SwitchDownstream,
    /// PCI Express above, conventional PCI below.
    BridgeToPci,
    /// Conventional PCI above, PCI Express below.
    BridgeFromPci,
    IntegratedEndpoint,
    EventCollector,
    /// A type that the specification does not name.
    Other(u8),
}

impl PortType {
    fn of_flags(flags: u16) -> Self {
        match flags.to_le_bytes()[0] >> 4 {
            0 => Self::Endpoint,
            1 => Self::LegacyEndpoint,
            4 => Self::RootPort,
            5 => Self::SwitchUpstream,
            6 => Self::SwitchDownstream,
            7 => Self::BridgeToPci,
            8 => Self::BridgeFromPci,
            9 => Self::IntegratedEndpoint,
            10 => Self::EventCollector,
            other => Self::Other(other),
        }
    }

    /// As the specification calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::LegacyEndpoint => "legacy endpoint",
            Self::RootPort => "root port",
            Self::SwitchUpstream => "switch upstream port",
            Self::SwitchDownstream => "switch downstream port",
            Self::BridgeToPci => "PCI Express to PCI bridge",
            Self::BridgeFromPci => "PCI to PCI Express bridge",
            Self::IntegratedEndpoint => "root complex integrated endpoint",
            Self::EventCollector => "root complex event collector",
            Self::Other(_) => "port of an unknown type",
        }
    }
}

/// Access Control Services: what a port can do, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acs {
    pub capability: u16,
    pub control: u16,
}

impl Acs {
    /// The bits of both registers, from the lowest, by the names that `lspci` gives them.
    pub const BITS: [&'static str; 7] = [
        "SrcValid",
        "TransBlk",
        "ReqRedir",
        "CmpltRedir",
        "UpstreamFwd",
        "EgressCtrl",
        "DirectTrans",
    ];
    /// What Linux demands of a port before it parts the groups at it: source validation, request and
    /// completion redirect, upstream forwarding.
    const DEMANDED: u16 = 0b1_1101;

    /// What is demanded, can be done, and is off. A port may lack the ability for a part of it.
    pub fn off(self) -> impl Iterator<Item = &'static str> {
        let off = Self::DEMANDED & self.capability & !self.control;
        Self::BITS
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| off >> bit & 1 == 1)
            .map(|(_, name)| name)
    }
}

/// The control register as `lspci` writes it: `SrcValid+ TransBlk- ...`.
impl fmt::Display for Acs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, name) in Self::BITS.into_iter().enumerate() {
            let (blank, sign) = (if bit > 0 { " " } else { "" }, self.control >> bit & 1);
            write!(out, "{blank}{name}{}", if sign == 1 { '+' } else { '-' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "config_space_tests.rs"]
mod tests;
