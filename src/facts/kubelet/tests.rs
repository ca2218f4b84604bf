#![expect(clippy::disallowed_methods, reason = "tests write the hosts that they read")]

mod process;

use std::path::Path;

use super::*;
use crate::facts::catalogue::{self, Evidence};
use crate::facts::{Facts, Value};
use crate::host::Cause;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const CONFIG: &str = "/var/lib/kubelet/config.yaml";
const UNIT: &str = "/usr/lib/systemd/system/kubelet.service";
const NAMESPACE: &str = "mnt:[4026531841]";

/// A host in a directory.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        let place = self.0.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    fn file(self, path: &str, text: &str) -> Self {
        std::fs::write(self.place(path), text).unwrap();
        self
    }

    fn config(self, rest: &str) -> Self {
        self.file(CONFIG, &format!("{HEAD}{rest}"))
    }

    fn directory(self, path: &str) -> Self {
        std::fs::create_dir_all(self.place(path)).unwrap();
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        std::os::unix::fs::symlink(Path::new(target), self.place(path)).unwrap();
        self
    }

    /// A kubelet that started at the second 1000 after the epoch.
    fn process(self, comm: &str, arguments: &[&str]) -> Self {
        let words = format!("{}\0", arguments.join("\0"));
        self.file("/proc/1/comm", "systemd\n")
            .file("/proc/stat", "cpu 1 2 3\nbtime 900\nprocesses 5\n")
            .link("/proc/self/ns/mnt", NAMESPACE)
            .file("/proc/812/comm", &format!("{comm}\n"))
            .file("/proc/812/cmdline", &words)
            .file("/proc/812/stat", &format!("812 (a) b) S {}10000 0 0\n", "1 ".repeat(18)))
            .link("/proc/812/ns/mnt", NAMESPACE)
            .link("/proc/812/cwd", "/")
            .link("/proc/812/exe", "/usr/bin/kubelet")
    }

    fn kubelet(self, flags: &[&str]) -> Self {
        let mut arguments = vec!["/usr/bin/kubelet"];
        arguments.extend(flags);
        self.process("kubelet", &arguments)
    }

    fn facts(&self, version: Option<&str>) -> Facts {
        let root = Root::directory(self.0.path()).unwrap();
        let mut assumed = Assumptions::new();
        if let Some(version) = version {
            assumed.insert(version::FACT, Value::Version(Version::parse(version).unwrap()));
        }
        let kubelet = gather(&root, &Run::on(&root), Needs::ALL, &assumed);
        Facts { assumed, kubelet: Some(kubelet), ..Facts::default() }
    }
}

fn read(facts: &Facts, name: &str) -> Evidence {
    (catalogue::fact(name).unwrap().read)(facts)
}

/// `value [source] (note)`, as far as there are such.
fn told(facts: &Facts, name: &str) -> String {
    let evidence = read(facts, name);
    let value = match &evidence.reading {
        Reading::Known(value) => value.to_string(),
        Reading::Absent => "absent".to_owned(),
        Reading::Unreadable(cause) => format!("unreadable: {cause}"),
    };
    let source = evidence.source.map(|source| format!(" [{source}]")).unwrap_or_default();
    let note = evidence.note.map(|note| format!(" ({note})")).unwrap_or_default();
    value + &source + &note
}

fn value(facts: &Facts, name: &str) -> String {
    match read(facts, name).reading {
        Reading::Known(value) => value.to_string(),
        Reading::Absent => "absent".to_owned(),
        Reading::Unreadable(_) => "unreadable".to_owned(),
    }
}

#[test]
fn a_running_kubelet_is_read_through_its_flags() {
    let host = Host::new()
        .config("featureGates:\n  RuntimeClassInImageCriApi: true\nruntimeRequestTimeout: 20m\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml", "--v", "2"]);
    let facts = host.facts(Some("v1.34.2"));
    for (name, expected) in [
        ("kubelet.found", "true [/proc/812/cmdline] (process 812)"),
        ("kubelet.running", "true [/proc/812/cmdline] (process 812)"),
        ("kubelet.layout", "kubeadm [/proc/812/cmdline]"),
        ("kubelet.config-path", "/var/lib/kubelet/config.yaml [/proc/812/cmdline]"),
        ("kubelet.config-verdict", "strict [/var/lib/kubelet/config.yaml]"),
        ("kubelet.gates-on", "RuntimeClassInImageCriApi [/var/lib/kubelet/config.yaml]"),
        ("kubelet.gates-off", "none [/var/lib/kubelet/config.yaml]"),
        (
            "kubelet.pod-resources-get",
            "true [/var/lib/kubelet/config.yaml] (the default of kubelet v1.34.2)",
        ),
        ("kubelet.runtime-class-in-image-cri-api", "true [/var/lib/kubelet/config.yaml:4]"),
        ("kubelet.runtime-request-timeout", "20m0s [/var/lib/kubelet/config.yaml:5]"),
        (
            "kubelet.config-newer-than-process",
            "true [/var/lib/kubelet/config.yaml] (changed after the kubelet started)",
        ),
        (
            "kubelet.version",
            "unreadable: no program can be asked for its version [/usr/bin/kubelet] \
             (give it with --assume kubelet.version=1.34.2)",
        ),
    ] {
        assert_eq!(told(&facts, name), expected, "{name}");
    }
}

#[test]
fn a_flag_beats_the_file_and_says_so() {
    let host = Host::new()
        .config("featureGates: {KubeletPodResourcesGet: true}\nruntimeRequestTimeout: 20m\n")
        .kubelet(&[
            "--config",
            "var/lib/kubelet/config.yaml",
            "--runtime-request-timeout=15m0s",
            "--feature-gates=KubeletPodResourcesGet=false",
        ]);
    let facts = host.facts(Some("1.33.0"));
    assert_eq!(
        told(&facts, "kubelet.runtime-request-timeout"),
        "15m0s [/proc/812/cmdline] (set by the flag --runtime-request-timeout, which beats \
         /var/lib/kubelet/config.yaml:4)"
    );
    assert_eq!(value(&facts, "kubelet.pod-resources-get"), "false");
    assert_eq!(value(&facts, "kubelet.gates-off"), "KubeletPodResourcesGet");
}

#[test]
fn a_timeout_that_is_not_set_or_zero_is_two_minutes() {
    for (config, flags, expected) in [
        ("", vec![], "2m0s"),
        ("runtimeRequestTimeout: 0s\n", vec![], "2m0s"),
        ("runtimeRequestTimeout: \"0\"\n", vec![], "2m0s"),
        ("runtimeRequestTimeout: -5m\n", vec![], "-5m0s"),
        ("", vec!["--runtime-request-timeout=0"], "0s"),
        ("runtimeRequestTimeout: 20\n", vec![], "unreadable"),
        ("", vec!["--runtime-request-timeout=20"], "unreadable"),
    ] {
        let mut arguments = vec!["--config=/var/lib/kubelet/config.yaml"];
        arguments.extend(flags);
        let facts = Host::new().config(config).kubelet(&arguments).facts(Some("1.34.0"));
        assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), expected, "{config}");
    }
    let facts = Host::new().kubelet(&[]).facts(Some("1.34.0"));
    assert_eq!(
        told(&facts, "kubelet.runtime-request-timeout"),
        "2m0s [/proc/812/cmdline] (default)"
    );
    assert_eq!(value(&facts, "kubelet.config-verdict"), "absent");
    assert_eq!(value(&facts, "kubelet.config-path"), "absent");
}

#[test]
fn a_kubelet_that_would_not_start_has_no_good_values() {
    let host = Host::new()
        .config("featureGates:\n  NodeSwap: false\nruntimeRequestTimeout: 20m\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
    let facts = host.facts(Some("1.36.3"));
    assert_eq!(
        told(&facts, "kubelet.config-verdict"),
        "fails [/var/lib/kubelet/config.yaml:4] (feature gate NodeSwap: locked to true in 1.36; \
         the kubelet panics at start, exit code 2)"
    );
    assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "unreadable");
    assert_eq!(value(&facts, "kubelet.pod-resources-get"), "unreadable");
    assert_eq!(value(&facts, "kubelet.runtime-class-in-image-cri-api"), "false");
    let facts = host.facts(Some("1.33.3"));
    assert_eq!(value(&facts, "kubelet.config-verdict"), "strict");
    assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "20m0s");
    let facts = host.facts(None);
    assert_eq!(value(&facts, "kubelet.config-verdict"), "unreadable");
    assert_eq!(value(&facts, "kubelet.pod-resources-get"), "unreadable");
}

#[test]
fn a_file_that_cannot_be_decoded_is_named_with_its_line() {
    let host = Host::new()
        .config("featureGates:\n  NodeSwap: \"true\"\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
    let facts = host.facts(Some("1.33.3"));
    assert_eq!(
        told(&facts, "kubelet.config-verdict"),
        "fails [/var/lib/kubelet/config.yaml:4] (featureGates.NodeSwap must be a bool, not a \
         string)"
    );
    assert!(matches!(
        read(&facts, "kubelet.gates-on").reading,
        Reading::Unreadable(Cause::Malformed { line: Some(4), .. })
    ));
    let gates = catalogue::collection("kubelet.gates").unwrap();
    assert!((gates.select)(&facts).doubt.is_some());
}

#[test]
fn each_gate_is_an_item_with_its_verdict() {
    let host = Host::new()
        .config("featureGates:\n  KubeletPodResourceGet: true\n  NodeSwap: yes\n  VendorOwn: on\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
    let facts = host.facts(Some("1.31.0"));
    let gates = catalogue::collection("kubelet.gates").unwrap();
    let selection = (gates.select)(&facts);
    assert_eq!(selection.doubt, None);
    let labels: Vec<_> = selection.subjects.iter().map(|own| own.label.as_str()).collect();
    assert_eq!(labels, ["KubeletPodResourceGet", "NodeSwap", "VendorOwn"]);
    let accepted = gates.facts.iter().find(|fact| fact.name == "accepted").unwrap();
    let readings: Vec<_> =
        selection.subjects.iter().map(|own| (accepted.read)(&facts, own.index)).collect();
    assert_eq!(readings[0].reading, Reading::Known(Value::Bool(false)));
    assert_eq!(
        readings[0].note.as_deref(),
        Some(
            "no such gate; did you mean KubeletPodResourcesGet?; the kubelet stops at start, exit \
             code 1"
        )
    );
    assert_eq!(readings[1].reading, Reading::Known(Value::Bool(true)));
    assert!(matches!(readings[2].reading, Reading::Unreadable(Cause::NoAnswer(_))));
    assert_eq!(value(&facts, "kubelet.config-verdict"), "fails");
}

#[test]
fn a_bad_gate_in_the_file_is_not_rescued_by_a_flag() {
    let host = Host::new()
        .config("featureGates: {NodeSwap: false}\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml", "--feature-gates=NodeSwap=true"]);
    assert_eq!(value(&host.facts(Some("1.36.0")), "kubelet.config-verdict"), "fails");
    let host = Host::new().config("featureGates: {Foo: false}\n").kubelet(&[
        "--config=/var/lib/kubelet/config.yaml",
        "--feature-gates=GracefulNodeShutdown=false",
    ]);
    let facts = host.facts(Some("1.36.0"));
    assert!(told(&facts, "kubelet.config-verdict").contains("is on, but GracefulNodeShutdown,"));
}

#[test]
fn openshift_may_know_other_gates() {
    let host = Host::new()
        .file("/etc/kubernetes/kubelet.conf", &format!("{HEAD}featureGates: {{Gatewayy: true}}\n"))
        .kubelet(&["--config=/etc/kubernetes/kubelet.conf"]);
    let facts = host.facts(Some("1.33.3"));
    assert_eq!(value(&facts, "kubelet.layout"), "openshift");
    assert_eq!(value(&facts, "kubelet.config-verdict"), "unreadable");
}

const DROP_INS: &str = "/etc/kubernetes/kubelet.conf.d";

fn with_drop_ins() -> Host {
    let config_dir = format!("--config-dir={DROP_INS}");
    Host::new()
        .config("featureGates: {NodeSwap: true, KubeletTracing: true}\nruntimeRequestTimeout: 5m\n")
        .kubelet(&["--config=/var/lib/kubelet/config.yaml", &config_dir])
}

#[test]
fn drop_ins_are_laid_over_in_the_order_of_their_names() {
    let host = with_drop_ins()
        .file(&format!("{DROP_INS}/20-b.conf"), &format!("{HEAD}runtimeRequestTimeout: 20m\n"))
        .file(&format!("{DROP_INS}/10-a.conf"), &format!("{HEAD}runtimeRequestTimeout: 10m\n"))
        .file(
            &format!("{DROP_INS}/15/x.conf"),
            &format!("{HEAD}featureGates: {{NodeSwap: null}}\n"),
        )
        .file(&format!("{DROP_INS}/.0.conf"), &format!("{HEAD}featureGates: {{MemoryQoS: true}}\n"))
        .file(&format!("{DROP_INS}/90.yaml"), "nonsense")
        .file(&format!("{DROP_INS}/90.conf.bak"), "nonsense");
    let facts = host.facts(Some("1.33.3"));
    assert_eq!(
        told(&facts, "kubelet.runtime-request-timeout"),
        "20m0s [/etc/kubernetes/kubelet.conf.d/20-b.conf:3] (beats \
         /etc/kubernetes/kubelet.conf.d/10-a.conf:3)"
    );
    assert_eq!(value(&facts, "kubelet.gates-on"), "KubeletTracing, MemoryQoS");
    assert_eq!(value(&facts, "kubelet.config-verdict"), "strict");
}

#[test]
fn a_bad_drop_in_stops_the_kubelet() {
    let good = format!("{HEAD}unknownField: 1\n");
    let twice = format!("{HEAD}maxPods: 1\nmaxPods: 2\n");
    for (text, expected) in
        [(good.as_str(), "strict"), ("", "fails"), ("maxPods: 1\n", "fails"), (&twice, "fails")]
    {
        let facts = with_drop_ins().file(&format!("{DROP_INS}/x.conf"), text).facts(Some("1.33.3"));
        assert_eq!(value(&facts, "kubelet.config-verdict"), expected, "{text}");
    }
    let facts = with_drop_ins().facts(Some("1.33.3"));
    assert_eq!(
        told(&facts, "kubelet.config-verdict"),
        "fails [/etc/kubernetes/kubelet.conf.d] (the kubelet's --config-dir is missing)"
    );
    let facts = with_drop_ins().directory(DROP_INS).facts(Some("1.33.3"));
    assert_eq!(value(&facts, "kubelet.config-verdict"), "strict");
    let facts = with_drop_ins().link(&format!("{DROP_INS}/x.conf"), "/gone").facts(Some("1.33.3"));
    assert_eq!(value(&facts, "kubelet.config-verdict"), "fails");
}

#[test]
fn a_kubelet_that_does_not_run_is_read_from_its_unit() {
    let host = Host::new()
        .config("runtimeRequestTimeout: 20m\n")
        .file("/proc/1/comm", "systemd\n")
        .file(UNIT, "[Service]\nExecStart=/usr/bin/kubelet\n")
        .file(
            "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "[Service]\nEnvironment=\"KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml\"\n\
             EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n\
             EnvironmentFile=-/etc/default/kubelet\nExecStart=\n\
             ExecStart=/usr/bin/kubelet $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $NONE\n",
        )
        .file(
            "/var/lib/kubelet/kubeadm-flags.env",
            "KUBELET_KUBEADM_ARGS=\"--feature-gates=NodeSwap=true --v=2\"\n",
        );
    let facts = host.facts(Some("1.33.0"));
    assert_eq!(value(&facts, "kubelet.running"), "false");
    assert_eq!(
        told(&facts, "kubelet.found"),
        "true [/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf:6] (a unit that does not \
         run)"
    );
    assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "20m0s");
    assert_eq!(value(&facts, "kubelet.gates-on"), "NodeSwap");
    assert_eq!(value(&facts, "kubelet.config-newer-than-process"), "absent");

    let facts = host
        .file("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\n")
        .facts(Some("1.33.0"));
    assert_eq!(value(&facts, "kubelet.config-path"), "absent");
}

#[test]
fn an_old_kubelet_does_not_read_a_drop_in_directory_by_itself() {
    let host = Host::new()
        .file(UNIT, "[Service]\nExecStart=/usr/bin/kubelet --config-dir=/etc/d\n")
        .file("/etc/d/10.conf", &format!("{HEAD}runtimeRequestTimeout: 20m\n"));
    for (version, expected) in [("1.27.9", "fails"), ("1.29.0", "unreadable"), ("1.30.0", "strict")]
    {
        assert_eq!(value(&host.facts(Some(version)), "kubelet.config-verdict"), expected);
    }
}

#[test]
fn a_unit_that_cannot_be_followed_hides_the_rest() {
    for unit in [
        "[Service]\nExecStart=/bin/sh -c \"exec kubelet --config=/x\"\n",
        "[Service]\nEnvironmentFile=/etc/gone\nExecStart=/usr/bin/kubelet\n",
        "[Service]\nExecStart=/usr/bin/kubelet \"--config\n",
        "[Unit]\nDescription=no start\n",
    ] {
        let facts = Host::new().config("").file(UNIT, unit).facts(Some("1.33.0"));
        assert_eq!(value(&facts, "kubelet.found"), "true", "{unit}");
        assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "unreadable", "{unit}");
        assert_eq!(value(&facts, "kubelet.config-verdict"), "unreadable", "{unit}");
    }
    let facts = Host::new()
        .file(UNIT, "[Service]\nExecStart=/usr/bin/kubelet\n")
        .link("/etc/systemd/system/kubelet.service", "/dev/null")
        .facts(Some("1.33.0"));
    assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "unreadable");
}

#[test]
fn a_file_at_a_known_path_counts_when_it_says_what_it_is() {
    let host = Host::new()
        .file(CONFIG, "kind: Config\n")
        .file("/var/lib/kubelet/kubelet.conf", &format!("{HEAD}runtimeRequestTimeout: 3m\n"));
    let facts = host.facts(Some("1.33.0"));
    assert_eq!(value(&facts, "kubelet.layout"), "kops");
    assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "3m0s");
    assert_eq!(value(&facts, "kubelet.running"), "unreadable");
}

#[test]
fn a_host_without_a_kubelet_has_none() {
    let facts = Host::new().file("/proc/1/comm", "systemd\n").facts(None);
    assert_eq!(value(&facts, "kubelet.found"), "false");
    assert_eq!(value(&facts, "kubelet.running"), "false");
    for fact in catalogue::facts().filter(|fact| {
        fact.name.starts_with("kubelet.")
            && !["kubelet.found", "kubelet.running"].contains(&fact.name)
    }) {
        assert_eq!(value(&facts, fact.name), "absent", "{}", fact.name);
    }
}

#[test]
fn the_package_of_an_image_tells_the_version() {
    let host = Host::new()
        .config("")
        .file(
            "/var/lib/dpkg/status",
            "Package: kubelet\nStatus: install ok installed\nVersion: 1.34.2-1.1\n",
        )
        .kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
    let facts = host.facts(None);
    assert_eq!(
        told(&facts, "kubelet.version"),
        "1.34.2-1.1 [/var/lib/dpkg/status:3] (of the installed package)"
    );
    assert_eq!(value(&facts, "kubelet.pod-resources-get"), "true");
    assert_eq!(value(&host.facts(Some("1.20.0")), "kubelet.version"), "1.34.2-1.1");
}

#[test]
fn a_hostile_file_takes_little_time() {
    let gates = |count: usize| {
        let lines: Vec<String> = (0..count).map(|gate| format!("  Gate{gate}: true")).collect();
        format!("featureGates:\n{}\n", lines.join("\n"))
    };
    for config in [gates(50_000), gates(1000), format!("a: {}\n", "[".repeat(900_000))] {
        let start = std::time::Instant::now();
        let host = Host::new().config(&config).kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
        let verdict = value(&host.facts(Some("1.34.0")), "kubelet.config-verdict");
        assert_ne!(verdict, "strict");
        assert!(start.elapsed() < std::time::Duration::from_secs(3), "{:?}", start.elapsed());
    }
}
