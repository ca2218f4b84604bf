//! The last stage, and the pod that it is about: fixtures judged at `--stage workload`, and manifests read by
//! other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use ccgpu_node::rules::{Catalogue, RuleSet, Stage};
use serde_json::Value;

use crate::program::{fixture, fixtures, report, rules_with, run};

fn host(name: &str) -> String {
    fixture(name).display().to_string()
}

fn judged(name: &str) -> (i32, Vec<String>, Vec<String>) {
    let path = host(name);
    let code = run(&["check", "--host", &path, "--stage", "workload"]).code;
    let report = report(&["--host", &path, "--stage", "workload"]);
    (code, rules_with(&report, "fail"), rules_with(&report, "unknown"))
}

/// Exit code, and the rules that fail or cannot be judged at the last stage.
const EXPECTED: &[(&str, i32, &[&str], &[&str])] = &[
    ("bare-host", 1, &["gpu-bound-to-vfio", "kubelet-present"], &[]),
    ("cc-mode-failed", 1, &["cc-mode-failed"], &[]),
    ("cc-mode-in-flight", 3, &[], &["cc-mode-failed"]),
    ("cc-mode-labels-differ", 1, &["cc-mode-labels"], &[]),
    ("cc-mode-not-confirmed", 1, &["operator-validation-stale", "cc-mode-confirmed"], &[]),
    ("cc-mode-not-told", 3, &[], &["cc-mode-confirmed"]),
    ("cc-mode-off", 1, &["cc-mode-off"], &[]),
    ("cc-mode-on-for-hopper", 1, &["cc-mode-architecture"], &[]),
    ("cc-mode-pending", 1, &["cc-mode-pending"], &[]),
    ("cluster-hopper", 0, &[], &[]),
    ("cluster-snp", 0, &[], &[]),
    ("cluster-tdx", 0, &[], &[]),
    ("gpus-in-a-pod", 0, &["gpu-pods"], &[]),
    ("gpus-not-offered", 1, &["devices-allocatable"], &[]),
    ("kubelet-silent", 1, &["pod-resources-served"], &[]),
    ("node-labelled-for-containers", 1, &["cluster-workload-config"], &[]),
    ("node-tainted", 0, &["runtime-class-taints"], &[]),
    ("node-unknown-to-cluster", 1, &["cluster-node"], &[]),
    ("node-without-feature-label", 1, &["runtime-class-labels"], &[]),
    ("node-without-ready-label", 1, &["runtime-class-labels"], &[]),
    ("operator-without-cc-manager", 3, &["operator-cc-manager", "scheduling-predicted"], &[]),
    ("pod-resources-get-off", 1, &["pod-resources-get"], &[]),
    ("runtime-class-missing", 1, &["runtime-class-present"], &[]),
    ("workload-hopper", 0, &[], &[]),
    ("workload-renamed-resource", 0, &[], &[]),
    ("workload-snp", 0, &[], &[]),
    ("workload-tdx", 0, &[], &[]),
    ("workload-without-memory", 1, &["guest-memory"], &[]),
];

#[test]
fn hosts_have_their_verdict_at_the_last_stage_for_their_reason() {
    let mut wrong = Vec::new();
    for (name, code, failed, unknown) in EXPECTED {
        let found = judged(name);
        let own = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let wanted = (*code, own(failed), own(unknown));
        if found != wanted {
            wrong.push(format!("{name}: found {found:?}, wanted {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A host is never ready for a pod because nobody looked at its GPUs' mode.
#[test]
fn no_host_whose_mode_is_not_told_is_ready_for_a_pod() {
    let told: BTreeSet<&str> = EXPECTED.iter().map(|(name, ..)| *name).collect();
    for name in fixtures().iter().filter(|name| !told.contains(name.as_str())) {
        assert_ne!(judged(name).0, 0, "{name}");
    }
}

#[test]
fn every_rule_of_the_last_stage_fails_on_one_host_and_passes_on_another() {
    let rules = RuleSet::built_in(&Catalogue::built_in()).unwrap();
    let of_stage = rules.rules().iter().filter(|rule| rule.stage == Stage::Workload);
    let mut left: BTreeMap<String, BTreeSet<&str>> =
        of_stage.map(|rule| (rule.id.to_string(), BTreeSet::from(["fail", "pass"]))).collect();
    assert!(left.len() > 5, "{left:?}");
    for (name, ..) in EXPECTED {
        let report = report(&["--host", &host(name), "--stage", "workload"]);
        for status in ["pass", "fail"] {
            for id in rules_with(&report, status) {
                left.entry(id).or_default().remove(status);
            }
        }
    }
    left.retain(|_, statuses| !statuses.is_empty());
    assert!(left.is_empty(), "{left:?}");
}

/// Twenty things are missing on such a host, and one has to be done first. What the devices are bound to is
/// not software that is missing, and only asked of a later stage.
#[test]
fn a_host_without_any_of_the_software_has_one_thing_missing() {
    for (stage, wanted) in [
        (&[][..], &["FAIL  kubelet-present"][..]),
        (&["--stage", "workload"], &["FAIL  gpu-bound-to-vfio", "FAIL  kubelet-present"]),
    ] {
        let host = host("bare-host");
        let shown = run(&[&["check", "--host", &host], stage].concat()).stdout;
        let words = ["FAIL", "WARN", "UNKNOWN"];
        let blocks: Vec<&str> = shown
            .lines()
            .filter(|line| words.iter().any(|word| line.starts_with(word)))
            .map(|line| line.split(':').next().unwrap_or_default())
            .collect();
        assert_eq!(blocks, wanted, "{shown}");
    }
}

/// Each clock ends a pull on one host, and the report says which.
#[test]
fn each_clock_is_told_when_it_is_the_one_that_ends_a_pull() {
    for (name, clock, time) in [
        ("kubelet-timeout-binds", "the kubelet's runtimeRequestTimeout", "25m0s"),
        ("shim-timeout-binds", "create_container_timeout", "10m0s"),
        ("agent-timeout-binds", "agent.image_pull_timeout", "5m0s"),
    ] {
        let facts = run(&["facts", "--host", &host(name), "--only", "kata.configurations"]).stdout;
        let facts: Value = serde_json::from_str(&facts).unwrap();
        let text = facts.to_string();
        assert!(text.contains(&format!("{clock} ends it")), "{name}: {text}");
        assert!(text.contains(time), "{name}: {text}");
    }
}

fn pod(arguments: &[&str]) -> (i32, Value, String) {
    let all: Vec<&str> = ["workload"].iter().chain(arguments).copied().collect();
    let json = run(&[&all[..], &["--format", "json"]].concat());
    let yaml = run(&all);
    assert_eq!((json.code, &json.stderr), (yaml.code, &yaml.stderr), "{arguments:?}");
    let pod: Value = serde_json::from_str(&json.stdout).unwrap();
    if let Some(read) = by_python(&yaml.stdout) {
        assert_eq!(read, pod, "{}", yaml.stdout);
    }
    (yaml.code, pod, yaml.stdout)
}

/// A YAML text as `PyYAML` reads it.
fn by_python(text: &str) -> Option<Value> {
    let program = "import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.stdin.read())))";
    let mut python = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    std::io::Write::write_all(&mut python.stdin.take()?, text.as_bytes()).ok()?;
    let output = python.wait_with_output().ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

fn limits(pod: &Value) -> &serde_json::Map<String, Value> {
    pod["spec"]["containers"][0]["resources"]["limits"].as_object().unwrap()
}

#[test]
fn a_pod_has_the_runtime_class_and_the_devices_of_its_node() {
    for (name, class, wanted) in [
        ("workload-snp", "kata-qemu-nvidia-gpu-snp", &[("nvidia.com/pgpu", "1")][..]),
        ("workload-tdx", "kata-qemu-nvidia-gpu-tdx", &[("nvidia.com/pgpu", "1")]),
        (
            "workload-hopper",
            "kata-qemu-nvidia-gpu-snp",
            &[("nvidia.com/pgpu", "8"), ("nvidia.com/nvswitch", "4")],
        ),
        (
            "h200x8-snp",
            "kata-qemu-nvidia-gpu-snp-runtime-rs",
            &[("nvidia.com/pgpu", "8"), ("nvidia.com/nvswitch", "4")],
        ),
        ("workload-renamed-resource", "kata-qemu-nvidia-gpu-tdx", &[("nvidia.com/h100", "1")]),
    ] {
        let (code, pod, text) = pod(&["--host", &host(name)]);
        assert_eq!(code, 0, "{name}: {text}");
        assert_eq!(pod["spec"]["runtimeClassName"], class, "{name}");
        let mut all = wanted.to_vec();
        all.push(("memory", "16Gi"));
        let found: Vec<(&str, &str)> = limits(&pod)
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let sort = |list: Vec<(&str, &str)>| {
            let mut list: Vec<String> = list.iter().map(|it| format!("{it:?}")).collect();
            list.sort();
            list
        };
        assert_eq!(sort(found), sort(all), "{name}");
        let tee = if class.contains("tdx") { "tdx" } else { "snp" };
        let node = &pod["spec"]["nodeSelector"]["kubernetes.io/hostname"];
        assert_eq!(node, &format!("gpu-{tee}-07"), "{name}");
        assert!(!text.contains('#'), "{text}");
    }
}

#[test]
fn what_a_user_wants_takes_the_place_of_what_the_host_shows() {
    let path = host("workload-hopper");
    let (code, pod, text) = pod(&[
        "--host",
        &path,
        "--name",
        "on",
        "--image",
        "registry.example:5000/a\"b'c:1@sha256:0",
        "--gpus",
        "1",
        "--runtime-class",
        "1e3",
    ]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(pod["metadata"]["name"], "on");
    assert_eq!(pod["spec"]["runtimeClassName"], "1e3");
    assert_eq!(pod["spec"]["containers"][0]["image"], "registry.example:5000/a\"b'c:1@sha256:0");
    assert_eq!(limits(&pod)["nvidia.com/pgpu"], "1");
    assert!(!limits(&pod).contains_key("nvidia.com/nvswitch"));
}

#[test]
fn what_is_assumed_is_said_on_standard_error_and_in_the_manifest() {
    let path = host("bare-host");
    let (code, pod, text) = pod(&["--host", &path]);
    assert_eq!(code, 3);
    assert_eq!(pod["spec"]["runtimeClassName"], "kata-qemu-nvidia-gpu-snp");
    let said = run(&["workload", "--host", &path]).stderr;
    let comments: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
    assert_eq!(comments, said.lines().collect::<Vec<_>>());
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[0].contains("runtime class kata-qemu-nvidia-gpu-snp"), "{comments:?}");
    assert!(comments[1].contains("nvidia.com/pgpu for GPUs"), "{comments:?}");
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_printed() {
    for (fixture, more, code) in [
        ("workload-snp", &["--gpus", "2"][..], 2),
        ("workload-hopper", &["--gpus", "4"], 2),
        ("workload-snp", &["--gpus", "0"], 2),
        ("workload-snp", &["--name", "A"], 2),
        ("workload-snp", &["--name", "a\n- b"], 2),
        ("workload-snp", &["--image", "a b"], 2),
        ("workload-snp", &["--runtime-class", "-"], 2),
    ] {
        let path = host(fixture);
        let outcome = run(&[&["workload", "--host", &path], more].concat());
        assert_eq!(outcome.code, code, "{more:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{more:?}");
    }
}

#[test]
fn a_pod_for_any_recorded_host_is_one_that_yaml_readers_take() {
    for name in fixtures() {
        let outcome = run(&["workload", "--host", &host(&name)]);
        match outcome.code {
            0 | 3 => {
                let (_, pod, _) = pod(&["--host", &host(&name)]);
                assert_eq!(pod["kind"], "Pod", "{name}");
            }
            code => {
                assert_eq!(code, 1, "{name}: {}", outcome.stderr);
                assert!(outcome.stderr.contains("no NVIDIA GPU"), "{name}: {}", outcome.stderr);
            }
        }
    }
}
