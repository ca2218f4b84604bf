//! `diff` held against `facts` and `check` of the two hosts, and against what it must refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::program::{fixture, report, run};

type Key = (Option<String>, String);

/// Each fact with the collection of its member, and each member with its collection.
type Told = (BTreeMap<(Key, String), Value>, BTreeSet<(String, String)>);

fn host(name: &str) -> String {
    fixture(name).display().to_string()
}

fn diff(arguments: &[&str], code: i32) -> Value {
    let all = [&["diff", "--format", "json"], arguments].concat();
    let outcome = run(&all);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""), "{all:?}");
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/diff-v1.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&said).map(|it| it.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(said["same"], code == 0);
    said
}

/// What the command `facts` says, without where it was read: the host's facts, and those of each member in
/// the first of the collections that share facts.
fn facts(host: &str) -> Told {
    let outcome = run(&["facts", "--host", host]);
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let plain = |entry: &Value| {
        let mut entry = entry.as_object().unwrap().clone();
        entry.remove("source");
        entry.remove("note");
        // Why something could not be told is no fact about the host.
        if entry.contains_key("unreadable") {
            entry.insert("unreadable".to_owned(), Value::Null);
        }
        Value::Object(entry)
    };
    let mut facts: BTreeMap<(Key, String), Value> = document["facts"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, entry)| (((None, name.clone()), String::new()), plain(entry)))
        .collect();
    let mut members = BTreeSet::new();
    let collections = document["collections"].as_object().unwrap();
    let pci = ["pci.gpus", "pci.nvswitches", "pci.companions", "pci.passthrough", "pci.functions"];
    let others = collections.keys().map(String::as_str).filter(|name| !pci.contains(name));
    let mut of_pci = BTreeSet::new();
    for name in pci.into_iter().chain(others) {
        for member in collections[name]["members"].as_array().unwrap() {
            let label = member["subject"].as_str().unwrap().to_owned();
            if pci.contains(&name) && !of_pci.insert(label.clone()) {
                continue;
            }
            for (fact, entry) in member["facts"].as_object().unwrap() {
                let key = (Some(label.clone()), fact.clone());
                facts.insert((key, name.to_owned()), plain(entry));
            }
            members.insert((name.to_owned(), label));
        }
    }
    (facts, members)
}

#[test]
fn what_differs_is_what_facts_and_check_tell_differently() {
    for (a, b) in [
        ("h100x8-nvswitch4-snp", "snp-passthrough"),
        ("nouveau-bound", "h200-single-snp-rhel-bls"),
        ("grub-overridden-by-cloud-dropin", "h100-single-tdx"),
        ("no-gpus", "hgx-b200x8-tdx"),
        ("kubelet-too-old", "kubelet-quoted-gate"),
        ("no-permission", "hidden-escape-sequences"),
    ] {
        let (a, b) = (&*host(a), &*host(b));
        let said = diff(&[a, b, "--all"], 1);
        let ((facts_a, members_a), (facts_b, members_b)) = (facts(a), facts(b));
        let expected: BTreeSet<Key> = facts_a
            .iter()
            // A member that is something else on the other side is told as another member.
            .filter(|(key, of_a)| facts_b.get(*key).is_some_and(|of_b| of_b != *of_a))
            .map(|((key, _), _)| key.clone())
            .collect();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let found: BTreeSet<Key> = said["facts"]
            .as_array()
            .unwrap()
            .iter()
            // Whether all members could be told is a property of the collection, which is no fact.
            .filter(|fact| !fact["subject"].is_null() || fact["collection"].is_null())
            .map(|fact| (text(&fact["subject"]), text(&fact["fact"]).unwrap()))
            .collect();
        assert_eq!(found, expected, "{a} {b}");
        let only = |side: &str| -> BTreeSet<(String, String)> {
            let changes = said["members"].as_array().unwrap().iter();
            changes
                .flat_map(|change| {
                    let labels = change[side].as_array().unwrap().iter();
                    labels.map(|label| (text(&change["collection"]).unwrap(), text(label).unwrap()))
                })
                .collect()
        };
        assert_eq!(only("only_a"), &members_a - &members_b, "{a} {b}");
        assert_eq!(only("only_b"), &members_b - &members_a, "{a} {b}");
        verdicts(&said, a, b);
    }
}

/// Both judged as they show themselves.
fn verdicts(said: &Value, a: &str, b: &str) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |host: &str| -> BTreeMap<String, String> {
        let report = report(&["--host", host]);
        let rules = report["rules"].as_array().unwrap().iter();
        rules.map(|it| (text(&it["id"]), text(&it["status"]))).collect()
    };
    let (of_a, of_b) = (of(a), of(b));
    let expected: BTreeSet<(String, String, String)> = of_a
        .iter()
        .filter_map(|(id, before)| Some((id, before, of_b.get(id)?)))
        .filter(|(_, before, after)| before != after)
        .map(|(id, before, after)| (id.clone(), before.clone(), after.clone()))
        .collect();
    let found: BTreeSet<(String, String, String)> = said["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(&it["id"]), text(&it["before"]["status"]), text(&it["after"]["status"])))
        .collect();
    assert_eq!(found, expected, "{a} {b}");
}

#[test]
fn a_host_does_not_differ_from_itself_in_any_form() {
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("report.json").display().to_string();
    for name in ["h100x8-nvswitch4-snp", "no-permission", "hidden-escape-sequences"] {
        let host = host(name);
        let code = run(&["check", "--host", &host, "--format", "json", "--output", &written]).code;
        assert!((0..=4).contains(&code) && code != 2, "{name}");
        diff(&[&host, &host], 0);
        diff(&[&written, &written], 0);
        for pair in [[&*host, &*written], [&*written, &*host]] {
            let said = diff(&pair, 0);
            assert!(said["not_compared"]["facts"].as_u64().unwrap() > 0, "{name}");
            assert_eq!(said["not_compared"]["members"], true, "{name}");
        }
    }
}

#[test]
fn a_report_is_compared_with_a_host_in_what_both_know() {
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("report.json").display().to_string();
    run(&["check", "--host", &host("nouveau-bound"), "--format", "json", "--output", &written]);
    let said = diff(&[&written, &host("h200-single-snp-rhel-bls")], 1);
    let changed = |id: &str| said["rules"].as_array().unwrap().iter().find(|it| it["id"] == *id);
    assert_eq!(changed("gpu-host-driver").unwrap()["change"], "better");
    let facts = said["facts"].as_array().unwrap();
    let driver = facts.iter().find(|it| it["fact"] == "driver" && it["subject"] == "0000:23:00.0");
    let driver = driver.unwrap();
    assert_eq!(driver["before"]["value"], "nouveau");
    assert_eq!(driver["after"]["value"], "vfio-pci");
    // The report was judged for another stage than this host would be by itself.
    let early = directory.path().join("early.json").display().to_string();
    let at = ["--stage", "host", "--format", "json", "--output", &early];
    run(&[&["check", "--host", &host("nouveau-bound")], &at[..]].concat());
    let said = diff(&[&early, &host("nouveau-bound")], 0);
    assert_eq!(said["b"]["stage"], "host");
}

#[test]
fn directories_and_this_machine_are_compared_too() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().display().to_string();
    diff(&[&empty, &empty], 0);
    let said = diff(&[&empty, &host("h100-single-tdx")], 1);
    assert_eq!(said["a"]["kind"], "directory");
    assert_eq!(said["b"]["kind"], "capture");
    let said = run(&["diff", "--format", "json", "now", &empty]);
    assert_eq!((said.code, said.stderr.as_str()), (1, ""));
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(said["a"]["kind"], "machine");
    assert_eq!(run(&["diff", "-", &empty]).code, 1);
}

#[test]
fn volatile_facts_are_left_out_unless_they_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let before = std::fs::read_to_string(fixture("h100-single-tdx")).unwrap();
    assert!(before.contains("MemAvailable:"), "the fixture tells free memory");
    let after: Vec<String> = before
        .lines()
        .map(|line| {
            if line.starts_with("MemAvailable:") {
                "MemAvailable:   99999999 kB".to_owned()
            } else {
                line.to_owned()
            }
        })
        .collect();
    let path = directory.path().join("after.host").display().to_string();
    std::fs::write(&path, after.join("\n") + "\n").unwrap();
    let said = diff(&[&host("h100-single-tdx"), &path], 0);
    assert_eq!(said["not_compared"]["volatile"], 1);
    let said = diff(&[&host("h100-single-tdx"), &path, "--all"], 1);
    assert_eq!(said["facts"].as_array().unwrap().len(), 1);
    assert_eq!(said["facts"][0]["fact"], "memory.available");
    assert_eq!(said["facts"][0]["volatile"], "it follows what runs");
}

#[test]
fn what_cannot_be_compared_is_refused_with_its_place_and_a_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let good = host("h100-single-tdx");
    let report = run(&["check", "--host", &good, "--format", "json"]).stdout;
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let place = report.lines().position(|line| line.contains("\"status\": ")).unwrap() + 1;
    let first = report.lines().nth(place - 1).unwrap();
    let odd = report.replacen(first, "      \"status\": \"fine\",", 1);
    let facts = run(&["facts", "--host", &good]).stdout;
    for (path, says) in [
        (
            file("empty", b""),
            vec![":1: it is neither", "ccgpu-node capture", "check --format json"],
        ),
        (file("gzip", b"\x1f\x8b\x08\0\0"), vec![":1: it is neither"]),
        (file("binary", &[0xff; 4096]), vec![":1: it is neither"]),
        (file("text", b"hello\n\x1b[31m"), vec![":1: it is neither"]),
        (file("cut", &report.as_bytes()[..report.len() / 2]), vec!["EOF", "write it again"]),
        (
            file("odd", odd.as_bytes()),
            vec![&*format!(":{place}:"), "\"fine\" is none of its words"],
        ),
        (
            file("facts", facts.as_bytes()),
            vec!["it is no report but \"ccgpu-node-facts\"", "capture"],
        ),
        (file("none", b"{}"), vec!["its `format` is missing"]),
        (
            file("deep", "{\"a\":".repeat(100_000).as_bytes()),
            vec![":1:500000: EOF", "write it again"],
        ),
        (
            file("newer", report.replacen("\"version\": 1,", "\"version\": 2,", 1).as_bytes()),
            vec!["version 2, and only version 1"],
        ),
        (
            file("capture", b"ccgpu-host 1\n-- file /etc/os-release\nID=x\n-- what /x\n"),
            vec!["line 4", "write it again with `ccgpu-node capture`"],
        ),
        (file("capture-2", b"ccgpu-host 2\n"), vec!["ccgpu-host 1", "ccgpu-node capture"]),
        (fifo.display().to_string(), vec!["a FIFO"]),
        (directory.path().join("gone").display().to_string(), vec!["no such file"]),
    ] {
        for pair in [[&path, &good], [&good, &path]] {
            let outcome = run(&["diff", pair[0], pair[1]]);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{path}");
            for part in &says {
                assert!(outcome.stderr.contains(part), "{}, not {part}", outcome.stderr);
            }
            assert!(outcome.stderr.contains(&path), "{}", outcome.stderr);
            let raw = |c: char| c.is_control() && c != '\n';
            assert!(!outcome.stderr.contains(raw), "{}", outcome.stderr);
        }
    }
}

#[test]
fn nothing_of_a_hostile_host_reaches_the_terminal() {
    let tree = crate::formats::hostile_tree();
    let tree = tree.path().display().to_string();
    let good = host("hidden-escape-sequences");
    for format in ["text", "json"] {
        for pair in [[&tree, &good], [&good, &tree]] {
            let outcome = run(&["diff", pair[0], pair[1], "--all", "--format", format]);
            assert_eq!(outcome.code, 1, "{}", outcome.stderr);
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!outcome.stdout.contains(raw), "{format}");
        }
    }
    let outcome = run(&["explain", "iommu-argument-off", "--root", &tree, "-v"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(!outcome.stdout.contains(|c: char| c.is_control() && c != '\n'));
}
