//! Link, power, reset, SR-IOV, address windows and counted errors of a function.

use std::collections::BTreeSet;
use std::fmt;

use crate::host::{Cause, Reading, Root};

use super::super::{Needs, sysfs};
use super::DEVICES;
use super::address::Address;

/// Attributes that explain rather than identify; `Absent` where the kernel or the device has none,
/// `NotGathered` where nobody wanted them.
#[derive(Debug)]
pub struct Detail {
    pub revision: Reading<u8>,
    /// -1 where the firmware does not say.
    pub numa_node: Reading<i64>,
    pub link_speed: Reading<String>,
    pub max_link_speed: Reading<String>,
    /// Lanes.
    pub link_width: Reading<i64>,
    pub max_link_width: Reading<i64>,
    /// `D0` to `D3cold`, `unknown` or `error`.
    pub power_state: Reading<String>,
    /// Ways to reset it; empty where they are all switched off.
    pub reset_methods: Reading<BTreeSet<String>>,
    pub d3cold_allowed: Reading<bool>,
    /// How often it was enabled.
    pub enabled: Reading<i64>,
    /// Virtual functions that exist.
    pub sriov_vfs: Reading<i64>,
    /// Virtual functions that could.
    pub sriov_total_vfs: Reading<i64>,
    /// Windows 0 to 5 that are in use.
    pub bars: Reading<Vec<Bar>>,
    /// Errors since boot that the kernel counted, by what they cost: a retry, the transaction, the link.
    pub correctable_errors: Reading<i64>,
    pub nonfatal_errors: Reading<i64>,
    pub fatal_errors: Reading<i64>,
}

impl Detail {
    pub(super) fn read(root: &Root, address: Address, needs: Needs) -> Self {
        let read = |source: Needs, attribute: &str| {
            if needs.has(source) || needs.has(Needs::PCI_EVERY_DETAIL) {
                root.read_attribute(&format!("{DEVICES}/{address}/{attribute}"))
            } else {
                Reading::Unreadable(Cause::NotGathered)
            }
        };
        let text = |attribute: &str| read(Needs::PCI_DETAIL, attribute);
        let number = |attribute: &str| text(attribute).and_then(|text| sysfs::decimal(&text));
        let health = |attribute: &str| read(Needs::PCI_HEALTH, attribute);
        let count = |attribute: &str| health(attribute).and_then(|text| sysfs::decimal(&text));
        let errors = |attribute: &str| health(attribute).and_then(|text| total(&text));
        Self {
            revision: text("revision").and_then(|text| sysfs::hexadecimal(&text)),
            numa_node: number("numa_node"),
            link_speed: text("current_link_speed"),
            max_link_speed: text("max_link_speed"),
            link_width: count("current_link_width"),
            max_link_width: count("max_link_width"),
            power_state: read(Needs::PCI_POWER, "power_state"),
            reset_methods: read(Needs::PCI_POWER, "reset_method")
                .map(|text| text.split_whitespace().map(str::to_owned).collect()),
            d3cold_allowed: text("d3cold_allowed").and_then(|text| sysfs::flag(&text)),
            enabled: number("enable"),
            sriov_vfs: count("sriov_numvfs"),
            sriov_total_vfs: number("sriov_totalvfs"),
            bars: health("resource").and_then(|text| bars(&text)),
            // Correctable errors repair themselves, so nobody judges them.
            correctable_errors: text("aer_dev_correctable").and_then(|text| total(&text)),
            nonfatal_errors: errors("aer_dev_nonfatal"),
            fatal_errors: errors("aer_dev_fatal"),
        }
    }
}

/// One window of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// 0 to 5.
    pub index: u8,
    pub start: u64,
    /// The last address, as the kernel gives it.
    pub end: u64,
    /// The kernel's `IORESOURCE_*` bits.
    pub flags: u64,
}

impl Bar {
    const IO: u64 = 0x100;
    const MEMORY: u64 = 0x200;
    const PREFETCH: u64 = 0x2000;
    const MEMORY_64: u64 = 0x10_0000;
    const DISABLED: u64 = 0x1000_0000;
    const UNSET: u64 = 0x2000_0000;

    /// Bytes; the largest number where the window is all of the address space.
    pub fn size(&self) -> u64 {
        self.end.saturating_sub(self.start).saturating_add(1)
    }

    pub fn is_memory(&self) -> bool {
        self.flags & Self::MEMORY != 0
    }

    pub fn is_io(&self) -> bool {
        self.flags & Self::IO != 0
    }

    pub fn is_64_bit(&self) -> bool {
        self.flags & Self::MEMORY_64 != 0
    }

    pub fn is_prefetchable(&self) -> bool {
        self.flags & Self::PREFETCH != 0
    }

    /// Whether it got an address. Memory at 0 did not.
    pub fn is_assigned(&self) -> bool {
        self.flags & (Self::UNSET | Self::DISABLED) == 0 && !(self.is_memory() && self.start == 0)
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "BAR {}: {:#x} bytes at {:#x}", self.index, self.size(), self.start)?;
        if self.is_io() {
            out.write_str(", ports")?;
        }
        if self.is_64_bit() {
            out.write_str(", 64-bit")?;
        }
        if self.is_prefetchable() {
            out.write_str(", prefetchable")?;
        }
        if !self.is_assigned() {
            out.write_str(", not assigned")?;
        }
        Ok(())
    }
}

/// The last line of a file of counted errors, such as `TOTAL_ERR_FATAL 0`.
fn total(text: &str) -> Reading<i64> {
    let count = |line| str::strip_prefix(line, "TOTAL_ERR_")?.split_once(' ');
    match text.lines().rev().find_map(count) {
        Some((_, count)) => sysfs::decimal(count),
        None => Reading::Unreadable(Cause::malformed(None, "it has no total")),
    }
}

/// The first six lines of `resource`, without those of unused windows. The lines after them are the
/// ROM, the windows of virtual functions and those of bridges.
fn bars(text: &str) -> Reading<Vec<Bar>> {
    let mut bars = Vec::new();
    let mut lines = text.lines();
    for index in 0..6_u8 {
        let bar = lines.next().and_then(|line| bar(line, index));
        match bar {
            Some(Bar { start: 0, end: 0, flags: 0, .. }) => {}
            Some(bar) if bar.start <= bar.end => bars.push(bar),
            Some(_) | None => {
                let line = u32::from(index) + 1;
                return Reading::Unreadable(Cause::malformed(line, "no address window"));
            }
        }
    }
    Reading::Known(bars)
}

fn bar(line: &str, index: u8) -> Option<Bar> {
    let mut numbers = line.split(' ').map(|number| {
        let digits = number.strip_prefix("0x")?;
        let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all_hex.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
    });
    let bar =
        Bar { index, start: numbers.next()??, end: numbers.next()??, flags: numbers.next()?? };
    numbers.next().is_none().then_some(bar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNUSED: &str = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n";

    #[test]
    fn windows_have_size_and_kind() {
        let text = format!(
            "0x00000000a6000000 0x00000000a6ffffff 0x0000000000040200\n\
             0x0000203000000000 0x0000204fffffffff 0x000000000014220c\n{UNUSED}\
             0x0000000000003000 0x000000000000307f 0x0000000000040101\n{UNUSED}{UNUSED}{UNUSED}"
        );
        let bars = bars(&text).into_known().unwrap();
        let sizes: Vec<(u8, u64)> = bars.iter().map(|bar| (bar.index, bar.size())).collect();
        assert_eq!(sizes, [(0, 16 << 20), (1, 128 << 30), (3, 128)]);
        assert!(bars.iter().all(Bar::is_assigned));
        assert!(!bars[0].is_64_bit() && !bars[0].is_prefetchable() && bars[0].is_memory());
        assert!(bars[1].is_64_bit() && bars[1].is_prefetchable());
        assert!(bars[2].is_io());
    }

    #[test]
    fn a_window_without_an_address_is_not_assigned() {
        for line in [
            "0x0000000000000000 0x0000001fffffffff 0x000000002014220c",
            "0x0000000000000000 0x0000001fffffffff 0x000000000014220c",
            "0x00000000a6000000 0x00000000a6ffffff 0x0000000010040200",
        ] {
            let text = format!("{line}\n{}", UNUSED.repeat(5));
            assert!(!bars(&text).known().unwrap()[0].is_assigned(), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_window_is_named() {
        let text = format!("{UNUSED}0x10 0x0f 0x200\n{}", UNUSED.repeat(4));
        assert_eq!(bars(&text).cause().unwrap().line(), Some(2));
        for text in ["", "0x0 0x0", "0x0 0x0 0x0 0x0", "0 0 0", "0x+1 0x2 0x3", "\u{fffd}"] {
            assert_eq!(bars(text).cause().unwrap().line(), Some(1), "{text:?}");
        }
    }

    #[test]
    fn errors_are_the_total_of_their_kinds() {
        let text = "Undefined 0\nDLP 1\nSDES 0\nTLP 2\nTOTAL_ERR_FATAL 3";
        assert_eq!(total(text), Reading::Known(3));
        for text in ["", "DLP 1", "TOTAL_ERR_FATAL", "TOTAL_ERR_FATAL x", "TOTAL_ERR_FATAL 1 2"] {
            assert!(total(text).cause().is_some(), "{text:?}");
        }
    }

    #[test]
    fn the_whole_address_space_does_not_overflow() {
        let bar = Bar { index: 0, start: 0, end: u64::MAX, flags: 0 };
        assert_eq!(bar.size(), u64::MAX);
    }

    proptest! {
        #[test]
        fn any_windows_are_survived(lines in "((0x)?[0-9a-f]{0,18} ?){0,4}(\n(0x[0-9a-f]{1,16} ?){3}){0,6}") {
            if let Reading::Known(bars) = bars(&lines) {
                prop_assert!(bars.iter().all(|bar| bar.size() > 0 && bar.index < 6));
            }
        }
    }
}
