//! The processor, from the first block of `/proc/cpuinfo`.
//!
//! Only that block is read: the file repeats it for every processor, and is megabytes long on a large
//! host. That all processors are alike is taken for granted, as the kernel does for these fields.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const CPUINFO: &str = "/proc/cpuinfo";

/// More than any processor's block has.
const FIRST_BLOCK: usize = 64 << 10;

/// Each is `Absent` where the architecture's layout has no such line; Arm has none of them.
#[derive(Debug)]
pub struct Cpu {
    /// `GenuineIntel`, `AuthenticAMD`.
    pub vendor: Reading<String>,
    pub family: Reading<i64>,
    /// The number, not the name.
    pub model: Reading<i64>,
    pub model_name: Reading<String>,
    /// Revision of the microcode that runs, as `0xa101154`.
    pub microcode: Reading<String>,
    pub flags: Reading<BTreeSet<String>>,
    /// Errata that the kernel works around or warns of.
    pub bugs: Reading<BTreeSet<String>>,
}

pub(super) fn gather(root: &Root) -> Cpu {
    match root.read_at(CPUINFO, 0, FIRST_BLOCK) {
        Reading::Known(bytes) => parse(&bytes, FIRST_BLOCK),
        Reading::Absent => {
            all(&Reading::Unreadable(Cause::NoAnswer("/proc is not mounted".to_owned())))
        }
        Reading::Unreadable(cause) => all(&Reading::Unreadable(cause)),
    }
}

/// The first processor's block in the first `length` bytes of the file.
pub fn parse(bytes: &[u8], length: usize) -> Cpu {
    let text = String::from_utf8_lossy(bytes);
    let Some((block, complete)) = first_block(&text) else {
        return all(&Reading::Unreadable(Cause::malformed(1, "no processor is listed")));
    };
    if !complete && bytes.len() >= length {
        return all(&Reading::Unreadable(Cause::TooLarge(length as u64)));
    }
    let field = |wanted: &str| {
        (1_u32..)
            .zip(block.lines())
            .filter_map(|(number, line)| line.split_once(':').map(|pair| (number, pair)))
            .find(|(_, (key, _))| key.trim_end() == wanted)
            .map(|(number, (_, value))| (number, value.trim()))
    };
    let text = |key: &str| match field(key) {
        Some((_, value)) => Reading::Known(value.to_owned()),
        None => Reading::Absent,
    };
    let number = |key: &str| match field(key) {
        Some((line, value)) => value.parse().map_or_else(
            |_| Reading::Unreadable(Cause::malformed(line, format!("{key} is no number"))),
            Reading::Known,
        ),
        None => Reading::Absent,
    };
    Cpu {
        vendor: text("vendor_id"),
        family: number("cpu family"),
        model: number("model"),
        model_name: text("model name"),
        microcode: text("microcode"),
        flags: words(text("flags")),
        bugs: words(text("bugs")),
    }
}

fn words(text: Reading<String>) -> Reading<BTreeSet<String>> {
    text.map(|text| text.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The lines before the first empty one, and whether that one was seen.
fn first_block(text: &str) -> Option<(&str, bool)> {
    let (block, complete) = match text.split_once("\n\n") {
        Some((block, _)) => (block, true),
        None => (text, false),
    };
    block.contains(':').then_some((block, complete))
}

fn all(reading: &Reading<()>) -> Cpu {
    Cpu {
        vendor: reading.clone().map(|()| String::new()),
        family: reading.clone().map(|()| 0),
        model: reading.clone().map(|()| 0),
        model_name: reading.clone().map(|()| String::new()),
        microcode: reading.clone().map(|()| String::new()),
        flags: reading.clone().map(|()| BTreeSet::new()),
        bugs: reading.clone().map(|()| BTreeSet::new()),
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "cpu.vendor",
        kind: Kind::Text,
        doc: "`GenuineIntel` or `AuthenticAMD`; absent on other architectures.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.vendor.clone().map(Value::Text)),
    },
    Fact {
        name: "cpu.family",
        kind: Kind::Integer,
        doc: "Family number: 25 for AMD Milan and Genoa, 26 for Turin, 6 for Intel.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.family.clone().map(Value::Integer)),
    },
    Fact {
        name: "cpu.model-number",
        kind: Kind::Integer,
        doc: "Model number within the family.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.model.clone().map(Value::Integer)),
    },
    Fact {
        name: "cpu.model",
        kind: Kind::Text,
        doc: "What the processor calls itself.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.model_name.clone().map(Value::Text)),
    },
    Fact {
        name: "cpu.flags",
        kind: Kind::Set,
        doc: "What the processor can do and the kernel left switched on, as `sev_snp` or `vmx`.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.flags.clone().map(Value::Set)),
    },
    Fact {
        name: "cpu.bugs",
        kind: Kind::Set,
        doc: "Errata of the processor that the kernel knows of, as `tdx_pw_mce`.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.bugs.clone().map(Value::Set)),
    },
    Fact {
        name: "cpu.microcode",
        kind: Kind::Text,
        doc: "Revision of the microcode that runs, as `0xa101154`.",
        needs: Needs::CPU,
        read: |facts| evidence(facts, |cpu| cpu.microcode.clone().map(Value::Text)),
    },
    Fact {
        name: "cpu.hypervisor",
        kind: Kind::Bool,
        doc: "Whether this host is itself a guest of a hypervisor.",
        needs: Needs::CPU,
        read: |facts| {
            evidence(facts, |cpu| {
                cpu.flags.as_ref().map(|flags| Value::Bool(flags.contains("hypervisor")))
            })
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn evidence(facts: &Facts, read: impl FnOnce(&Cpu) -> Reading<Value>) -> Evidence {
    match &facts.cpu {
        Some(cpu) => Evidence::new(read(cpu), Source::file(CPUINFO)),
        None => Evidence::not_gathered(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    const GENOA: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n\
        model name\t: AMD EPYC 9554 64-Core Processor\nstepping\t: 1\n\
        flags\t\t: fpu vme svm sme sev sev_es sev_snp\nbugs\t\t: spectre_v1\n\
        power management: ts ttp\n\n";

    #[test]
    fn the_first_block_is_read_and_the_rest_is_not() {
        let cpu = parse(format!("{GENOA}processor\t: 1\nvendor_id\t: Other\n\n").as_bytes(), 4096);
        assert_eq!(cpu.vendor, Reading::Known("AuthenticAMD".to_owned()));
        assert_eq!((cpu.family, cpu.model), (Reading::Known(25), Reading::Known(17)));
        assert_eq!(cpu.model_name, Reading::Known("AMD EPYC 9554 64-Core Processor".to_owned()));
        let flags = cpu.flags.into_known().unwrap();
        assert!(flags.contains("sev_snp") && !flags.contains("hypervisor"));
    }

    #[test]
    fn a_file_of_one_block_needs_no_empty_line() {
        assert!(parse(GENOA.trim_end().as_bytes(), 4096).flags.known().is_some());
    }

    #[test]
    fn a_block_that_is_cut_off_is_not_believed() {
        let cut = &GENOA.as_bytes()[..GENOA.len() - 10];
        assert_eq!(
            parse(cut, cut.len()).flags,
            Reading::Unreadable(Cause::TooLarge(cut.len() as u64))
        );
    }

    #[test]
    fn another_architecture_has_no_vendor_and_an_unusable_file_no_answer() {
        let arm =
            "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd\nCPU part\t: 0xd87\n\n";
        let cpu = parse(arm.as_bytes(), 4096);
        assert!(cpu.vendor.is_absent() && cpu.flags.is_absent());
        for text in [&b""[..], b"\n\n", b"\xff\xff\n", b"nothing here"] {
            assert!(parse(text, 4096).vendor.cause().is_some(), "{text:?}");
        }
        let odd = parse(b"vendor_id : X\ncpu family : many\n\n", 4096);
        assert_eq!(odd.family.cause().unwrap().line(), Some(2));
    }

    #[test]
    fn a_guest_is_known_by_its_flag_and_a_missing_file_tells_nothing() {
        let host =
            tree(&[("proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t: vmx hypervisor\n\n")]);
        let guest = facts(host.path(), Needs::CPU);
        assert_eq!(value(&guest, "cpu.hypervisor").reading, Reading::Known(Value::Bool(true)));
        let none = tree(&[]);
        let nothing = facts(none.path(), Needs::CPU);
        assert!(value(&nothing, "cpu.hypervisor").reading.cause().is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, length in 0_usize..64) {
            let _ = parse(&bytes, length);
        }
    }
}
