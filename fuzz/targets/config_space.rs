//! Configuration space: what is read of a part of it is the same as of the whole, and a function without
//! extended capabilities has no Access Control Services.
#![no_main]

use ccgpu_node::format::config_space::ConfigSpace;
use libfuzzer_sys::fuzz_target;

/// Where the configuration space of a conventional function ends.
const CONVENTIONAL: usize = 256;

fuzz_target!(|bytes: &[u8]| {
    let Ok(space) = ConfigSpace::new(bytes) else { return };
    let (port, acs) = (space.port_type(), space.acs());
    if let Ok(Some(acs)) = acs {
        assert_ne!(bytes.len(), CONVENTIONAL);
        assert!(acs.off().count() <= 4);
        assert_eq!(acs.to_string().split(' ').count(), 7);
    }
    for length in [64, 128, CONVENTIONAL + 1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let Some(part) = bytes.get(..length).and_then(|part| ConfigSpace::new(part).ok()) else {
            continue;
        };
        if let Ok(part) = part.port_type() {
            assert_eq!(Ok(part), port, "of {length} bytes");
        }
        if length != CONVENTIONAL
            && let Ok(part) = part.acs()
        {
            assert!(Ok(part) == acs || bytes.len() == CONVENTIONAL, "of {length} bytes");
        }
    }
});
