//! The small files: os-release, and of `/proc` cpuinfo, modules, interrupts, meminfo and swaps, and the
//! capacity of the `misc` controller. A file that is cut must never tell more than the whole one.
#![no_main]

use ccgpu_node::facts::interrupts::Remapping;
use ccgpu_node::facts::memory::{self, MemInfo};
use ccgpu_node::facts::{Reading, cgroup, cpu, interrupts, kernel, modules, os::OsRelease};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    cpuinfo(bytes);
    let text = String::from_utf8_lossy(bytes);
    os_release(&text);
    modules_file(&text);
    interrupts_file(bytes);
    counts(&text);
});

/// More of the file may decide what was open, and never changes what was decided.
fn interrupts_file(bytes: &[u8]) {
    let cut_at = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
    match interrupts::parse(&bytes[..cut_at]) {
        Remapping::Open(_) => {}
        decided => assert_eq!(interrupts::parse(bytes), decided),
    }
}

fn counts(text: &str) {
    if let Reading::Known(info) = MemInfo::parse(text) {
        assert!(info.hugetlb_percent().is_none_or(|percent| percent >= 0));
    }
    if let Reading::Known(names) = memory::swaps(text) {
        assert!(names.iter().all(|name| text.contains(name.as_str())));
    }
    if let Reading::Known(all) = cgroup::parse(text) {
        assert!(all.values().all(|count| *count >= 0));
    }
    if let Reading::Known(word) = kernel::chosen(text) {
        assert!(text.contains(&format!("[{word}]")));
    }
}

fn cpuinfo(bytes: &[u8]) {
    let whole = cpu::parse(bytes, bytes.len() + 1);
    let cut_at = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
    let cut = cpu::parse(&bytes[..cut_at], cut_at);
    agrees(&cut.vendor, &whole.vendor);
    agrees(&cut.family, &whole.family);
    agrees(&cut.model, &whole.model);
    agrees(&cut.model_name, &whole.model_name);
    agrees(&cut.flags, &whole.flags);
    if let Reading::Known(flags) = &whole.flags {
        assert!(
            flags
                .iter()
                .all(|flag| !flag.is_empty() && !flag.contains(|c: char| c.is_ascii_whitespace()))
        );
    }
}

/// The cut file says the same as the whole one, or that it cannot tell.
fn agrees<T: PartialEq + std::fmt::Debug>(cut: &Reading<T>, whole: &Reading<T>) {
    match cut {
        Reading::Unreadable(_) => {}
        told => assert_eq!(told, whole),
    }
}

fn os_release(text: &str) {
    if let Reading::Known(release) = OsRelease::parse(text) {
        assert!(release.names().all(|name| text.contains(name) || text.contains('\\')));
        let _ = release.is_debian_family();
    }
    // Quoted as its manual says, a value is read back.
    if !text.contains(['\n', '\r']) {
        let mut quoted = String::new();
        for c in text.chars() {
            if matches!(c, '"' | '\\' | '$' | '`') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        let read = OsRelease::parse(&format!("ID=\"{quoted}\"\n"));
        assert_eq!(read.known().and_then(|release| release.id.as_deref()), Some(text));
    }
}

fn modules_file(text: &str) {
    let Reading::Known(names) = modules::parse(text) else { return };
    assert!(names.len() <= text.lines().count());
    for name in &names {
        assert!(!name.is_empty() && !name.contains(' '));
        assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))));
    }
}
