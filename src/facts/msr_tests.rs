//! What registers mean, by values that processors have.

use std::os::unix::fs::FileExt as _;

use tempfile::TempDir;

use super::super::catalogue;
use super::super::testing::tree;
use super::*;
use crate::host::{Archive, Node, Probes};

const PROCESSOR: Probes = Probes { gpu: false, processor: true };

/// A captured host whose first processor has these registers; all others are zero. In a file the values of
/// neighbouring numbers would overlap, which on a real device they do not.
fn host(vendor: &str, registers: &[(u32, u64)]) -> Archive {
    let mut archive = Archive::default();
    let cpuinfo = format!("processor\t: 0\nvendor_id\t: {vendor}\n");
    archive.insert("/proc/cpuinfo", Node::File(cpuinfo.into_bytes()).into());
    let numbers =
        [SYSCFG, RMP_BASE, RMP_END, RMP_CFG, KEYID_PARTITIONING, TME_ACTIVATE, SEAMRR_MASK];
    let zeroes = numbers.iter().map(|number| (*number, 0));
    let pieces = zeroes
        .chain(registers.iter().copied())
        .map(|(number, value)| (u64::from(number), value.to_le_bytes().to_vec()));
    archive.insert(PATH, Node::Pieces(pieces.collect()).into());
    archive.probed = PROCESSOR;
    archive
}

fn fact(root: &Root, name: &str) -> Evidence {
    let cpu = super::super::cpu::gather(root);
    let facts = Facts { msr: Some(gather(root, Some(&cpu))), ..Facts::default() };
    (catalogue::fact(name).unwrap().read)(&facts)
}

fn read(archive: &Archive, name: &str) -> Evidence {
    fact(&Root::archive(archive.clone()), name)
}

fn of_tree(tree: &TempDir, probes: Probes, name: &str) -> Reading<Value> {
    fact(&Root::directory(tree.path()).unwrap().allowing(probes), name).reading
}

fn known(value: bool) -> Reading<Value> {
    Reading::Known(Value::Bool(value))
}

#[test]
fn an_amd_processor_tells_of_encryption_and_of_the_reverse_map() {
    let on = host(
        "AuthenticAMD",
        &[(SYSCFG, 0x01f4_0000), (RMP_BASE, 0x3560_0000), (RMP_END, 0x75bf_ffff)],
    );
    assert_eq!(read(&on, "msr.memory-encryption").reading, known(true));
    assert_eq!(read(&on, "msr.snp").reading, known(true));
    let rmp = read(&on, "msr.rmp");
    assert_eq!(rmp.reading, known(true));
    assert_eq!(rmp.note.unwrap(), "0x35600000 to 0x75bfffff, 1030 MiB");
    assert!(read(&on, "msr.tme").reading.is_absent());
    assert!(read(&on, "msr.tdx-keys").reading.is_absent());

    let off = host("AuthenticAMD", &[(SYSCFG, 0x0074_0000)]);
    for name in ["msr.memory-encryption", "msr.snp", "msr.rmp"] {
        assert_eq!(read(&off, name).reading, known(false), "{name}");
    }
}

#[test]
fn a_reverse_map_is_there_only_between_its_two_ends_or_in_pieces() {
    let map = |base, end, config| {
        let registers = [(RMP_BASE, base), (RMP_END, end), (RMP_CFG, config)];
        read(&host("AuthenticAMD", &registers), "msr.rmp").reading
    };
    assert_eq!(map(0x1000_0000, 0, 1), known(true));
    assert_eq!(map(0x1000_0000, 0, 0), known(false));
    assert_eq!(map(0x1000_0000, 0x0fff_e000, 0), known(false));
    assert_eq!(map(0, 0x1000_0000, 0), known(false));
    // Bits outside the address are not one.
    assert_eq!(map(0x1fff, 0x1fff, 0), known(false));
}

#[test]
fn an_intel_processor_tells_of_what_tdx_needs() {
    let on = host(
        "GenuineIntel",
        &[(KEYID_PARTITIONING, 32 << 32 | 31), (TME_ACTIVATE, 3), (SEAMRR_MASK, 0xc00)],
    );
    assert_eq!(read(&on, "msr.tdx-keys").reading, Reading::Known(Value::Integer(32)));
    assert_eq!(read(&on, "msr.tme").reading, known(true));
    assert_eq!(read(&on, "msr.seamrr").reading, known(true));
    assert!(read(&on, "msr.rmp").reading.is_absent());
    let off =
        host("GenuineIntel", &[(KEYID_PARTITIONING, 63), (TME_ACTIVATE, 1), (SEAMRR_MASK, 0x400)]);
    assert_eq!(read(&off, "msr.tdx-keys").reading, Reading::Known(Value::Integer(0)));
    assert_eq!(read(&off, "msr.tme").reading, known(false));
    assert_eq!(read(&off, "msr.seamrr").reading, known(false));
}

#[test]
fn without_the_module_or_leave_nothing_is_known() {
    let vendor = "processor\t: 0\nvendor_id\t: AuthenticAMD\n";
    let missing = tree(&[("proc/cpuinfo", vendor), ("dev/null", "")]);
    let why = of_tree(&missing, PROCESSOR, "msr.snp");
    assert!(why.cause().unwrap().to_string().contains("modprobe msr"));
    let unasked = of_tree(&missing, Probes::default(), "msr.snp");
    assert_eq!(unasked, Reading::Unreadable(Cause::NotGathered));
    assert_eq!(of_tree(&missing, Probes::default(), "msr.probed"), known(false));
    assert_eq!(of_tree(&missing, PROCESSOR, "msr.probed"), known(true));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test makes the host")]
fn a_register_stands_at_its_number() {
    let vendor = "processor\t: 0\nvendor_id\t: AuthenticAMD\n";
    let tree = tree(&[("proc/cpuinfo", vendor), ("dev/cpu/0/msr", "")]);
    let path = tree.path().join("dev/cpu/0/msr");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&0x0080_0000_u64.to_le_bytes(), u64::from(SYSCFG)).unwrap();
    assert_eq!(of_tree(&tree, PROCESSOR, "msr.memory-encryption"), known(true));
    assert_eq!(of_tree(&tree, PROCESSOR, "msr.snp"), known(false));
    // It ends before the next one.
    assert!(of_tree(&tree, PROCESSOR, "msr.rmp").cause().is_some());
}

#[test]
fn a_processor_that_is_not_named_tells_nothing() {
    let nameless = tree(&[("dev/cpu/0/msr", "")]);
    assert!(of_tree(&nameless, PROCESSOR, "msr.rmp").cause().is_some());
    let other = host("HygonGenuine", &[]);
    assert!(read(&other, "msr.rmp").reading.is_absent());
}
