//! Names of NVIDIA's devices from the public pci.ids list. They are for people; nothing is decided by
//! them, so they are looked up only where something is shown.

/// A line for each device, ordered by its id: `2335 GH100 [H200 SXM 141GB]`. One text rather than a table,
/// because the pointers of a table would have to be adjusted at each start.
const NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/nvidia_names.txt"));

/// The name of one of NVIDIA's devices.
pub fn nvidia(device: u16) -> Option<&'static str> {
    let wanted = format!("{device:04x} ");
    let mut lines = NAMES;
    while !lines.is_empty() {
        // The line that the middle of what is left falls into; a byte of any line will do, so it need
        // not be the first of a character.
        let (before, after) = lines.as_bytes().split_at(lines.len() / 2);
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = after.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let end = before.len() + end;
        let line = lines.get(start..end)?;
        if let Some(name) = line.strip_prefix(&wanted) {
            return Some(name.trim_end());
        }
        // All ids have the same length, so their texts are ordered as their numbers are.
        lines = if line < wanted.as_str() { lines.get(end..)? } else { lines.get(..start)? };
    }
    None
}

#[cfg(test)]
mod tests {
    use pci_ids::{Device, FromId, Vendor};

    use super::super::NVIDIA;
    use super::*;

    #[test]
    fn every_id_has_the_name_that_the_public_list_gives_it() {
        let listed = <Vendor as FromId<u16>>::from_id(NVIDIA).unwrap().devices();
        assert!(listed.count() > 1000);
        for id in 0..=u16::MAX {
            let listed = Device::from_vid_pid(NVIDIA, id).map(Device::name);
            assert_eq!(nvidia(id), listed.map(str::trim_end), "{id:04x}");
        }
    }
}
