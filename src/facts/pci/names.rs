//! Names of vendors and devices from the public pci.ids list. They are for people; nothing is decided
//! by them, so they are looked up only where something is shown.

use pci_ids::{Device, FromId, Vendor};

pub fn vendor(vendor: u16) -> Option<&'static str> {
    Vendor::from_id(vendor).map(Vendor::name)
}

pub fn device(vendor: u16, device: u16) -> Option<&'static str> {
    Device::from_vid_pid(vendor, device).map(Device::name)
}

/// The name of the board that a device sits on; it depends on the device as well.
pub fn subsystem(
    vendor: u16,
    device: u16,
    (subvendor, subdevice): (u16, u16),
) -> Option<&'static str> {
    Device::from_vid_pid(vendor, device)?
        .subsystems()
        .find(|board| board.subvendor() == subvendor && board.subdevice() == subdevice)
        .map(pci_ids::SubSystem::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_device_has_a_name_and_an_unknown_one_has_none() {
        assert_eq!(vendor(0x10de), Some("NVIDIA Corporation"));
        assert!(device(0x10de, 0x2330).is_some_and(|name| name.contains("H100")));
        assert_eq!(device(0x10de, 0xffff), None);
        assert_eq!(subsystem(0x10de, 0x2330, (0, 0)), None);
    }
}
