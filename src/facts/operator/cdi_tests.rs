//! What is read of specifications, against a second reader of YAML and JSON.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::super::super::testing::tree;
use super::*;

const SPECIFICATION: &str = "cdiVersion: 0.5.0\ncontainerEdits: {}\ndevices:\n\
    - containerEdits:\n    deviceNodes:\n    - path: /dev/vfio/devices/vfio0\n  name: \"0\"\n\
    kind: nvidia.com/pgpu\n";

fn read(files: &[(&str, &str)]) -> Cdi {
    let host = tree(files);
    gather(&Root::directory(host.path()).unwrap())
}

#[test]
fn a_device_is_told_with_its_nodes_and_its_line() {
    let cdi = read(&[("etc/cdi/a.yaml", SPECIFICATION), ("etc/cdi/b.yaml.tmp", "x: [")]);
    let devices = cdi.devices.into_known().unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].kind.as_str(), devices[0].name.as_str()), ("nvidia.com/pgpu", "0"));
    assert_eq!(devices[0].nodes, ["/dev/vfio/devices/vfio0"]);
    assert_eq!(devices[0].source, Source::line("/etc/cdi/a.yaml", 4));
    assert!(cdi.refused.is_empty());
}

#[test]
fn what_is_no_specification_is_refused_with_its_line() {
    for text in [
        "devices: [\n",
        "[]\n",
        "",
        "cdiVersion: 0.5.0\n",
        "kind: nvidia.com/pgpu\ndevices: []\n",
        "cdiVersion: 0.5.0\nkind: nvidia.com/pgpu\n",
        "cdiVersion: 0.5.0\nkind: nvidia.com/pgpu\ndevices: {}\n",
        "cdiVersion: 0.5.0\nkind: nvidia.com/pgpu\ndevices:\n- name: 0\n",
        "{\"cdiVersion\": \"0.5.0\",}",
    ] {
        let cdi = read(&[("etc/cdi/a.yaml", text)]);
        assert_eq!(cdi.refused.len(), 1, "{text:?}");
        assert_eq!(cdi.devices, Reading::Known(Vec::new()), "{text:?}");
    }
}

#[test]
fn without_a_directory_there_is_no_cdi_and_one_that_cannot_be_read_is_no_answer() {
    assert!(read(&[("etc/hostname", "")]).devices.is_absent());
    let large = "#".repeat(300 << 10);
    assert!(read(&[("etc/cdi/a.yaml", &large)]).devices.cause().is_some());
}

const ORACLE: &str = r#"
import json, sys
try:
    import yaml
except ImportError:
    sys.exit(1)
for line in sys.stdin:
    spec = yaml.safe_load(json.loads(line))
    print(json.dumps([
        [d["name"], [n.get("hostPath", n.get("path")) for n in d["containerEdits"]["deviceNodes"]]]
        for d in spec["devices"]
    ]))
"#;

/// Reads each text with `PyYAML`; `None` where there is none.
#[expect(clippy::disallowed_methods, reason = "asks a second reader, not a host")]
fn oracle(texts: &[String]) -> Option<Vec<serde_json::Value>> {
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let lines: String =
        texts.iter().map(|text| serde_json::json!(text).to_string() + "\n").collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    if !output.status.success() {
        println!("left out: there is no PyYAML");
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The same devices in one of three spellings: block YAML, flow YAML, JSON.
fn spelled(devices: &[(String, Vec<(bool, u8)>)], spelling: usize) -> String {
    let json = serde_json::json!({
        "kind": "nvidia.com/pgpu",
        "devices": devices.iter().map(|(name, nodes)| serde_json::json!({
            "name": name,
            "containerEdits": { "deviceNodes": nodes.iter().map(|(host, number)| {
                let path = format!("/dev/vfio/devices/vfio{number}");
                if *host {
                    serde_json::json!({ "path": "/inside", "hostPath": path })
                } else {
                    serde_json::json!({ "path": path })
                }
            }).collect::<Vec<_>>() },
        })).collect::<Vec<_>>(),
        "cdiVersion": "0.5.0",
    });
    match spelling {
        0 => json.to_string(),
        1 => format!("# made\n{json}\n"),
        _ => {
            let mut text = String::from("cdiVersion: 0.5.0\nkind: nvidia.com/pgpu\ndevices:");
            if devices.is_empty() {
                text += " []\n";
            } else {
                text += "\n";
            }
            for (name, nodes) in devices {
                text += "- name: '";
                text += name;
                text += "'\n  containerEdits:\n    deviceNodes:";
                text += if nodes.is_empty() { " []\n" } else { "\n" };
                for (host, number) in nodes {
                    let key = if *host { "hostPath" } else { "path" };
                    let number = number.to_string();
                    text += &["    - ", key, ": /dev/vfio/devices/vfio", &number, "\n"].concat();
                }
            }
            text
        }
    }
}

#[test]
fn five_hundred_specifications_say_what_a_second_reader_says() {
    let nodes = prop::collection::vec((any::<bool>(), any::<u8>()), 0..3);
    let devices = prop::collection::vec(("[a-z0-9]{1,6}", nodes), 0..4);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let texts: Vec<String> = (0..500)
        .map(|number| spelled(&devices.new_tree(&mut runner).unwrap().current(), number % 3))
        .collect();
    let Some(expected) = oracle(&texts) else { return };
    for (text, expected) in texts.iter().zip(expected) {
        let found = devices_json(text);
        assert_eq!(found, expected, "{text}");
    }
}

fn devices_json(text: &str) -> serde_json::Value {
    let found = devices("/etc/cdi/a.yaml", text.as_bytes()).unwrap();
    found.iter().map(|device| serde_json::json!([device.name, device.nodes])).collect()
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_lines_exist(text: String) {
        let lines = u32::try_from(text.lines().count().max(1)).unwrap() + 1;
        match devices("/a", text.as_bytes()) {
            Ok(devices) => {
                prop_assert!(devices.iter().all(|it| it.source.line.is_some_and(|line| line <= lines)));
            }
            Err((line, _)) => prop_assert!(line.is_none_or(|line| line <= lines)),
        }
    }
}
