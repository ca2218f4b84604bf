//! Durations, versions and PCI addresses: what is printed is read back, and versions have one order.
#![no_main]

use std::cmp::Ordering;

use ccgpu_node::facts::pci::Address;
use ccgpu_node::format::duration::GoDuration;
use ccgpu_node::format::version::Version;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for line in text.lines().take(16) {
        duration(line);
        address(line);
    }
    let versions: Vec<Version> = text.lines().take(6).filter_map(version).collect();
    for one in &versions {
        for two in &versions {
            ordered(one, two);
            for three in &versions {
                assert!(!(one <= two && two <= three) || one <= three, "{one} <= {two} <= {three}");
            }
        }
    }
});

fn duration(text: &str) {
    let Ok(read) = GoDuration::parse(text) else { return };
    let shown = read.to_string();
    assert_eq!(GoDuration::parse(&shown), Ok(read), "{text:?} is shown as {shown:?}");
    assert!(shown.ends_with('s'), "{shown:?} has no seconds");
    // A sign changes the sign and nothing else.
    if let Some(positive) = text.strip_prefix('-') {
        let positive = GoDuration::parse(positive).ok().map(|positive| -positive.0);
        assert!(positive == Some(read.0) || read.0 == i64::MIN, "{text:?}");
    }
}

fn address(text: &str) {
    let Some(read) = Address::parse(text) else { return };
    assert_eq!(read.to_string(), text);
}

fn version(text: &str) -> Option<Version> {
    let read = Version::parse(text).ok()?;
    assert_eq!(read.to_string(), text);
    assert_eq!(read.minor(), (read.number(0), read.number(1)));
    Some(read)
}

fn ordered(one: &Version, two: &Version) {
    assert_eq!(one.cmp(two), two.cmp(one).reverse(), "{one}, {two}");
    assert_eq!(one == two, one.cmp(two) == Ordering::Equal, "{one}, {two}");
    assert_eq!(one.partial_cmp(two), Some(one.cmp(two)), "{one}, {two}");
    if one.to_string() == two.to_string() {
        assert_eq!(one, two);
    }
}
