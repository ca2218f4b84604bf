//! Every fixture has one verdict for one reason, and every rule is seen to fail and to pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ccgpu_node::host::{Archive, FileKind, Node};
use serde_json::Value;

use crate::program::{assert_same, fixture, fixtures, report, rules_with, run};

/// What a fixture is for: its exit code, and the rules that fail or cannot be judged, all of them.
struct Expected {
    fixture: &'static str,
    exit: i32,
    failed: &'static [&'static str],
    unknown: &'static [&'static str],
}

const fn ready(fixture: &'static str) -> Expected {
    Expected { fixture, exit: 0, failed: &[], unknown: &[] }
}

const fn broken(fixture: &'static str, failed: &'static [&'static str]) -> Expected {
    Expected { fixture, exit: 1, failed, unknown: &[] }
}

/// Ready, with something to say.
const fn remark(fixture: &'static str, failed: &'static [&'static str]) -> Expected {
    Expected { fixture, exit: 0, failed, unknown: &[] }
}

const EXPECTED: &[Expected] = &[
    ready("acs-on-at-every-port"),
    ready("gpu-modes-on"),
    ready("gpu-modes-ppcie"),
    broken("gpu-modes-of-another-architecture", &["gpu-hardware-architecture"]),
    broken("gpu-modes-differ", &["gpu-hardware-architecture", "gpu-modes-differ"]),
    broken("gpu-mode-off", &["gpu-hardware-mode"]),
    broken("gpu-mode-invalid", &["gpu-hardware-mode"]),
    Expected {
        fixture: "gpu-mode-asleep",
        exit: 3,
        failed: &[],
        unknown: &["gpu-hardware-mode", "gpu-modes-differ"],
    },
    Expected {
        fixture: "gpu-mode-in-use",
        exit: 3,
        failed: &[],
        unknown: &["gpu-hardware-mode", "gpu-modes-differ"],
    },
    broken("snp-registers-encryption-off", &["snp-memory-encryption", "snp-registers-encryption"]),
    broken("snp-registers-without-rmp", &["snp-registers-rmp", "snp-rmp-table"]),
    broken("tdx-registers-off", &["tdx-platform", "tdx-registers"]),
    broken("tdx-registers-on", &["tdx-argument"]),
    remark("acs-off-on-switch", &["gpu-group-shared"]),
    remark("acs-off-since-boot", &["port-acs"]),
    Expected { fixture: "acs-hidden-from-user", exit: 0, failed: &[], unknown: &["port-acs"] },
    broken("switch-without-acs", &["gpu-group-viable"]),
    broken("gpu-does-not-answer", &["gpu-answers"]),
    broken("gpu-window-unassigned", &["gpu-windows"]),
    broken("gpu-window-forgotten", &["gpu-windows"]),
    remark("gpu-window-below-4g", &["gpu-window-above-4g"]),
    remark("gpu-with-virtual-functions", &["gpu-virtual-functions"]),
    remark("gpu-in-narrow-slot", &["gpu-link-width"]),
    remark("gpu-with-link-errors", &["gpu-link-errors"]),
    broken("bare-host", &["kubelet-present"]),
    ready("cc-mode-failed"),
    ready("cc-mode-labels-differ"),
    ready("cc-mode-in-flight"),
    remark("cc-mode-not-confirmed", &["operator-validation-stale"]),
    ready("cc-mode-not-told"),
    ready("cc-mode-off"),
    ready("cc-mode-on-for-hopper"),
    ready("cc-mode-pending"),
    remark("kubelet-timeout-binds", &["timeout-without-effect"]),
    ready("cluster-hopper"),
    ready("cluster-snp"),
    ready("cluster-tdx"),
    ready("gpus-in-a-pod"),
    ready("gpus-not-offered"),
    ready("kubelet-silent"),
    ready("node-labelled-for-containers"),
    ready("node-tainted"),
    ready("node-unknown-to-cluster"),
    ready("node-without-feature-label"),
    ready("node-without-ready-label"),
    ready("pod-resources-get-off"),
    ready("runtime-class-missing"),
    ready("workload-hopper"),
    ready("workload-renamed-resource"),
    ready("workload-snp"),
    ready("workload-tdx"),
    ready("workload-without-memory"),
    broken("agent-timeout-binds", &["image-pull-time"]),
    remark("cdi-file-refused", &["cdi-specification-refused"]),
    broken("cdi-stale", &["cdi-specification-stale"]),
    broken("container-runtime-absent", &["container-runtime-present"]),
    remark("containerd-1.7", &["container-runtime-version"]),
    broken("containerd-cri-disabled", &["cri-disabled"]),
    broken("containerd-handler-misplaced", &["kata-handler"]),
    broken("containerd-handler-missing", &["kata-handler"]),
    broken("containerd-handler-without-config", &["kata-handler-config"]),
    broken("containerd-handler-without-shim", &["kata-handler-shim"]),
    remark("containerd-image-snapshotter", &["kata-handler-snapshotters"]),
    broken("containerd-import-missing", &["container-runtime-config-refused"]),
    broken("containerd-no-snapshotter", &["kata-handler-guest-pull"]),
    broken("device-plugin-for-gpus-only", &["device-plugin"]),
    broken("device-plugin-without-cdi", &["cdi-specification"]),
    broken("kata-absent", &["kata-present"]),
    ready("kata-before-operator"),
    broken("kata-drop-in-broken", &["kata-config-refused"]),
    broken("kata-guest-not-confidential", &["kata-confidential-guest"]),
    remark("kata-kernel-params-replaced", &["kata-kernel-params-lost"]),
    broken("kata-no-cold-plug", &["kata-cold-plug"]),
    broken("kata-other-kubelet-socket", &["kata-pod-resources-socket"]),
    broken("kata-shim-missing", &["kata-gpu-shim"]),
    remark("kata-stray-drop-in", &["kata-stray-drop-in"]),
    broken("kata-too-old", &["kata-version"]),
    broken("operator-absent", &["operator-present"]),
    broken("operator-for-containers", &["operator-workload-type"]),
    remark("operator-left-from-containers", &["operator-validation-contradicted"]),
    remark("operator-validations-stale", &["operator-validation-stale"]),
    remark("operator-without-cc-manager", &["operator-cc-manager"]),
    broken("shim-timeout-binds", &["image-pull-time"]),
    broken("shim-timeout-in-the-wrong-table", &["image-pull-time"]),
    remark("timeout-raised-in-vain", &["timeout-without-effect"]),
    remark("acs-weakened", &["acs-weakened"]),
    remark("argument-not-persisted", &["kernel-argument-drift", "next-boot-driver"]),
    remark("argument-undone", &["kernel-argument-undone"]),
    remark("arguments-without-effect", &["kernel-argument-without-effect"]),
    remark("denylist-masked", &["next-boot-driver"]),
    remark("denylist-with-dos-line-ends", &["next-boot-driver"]),
    remark("firmware-framebuffer", &["gpu-firmware-framebuffer"]),
    remark("hgx-nvswitch-missing", &["hgx-nvswitches"]),
    remark("initramfs-outdated", &["initramfs-outdated"]),
    remark("modprobe-ids-malformed", &["module-options-malformed"]),
    remark("modprobe-options-without-effect", &["module-options-without-effect"]),
    remark("next-boot-nouveau", &["next-boot-driver"]),
    remark("next-boot-nvidia", &["next-boot-driver"]),
    remark("next-boot-passthrough", &["kernel-argument-drift", "next-boot-passthrough"]),
    remark("next-boot-unsafe-interrupts", &["next-boot-isolation"]),
    remark("nodewright-writes-arguments", &["kernel-argument-co-owner"]),
    ready("nouveau-denied-in-modprobe-d"),
    remark("nvidia-installed-but-denied", &["nvidia-driver-installed"]),
    broken("pci-stub-holds-gpu", &["gpu-host-driver"]),
    remark("platform-not-listed", &["cpu-listed", "os-listed"]),
    remark("tuned-writes-passthrough", &["kernel-argument-put-back"]),
    remark("vfio-ids-are-addresses", &["device-ids-malformed"]),
    ready("vfio-ids-before-nouveau"),
    remark("vfio-ids-race-with-nouveau", &["next-boot-driver"]),
    remark("gpu-not-listed", &["gpu-family"]),
    remark("gpu-power-unknown", &["gpu-power-state"]),
    broken("gpu-without-group", &["gpu-iommu-group"]),
    remark("gpu-without-reset", &["gpu-reset"]),
    remark("grub-defaults-broken", &["boot-defaults-broken"]),
    broken("interrupt-remapping-off", &["interrupt-remapping-argument"]),
    broken("iommu-argument-without-effect", &["iommu-active"]),
    remark("iommu-passthrough-by-default", &["gpu-group-not-translated"]),
    broken("kubelet-gate-flag-refused", &["kubelet-config-refused"]),
    broken("kubelet-too-old", &["kubelet-version"]),
    remark("next-boot-iommu-off", &["next-boot-iommu-off", "kernel-argument-drift"]),
    broken("no-vfio-cdevs", &["gpu-vfio-cdev"]),
    broken("snp-page-table", &["snp-page-table"]),
    remark("vfio-not-loaded", &["vfio-driver"]),
    broken("acs-override", &["acs-override"]),
    broken("companion-audio-snd", &["companion-host-driver"]),
    broken("direct-reserved-region", &["gpu-group-reserved-region"]),
    broken("foreign-device-in-group", &["gpu-group-viable"]),
    broken("gate-false", &["kubelet-pod-resources-get"]),
    broken(
        "gates-missing-on-1.33",
        &["kubelet-pod-resources-get", "kubelet-runtime-class-in-image-cri"],
    ),
    broken("grub-not-generated", &["iommu-argument-not-generated"]),
    Expected {
        fixture: "grub-not-rebooted",
        exit: 4,
        failed: &["iommu-argument-not-booted"],
        unknown: &[],
    },
    broken("grub-overridden-by-cloud-dropin", &["iommu-argument-overridden"]),
    ready("h100-single-tdx"),
    ready("h100x8-nvswitch4-snp"),
    remark("h200-single-snp-rhel-bls", &["os-listed"]),
    ready("h200x8-snp"),
    broken("half-bound", &["gpu-bound-to-vfio"]),
    ready("hgx-b200x8-tdx"),
    ready("hidden-escape-sequences"),
    broken("iommu-off-by-argument", &["iommu-argument-off"]),
    Expected {
        fixture: "iommu-off-argument-removed",
        exit: 4,
        failed: &["iommu-argument-off"],
        unknown: &[],
    },
    broken("iommu-off-in-firmware", &["iommu-in-firmware"]),
    broken("iommu-off-in-kernel", &["iommu-active"]),
    ready("kubelet-1.31-both-gates"),
    broken(
        "kubelet-duplicate-gates",
        &["kubelet-config-lenient", "kubelet-runtime-class-in-image-cri"],
    ),
    broken("kubelet-flag-beats-file", &["kubelet-runtime-request-timeout"]),
    broken("kubelet-gate-too-new", &["kubelet-config-refused"]),
    broken("kubelet-not-restarted", &["kubelet-not-restarted"]),
    broken("kubelet-quoted-gate", &["kubelet-config-refused"]),
    broken("kubelet-timeout-negative", &["kubelet-runtime-request-timeout"]),
    broken("kubelet-timeout-zero", &["kubelet-runtime-request-timeout"]),
    broken("kubelet-unknown-gate", &["kubelet-config-refused"]),
    remark("modules-loaded-unbound", &["open-gpu-driver-loaded"]),
    broken("no-gpus", &["gpu-present"]),
    broken("no-iommufd", &["iommufd"]),
    broken("no-kubelet", &["kubelet-present"]),
    Expected {
        fixture: "no-permission",
        exit: 3,
        failed: &[],
        unknown: &[
            "device-ids-malformed",
            "gpu-vfio-cdev",
            "kernel-argument-drift",
            "kernel-argument-without-effect",
            "kubelet-config-refused",
            "next-boot-driver",
            "next-boot-iommu-off",
            "vfio-noiommu",
        ],
    },
    broken("noiommu-mode", &["vfio-noiommu"]),
    broken("nouveau-bound", &["gpu-host-driver"]),
    broken("nvidia-driver-loaded", &["nvidia-driver-loaded"]),
    broken("nvswitch-unbound", &["gpu-bound-to-vfio"]),
    ready("rtx-pro-6000-audio-snp"),
    broken("sev-snp-off", &["snp-enabled"]),
    broken("snp-passthrough", &["snp-passthrough"]),
    broken("tdx-off", &["tdx-platform"]),
    remark("two-gpus-one-group", &["gpu-group-shared"]),
    Expected {
        fixture: "unidentified-function",
        exit: 3,
        failed: &["pci-function-unidentified"],
        unknown: &[
            "companion-host-driver",
            "gpu-answers",
            "gpu-family",
            "gpu-host-driver",
            "gpu-iommu-group",
            "gpu-present",
            "gpu-reset",
        ],
    },
    broken("unsafe-interrupts", &["vfio-unsafe-interrupts"]),
    broken("virtual-machine-guest", &["bare-metal", "iommu-in-firmware", "nvidia-driver-loaded"]),
    broken("interrupt-remapping-off-in-firmware", &["interrupt-remapping"]),
    remark("kernel-not-tested", &["kernel-tested"]),
    broken("kvm-amd-not-loaded", &["kvm-device"]),
    broken("kvm-intel-not-loaded", &["kvm-device"]),
    remark("lockdown-by-secure-boot", &["kernel-lockdown"]),
    remark("no-misc-controller", &["misc-controller"]),
    broken("no-vhost-net", &["vhost-net"]),
    broken("no-vhost-vsock", &["vhost-vsock"]),
    broken("snp-argument-off", &["snp-argument-off"]),
    broken("snp-kernel-too-old", &["snp-kernel"]),
    broken("snp-legacy-boot", &["uefi-boot"]),
    broken("snp-memory-encryption-off", &["snp-memory-encryption"]),
    broken("snp-memory-map-not-reserved", &["snp-rmp-table"]),
    broken("snp-off-in-iommu", &["snp-iommu-feature"]),
    broken("snp-passthrough-by-kernel", &["snp-default-domain"]),
    broken("snp-processor-too-old", &["snp-processor"]),
    broken("snp-secure-processor-missing", &["psp-device"]),
    broken("snp-without-ids", &["snp-asids"]),
    broken("tdx-argument-off", &["tdx-argument-off"]),
    broken("tdx-hibernation", &["tdx-hibernation"]),
    broken("tdx-kernel-too-old", &["tdx-kernel"]),
    broken("tdx-module-missing", &["tdx-enabled"]),
    broken("tdx-not-asked-for", &["tdx-argument"]),
    broken("tdx-parameter-off", &["tdx-kvm-parameters"]),
    Expected {
        fixture: "tdx-waits-for-reboot",
        exit: 4,
        failed: &["tdx-argument-not-booted"],
        unknown: &[],
    },
    remark("tdx-without-quote-service", &["tdx-quote-service"]),
    remark("tdx-without-sgx", &["sgx-devices"]),
    remark(
        "untidy-snp-host",
        &[
            "available-memory",
            "cgroup-version",
            "reserved-huge-pages",
            "selinux",
            "swap",
            "vfio-dma-entry-limit",
            "vfio-noiommu-allowed",
        ],
    ),
    remark("untidy-tdx-host", &["crash-kernel", "unrestricted-guest"]),
    broken("virtualization-off", &["cpu-virtualization"]),
];

fn host(name: &str) -> String {
    fixture(name).display().to_string()
}

#[test]
fn every_fixture_has_its_verdict_for_its_reason() {
    let mut wrong = Vec::new();
    for Expected { fixture, exit, failed, unknown } in EXPECTED {
        let code = run(&["check", "--host", &host(fixture)]).code;
        let report = report(&["--host", &host(fixture)]);
        let sorted = |status| {
            let mut ids = rules_with(&report, status);
            ids.sort();
            ids
        };
        let found = (code, sorted("fail"), sorted("unknown"));
        let wanted = (*exit, failed.map_sorted(), unknown.map_sorted());
        if found != wanted {
            wrong.push(format!("{fixture}: found {found:?}, wanted {wanted:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names in order, to be compared.
trait MapSorted {
    fn map_sorted(&self) -> Vec<String>;
}

impl MapSorted for [&str] {
    fn map_sorted(&self) -> Vec<String> {
        let mut names: Vec<String> = self.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    }
}

/// What people meet most often on such hosts, as far as the host shows it, and the first line that a
/// person reads after the header: the cause, not what follows from it.
const CAUSES: &[(&str, &str)] = &[
    ("snp-passthrough", "FAIL  snp-passthrough: the IOMMU's passthrough mode"),
    ("nvidia-driver-loaded", "FAIL  nvidia-driver-loaded: the NVIDIA host driver is loaded"),
    ("iommu-off-in-kernel", "FAIL  iommu-active: the kernel does not use the IOMMU"),
    ("iommu-off-in-firmware", "FAIL  iommu-in-firmware: the firmware does not offer an IOMMU"),
    ("companion-audio-snd", "FAIL  companion-host-driver: a host driver holds a function"),
    ("foreign-device-in-group", "FAIL  gpu-group-viable: a GPU cannot be given to a guest"),
    ("no-iommufd", "FAIL  iommufd: the kernel offers no iommufd"),
    ("nvswitch-unbound", "FAIL  gpu-bound-to-vfio: a GPU or NVSwitch is not bound"),
    ("gpu-power-unknown", "WARN  gpu-power-state: a GPU or NVSwitch is in an unknown power state"),
    ("gates-missing-on-1.33", "FAIL  kubelet-pod-resources-get: the kubelet does not tell"),
    ("kubelet-duplicate-gates", "FAIL  kubelet-runtime-class-in-image-cri: the kubelet does not"),
    ("kubelet-flag-beats-file", "FAIL  kubelet-runtime-request-timeout: the kubelet gives up"),
    ("lockdown-by-secure-boot", "WARN  kernel-lockdown: the kernel's lockdown keeps the GPUs'"),
    ("tdx-off", "FAIL  tdx-platform: the firmware did not bring up TDX"),
    ("tdx-hibernation", "FAIL  tdx-hibernation: the kernel could hibernate"),
    ("tdx-not-asked-for", "FAIL  tdx-argument: nobody asks KVM to run TDX guests"),
    ("tdx-module-missing", "FAIL  tdx-enabled: KVM cannot start TDX guests"),
    ("snp-memory-map-not-reserved", "FAIL  snp-rmp-table: the firmware has reserved no memory"),
    ("snp-off-in-iommu", "FAIL  snp-iommu-feature: the firmware has SEV-SNP switched off"),
    ("snp-without-ids", "FAIL  snp-asids: the firmware leaves no address space ids"),
    ("snp-secure-processor-missing", "FAIL  psp-device: the AMD secure processor is not there"),
    ("kubelet-unknown-gate", "FAIL  kubelet-config-refused: the kubelet cannot start"),
];

#[test]
fn the_first_failure_that_is_printed_is_the_cause() {
    for (fixture, wanted) in CAUSES {
        let shown = run(&["check", "--host", &host(fixture)]).stdout;
        let is_block = |line: &&str| {
            ["FAIL  ", "WARN  ", "NOTE  ", "UNKNOWN  "].iter().any(|word| line.starts_with(word))
        };
        let first = shown.lines().find(is_block).unwrap_or_default();
        assert!(first.starts_with(wanted), "{fixture}: {first}");
    }
}

#[test]
fn every_fixture_is_expected_to_be_something() {
    let expected: Vec<String> = EXPECTED.iter().map(|each| each.fixture.to_owned()).collect();
    let mut sorted = expected.clone();
    sorted.sort();
    assert_eq!(sorted, fixtures());
}

#[test]
fn every_rule_fails_on_one_fixture_and_passes_on_another() {
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    // What a site expects stands in no host.
    let right = ["--expect", "gpus=8", "--expect", "nvswitches=4", "--expect", "gpu-model=H100"];
    let wrong = ["--expect", "gpus=4", "--expect", "nvswitches=6", "--expect", "gpu-model=B200"];
    let hgx = host("h100x8-nvswitch4-snp");
    let mut reports: Vec<Value> =
        fixtures().iter().map(|name| report(&["--host", &host(name)])).collect();
    for expectations in [right, wrong] {
        reports.push(report(&[&["--host", hgx.as_str()], &expectations[..]].concat()));
    }
    for report in reports {
        for rule in report["rules"].as_array().unwrap() {
            let id = rule["id"].as_str().unwrap().to_owned();
            let statuses = seen.entry(id).or_default();
            for status in ["pass", "fail"] {
                if rule["status"] == status {
                    statuses.insert(status);
                }
            }
        }
    }
    let unproven: Vec<String> = seen
        .iter()
        .filter(|(_, statuses)| statuses.len() < 2)
        .map(|(id, statuses)| format!("{id} is only seen to {statuses:?}"))
        .collect();
    assert!(unproven.is_empty(), "{}", unproven.join("\n"));
}

/// Programs rely on the schema that is committed.
#[test]
fn every_report_fits_the_committed_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/report-v1.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for name in fixtures() {
        let report = report(&["--host", &host(&name), "--verbose"]);
        let errors: Vec<String> =
            schema.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
    }
}

/// A capture and the directory that it stands for must be the same host.
#[test]
fn a_fixture_and_its_tree_give_the_same_report() {
    for name in ["h100x8-nvswitch4-snp", "no-iommufd", "grub-not-rebooted", "kubelet-quoted-gate"] {
        let text = std::fs::read(fixture(name)).unwrap();
        let archive = Archive::parse(&text).unwrap();
        let tree = tempfile::tempdir().unwrap();
        if !unpack(&archive, tree.path()) {
            println!("left out: device nodes cannot be made here");
            return;
        }
        let tree = tree.path().display().to_string();
        // A tree runs no programs, so the versions that they would say are told.
        let assume = ["kubelet.version=1.34.2", "container-runtime.version=2.3.0"];
        let assume = ["--assume", assume[0], "--assume", assume[1]];
        let mut from_tree = report(&[&["--root", tree.as_str()], &assume[..]].concat());
        let mut from_file = report(&[&["--host", host(name).as_str()], &assume[..]].concat());
        for report in [&mut from_tree, &mut from_file] {
            report["host"].take();
            forget_version(report);
        }
        assert_same(&from_tree, &from_file, name);
    }
}

/// Takes out what says how the versions were learnt.
fn forget_version(report: &mut Value) {
    report["assumed"].take();
    for rule in report["rules"].as_array_mut().unwrap() {
        let id = rule["id"].as_str().unwrap_or_default();
        if id.starts_with("kubelet-") || id == "container-runtime-version" {
            rule["findings"].take();
        }
    }
}

/// Makes the files of a capture below a directory; false where device nodes may not be made.
pub(crate) fn unpack(archive: &Archive, top: &Path) -> bool {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    for (path, entry) in archive.entries() {
        let path = top.join(path.trim_start_matches('/'));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        match &entry.node {
            Node::File(bytes) => {
                std::fs::write(&path, bytes).unwrap();
                if let Some(time) = entry.modified {
                    let time =
                        std::time::UNIX_EPOCH + std::time::Duration::from_secs(time.unsigned_abs());
                    std::fs::File::open(&path).unwrap().set_modified(time).unwrap();
                }
            }
            Node::Directory { .. } => std::fs::create_dir_all(&path).unwrap(),
            Node::Link(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            Node::Special(FileKind::CharDevice, (major, minor)) => {
                let made = mknod(&path, SFlag::S_IFCHR, Mode::S_IRUSR, makedev(*major, *minor));
                if made.is_err() {
                    return false;
                }
            }
            Node::Special(FileKind::Socket, _) => {
                // One with nobody behind it.
                drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            }
            other => panic!("{} is {other:?}", path.display()),
        }
    }
    true
}
