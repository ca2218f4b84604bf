//! A message of the kernel: what is understood stands in the message, and what follows a cut is not needed
//! to wake somebody.
#![no_main]

use ccgpu_node::facts::Needs;
use ccgpu_node::watch::uevent::Uevent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(event) = Uevent::parse(bytes) else { return };
    let stands = |text: &str| {
        text.is_empty() || bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    assert!(event.path.starts_with('/') && stands(event.path) && stands(event.subsystem));
    assert!(event.node.is_none_or(stands));
    assert!(Needs::ALL.has(event.needs()));
    // Keys that nobody asked for change nothing.
    let more = [bytes, b"\0SEQNUM=1\0ACTION=add\0"].concat();
    assert_eq!(Uevent::parse(&more).map(|event| event.needs()), Some(event.needs()));
});
