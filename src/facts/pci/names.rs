//! Names of vendors, devices and boards from the public pci.ids list. They are for people; nothing is
//! decided by them, so they are looked up only where something is shown.

/// A line for each: its ids in hexadecimal without blanks, a blank, its name; ordered by the ids. One text
/// rather than a table, because the pointers of a table would have to be adjusted at each start.
const NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/pci_names.txt"));

pub fn vendor(vendor: u16) -> Option<&'static str> {
    find(&format!("{vendor:04x} "))
}

pub fn device(vendor: u16, device: u16) -> Option<&'static str> {
    find(&format!("{vendor:04x}{device:04x} "))
}

/// The name of the board that a device sits on; it depends on the device as well.
pub fn subsystem(
    vendor: u16,
    device: u16,
    (subvendor, subdevice): (u16, u16),
) -> Option<&'static str> {
    find(&format!("{vendor:04x}{device:04x}{subvendor:04x}{subdevice:04x} "))
}

fn find(wanted: &str) -> Option<&'static str> {
    let mut lines = NAMES;
    while !lines.is_empty() {
        // The line that the middle of what is left falls into; a byte of any line will do, so it need
        // not be the first of a character.
        let (before, after) = lines.as_bytes().split_at(lines.len() / 2);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = after.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = before.len() + end;
        let line = lines.get(start..end)?;
        if let Some(name) = line.strip_prefix(wanted) {
            return Some(name.trim_end());
        }
        // The blank behind the ids sorts before every digit, so a vendor stands before its devices.
        lines = if line < wanted { lines.get(end..)? } else { lines.get(..start)? };
    }
    None
}

#[cfg(test)]
mod tests {
    use pci_ids::{FromId, SubSystem, Vendor, Vendors};

    use super::super::NVIDIA;
    use super::*;

    #[test]
    fn every_id_of_nvidia_has_the_name_that_the_public_list_gives_it() {
        let listed = <Vendor as FromId<u16>>::from_id(NVIDIA).unwrap();
        assert!(listed.devices().count() > 1000);
        for id in 0..=u16::MAX {
            let listed = pci_ids::Device::from_vid_pid(NVIDIA, id).map(pci_ids::Device::name);
            assert_eq!(device(NVIDIA, id), listed.map(str::trim_end), "{id:04x}");
        }
    }

    #[test]
    fn every_vendor_and_every_board_is_found() {
        for listed in Vendors::iter() {
            assert_eq!(vendor(listed.id()), Some(listed.name().trim_end()));
            for each in listed.devices() {
                let ids = |board: &SubSystem| (board.subvendor(), board.subdevice());
                for board in each.subsystems() {
                    assert!(subsystem(listed.id(), each.id(), ids(board)).is_some());
                }
            }
        }
        assert_eq!(vendor(0xfff0), None);
        assert_eq!(subsystem(NVIDIA, 0x2335, (0, 0)), None);
    }
}
