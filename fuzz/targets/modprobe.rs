//! Files of modprobe.d and `modules.alias`: what is said stands on a line that exists, and of a list of aliases
//! the lines that are worth keeping tell as much as all of them.
#![no_main]

use ccgpu_node::format::modprobe::{Says, normal_name, parse};
use ccgpu_node::format::{fnmatch, modules_alias};
use libfuzzer_sys::fuzz_target;

const H200: &str = "pci:v000010DEd00002335sv000010DEsd000018BEbc03sc02i00";
/// How the alias of every device of NVIDIA begins.
const NVIDIA: &[u8] = b"pci:v000010DE";

fuzz_target!(|bytes: &[u8]| {
    directives(bytes);
    aliases(bytes);
    // A text that has nothing special in it matches itself alone.
    if !bytes.iter().any(|byte| b"*?[\\".contains(byte)) {
        assert!(fnmatch::matches(bytes, bytes));
        assert!(!fnmatch::matches(bytes, &[bytes, b"x"].concat()));
    }
    let _ = fnmatch::matches(bytes, H200.as_bytes());
});

fn directives(bytes: &[u8]) {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    let mut last = 0;
    for directive in parse(bytes) {
        let line = usize::try_from(directive.line).unwrap();
        assert!(last < line && line <= lines, "line {line} of {lines}, after {last}");
        last = line;
        let module = match &directive.says {
            Says::Alias { module, .. }
            | Says::Blacklist { module }
            | Says::Install { module, .. }
            | Says::Options { module, .. }
            | Says::Softdep { module, .. } => module,
        };
        assert_eq!(normal_name(module).as_deref(), Some(module.as_str()));
    }
}

fn aliases(bytes: &[u8]) {
    let kept: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| modules_alias::may_match(line, NVIDIA))
        .collect();
    assert_eq!(
        modules_alias::modules(&kept.join(&b'\n'), H200),
        modules_alias::modules(bytes, H200)
    );
}
