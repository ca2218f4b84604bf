//! `modules.alias` of a kernel, as depmod writes it: which module is loaded for a device that says of itself
//! `pci:v000010DEd00002335...`.
//!
//! The file has a megabyte and a half, and all but a few dozen of its lines are about other vendors'
//! devices: [`may_match`] tells which lines are worth keeping while it is read.

use std::collections::BTreeSet;

use super::fnmatch;

/// Whether a line may be an alias of a device whose own alias begins so; never false where it is one.
pub fn may_match(line: &[u8], device: &[u8]) -> bool {
    let Some(pattern) = line.trim_ascii_start().strip_prefix(b"alias") else { return false };
    for (ours, its) in pattern.trim_ascii_start().iter().zip(device) {
        match ours {
            // From here on anything may follow.
            b'*' | b'?' | b'[' | b'\\' => return true,
            _ if ours != its => return false,
            _ => {}
        }
    }
    true
}

/// The modules whose alias the device is, by their names.
pub fn modules(text: &[u8], device: &str) -> BTreeSet<String> {
    let lines = text.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let (b"alias", pattern, module) = (words.next()?, words.next()?, words.next()?) else {
                return None;
            };
            fnmatch::matches(pattern, device.as_bytes())
                .then(|| String::from_utf8_lossy(module).replace('-', "_"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &[u8] = b"# Aliases extracted from modules themselves.\n\
        alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n\
        alias pci:v000010DEd*sv*sd*bc03sc*i* nvidiafb\n\
        alias pci:v000010DEd*sv*sd*bc03sc02i00* nvidia\n\
        alias pci:v000010DEd00001CB1sv*sd*bc*sc*i* other\n\
        alias pci:v*d*sv*sd*bc03sc02i* any-vendor\n\
        alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n\
        alias pci:v00001022d*sv*sd*bc03sc*i* amdgpu\n\
        alias symbol:drm_dev_alloc drm\n\
        alias broken\n";
    const H200: &str = "pci:v000010DEd00002335sv000010DEsd000018BEbc03sc02i00";

    #[test]
    fn blanks_of_any_kind_and_number_part_the_words() {
        for line in ["alias  pci:v000010DEd* m", "\talias\tpci:v000010DEd*\tm"] {
            assert!(may_match(line.as_bytes(), b"pci:v000010DE"), "{line:?}");
            assert_eq!(modules(line.as_bytes(), H200).len(), 1, "{line:?}");
        }
    }

    #[test]
    fn a_device_has_the_modules_whose_alias_it_is() {
        let names: Vec<String> = modules(TEXT, H200).into_iter().collect();
        assert_eq!(names, ["any_vendor", "nouveau", "nvidia", "nvidiafb"]);
        assert!(modules(TEXT, "usb:v1D6Bp0002").is_empty());
        assert!(modules(b"", H200).is_empty());
    }

    #[test]
    fn what_is_kept_are_the_lines_that_may_be_about_the_vendor() {
        let kept = TEXT.split(|byte| *byte == b'\n').filter(|it| may_match(it, b"pci:v000010DE"));
        assert_eq!(kept.count(), 5);
    }

    proptest! {
        #[test]
        fn leaving_out_the_other_lines_changes_nothing(
            lines in proptest::collection::vec("alias (pci:v[*0]{0,2}(000010DE|00001022)?d?[*]?(bc03)?[*]|vfio_pci:[*]|[*?]*) m[a-c]", 0..12),
        ) {
            let all = lines.join("\n");
            let few: Vec<&str> = lines
                .iter()
                .map(String::as_str)
                .filter(|line| may_match(line.as_bytes(), b"pci:v000010DE"))
                .collect();
            prop_assert_eq!(modules(all.as_bytes(), H200), modules(few.join("\n").as_bytes(), H200));
        }

        #[test]
        fn no_bytes_are_too_strange(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            modules(&text, H200);
            may_match(&text, b"pci:v000010DE");
        }
    }
}
