//! Ports and their Access Control Services compared with `lspci -vvv`, byte by byte of configuration space:
//! of functions made up for it, of the fixtures, and of real machines where they are at hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use ccgpu_node::format::config_space::{Acs, ConfigSpace, PortType, SpaceError};
use ccgpu_node::host::{Archive, Node};

use crate::program::{fixture, has, shared, unpack};

/// Configuration spaces by where their function is.
type Spaces = BTreeMap<String, Vec<u8>>;

/// What either side tells of a function.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    port: Option<String>,
    capability: Option<String>,
    control: Option<String>,
}

#[test]
fn made_up_ports_are_as_lspci_tells_them() {
    if !has("lspci") {
        return;
    }
    let compared = compare(&spaces(include_str!("ports.dump")), "ports.dump");
    assert_eq!(compared, Compared { functions: 18, with_acs: 8, not_decided: 2 });
}

#[test]
fn ports_of_fixtures_are_as_lspci_tells_them() {
    if !has("lspci") {
        return;
    }
    for name in ["acs-on-at-every-port", "acs-off-since-boot", "switch-without-acs"] {
        let text = std::fs::read(fixture(name)).unwrap();
        let archive = Archive::parse(&text).unwrap();
        let spaces = archive.entries().filter_map(|(path, entry)| {
            let (above, name) = path.rsplit_once('/')?;
            let Node::File(bytes) = &entry.node else { return None };
            let address = above.rsplit('/').next()?;
            (name == "config" && address.contains(':')).then(|| (address.to_owned(), bytes.clone()))
        });
        let compared = compare(&spaces.collect(), name);
        assert!(compared.functions > 3 && compared.not_decided == 0, "{name}: {compared:?}");
    }
}

#[test]
fn ports_of_real_machines_are_as_lspci_tells_them() {
    let Some(shared) = shared().filter(|_| has("lspci")) else { return };
    let mut all = Compared::default();
    for entry in std::fs::read_dir(shared.join("hosts/pciutils-dumps")).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        all.add(&compare(&spaces(&text), &path.display().to_string()));
    }
    for entry in std::fs::read_dir(shared.join("hosts/libvirt-config-space")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "config") {
            let spaces = [("0000:00:00.0".to_owned(), std::fs::read(&path).unwrap())];
            all.add(&compare(&spaces.into(), &path.display().to_string()));
        }
    }
    for archive in ["asus-p6t6", "h200-guest", "qemu-q35-vtd", "qemu-q35-vtd-off"] {
        let scratch = tempfile::tempdir().unwrap();
        unpack(&shared.join(format!("hosts/{archive}.tar.xz")), scratch.path());
        let mut spaces = Spaces::new();
        collect(scratch.path(), 0, &mut spaces);
        assert!(!spaces.is_empty(), "{archive}");
        all.add(&compare(&spaces, archive));
    }
    println!("{all:?}");
    assert!(all.functions > 150 && all.with_acs >= 10, "{all:?}");
}

/// Files named `config` below a tree, by the directory that each stands in.
fn collect(directory: &Path, depth: u32, spaces: &mut Spaces) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() && depth < 16 {
            collect(&path, depth + 1, spaces);
        } else if path.ends_with("config") {
            let name = directory.file_name().unwrap().to_string_lossy().into_owned();
            if name.matches(':').count() == 2 {
                spaces.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
}

/// How much was compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Compared {
    functions: usize,
    with_acs: usize,
    /// Lists that are broken or hidden, of which we say nothing.
    not_decided: usize,
}

impl Compared {
    fn add(&mut self, other: &Self) {
        self.functions += other.functions;
        self.with_acs += other.with_acs;
        self.not_decided += other.not_decided;
    }
}

fn compare(spaces: &Spaces, about: &str) -> Compared {
    let theirs = lspci(spaces);
    let mut compared = Compared::default();
    for (slot, bytes) in spaces {
        let told = &theirs[slot];
        match ours(bytes) {
            Ok(ours) => {
                assert_eq!(&ours, told, "{slot} of {about}");
                compared.with_acs += usize::from(ours.capability.is_some());
                compared.functions += 1;
            }
            Err(SpaceError::Hidden(_) | SpaceError::Broken { .. }) => {
                assert_eq!(told.capability, None, "{slot} of {about} is not told");
                compared.not_decided += 1;
                compared.functions += 1;
            }
            Err(SpaceError::Short(_) | SpaceError::Inaccessible) => {}
        }
    }
    compared
}

fn ours(bytes: &[u8]) -> Result<Told, SpaceError> {
    let space = ConfigSpace::new(bytes)?;
    let acs = space.acs()?;
    Ok(Told {
        port: space.port_type()?.map(|port| name(port).to_owned()),
        capability: acs.map(|acs| Acs { control: acs.capability, ..acs }.to_string()),
        control: acs.map(|acs| acs.to_string()),
    })
}

fn name(port: PortType) -> &'static str {
    match port {
        PortType::Endpoint => "Endpoint",
        PortType::LegacyEndpoint => "Legacy Endpoint",
        PortType::RootPort => "Root Port",
        PortType::SwitchUpstream => "Upstream Port",
        PortType::SwitchDownstream => "Downstream Port",
        PortType::BridgeToPci => "PCI-Express to PCI/PCI-X Bridge",
        PortType::BridgeFromPci => "PCI/PCI-X to PCI-Express Bridge",
        PortType::IntegratedEndpoint => "Root Complex Integrated Endpoint",
        PortType::EventCollector => "Root Complex Event Collector",
        PortType::Other(_) => "Unknown type",
    }
}

/// Understands a dump as `lspci -xxxx` writes it.
fn spaces(text: &str) -> Spaces {
    let mut spaces = Spaces::new();
    let mut slot = None;
    for line in text.lines() {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is_row = first.strip_suffix(':').is_some_and(|place| {
            (2..=3).contains(&place.len()) && u16::from_str_radix(place, 16).is_ok()
        });
        if is_row {
            let row = rest.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap());
            let slot: &String = slot.as_ref().expect("a row belongs to a function");
            spaces.entry(slot.clone()).or_default().extend(row);
        } else if first.contains(':') && first.contains('.') {
            let whole = if first.matches(':').count() == 1 { "0000:" } else { "" };
            slot = Some(format!("{whole}{first}"));
        }
    }
    spaces
}

fn lspci(spaces: &Spaces) -> BTreeMap<String, Told> {
    let mut dump = String::new();
    for (slot, bytes) in spaces {
        let _ = writeln!(dump, "\n{slot} function");
        for (row, bytes) in bytes.chunks(16).enumerate() {
            let _ = write!(dump, "{:02x}:", row * 16);
            for byte in bytes {
                let _ = write!(dump, " {byte:02x}");
            }
            dump.push('\n');
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump).unwrap();
    let output = Command::new("lspci").arg("-F").arg(file.path()).args(["-D", "-vvv"]).output();
    let text = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks.map(block).collect()
}

fn block(block: &str) -> (String, Told) {
    let after =
        |key: &str| block.lines().find_map(|line| Some(line.split_once(key)?.1.trim().to_owned()));
    let port = after("] Express ").map(|text| {
        // `(v2) Root Port (Slot+), MSI 00`; the slot only where a port has one.
        let text = text.split_once(") ").map_or(text.clone(), |(_, rest)| rest.to_owned());
        let end = text.find(" (Slot").or_else(|| text.find(", MSI")).unwrap_or(text.len());
        text[..end].to_owned()
    });
    let slot = block.split(' ').next().unwrap().to_owned();
    (slot, Told { port, capability: after("ACSCap:"), control: after("ACSCtl:") })
}
