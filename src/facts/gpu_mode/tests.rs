//! Each thing that keeps a device from being asked, by name; and what is said of those that answer.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::facts::catalogue::{self, Evidence};
use crate::facts::{Facts, Needs, Value, pci};
use crate::host::Probes;

const GPU: Probes = Probes { gpu: true, processor: false };
const H200: u16 = 0x2335;
const B200: u16 = 0x2901;
const SWITCH: u16 = 0x22a3;
/// Identity and firmware of a Hopper GPU that has started.
const HOPPER: [(u64, u32); 2] = [(0, 0x1800_00a1), (0x2_00bc, 0xff)];
const BLACKWELL: [(u64, u32); 2] = [(0, 0x1a00_00a1), (0x2_00bc, 0xff)];
const NVSWITCH: [(u64, u32); 2] = [(0, 0x0070_00a1), (0x6_60bc, 0xff)];

/// A host with devices that can be asked, one in each slot from 0000:01:00.0 on.
struct Host {
    tree: TempDir,
    devices: u8,
}

#[expect(clippy::disallowed_methods, reason = "tests make the hosts that they read")]
impl Host {
    fn new() -> Self {
        let host = Self { tree: TempDir::new().unwrap(), devices: 0 };
        host.link("proc/1/ns/pid", "pid:[4026531836]");
        host.link("proc/1/fd/0", "/dev/null");
        host
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        let path = self.tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        let _ = fs::remove_file(&path);
        symlink(target, path).unwrap();
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.path(path), bytes).unwrap();
    }

    fn of(number: u8, attribute: &str) -> String {
        format!("sys/bus/pci/devices/0000:{number:02x}:00.0/{attribute}")
    }

    /// One more device with these words in its memory.
    fn with(mut self, id: u16, words: &[(u64, u32)]) -> Self {
        self.devices += 1;
        let number = self.devices;
        let class = if id == SWITCH { "68000" } else { "30200" };
        let uevent = format!("DRIVER=vfio-pci\nPCI_CLASS={class}\nPCI_ID=10DE:{id:04X}\n");
        self.write(&Self::of(number, "uevent"), uevent.as_bytes());
        self.write(&Self::of(number, "power_state"), b"D0\n");
        self.write(&Self::of(number, "config"), &config(id, Some(0)));
        self.write(&Self::of(number, "vfio-dev/vfio0/dev"), b"511:0\n");
        self.link(&Self::of(number, "driver"), "../../../bus/pci/drivers/vfio-pci");
        self.link(&Self::of(number, "iommu_group"), "../../../kernel/iommu_groups/44");
        let file = File::create(self.path(&Self::of(number, "resource0"))).unwrap();
        file.set_len(16 << 20).unwrap();
        for (offset, word) in words {
            file.write_all_at(&word.to_le_bytes(), *offset).unwrap();
        }
        self
    }

    fn facts(&self, probes: Probes) -> Facts {
        let root = Root::directory(self.tree.path()).unwrap().allowing(probes);
        let needs = Needs::PCI.and(Needs::PCI_POWER).and(Needs::VFIO);
        let pci = pci::gather(&root, needs);
        let gpu_modes = Some(gather(&root, Some(&pci)));
        Facts { pci: Some(pci), gpu_modes, ..Facts::default() }
    }

    /// A fact of a device, by its number in the list of all that can be passed through.
    fn said(&self, number: usize, fact: &str) -> Evidence {
        let facts = self.facts(GPU);
        let all = catalogue::collection("pci.passthrough").unwrap();
        let subject = &(all.select)(&facts).subjects[number];
        let fact = all.facts.iter().find(|each| each.name == fact).unwrap();
        (fact.read)(&facts, subject.index)
    }

    fn mode(&self, number: usize) -> Reading<String> {
        self.said(number, "hardware-mode").reading.map(|value| value.to_string())
    }

    fn of_host(&self, fact: &str) -> Evidence {
        (catalogue::fact(fact).unwrap().read)(&self.facts(GPU))
    }
}

/// Configuration space of a device that decodes memory, with what its own capability says, if it has one.
fn config(id: u16, firewall: Option<u32>) -> Vec<u8> {
    let mut space = vec![0; 4096];
    space[..2].copy_from_slice(&0x10de_u16.to_le_bytes());
    space[2..4].copy_from_slice(&id.to_le_bytes());
    space[4] = 0x06;
    if let Some(word) = firewall {
        space[0x100..0x104].copy_from_slice(&0x1401_0001_u32.to_le_bytes());
        space[0x140..0x144].copy_from_slice(&0x0001_0023_u32.to_le_bytes());
        space[0x144..0x148].copy_from_slice(&0x0181_10de_u32.to_le_bytes());
        space[0x148..0x14c].copy_from_slice(&word.to_le_bytes());
    }
    space
}

fn hopper(mode: u32) -> Vec<(u64, u32)> {
    [&HOPPER[..], &[(0x11_82cc, mode)]].concat()
}

fn blackwell(mode: u32) -> Vec<(u64, u32)> {
    [&BLACKWELL[..], &[(0x590, mode)]].concat()
}

fn nvswitch(mode: u32) -> Vec<(u64, u32)> {
    [&NVSWITCH[..], &[(0x2_8c50, mode)]].concat()
}

fn text(text: &str) -> Reading<String> {
    Reading::Known(text.to_owned())
}

/// Why a host's only GPU was not asked.
fn refused(host: &Host) -> String {
    let said = host.said(0, "cc-mode");
    let cause = said.reading.cause().unwrap_or_else(|| panic!("{said:?}")).to_string();
    assert_eq!(host.said(0, "hardware-mode").reading.cause(), said.reading.cause());
    cause
}

#[test]
fn a_device_that_answers_says_its_mode() {
    let host = Host::new()
        .with(H200, &hopper(1))
        .with(H200, &hopper(3))
        .with(H200, &hopper(0x20))
        .with(H200, &hopper(2))
        .with(B200, &blackwell(1))
        .with(B200, &blackwell(0))
        .with(SWITCH, &nvswitch(1));
    let modes: Vec<Reading<String>> = (0..7).map(|number| host.mode(number)).collect();
    let wanted = ["on", "devtools", "ppcie", "invalid", "on", "off", "ppcie"].map(text);
    assert_eq!(modes, wanted);
    let said = |number, fact| host.said(number, fact).reading.map(|value| value.to_string());
    assert_eq!((said(2, "cc-mode"), said(2, "ppcie-mode")), (text("off"), text("on")));
    assert_eq!((said(0, "cc-mode"), said(0, "ppcie-mode")), (text("on"), text("off")));
    assert_eq!((said(4, "cc-mode"), said(4, "ppcie-mode")), (text("on"), Reading::Absent));
    assert_eq!((said(6, "cc-mode"), said(6, "ppcie-mode")), (Reading::Absent, text("on")));
    let source = host.said(0, "cc-mode").source.unwrap();
    assert_eq!(&*source.path, "/sys/bus/pci/devices/0000:01:00.0/resource0");
}

#[test]
fn an_older_gpu_has_no_mode_and_a_newer_one_is_not_guessed() {
    assert_eq!(Host::new().with(0x20b2, &[]).mode(0), Reading::Absent);
    let newer = Host::new().with(0x3400, &hopper(1));
    assert!(refused(&newer).contains("is not known"));
}

#[test]
fn without_leave_no_device_is_asked() {
    let facts = Host::new().with(H200, &hopper(1)).facts(Probes::default());
    let all = catalogue::collection("pci.gpus").unwrap();
    for fact in ["cc-mode", "ppcie-mode", "hardware-mode"] {
        let fact = all.facts.iter().find(|each| each.name == fact).unwrap();
        assert_eq!((fact.read)(&facts, 0).reading, Reading::Unreadable(Cause::NotGathered));
    }
    let probed = (catalogue::fact("gpu.probed").unwrap().read)(&facts).reading;
    assert_eq!(probed, Reading::Known(Value::Bool(false)));
}

#[test]
fn a_device_that_is_not_with_vfio_is_left_alone() {
    let host = Host::new().with(H200, &hopper(1));
    host.link(&Host::of(1, "driver"), "../../../bus/pci/drivers/nvidia");
    assert_eq!(refused(&host), "not on vfio-pci: nvidia has it");
    let host = Host::new().with(H200, &hopper(1));
    host.write(&Host::of(1, "uevent"), b"PCI_CLASS=30200\nPCI_ID=10DE:2335\n");
    fs::remove_file(host.path(&Host::of(1, "driver"))).unwrap();
    assert_eq!(refused(&host), "not on vfio-pci: no driver has it");
}

#[test]
fn a_device_that_sleeps_is_not_woken() {
    let host = Host::new().with(H200, &hopper(1));
    for (state, words) in [
        ("D3hot", "asleep (D3hot), and not woken for this"),
        ("D3cold", "asleep (D3cold), and not woken for this"),
        ("D1", "asleep (D1), and not woken for this"),
        ("unknown", "its power state is unknown"),
        ("error", "its power state is error"),
    ] {
        host.write(&Host::of(1, "power_state"), format!("{state}\n").as_bytes());
        assert_eq!(refused(&host), words);
    }
    fs::remove_file(host.path(&Host::of(1, "power_state"))).unwrap();
    assert_eq!(refused(&host), "the kernel does not tell whether it is awake");
}

#[test]
fn a_device_that_somebody_has_is_left_to_him() {
    for node in ["/dev/vfio/44", "/dev/vfio/devices/vfio0", "/dev/vfio/noiommu-44"] {
        let host = Host::new().with(H200, &hopper(1));
        host.write("proc/20/comm", b"qemu-system-x86\n");
        host.link("proc/20/fd/9", node);
        assert_eq!(refused(&host), format!("in use: qemu-system-x86 (process 20) has {node} open"));
    }
    let host = Host::new().with(H200, &hopper(1));
    host.link("proc/20/fd/9", "/dev/vfio/45");
    assert_eq!(host.mode(0), text("on"));
    host.link("proc/1/ns/pid", "pid:[4026532281]");
    assert!(refused(&host).starts_with("whether somebody has it cannot be told"));
}

#[test]
fn a_device_that_does_not_decode_memory_is_not_made_to() {
    let host = Host::new().with(H200, &hopper(1));
    let mut space = config(H200, None);
    space[4] = 0x04;
    host.write(&Host::of(1, "config"), &space);
    assert_eq!(refused(&host), "it does not decode memory reads, and is not made to");
    host.write(&Host::of(1, "config"), &[0xff; 4096]);
    assert!(refused(&host).contains("does not answer"));
    host.write(&Host::of(1, "config"), &[]);
    assert!(refused(&host).contains("has 0 bytes"));
    // All that an ordinary user sees is enough of a Hopper GPU.
    host.write(&Host::of(1, "config"), &config(H200, None)[..64]);
    assert_eq!(host.mode(0), text("on"));
}

#[test]
fn a_firewall_is_not_knocked_at() {
    let host = Host::new().with(B200, &blackwell(1));
    assert_eq!(host.mode(0), text("on"));
    host.write(&Host::of(1, "config"), &config(B200, Some(1 << 20)));
    assert_eq!(refused(&host), "a firewall stands before its registers");
    // Another capability of another vendor says nothing about it.
    host.write(&Host::of(1, "config"), &config(B200, Some(1)));
    assert!(refused(&host).ends_with("is not told"));
    host.write(&Host::of(1, "config"), &config(B200, None));
    assert!(refused(&host).ends_with("is not told"));
    host.write(&Host::of(1, "config"), &config(B200, Some(0))[..64]);
    assert_eq!(refused(&host), "permission denied");
}

#[test]
fn what_a_closed_register_gives_is_no_mode() {
    for word in [u32::MAX, 0xbadf_5040, 0xbad0_0200] {
        for place in [0, 0x2_00bc, 0x11_82cc] {
            let mut words = hopper(1);
            words.iter_mut().filter(|(offset, _)| *offset == place).for_each(|each| each.1 = word);
            let cause = refused(&Host::new().with(H200, &words));
            assert!(cause.contains(&format!("{word:#010x}")), "{place:#x}: {cause}");
        }
    }
    // A window of nothing but zeroes is no GPU without confidential computing.
    assert!(refused(&Host::new().with(H200, &[])).contains("0x00000000"));
    let words = [(0, 0x1800_00a1), (0x2_00bc, 0x3f), (0x11_82cc, 1)];
    assert_eq!(refused(&Host::new().with(H200, &words)), "its firmware has not started");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn a_window_that_cannot_be_read_says_why() {
    let host = Host::new().with(H200, &hopper(1));
    let window = host.path(&Host::of(1, "resource0"));
    File::options().write(true).open(&window).unwrap().set_len(0x2_0000).unwrap();
    assert_eq!(refused(&host), "the window to its registers ends before them");
    fs::remove_file(&window).unwrap();
    assert_eq!(refused(&host), "it has no window to its registers");
    nix::unistd::mkfifo(&window, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(refused(&host), "a FIFO where a regular file is expected");
    fs::remove_file(&window).unwrap();
    fs::create_dir(&window).unwrap();
    assert_eq!(refused(&host), "a directory where a regular file is expected");
}

/// Root may open everything, so only another user meets the refusal.
#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn an_ordinary_user_is_told_that_it_takes_root() {
    let host = Host::new().with(H200, &hopper(1));
    let window = host.path(&Host::of(1, "resource0"));
    fs::set_permissions(&window, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&window).is_err() {
        assert_eq!(refused(&host), "permission denied");
    }
}

#[test]
fn the_kernels_refusals_are_told_in_words() {
    let said = |errno: Errno| explained(Cause::Os(errno as i32)).to_string();
    assert!(said(Errno::EPERM).contains("lockdown"));
    assert!(said(Errno::EINVAL).contains("driver"));
    assert_eq!(explained(Cause::Permission), Cause::Permission);
    assert_eq!(explained(Cause::Os(5)), Cause::Os(5));
}

#[test]
fn two_modes_that_differ_are_enough_and_one_unknown_is_too_many() {
    let same = |host: &Host| host.of_host("gpu.same-mode");
    let host = Host::new().with(H200, &hopper(1)).with(H200, &hopper(1));
    assert_eq!(same(&host).reading, Reading::Known(Value::Bool(true)));
    assert_eq!(host.of_host("gpu.modes").reading.known().unwrap().to_string(), "on");

    let host = host.with(H200, &hopper(0));
    let evidence = same(&host);
    assert_eq!(evidence.reading, Reading::Known(Value::Bool(false)));
    assert_eq!(evidence.note.unwrap(), "0000:01:00.0 is in on, 0000:03:00.0 in off");
    assert_eq!(host.of_host("gpu.modes").reading.known().unwrap().to_string(), "off, on");

    host.write(&Host::of(2, "power_state"), b"D3hot\n");
    assert_eq!(same(&host).reading, Reading::Known(Value::Bool(false)));
    assert!(host.of_host("gpu.modes").reading.cause().is_some());
    host.write(&Host::of(3, "power_state"), b"D3hot\n");
    assert!(same(&host).reading.cause().is_some());
}

#[test]
fn switches_go_with_their_gpus() {
    let same = |host: &Host| host.of_host("gpu.same-mode").reading;
    let (yes, no) = (Reading::Known(Value::Bool(true)), Reading::Known(Value::Bool(false)));
    let host = |gpu: u32, switch: u32| {
        Host::new().with(H200, &hopper(gpu)).with(SWITCH, &nvswitch(switch))
    };
    assert_eq!(same(&host(0x20, 1)), yes);
    assert_eq!(same(&host(0x20, 0)), no);
    assert_eq!(same(&host(1, 0)), yes);
    assert_eq!(same(&host(1, 1)), no);
    let asleep = host(0x20, 1);
    asleep.write(&Host::of(2, "power_state"), b"D3hot\n");
    assert!(same(&asleep).cause().is_some());
}
