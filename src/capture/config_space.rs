//! Takes the serial number out of a PCI Express function's configuration space.
//!
//! It walks the list of extended capabilities and changes nothing but the number's eight bytes.

use crate::format::config_space::extended_capabilities;

/// Device Serial Number, PCI Express Base Specification 7.9.3.
const SERIAL_NUMBER: u16 = 0x0003;

/// Zeroes the number, wherever the list has it.
pub(super) fn mask_serial_number(space: &mut [u8]) {
    let numbers: Vec<usize> = extended_capabilities(space)
        .filter_map(Result::ok)
        .filter(|(_, id)| *id == SERIAL_NUMBER)
        .map(|(at, _)| at)
        .collect();
    for at in numbers {
        if let Some(number) = space.get_mut(at + 4..at + 12) {
            number.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(capabilities: &[(usize, u32, usize)]) -> Vec<u8> {
        let mut space = vec![0x5a; 4096];
        for (at, id, next) in capabilities {
            let header = id | 1 << 16 | u32::try_from(*next).unwrap() << 20;
            space[*at..at + 4].copy_from_slice(&header.to_le_bytes());
        }
        space
    }

    #[test]
    fn only_the_number_is_zeroed() {
        let before = space(&[(0x100, 1, 0x148), (0x148, 3, 0x200), (0x200, 0xd, 0)]);
        let mut after = before.clone();
        mask_serial_number(&mut after);
        let mut wanted = before;
        wanted[0x14c..0x154].fill(0);
        assert_eq!(after, wanted);
    }

    #[test]
    fn broken_lists_end() {
        for capabilities in [&[(0x100, 1, 0x100)][..], &[(0x100, 1, 0x200), (0x200, 2, 0x100)]] {
            let before = space(capabilities);
            let mut after = before.clone();
            mask_serial_number(&mut after);
            assert_eq!(after, before);
        }
        let mut last = space(&[(0x100, 1, 0xffc), (0xffc, 3, 0)]);
        mask_serial_number(&mut last);
        mask_serial_number(&mut []);
        mask_serial_number(&mut [0xff; 4096]);
        mask_serial_number(&mut [0; 64]);
    }
}
