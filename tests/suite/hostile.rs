//! Trees that a careless reader would hang on, run out of memory over, or print raw.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::program::{command, outcome, run};

/// More than a report on a hostile tree may take; far above what it does take.
const PATIENCE: Duration = Duration::from_secs(5);

fn check(tree: &Path, more: &[&str]) -> String {
    let tree = tree.display().to_string();
    let arguments: Vec<&str> =
        ["check", "--root", tree.as_str(), "-v"].iter().chain(more).copied().collect();
    let start = Instant::now();
    let outcome = run(&arguments);
    assert!(start.elapsed() < PATIENCE, "{more:?} took {:?}", start.elapsed());
    assert!(matches!(outcome.code, 1 | 3), "exit {}: {}", outcome.code, outcome.stderr);
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!outcome.stdout.contains(raw), "control characters in {:?}", outcome.stdout);
    // Where a line is broken is not what these tests are about.
    outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn write(tree: &Path, path: &str, bytes: &[u8]) {
    let path = tree.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_fifo_in_place_of_every_file_hangs_nothing() {
    let tree = tempfile::tempdir().unwrap();
    for path in [
        "proc/cmdline",
        "proc/modules",
        "proc/cpuinfo",
        "etc/os-release",
        "etc/default/grub",
        "boot/grub/grub.cfg",
        "var/lib/kubelet/config.yaml",
        "sys/bus/pci/devices/0000:01:00.0/uevent",
        "sys/module/kvm_amd/parameters/sev_snp",
        "usr/lib/systemd/system/kubelet.service",
    ] {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let report = check(tree.path(), &[]);
    assert!(report.contains("a FIFO where a regular file is expected"), "{report}");
}

#[test]
fn a_directory_in_place_of_every_file_is_named() {
    let tree = tempfile::tempdir().unwrap();
    for path in ["proc/cmdline", "proc/modules", "etc/default/grub", "var/lib/kubelet/config.yaml"]
    {
        std::fs::create_dir_all(tree.path().join(path)).unwrap();
    }
    let report = check(tree.path(), &[]);
    assert!(report.contains("a directory where a regular file is expected"), "{report}");
}

#[test]
fn giants_are_refused_by_their_size() {
    let tree = tempfile::tempdir().unwrap();
    for path in [
        "proc/cmdline",
        "proc/modules",
        "etc/default/grub",
        "boot/grub/grub.cfg",
        "var/lib/kubelet/config.yaml",
        "etc/os-release",
    ] {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path).unwrap().set_len(10 << 30).unwrap();
    }
    let report = check(tree.path(), &[]);
    assert!(report.contains("larger than"), "{report}");
}

#[test]
fn loops_and_absolute_links_stay_inside() {
    let tree = tempfile::tempdir().unwrap();
    write(tree.path(), "real/modules", b"nvidia 1 0 - Live 0x0\n");
    std::fs::create_dir_all(tree.path().join("proc")).unwrap();
    std::fs::create_dir_all(tree.path().join("etc")).unwrap();
    write(tree.path(), "proc/cpuinfo", b"vendor_id\t: AuthenticAMD\nflags\t\t: svm\n");
    write(tree.path(), "sys/module/kvm/x", b"");
    symlink("/real/modules", tree.path().join("proc/modules")).unwrap();
    symlink("cmdline", tree.path().join("proc/cmdline")).unwrap();
    symlink("/etc/os-release", tree.path().join("etc/os-release")).unwrap();
    let report = check(tree.path(), &["--only", "nvidia-driver-loaded,iommu-argument-off"]);
    assert!(report.contains("modules.present"), "{report}");
    assert!(report.contains("a loop of symbolic links"), "{report}");
}

#[test]
fn escape_sequences_reach_no_terminal() {
    let tree = tempfile::tempdir().unwrap();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{202e}";
    write(
        tree.path(),
        "proc/modules",
        format!("nouveau{evil} 1 0 - Live 0x0\nnouveau 1 0 - Live 0x0\n").as_bytes(),
    );
    write(tree.path(), "proc/cmdline", format!("iommu=off pcie_acs_override={evil}\n").as_bytes());
    write(tree.path(), "etc/os-release", format!("PRETTY_NAME=\"{evil}\"\n").as_bytes());
    write(tree.path(), &format!("sys/bus/pci/devices/{evil}"), b"");
    let report = check(tree.path(), &[]);
    assert!(report.contains("\\x1b"), "{report}");
    let colour = check_coloured(tree.path());
    assert!(!colour.contains("\x1b]") && !colour.contains('\u{202e}'), "{colour:?}");
}

fn check_coloured(tree: &Path) -> String {
    let arguments = ["--color", "always", "check", "--root"];
    outcome(command().args(arguments).arg(tree).output().unwrap()).stdout
}

#[test]
fn an_alias_bomb_is_refused() {
    let tree = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n",
    );
    for level in 1..30 {
        let below = format!("*a{}", level - 1);
        let ten = [below.as_str(); 10].join(",");
        writeln!(text, "a{level}: &a{level} [{ten}]").unwrap();
    }
    text.push_str("featureGates: *a29\n");
    write(tree.path(), "var/lib/kubelet/config.yaml", text.as_bytes());
    check(tree.path(), &["--only", "kubelet", "--assume", "kubelet.version=1.34.2"]);
    let nested = "[".repeat(500_000);
    write(tree.path(), "var/lib/kubelet/config.yaml", nested.as_bytes());
    check(tree.path(), &["--only", "kubelet", "--assume", "kubelet.version=1.34.2"]);
}

#[test]
fn a_command_line_of_100_000_words_is_read_at_once() {
    let tree = tempfile::tempdir().unwrap();
    let words = "intel_iommu=on ".repeat(60_000);
    write(tree.path(), "proc/cmdline", words.as_bytes());
    let defaults = format!("GRUB_CMDLINE_LINUX=\"{}\"\n", "a=1 ".repeat(100_000));
    write(tree.path(), "etc/default/grub", defaults.as_bytes());
    write(tree.path(), "usr/sbin/update-grub", b"");
    check(tree.path(), &[]);
}

#[test]
fn an_empty_tree_is_no_ready_host() {
    let tree = tempfile::tempdir().unwrap();
    let report = check(tree.path(), &[]);
    assert!(report.contains("NOT READY") || report.contains("CANNOT TELL"), "{report}");
}
