//! PCI facts compared with `lspci`, function by function, on recorded and generated hosts.
//!
//! `lspci` is told the tree by `-A linux-sysfs`; without that it silently shows the machine it runs on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ccgpu_node::facts::pci::{Address, Function, Pci};
use ccgpu_node::facts::{Assumptions, Needs, Reading, gather};
use ccgpu_node::host::{Root, Run};
use tempfile::TempDir;

/// A function as either side tells it; ids in hexadecimal, `-` for none.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    class: String,
    id: String,
    subsystem: String,
    revision: String,
    driver: String,
    group: String,
}

type Functions = BTreeMap<Address, Told>;

#[test]
fn every_recorded_function_is_as_lspci_tells_it() {
    let Some(shared) = shared() else { return };
    let unpacked = TempDir::new().unwrap();
    for (number, archive) in archives(&shared.join("hosts")).iter().enumerate() {
        let directory = unpacked.path().join(number.to_string());
        fs::create_dir(&directory).unwrap();
        let tar = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&directory).status();
        assert!(tar.unwrap().success(), "{}", archive.display());
    }
    let mut roots = Vec::new();
    find_roots(unpacked.path(), 4, &mut roots);
    let compared: usize = roots.iter().map(|root| compare(root)).sum();
    println!("{compared} functions of {} hosts agree", roots.len());
    assert!(compared > 1000, "{compared}");
}

#[test]
fn every_generated_function_is_as_lspci_tells_it() {
    let Some(shared) = shared() else { return };
    let directory = TempDir::new().unwrap();
    let Some(root) = generate(&shared, directory.path(), &["--audio"]) else { return };
    assert!(compare(&root) >= 376);
}

/// Where one function has no class, `lspci` prints nothing at all; here the others must stay.
#[test]
fn one_bad_function_hides_no_other() {
    let Some(shared) = shared() else { return };
    let directory = TempDir::new().unwrap();
    let faults = ["--fault", "missing:0:class", "--fault", "missing:1:vendor"];
    let Some(root) = generate(&shared, directory.path(), &faults) else { return };
    assert!(lspci(&root).is_none_or(|told| told.is_empty()), "no longer so; compare it");
    assert_eq!(ours(&root).len(), 376);
}

/// Every tool that the tests need, or the word why they are left out.
fn shared() -> Option<PathBuf> {
    let shared = match std::env::var_os("CCGPU_SHARED") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    if !shared.join("hosts").is_dir() {
        println!("left out: no hosts in {}", shared.display());
        return None;
    }
    if Command::new("lspci").arg("--version").output().is_err() {
        println!("left out: no lspci");
        return None;
    }
    Some(shared)
}

fn generate(shared: &Path, out: &Path, arguments: &[&str]) -> Option<PathBuf> {
    let root = out.join("host");
    let python = Command::new("python3")
        .arg(shared.join("hosts/gen_host.py"))
        .arg("--out")
        .arg(&root)
        .args(arguments)
        .output();
    match python {
        Ok(output) if output.status.success() => Some(root),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("left out: no python3: {error}");
            None
        }
    }
}

fn archives(directory: &Path) -> Vec<PathBuf> {
    let mut archives = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            archives.extend(self::archives(&path));
        } else if name.contains(".tar.") {
            archives.push(path);
        }
    }
    archives.sort();
    archives
}

/// Directories below that hold a `sys/bus/pci/devices`.
fn find_roots(directory: &Path, depth: u32, roots: &mut Vec<PathBuf>) {
    if directory.join("sys/bus/pci/devices").is_dir() {
        roots.push(directory.to_owned());
    } else if depth > 0 {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                find_roots(&path, depth - 1, roots);
            }
        }
    }
}

/// How many functions were compared.
fn compare(root: &Path) -> usize {
    let ours = ours(root);
    let Some(theirs) = lspci(root) else {
        panic!("lspci fails on {}", root.display());
    };
    let addresses: Vec<&Address> = ours.keys().collect();
    assert_eq!(addresses, theirs.keys().collect::<Vec<_>>(), "{}", root.display());
    for (address, mut told) in theirs {
        let our = &ours[&address];
        // For a bridge lspci reads the board from configuration space, where sysfs has nothing.
        if matches!(told.class.as_str(), "0604" | "0607" | "0609") {
            told.subsystem.clone_from(&our.subsystem);
        }
        // Kernels before 4.10 show the revision in configuration space only.
        if our.revision == "absent" {
            told.revision.clone_from(&our.revision);
        }
        // lspci follows these links; in an excerpt of a host they lead nowhere and still tell a name.
        let device = root.join(format!("sys/bus/pci/devices/{address}"));
        let dangles = |link: &str| {
            let link = device.join(link);
            link.is_symlink() && !link.exists()
        };
        if dangles("driver") {
            told.driver.clone_from(&our.driver);
        }
        if dangles("iommu_group") {
            told.group.clone_from(&our.group);
        }
        assert_eq!(our, &told, "{address} of {}", root.display());
    }
    ours.len()
}

fn ours(root: &Path) -> Functions {
    let host = Root::directory(root).unwrap();
    let facts =
        gather(&host, &Run::on(&host), Needs::PCI.and(Needs::PCI_EVERY_DETAIL), Assumptions::new());
    let pci = facts.pci.unwrap();
    let functions = pci.all().iter().enumerate();
    functions.map(|(index, function)| (function.address, told(&pci, index, function))).collect()
}

fn told(pci: &Pci, index: usize, function: &Function) -> Told {
    let hex = |number: Option<u16>| number.map_or("-".to_owned(), |number| format!("{number:04x}"));
    let placement = pci.placement(index).unwrap();
    let link = text(placement.driver.as_ref());
    // The first look, by uevent, and the link must agree before either is compared.
    assert_eq!(text(pci.driver(function)), link, "{}", function.address);
    Told {
        class: hex(function.class_code()),
        id: format!("{}:{}", hex(function.vendor), hex(function.device)),
        subsystem: match function.subsystem {
            None | Some((0, 0) | (0xffff, 0xffff)) => "-".to_owned(),
            Some((vendor, device)) => format!("{vendor:04x}:{device:04x}"),
        },
        revision: match pci.detail(index).unwrap().revision {
            Reading::Known(0) => "-".to_owned(),
            Reading::Absent => "absent".to_owned(),
            Reading::Known(revision) => format!("{revision:02x}"),
            Reading::Unreadable(_) => "?".to_owned(),
        },
        driver: link,
        group: text(placement.iommu_group.as_ref()),
    }
}

fn text(reading: Reading<impl ToString>) -> String {
    match reading {
        Reading::Known(value) => value.to_string(),
        Reading::Absent => "-".to_owned(),
        Reading::Unreadable(cause) => cause.to_string(),
    }
}

/// All functions by `lspci`; `None` where it fails.
fn lspci(root: &Path) -> Option<Functions> {
    let output = Command::new("lspci")
        .args(["-A", "linux-sysfs", "-O"])
        .arg(format!("sysfs.path={}/sys/bus/pci", root.display()))
        .arg("-Dvmmnk")
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split("\n\n").filter(|block| !block.trim().is_empty()).map(block).collect())
}

fn block(block: &str) -> (Address, Told) {
    let lines: BTreeMap<&str, &str> =
        block.lines().filter_map(|line| line.split_once(":\t")).collect();
    let field = |key: &str| lines.get(key).copied().unwrap_or("-").to_owned();
    let told = Told {
        class: field("Class"),
        id: format!("{}:{}", field("Vendor"), field("Device")),
        subsystem: match (lines.get("SVendor"), lines.get("SDevice")) {
            (Some(vendor), Some(device)) => format!("{vendor}:{device}"),
            _ => "-".to_owned(),
        },
        revision: field("Rev"),
        driver: field("Driver"),
        group: field("IOMMUGroup"),
    };
    (Address::parse(&field("Slot")).unwrap(), told)
}
