//! Whether the IOMMU remaps interrupts, from the names of the chips in `/proc/interrupts`.
//!
//! The kernel's log says it too, but only root may read that, and it wraps. The file has a column for each
//! processor and a line for each interrupt, megabytes on a large host, so only its beginning is read: the
//! first lines are those of the machine itself.

use super::{Cause, Reading};
use crate::host::Root;

pub(super) const PATH: &str = "/proc/interrupts";

/// As much as is asked for at once, and altogether.
const CHUNK: usize = 8 << 10;
const ENOUGH: usize = 128 << 10;

/// What the chips of some lines say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remapping {
    /// The chip that shows it.
    On(String),
    Off(String),
    /// No line decides it. The chip, if any, is of a device's interrupt that is not remapped; the IOMMU's
    /// own never is, so that alone proves nothing.
    Open(Option<String>),
}

pub(super) fn remapping(root: &Root) -> Reading<Remapping> {
    let mut text: Vec<u8> = Vec::new();
    loop {
        let part = match root.read_at(PATH, text.len() as u64, CHUNK) {
            Reading::Known(part) => part,
            Reading::Absent => {
                return Reading::Unreadable(Cause::NoAnswer("/proc is not mounted".to_owned()));
            }
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        };
        let ended = part.is_empty();
        text.extend(part);
        match parse(&text) {
            Remapping::Open(chip) if ended => {
                return match chip {
                    Some(chip) => Reading::Known(Remapping::Off(chip)),
                    None => no_answer("no interrupt of a known chip is listed"),
                };
            }
            Remapping::Open(_) if text.len() > ENOUGH => {
                return no_answer("the first interrupts that are listed do not tell");
            }
            Remapping::Open(_) => {}
            decided => return Reading::Known(decided),
        }
    }
}

fn no_answer<T>(why: &str) -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer(why.to_owned()))
}

/// What the whole lines of a text say; a last line without its end is not looked at.
pub fn parse(text: &[u8]) -> Remapping {
    let mut device = None;
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let line = String::from_utf8_lossy(line);
        let Some(chip) = chip(&line) else { continue };
        if chip.starts_with("IR-") {
            return Remapping::On(chip.to_owned());
        }
        if chip == "IO-APIC" || chip.starts_with("IO-APIC-") {
            return Remapping::Off(chip.to_owned());
        }
        if chip.starts_with("PCI-MSI") {
            device.get_or_insert_with(|| chip.to_owned());
        }
    }
    Remapping::Open(device)
}

/// The chip of a numbered interrupt: the first word behind the counts.
pub fn chip(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(':')?;
    let number = number.trim_start();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    rest.split_ascii_whitespace().find(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::tree;
    use super::*;

    const HEADER: &str = "            CPU0       CPU1       \n";

    fn of(text: &str) -> Reading<Remapping> {
        let host = tree(&[("proc/interrupts", text)]);
        remapping(&Root::directory(host.path()).unwrap())
    }

    fn on(chip: &str) -> Reading<Remapping> {
        Reading::Known(Remapping::On(chip.to_owned()))
    }

    fn off(chip: &str) -> Reading<Remapping> {
        Reading::Known(Remapping::Off(chip.to_owned()))
    }

    #[test]
    fn the_chips_of_real_hosts_tell() {
        let intel = "   0:          9          0  IR-IO-APIC    2-edge      timer\n";
        let newer =
            "  41:          0          7  IR-PCI-MSIX-0000:01:00.0    0-edge      nvme0q0\n";
        let guest = " 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n";
        assert_eq!(of(&format!("{HEADER}{intel}")), on("IR-IO-APIC"));
        assert_eq!(of(&format!("{HEADER}{newer}")), on("IR-PCI-MSIX-0000:01:00.0"));
        assert_eq!(of(&format!("{HEADER}{guest}")), off("IO-APIC"));
    }

    #[test]
    fn the_interrupt_of_the_iommu_itself_proves_nothing() {
        let own = "  25:          0          0  PCI-MSI-0000:00:00.2    0-edge      AMD-Vi\n";
        let device = "  26:          0          0  IR-PCI-MSI-0000:00:01.3    0-edge      pciehp\n";
        assert_eq!(of(&format!("{HEADER}{own}{device}")), on("IR-PCI-MSI-0000:00:01.3"));
        assert_eq!(of(&format!("{HEADER}{own}")), off("PCI-MSI-0000:00:00.2"));
    }

    #[test]
    fn a_line_that_is_cut_off_is_not_looked_at() {
        assert_eq!(parse(b" 9:  0  IO-APIC"), Remapping::Open(None));
        assert_eq!(parse(b" 9:  0  IR"), Remapping::Open(None));
    }

    #[test]
    fn a_line_wider_than_a_chunk_is_read_to_its_end() {
        let counts = "          0".repeat(2_000);
        let text =
            format!("{}\n   0:{counts}  IR-IO-APIC    2-edge      timer\n", " CPU0".repeat(2_000));
        assert_eq!(of(&text), on("IR-IO-APIC"));
    }

    #[test]
    fn interrupts_without_a_number_and_empty_files_tell_nothing() {
        let named = "NMI:          0          0   Non-maskable interrupts\nERR:          0\n";
        assert!(of(&format!("{HEADER}{named}")).cause().is_some());
        assert!(of("").cause().is_some());
        let nothing = tree(&[("etc/hostname", "")]);
        assert!(remapping(&Root::directory(nothing.path()).unwrap()).cause().is_some());
    }

    #[test]
    fn a_file_that_never_tells_is_left_after_its_beginning() {
        let line = "  7:          0          0   XT-PIC      parport0\n";
        assert!(of(&line.repeat(10_000)).cause().is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
