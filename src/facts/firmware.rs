//! The firmware: how it booted the machine, and what it calls itself.
//!
//! Settings of the firmware's menus cannot be read; what follows from them is told by other sources.

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const FIRMWARE: &str = "/sys/firmware";
const EFI: &str = "/sys/firmware/efi";
const VARIABLES: &str = "/sys/firmware/efi/efivars";
const SECURE_BOOT: &str =
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const VENDOR: &str = "/sys/class/dmi/id/bios_vendor";
const VERSION: &str = "/sys/class/dmi/id/bios_version";
const DATE: &str = "/sys/class/dmi/id/bios_date";

/// More than the variable has.
const VARIABLE: u64 = 64;

#[derive(Debug)]
pub struct Firmware {
    /// Whether UEFI booted the machine, and not a legacy BIOS.
    pub uefi: Reading<bool>,
    /// `None` unless it was asked for: reading a variable runs the firmware's own code.
    pub detail: Option<Detail>,
}

#[derive(Debug)]
pub struct Detail {
    /// `Absent` on machines that UEFI did not boot, or whose firmware knows no Secure Boot.
    pub secure_boot: Reading<bool>,
    pub vendor: Reading<String>,
    pub version: Reading<String>,
    pub date: Reading<String>,
}

pub(super) fn gather(root: &Root, needs: Needs) -> Firmware {
    let uefi = uefi(root);
    let detail = needs.has(Needs::FIRMWARE_DETAIL).then(|| Detail {
        secure_boot: secure_boot(root, &uefi),
        vendor: root.read_attribute(VENDOR),
        version: root.read_attribute(VERSION),
        date: root.read_attribute(DATE),
    });
    Firmware { uefi, detail }
}

/// A container may see an empty `/sys/firmware`; no real machine has one.
fn uefi(root: &Root) -> Reading<bool> {
    match root.stat(EFI) {
        Reading::Known(_) => Reading::Known(true),
        Reading::Absent => not_empty(root, FIRMWARE).map(|()| false),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

fn secure_boot(root: &Root, uefi: &Reading<bool>) -> Reading<bool> {
    match root.read(SECURE_BOOT, VARIABLE) {
        Reading::Known(bytes) => variable(&bytes),
        Reading::Absent => match uefi {
            Reading::Known(false) | Reading::Absent => Reading::Absent,
            Reading::Known(true) => not_empty(root, VARIABLES).and_then(|()| Reading::Absent),
            Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        },
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Absence below a directory counts only where the directory has something.
fn not_empty(root: &Root, directory: &str) -> Reading<()> {
    match root.list(directory) {
        Reading::Known(entries) if !entries.is_empty() => Reading::Known(()),
        Reading::Known(_) | Reading::Absent => {
            Reading::Unreadable(Cause::NoAnswer(format!("{directory} has nothing to see")))
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Four bytes of attributes, then one that is the value.
pub fn variable(bytes: &[u8]) -> Reading<bool> {
    match bytes {
        [_, _, _, _, 0] => Reading::Known(false),
        [_, _, _, _, 1] => Reading::Known(true),
        _ => Reading::Unreadable(Cause::malformed(None, "no UEFI variable of one byte, 0 or 1")),
    }
}

fn detail(facts: &Facts, path: &str, read: fn(&Detail) -> Reading<Value>) -> Evidence {
    match facts.firmware.as_ref().and_then(|firmware| firmware.detail.as_ref()) {
        Some(detail) => Evidence::new(read(detail), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

const DETAIL: Needs = Needs::FIRMWARE.and(Needs::FIRMWARE_DETAIL);

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "firmware.uefi",
        kind: Kind::Bool,
        doc: "Whether UEFI booted the machine, and not a legacy BIOS.",
        needs: Needs::FIRMWARE,
        read: |facts| match &facts.firmware {
            Some(firmware) => {
                Evidence::new(firmware.uefi.clone().map(Value::Bool), Source::file(EFI))
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "firmware.secure-boot",
        kind: Kind::Bool,
        doc: "Whether the firmware boots only what is signed; absent where UEFI did not boot.",
        needs: DETAIL,
        read: |facts| {
            detail(facts, SECURE_BOOT, |detail| detail.secure_boot.clone().map(Value::Bool))
        },
    },
    Fact {
        name: "firmware.vendor",
        kind: Kind::Text,
        doc: "Who made the firmware.",
        needs: DETAIL,
        read: |facts| detail(facts, VENDOR, |detail| detail.vendor.clone().map(Value::Text)),
    },
    Fact {
        name: "firmware.version",
        kind: Kind::Text,
        doc: "The firmware's version, as its vendor counts.",
        needs: DETAIL,
        read: |facts| detail(facts, VERSION, |detail| detail.version.clone().map(Value::Text)),
    },
    Fact {
        name: "firmware.date",
        kind: Kind::Text,
        doc: "When the firmware was made: month, day and year.",
        needs: DETAIL,
        read: |facts| detail(facts, DATE, |detail| detail.date.clone().map(Value::Text)),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, tree, value};
    use super::*;

    const PLATFORM_SIZE: (&str, &str) = ("sys/firmware/efi/fw_platform_size", "64\n");
    const ACPI: (&str, &str) = ("sys/firmware/acpi/tables/FACP", "");
    const PATH: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    fn read(files: &[(&str, &str)], name: &str) -> Reading<Value> {
        let host = tree(files);
        value(&facts(host.path(), DETAIL), name).reading
    }

    #[test]
    fn a_legacy_boot_is_told_from_a_firmware_that_cannot_be_seen() {
        let known = |uefi| Reading::Known(Value::Bool(uefi));
        assert_eq!(read(&[PLATFORM_SIZE, ACPI], "firmware.uefi"), known(true));
        assert_eq!(read(&[ACPI], "firmware.uefi"), known(false));
        assert!(read(&[("sys/firmware/", "")], "firmware.uefi").cause().is_some());
        assert!(read(&[("etc/hostname", "")], "firmware.uefi").cause().is_some());
    }

    #[test]
    fn secure_boot_is_the_fifth_byte_and_nothing_else() {
        assert_eq!(variable(&[6, 0, 0, 0, 1]), Reading::Known(true));
        assert_eq!(variable(&[6, 0, 0, 0, 0]), Reading::Known(false));
        for bad in [&[][..], &[6, 0, 0, 0], &[6, 0, 0, 0, 2], &[6, 0, 0, 0, 1, 0], &[1]] {
            assert!(variable(bad).cause().is_some(), "{bad:?}");
        }
        let on = read(&[PLATFORM_SIZE, (PATH, "\u{6}\0\0\0\u{1}")], "firmware.secure-boot");
        assert_eq!(on, Reading::Known(Value::Bool(true)));
    }

    #[test]
    fn variables_that_are_not_mounted_are_no_answer() {
        assert!(read(&[PLATFORM_SIZE, ACPI], "firmware.secure-boot").cause().is_some());
        let other = ("sys/firmware/efi/efivars/BootOrder-8be4df61", "");
        assert!(read(&[PLATFORM_SIZE, other], "firmware.secure-boot").is_absent());
        assert!(read(&[ACPI], "firmware.secure-boot").is_absent());
    }

    #[test]
    fn a_variable_is_read_only_when_it_is_asked_for() {
        let host = tree(&[PLATFORM_SIZE, (PATH, "\u{6}\0\0\0\u{1}")]);
        let all = facts(host.path(), Needs::FIRMWARE);
        assert_eq!(value(&all, "firmware.secure-boot"), Evidence::not_gathered());
    }
}
