//! What is asked of the hardware, and how: only where it was allowed, and never more than reads.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::program::{fixture, has, report, rules_with, run};

/// A host with one H200 on vfio-pci that is awake and free, whose memory is a sparse file.
fn host(mode: u32) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let device = tree.path().join("sys/bus/pci/devices/0000:18:00.0");
    fs::create_dir_all(&device).unwrap();
    fs::write(device.join("uevent"), "DRIVER=vfio-pci\nPCI_CLASS=30200\nPCI_ID=10DE:2335\n")
        .unwrap();
    fs::write(device.join("power_state"), "D0\n").unwrap();
    symlink("../../../drivers/vfio-pci", device.join("driver")).unwrap();
    symlink("../../../../kernel/iommu_groups/44", device.join("iommu_group")).unwrap();
    let mut config = vec![0; 4096];
    config[..6].copy_from_slice(&[0xde, 0x10, 0x35, 0x23, 0x06, 0x00]);
    fs::write(device.join("config"), config).unwrap();
    let memory = File::create(device.join("resource0")).unwrap();
    memory.set_len(16 << 20).unwrap();
    for (offset, word) in [(0, 0x1800_00a1_u32), (0x2_00bc, 0xff), (0x11_82cc, mode)] {
        memory.write_all_at(&word.to_le_bytes(), offset).unwrap();
    }
    let first = tree.path().join("proc/1");
    for directory in ["ns", "fd"] {
        fs::create_dir_all(first.join(directory)).unwrap();
    }
    symlink("pid:[4026531836]", first.join("ns/pid")).unwrap();
    let cpuinfo = "processor\t: 0\nvendor_id\t: AuthenticAMD\n";
    fs::write(tree.path().join("proc/cpuinfo"), cpuinfo).unwrap();
    fs::create_dir_all(tree.path().join("dev/cpu/0")).unwrap();
    let registers = File::create(tree.path().join("dev/cpu/0/msr")).unwrap();
    registers.write_all_at(&0x00f4_0000_u64.to_le_bytes(), 0xc001_0010).unwrap();
    tree
}

fn facts(tree: &Path, more: &[&str]) -> serde_json::Value {
    let tree = tree.display().to_string();
    let arguments = [&["facts", "--root", tree.as_str()], more].concat();
    serde_json::from_str(&run(&arguments).stdout).unwrap()
}

fn of_gpu(facts: &serde_json::Value, fact: &str) -> serde_json::Value {
    facts["collections"]["pci.gpus"]["members"][0]["facts"][fact].clone()
}

#[test]
fn a_mode_is_told_only_where_it_was_asked_for() {
    let tree = host(0x20);
    let unasked = facts(tree.path(), &[]);
    assert_eq!(of_gpu(&unasked, "cc-mode")["unreadable"], "not read in this run");
    assert_eq!(unasked["facts"]["gpu.probed"]["value"], false);
    let asked = facts(tree.path(), &["--probe-gpu"]);
    assert_eq!(of_gpu(&asked, "cc-mode")["value"], "off");
    assert_eq!(of_gpu(&asked, "ppcie-mode")["value"], "on");
    assert_eq!(of_gpu(&asked, "hardware-mode")["value"], "ppcie");
    assert_eq!(asked["facts"]["msr.snp"]["unreadable"], "not read in this run");
    let processor = facts(tree.path(), &["--probe"]);
    assert_eq!(processor["facts"]["msr.memory-encryption"]["value"], true);
    assert_eq!(of_gpu(&processor, "cc-mode")["unreadable"], "not read in this run");
}

#[test]
fn a_captured_host_cannot_be_probed_any_more() {
    let file = fixture("gpu-modes-on").display().to_string();
    for command in ["check", "facts", "capture"] {
        for flag in ["--probe-gpu", "--probe"] {
            assert_eq!(run(&[command, "--host", file.as_str(), flag]).code, 2, "{command} {flag}");
        }
    }
}

/// What a capture holds of the hardware, judged again, gives the same verdicts.
#[test]
fn a_capture_tells_what_the_hardware_said() {
    let tree = host(3);
    let path = tree.path().display().to_string();
    let probes = ["--probe-gpu", "--probe"];
    let capture = run(&[&["capture", "--root", path.as_str()], &probes[..]].concat());
    assert_eq!(capture.code, 0, "{}", capture.stderr);
    let lines: Vec<&str> = capture.stdout.lines().collect();
    for line in [
        "-- probed gpu",
        "-- probed processor",
        "1182cc: 03 00 00 00",
        "c0010010: 00 00 f4 00 00 00 00 00",
    ] {
        assert!(lines.contains(&line), "{line}: {}", capture.stdout);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &capture.stdout).unwrap();
    let file = file.path().display().to_string();
    let verdicts = |report: serde_json::Value| {
        report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["id"].as_str().unwrap().starts_with("gpu-"))
            .map(|rule| (rule["id"].to_string(), rule["status"].to_string()))
            .collect::<Vec<_>>()
    };
    let stage = ["--stage", "operator"];
    let live = report(&[&["--root", path.as_str()], &stage[..], &probes[..]].concat());
    let again = report(&[&["--host", file.as_str()], &stage[..]].concat());
    assert_eq!(verdicts(live), verdicts(again));
}

#[test]
fn rules_about_the_hardware_are_not_about_a_host_that_was_not_asked() {
    let report = report(&["--host", &fixture("h100x8-nvswitch4-snp").display().to_string()]);
    let left_out = rules_with(&report, "not-applicable");
    for rule in ["gpu-modes-differ", "gpu-hardware-mode"] {
        assert!(left_out.iter().any(|id| id == rule), "{rule}: {left_out:?}");
    }
}

/// The lines of a run's system calls that are about files and memory.
fn traced(tree: &Path, more: &[&str]) -> Option<Vec<String>> {
    if !has("strace") {
        return None;
    }
    let log = tempfile::NamedTempFile::new().unwrap();
    let status = Command::new("strace")
        .args(["-f", "-yy", "-e", "trace=%file,%desc,%memory,ioctl", "-o"])
        .arg(log.path())
        .arg(env!("CARGO_BIN_EXE_ccgpu-node"))
        .args(["check", "--format", "json", "--root"])
        .arg(tree)
        .args(more)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.code().is_some_and(|code| code != 2));
    let lines = fs::read_to_string(log.path()).unwrap();
    Some(lines.lines().map(str::to_owned).collect())
}

#[test]
fn without_leave_neither_memory_nor_registers_are_opened() {
    let tree = host(1);
    let Some(calls) = traced(tree.path(), &[]) else { return };
    assert!(calls.iter().any(|call| call.contains("power_state")), "the device was looked at");
    for name in ["resource0", "/msr", "/proc/1/fd", "ns/pid"] {
        let touched: Vec<&String> =
            calls.iter().filter(|call| call.contains(name) && !call.contains("execve")).collect();
        assert!(touched.is_empty(), "{touched:?}");
    }
}

#[test]
fn memory_is_mapped_to_be_read_a_page_at_a_time_and_nothing_is_written() {
    let tree = host(1);
    let Some(calls) = traced(tree.path(), &["--probe-gpu", "--probe"]) else { return };
    let inside = tree.path().display().to_string();
    let of_host = || calls.iter().filter(|call| call.contains(&inside) && !call.contains("execve"));
    for call in of_host() {
        for bad in ["O_RDWR", "O_WRONLY", "O_CREAT", "PROT_WRITE", "PROT_EXEC", "pwrite", "ioctl("]
        {
            assert!(!call.contains(bad), "{call}");
        }
        assert!(!call.contains(" write("), "{call}");
    }
    let maps: Vec<&String> =
        of_host().filter(|call| call.contains("mmap(") && call.contains("resource0")).collect();
    // Identity, firmware, mode.
    assert_eq!(maps.len(), 3, "{maps:?}");
    for map in maps {
        assert!(map.contains("4096, PROT_READ, MAP_SHARED,"), "{map}");
    }
    let reads = of_host().filter(|call| call.contains("pread64(") && call.contains("/msr"));
    assert!(reads.count() >= 1);
}

/// A write would show in the file, whoever did it.
#[test]
fn the_memory_is_as_it_was() {
    let tree = host(1);
    let path = tree.path().join("sys/bus/pci/devices/0000:18:00.0/resource0");
    let before = fs::read(&path).unwrap();
    let _ = facts(tree.path(), &["--probe-gpu"]);
    assert!(before == fs::read(&path).unwrap());
}
