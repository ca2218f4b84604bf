//! Where GPUs and NVSwitches keep the mode that they are in, and what the words there mean.
//!
//! Offsets are those of NVIDIA's gpu-admin-tools, into the first address window. It takes numbers and
//! touches nothing.

use std::fmt;

/// Identifies the chip; what comes back here tells whether the device answers at all.
pub(super) const IDENTITY: u64 = 0;
/// The low byte of the word that the firmware leaves when it has started.
const STARTED: u32 = 0xff;

/// The vendor's own capability in configuration space, and the bit of its second header that says that a
/// firewall stands before the address windows.
pub(super) const VENDOR_CAPABILITY: u16 = 0;
pub(super) const FIREWALL: u32 = 1 << 20;

/// A family of chips, as far as its registers lie at other places than those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chip {
    Hopper,
    /// GB10x and GB11x.
    Blackwell,
    /// GB20x.
    BlackwellGraphics,
    /// The third generation, beside Hopper GPUs.
    NvSwitch3,
    /// From before confidential computing.
    WithoutModes,
}

impl Chip {
    /// That of a GPU by its device id; `None` for an id that is newer than this program.
    pub(super) fn of_gpu(id: u16) -> Option<Self> {
        match id {
            0x22f0..=0x237f => Some(Self::Hopper),
            0x2900..=0x29ff | 0x3180..=0x327f => Some(Self::Blackwell),
            0x2b80..=0x2bff | 0x2c00..=0x2c7f | 0x2d00..=0x2dff | 0x2f00..=0x2f7f => {
                Some(Self::BlackwellGraphics)
            }
            // Ada has the ids between Hopper's and Blackwell's.
            0..=0x28ff => Some(Self::WithoutModes),
            _ => None,
        }
    }

    pub(super) fn of_nvswitch(id: u16) -> Option<Self> {
        match id {
            0x1af1 => Some(Self::WithoutModes),
            0x22a3 => Some(Self::NvSwitch3),
            _ => None,
        }
    }

    /// Whether it may hide its address windows behind a firewall, and says so in configuration space.
    pub(super) fn has_firewall(self) -> bool {
        matches!(self, Self::Blackwell | Self::BlackwellGraphics)
    }

    /// Where the firmware says that it has started.
    pub(super) fn started_at(self) -> u64 {
        match self {
            Self::Hopper | Self::Blackwell | Self::WithoutModes => 0x2_00bc,
            Self::BlackwellGraphics => 0xad_00bc,
            Self::NvSwitch3 => 0x6_60bc,
        }
    }

    /// Where the mode stands.
    pub(super) fn mode_at(self) -> u64 {
        match self {
            Self::Hopper | Self::WithoutModes => 0x11_82cc,
            Self::Blackwell | Self::BlackwellGraphics => 0x590,
            Self::NvSwitch3 => 0x2_8c50,
        }
    }

    /// What the word there says of confidential computing; `None` where such a device has none.
    pub(super) fn cc(self, word: u32) -> Option<CcMode> {
        match self {
            Self::NvSwitch3 | Self::WithoutModes => None,
            Self::Hopper | Self::Blackwell | Self::BlackwellGraphics => Some(CcMode::of(word)),
        }
    }

    /// What it says of protected PCI Express, likewise.
    pub(super) fn ppcie(self, word: u32) -> Option<bool> {
        match self {
            Self::Hopper => Some(word & 0x20 != 0),
            Self::NvSwitch3 => Some(word & 1 != 0),
            Self::Blackwell | Self::BlackwellGraphics | Self::WithoutModes => None,
        }
    }
}

/// The confidential computing mode of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CcMode {
    Off,
    On,
    /// On, and open to debuggers.
    Devtools,
    /// Open to debuggers without being on, which it cannot be.
    Invalid,
}

impl CcMode {
    fn of(word: u32) -> Self {
        match word & 3 {
            0 => Self::Off,
            1 => Self::On,
            2 => Self::Invalid,
            _ => Self::Devtools,
        }
    }

    /// As cc-manager's labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Devtools => "devtools",
            Self::Invalid => "invalid",
        }
    }
}

/// Why a word is not what stands in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoValue {
    /// All ones, or nothing at all where the chip's identity should be: nobody answers.
    Silent(u32),
    /// What the device itself gives instead of a register that is closed.
    Closed(u32),
}

impl fmt::Display for NoValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(word) => {
                write!(out, "it does not answer: its registers read as {word:#010x}")
            }
            Self::Closed(word) => {
                write!(out, "it keeps its registers closed: they read as {word:#010x}")
            }
        }
    }
}

/// The word, where it is one that a register can hold.
pub(super) fn value(word: u32) -> Result<u32, NoValue> {
    match word {
        u32::MAX => Err(NoValue::Silent(word)),
        _ if matches!(word >> 16, 0xbadf | 0xbad0) => Err(NoValue::Closed(word)),
        _ => Ok(word),
    }
}

/// The same where the chip's identity stands, which is never zero.
pub(super) fn identity(word: u32) -> Result<u32, NoValue> {
    if word == 0 { Err(NoValue::Silent(word)) } else { value(word) }
}

/// Whether the word says that the firmware has started.
pub(super) fn has_started(word: u32) -> bool {
    word & 0xff == STARTED
}

#[cfg(test)]
mod tests {
    use super::super::super::pci::models;
    use super::*;

    #[test]
    fn every_listed_gpu_has_registers_of_its_architecture() {
        let mut seen = 0;
        for id in 0..=u16::MAX {
            let Some(model) = models::find(id) else { continue };
            let chip = match model.kind {
                models::Kind::Gpu => Chip::of_gpu(id),
                models::Kind::NvSwitch => Chip::of_nvswitch(id),
            };
            let agrees = match model.architecture {
                "Hopper" => chip == Some(Chip::Hopper),
                "Blackwell" | "Blackwell Ultra" => chip.is_some_and(Chip::has_firewall),
                "NVSwitch 3" => chip == Some(Chip::NvSwitch3),
                _ => chip == Some(Chip::WithoutModes),
            };
            assert!(agrees, "{id:04x} {} {chip:?}", model.architecture);
            seen += 1;
        }
        assert!(seen > 30);
    }

    #[test]
    fn older_gpus_have_no_modes_and_newer_ones_are_not_guessed() {
        for id in [0x1db6, 0x20b0, 0x2235, 0x26b5, 0x27b8, 0x2805] {
            assert_eq!(Chip::of_gpu(id), Some(Chip::WithoutModes), "{id:04x}");
        }
        for id in [0x2a00, 0x2e00, 0x3000, 0x3280, 0xffff] {
            assert_eq!(Chip::of_gpu(id), None, "{id:04x}");
        }
        assert_eq!(Chip::of_nvswitch(0x22a4), None);
    }

    #[test]
    fn the_two_bits_are_the_mode_and_the_others_are_not() {
        for (word, mode) in [(0, "off"), (1, "on"), (2, "invalid"), (3, "devtools")] {
            assert_eq!(Chip::Hopper.cc(word | 0xa000_0020).unwrap().name(), mode);
            assert_eq!(Chip::Blackwell.cc(word | 0x0000_0044).unwrap().name(), mode);
        }
        assert_eq!(Chip::Hopper.ppcie(0x20), Some(true));
        assert_eq!(Chip::Hopper.ppcie(0xdf), Some(false));
        assert_eq!(Chip::Blackwell.ppcie(0x20), None);
        assert_eq!((Chip::NvSwitch3.cc(1), Chip::NvSwitch3.ppcie(1)), (None, Some(true)));
    }

    #[test]
    fn what_comes_back_of_a_closed_register_is_no_value() {
        for word in [u32::MAX, 0xbadf_0200, 0xbadf_5040, 0xbad0_0200] {
            assert!(value(word).is_err(), "{word:#x}");
        }
        for word in [0, 1, 0x3, 0x0bad_f000, 0xffff_fffe] {
            assert_eq!(value(word), Ok(word));
        }
        assert!(identity(0).is_err());
        assert!(!has_started(0) && !has_started(0xfe) && has_started(0xff) && has_started(0x1ff));
    }
}
