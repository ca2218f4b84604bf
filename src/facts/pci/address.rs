//! Where a PCI function is: domain, bus, device, function.

use std::fmt;

/// An address, ordered by number and not by text: domain `10000` comes after `0fff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// 16 bits on most machines; more behind Intel VMD, and where the platform numbers them so.
    pub domain: u32,
    pub bus: u8,
    /// 5 bits.
    pub device: u8,
    /// 3 bits.
    pub function: u8,
}

impl Address {
    /// The address that a name in sysfs means. Only what the kernel itself would write is one, so that
    /// an address can be made into the name again; the rest is `None`.
    pub fn parse(name: &str) -> Option<Self> {
        let (domain, rest) = name.split_once(':')?;
        let padded = domain.len() > 4 && domain.starts_with('0');
        if !(4..=8).contains(&domain.len()) || padded {
            return None;
        }
        let &[b1, b0, b':', d1, d0, b'.', function] = rest.as_bytes() else {
            return None;
        };
        let mut high = 0;
        for byte in domain.bytes() {
            high = high << 4 | u32::from(digit(byte)?);
        }
        let device = digit(d1)? << 4 | digit(d0)?;
        let function = digit(function)?;
        (device < 32 && function < 8).then_some(Self {
            domain: high,
            bus: digit(b1)? << 4 | digit(b0)?,
            device,
            function,
        })
    }

    /// Whether both are functions of one device.
    pub fn same_slot(self, other: Self) -> bool {
        Self { function: 0, ..self } == Self { function: 0, ..other }
    }
}

/// The kernel writes lower case.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(out, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_kernel_are_addresses() {
        for name in ["0000:18:00.0", "10000:e0:1f.7", "fffffffe:ff:1f.0", "ffff:00:00.1"] {
            assert_eq!(Address::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn other_names_are_none() {
        for name in [
            "",
            ":",
            "0000",
            "000:18:00.0",
            "0000:18:00",
            "0000:18:00.8",
            "0000:18:20.0",
            "0000:1G:00.0",
            "0000:18:00.0 ",
            " 0000:18:00.0",
            "0000:18:00.00",
            "0000-18-00.0",
            "100000000:18:00.0",
            "00001:18:00.0",
            "0000:1A:00.0",
            "+000:18:00.0",
            "pci0000:00",
            "0000:é:00.0",
            "ACPI0004:00",
        ] {
            assert_eq!(Address::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn order_is_that_of_the_numbers() {
        let mut names = ["10000:00:00.0", "0000:0a:00.0", "1001:00:00.0", "0000:09:1f.7"]
            .map(|name| Address::parse(name).unwrap());
        names.sort_unstable();
        assert_eq!(
            names.map(|address| address.to_string()),
            ["0000:09:1f.7", "0000:0a:00.0", "1001:00:00.0", "10000:00:00.0"]
        );
    }

    proptest! {
        #[test]
        fn a_printed_address_is_read_again(
            domain: u32, bus: u8, device in 0_u8..32, function in 0_u8..8,
        ) {
            let address = Address { domain, bus, device, function };
            prop_assert_eq!(Address::parse(&address.to_string()), Some(address));
        }

        #[test]
        fn any_text_is_an_address_that_prints_as_itself_or_none(text in ".{0,16}") {
            if let Some(address) = Address::parse(&text) {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }
}
