//! The editor of the kubelet's configuration. The first byte says what is wanted, the rest is the file: an
//! edit gives just that, a second one changes nothing, and no comment or other line is lost.
#![no_main]

use ccgpu_node::format::duration::GoDuration;
use ccgpu_node::format::yaml::{Document, Scalar, Value};
use ccgpu_node::plan::kubelet::{Role, Wanted, edit};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 3] = ["KubeletPodResourcesGet", "NodeSwap", "New"];
const TIMEOUT: &str = "runtimeRequestTimeout";
const GATES: &str = "featureGates";

fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let wanted = wanted(*choice);
    let role = if choice & 0x80 == 0 { Role::Main } else { Role::DropIn };
    let Ok(after) = edit(text, &wanted, role) else { return };
    assert_eq!(edit(&after, &wanted, role).as_ref(), Ok(&after), "a second edit");
    assert_eq!(text.ends_with(b"\n"), after.ends_with(b"\n"));
    as_wanted(&after, &wanted);
    let is_ours = |line: &str| {
        line.contains(TIMEOUT)
            || line.contains(GATES)
            || NAMES.iter().any(|name| line.contains(name))
    };
    let (before, then) = (std::str::from_utf8(text).unwrap(), std::str::from_utf8(&after).unwrap());
    let mut lines = then.lines().map(bare);
    for line in before.lines().filter(|line| !is_ours(line) && !line.contains(['{', '}', ','])) {
        assert!(lines.any(|other| other == bare(line)), "the line {line:?} is gone");
    }
    come_and_gone(before, role);
});

fn bare(line: &str) -> String {
    line.replace([',', '\r'], "")
}

fn wanted(choice: u8) -> Wanted {
    let mut wanted = Wanted::default();
    for (place, name) in NAMES.iter().enumerate() {
        let value = match choice >> (2 * place) & 3 {
            0 => continue,
            1 => None,
            2 => Some(false),
            _ => Some(true),
        };
        wanted.gates.insert((*name).to_owned(), value);
    }
    if choice & 0x40 != 0 {
        wanted.runtime_request_timeout = Some("20m".to_owned());
    }
    wanted
}

fn as_wanted(after: &[u8], wanted: &Wanted) {
    let document = Document::parse(after).unwrap();
    let root = document.entries(document.root());
    let find = |name: &str| root.iter().find(|entry| entry.key == name).map(|entry| entry.value);
    let gates = find(GATES).map(|section| document.entries(section)).unwrap_or_default();
    for (name, value) in &wanted.gates {
        let now =
            gates.iter().find(|gate| gate.key == *name).map(|gate| document.value(gate.value));
        match (now, value) {
            (None, None) => {}
            (Some(Value::Scalar(Scalar::Bool(now))), Some(value)) => {
                assert_eq!(now, value, "{name}")
            }
            // A gate without a value is off.
            (Some(Value::Scalar(Scalar::Null)), Some(false)) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    if let Some(timeout) = &wanted.runtime_request_timeout {
        let Some(Value::Scalar(Scalar::Text(now))) = find(TIMEOUT).map(|node| document.value(node))
        else {
            panic!("no timeout")
        };
        assert_eq!(GoDuration::parse(now), GoDuration::parse(timeout));
    }
}

/// A gate that is set and taken out again leaves no trace where there were others.
fn come_and_gone(before: &str, role: Role) {
    let one = |value| Wanted { gates: [("Visitor".to_owned(), value)].into(), ..Wanted::default() };
    let document = Document::parse(before.as_bytes()).unwrap();
    let entries = document.entries(document.root());
    let section = entries.iter().find(|entry| entry.key == GATES).map(|entry| entry.value);
    let gates = section.map(|section| document.entries(section)).unwrap_or_default();
    if gates.is_empty() || gates.iter().any(|gate| gate.key == "Visitor") {
        return;
    }
    if let Ok(with) = edit(before.as_bytes(), &one(Some(true)), role) {
        let without = edit(&with, &one(None), role);
        if let Ok(without) = without {
            assert_eq!(std::str::from_utf8(&without), Ok(before));
        }
    }
}
