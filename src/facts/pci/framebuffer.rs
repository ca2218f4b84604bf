//! Whether the firmware's picture is still kept in a GPU: the kernel shows who holds a part of an address
//! window by nesting it below the device in `/proc/iomem`. The addresses there are zeros for anyone but root;
//! the names and their nesting are not hidden.

use std::collections::BTreeMap;

use crate::host::{Cause, Reading, Root};

use super::address::Address;

pub(super) const IOMEM: &str = "/proc/iomem";

/// What the firmware's picture is called by whoever keeps it.
const KEEPERS: [&str; 8] = [
    "BOOTFB",
    "efifb",
    "vesafb",
    "simplefb",
    "simple-framebuffer",
    "simpledrm",
    "efidrm",
    "vesadrm",
];

/// The keepers, each by the function that it sits in.
pub(super) fn read(root: &Root) -> Reading<BTreeMap<Address, String>> {
    match root.read_text(IOMEM) {
        Reading::Known(text) => Reading::Known(parse(&text)),
        Reading::Absent => Reading::Unreadable(Cause::NoAnswer(format!("there is no {IOMEM}"))),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Lines are `START-END : NAME`, two blanks deeper than the line that they are a part of.
fn parse(text: &str) -> BTreeMap<Address, String> {
    let mut found = BTreeMap::new();
    let mut above: Vec<&str> = Vec::new();
    for line in text.lines() {
        let Some((range, name)) = line.split_once(" : ") else { continue };
        let depth = (range.len() - range.trim_start_matches(' ').len()) / 2;
        above.truncate(depth);
        if KEEPERS.contains(&name)
            && let Some(address) = above.iter().rev().find_map(|name| Address::parse(name))
        {
            found.insert(address, name.to_owned());
        }
        above.push(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "\
00001000-0009ffff : System RAM
380000000000-383fffffffff : PCI Bus 0000:15
  381000000000-383001ffffff : PCI Bus 0000:16
    381000000000-381fffffffff : 0000:18:00.0
      381000000000-3810007fffff : BOOTFB
    382000000000-38203fffffff : 0000:19:00.0
      382000000000-38203fffffff : vfio-pci
a0000000-a07fffff : efifb
";

    #[test]
    fn a_picture_belongs_to_the_function_that_it_is_nested_in() {
        let found = parse(TEXT);
        let address = Address::parse("0000:18:00.0").unwrap();
        assert_eq!(found, BTreeMap::from([(address, "BOOTFB".to_owned())]));
    }

    #[test]
    fn without_root_the_answer_is_the_same() {
        let zeros = regex::Regex::new("(?m)^( *)[0-9a-f]+-[0-9a-f]+").unwrap();
        let text = zeros.replace_all(TEXT, "${1}00000000-00000000");
        assert!(text.contains("    00000000-00000000 : 0000:18:00.0"));
        assert_eq!(parse(&text), parse(TEXT));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "( {0,6}[0-9a-f-]{0,4} : (0000:18:00.0|BOOTFB|\\PC{0,5})\n?){0,8}") {
            parse(&text);
        }
    }
}
