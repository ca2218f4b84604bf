//! The ids that `vfio-pci` is told to take: `10de:2335`, or with the board's ids and a class behind them.

use crate::facts::pci::Function;

/// One element of `ids=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceId {
    vendor: u32,
    device: u32,
    /// Any board where it is not given.
    subvendor: Option<u32>,
    subdevice: Option<u32>,
    class: u32,
    class_mask: u32,
}

/// Understands a list. Elements that are no ids are given back too: an address, as people write it there,
/// is taken by the kernel for some vendor's id that no device has.
pub fn read_ids(list: &str) -> (Vec<DeviceId>, Vec<&str>) {
    let (mut ids, mut malformed) = (Vec::new(), Vec::new());
    for element in list.split(',').filter(|element| !element.is_empty()) {
        match id(element) {
            Some(id) => ids.push(id),
            None => malformed.push(element),
        }
    }
    (ids, malformed)
}

fn id(element: &str) -> Option<DeviceId> {
    let numbers: Vec<u32> = element
        .split(':')
        .map(|part| {
            let plain =
                (1..=8).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(part, 16).ok()).flatten()
        })
        .collect::<Option<_>>()?;
    let at = |index: usize| numbers.get(index).copied();
    // Two digits are a bus, not a vendor.
    let widths = element.split(':').take(4).all(|part| part.len() >= 4);
    if numbers.len() > 6 || !widths {
        return None;
    }
    Some(DeviceId {
        vendor: at(0)?,
        device: at(1)?,
        subvendor: at(2).filter(|id| *id != u32::MAX),
        subdevice: at(3).filter(|id| *id != u32::MAX),
        class: at(4).unwrap_or(0),
        // A class without a mask is compared in no bit.
        class_mask: at(5).unwrap_or(0),
    })
}

impl DeviceId {
    /// Whether the kernel takes a function for one with this id.
    pub fn is(&self, function: &Function) -> bool {
        let same = |wanted: u32, found: Option<u16>| {
            wanted == u32::MAX || found.is_some_and(|found| u32::from(found) == wanted)
        };
        let (subvendor, subdevice) = match function.subsystem {
            Some((vendor, device)) => (Some(vendor), Some(device)),
            None => (None, None),
        };
        same(self.vendor, function.vendor)
            && same(self.device, function.device)
            && self.subvendor.is_none_or(|wanted| same(wanted, subvendor))
            && self.subdevice.is_none_or(|wanted| same(wanted, subdevice))
            && function.class.is_some_and(|class| (class ^ self.class) & self.class_mask == 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_no_id() {
        for wrong in [
            "02:00.0",
            "0000:02:00.0",
            "10de",
            "10de:",
            "10de:2335:",
            "10dé:2335",
            "x:y",
            "10de:2335:1:2:3:4:5",
        ] {
            assert_eq!(read_ids(wrong), (vec![], vec![wrong]), "{wrong}");
        }
        let (ids, malformed) = read_ids(
            "10de:2335,,02:00.0,10DE:22a3:10de:16c1,10de:ffffffff:ffffffff:ffffffff:030000:ff0000",
        );
        assert_eq!((ids.len(), malformed), (3, vec!["02:00.0"]));
    }

    proptest! {
        #[test]
        fn each_element_is_an_id_or_not(list in "([0-9a-fx:.]{0,9},?){0,6}") {
            let (ids, malformed) = read_ids(&list);
            let elements = list.split(',').filter(|it| !it.is_empty()).count();
            prop_assert_eq!(ids.len() + malformed.len(), elements);
        }
    }
}
