//! What registers of the processor say of memory encryption, SEV-SNP and TDX: the firmware's own settings,
//! which the kernel's flags only follow.
//!
//! They explain why a TEE is off, and never judge a host by themselves. Only where a person allowed it for
//! this run, and only of the first processor; the firmware sets all alike. Each is unknown where the module
//! `msr` is not loaded or the user is not root.

use nix::errno::Errno;

use super::catalogue::{Evidence, Fact};
use super::cpu::Cpu;
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const PATH: &str = "/dev/cpu/0/msr";
const NEEDS: Needs = Needs::PROCESSOR_REGISTERS.and(Needs::CPU);

// AMD64 Architecture Programmer's Manual, volume 2, appendix A.
const SYSCFG: u32 = 0xc001_0010;
const RMP_BASE: u32 = 0xc001_0132;
const RMP_END: u32 = 0xc001_0133;
const RMP_CFG: u32 = 0xc001_0136;
const MEMORY_ENCRYPTION: u64 = 1 << 23;
const SNP: u64 = 1 << 24;
const SEGMENTED: u64 = 1;
/// Addresses in the two registers of the table.
const ADDRESS: u64 = 0x000f_ffff_ffff_e000;
/// The bits below it, which are ones in the last address.
const LOWEST: u64 = 0x1fff;

// Intel Software Developer's Manual, volume 4, and the TDX module's base specification.
const KEYID_PARTITIONING: u32 = 0x87;
const TME_ACTIVATE: u32 = 0x982;
const SEAMRR_MASK: u32 = 0x1401;
const TME_ENABLED: u64 = 1 << 1;
const SEAMRR_ENABLED: u64 = 1 << 11;

/// What was read; `Absent` where a processor of this vendor has no such register.
#[derive(Debug)]
pub struct Msr {
    /// Whether a person allowed it.
    pub probed: bool,
    pub syscfg: Reading<u64>,
    pub rmp: Reading<Rmp>,
    pub keyid_partitioning: Reading<u64>,
    pub tme_activate: Reading<u64>,
    pub seamrr_mask: Reading<u64>,
}

/// The table of SEV-SNP that the firmware sets memory aside for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rmp {
    None,
    /// First and last address.
    Range(u64, u64),
    /// In pieces, from the first address of their list.
    Segmented(u64),
}

pub(super) fn gather(root: &Root, cpu: Option<&Cpu>) -> Msr {
    let vendor = cpu.map_or(Reading::Unreadable(Cause::NotGathered), |cpu| cpu.vendor.clone());
    let of = |wanted: &str, number: u32| {
        vendor.clone().and_then(|vendor| {
            if vendor == wanted { register(root, number) } else { Reading::Absent }
        })
    };
    let amd = |number| of("AuthenticAMD", number);
    let intel = |number| of("GenuineIntel", number);
    if !root.probes().processor {
        let unread = || Reading::Unreadable(Cause::NotGathered);
        return Msr {
            probed: false,
            syscfg: unread(),
            rmp: Reading::Unreadable(Cause::NotGathered),
            keyid_partitioning: unread(),
            tme_activate: unread(),
            seamrr_mask: unread(),
        };
    }
    Msr {
        probed: true,
        syscfg: amd(SYSCFG),
        rmp: amd(RMP_BASE).and_then(|base| {
            amd(RMP_END).and_then(|end| rmp(base & ADDRESS, end & ADDRESS, || amd(RMP_CFG)))
        }),
        keyid_partitioning: intel(KEYID_PARTITIONING),
        tme_activate: intel(TME_ACTIVATE),
        seamrr_mask: intel(SEAMRR_MASK),
    }
}

/// A table in pieces has no end, and only new processors know whether theirs is one.
fn rmp(base: u64, end: u64, config: impl FnOnce() -> Reading<u64>) -> Reading<Rmp> {
    match (base, end) {
        (0, _) => Reading::Known(Rmp::None),
        (_, 0) => match config() {
            Reading::Known(config) if config & SEGMENTED != 0 => {
                Reading::Known(Rmp::Segmented(base))
            }
            Reading::Known(_) => Reading::Known(Rmp::None),
            other => other.map(|_| Rmp::None),
        },
        _ if base < end => Reading::Known(Rmp::Range(base, end | LOWEST)),
        _ => Reading::Known(Rmp::None),
    }
}

fn register(root: &Root, number: u32) -> Reading<u64> {
    let no_answer = |why: &str| Reading::Unreadable(Cause::NoAnswer(why.to_owned()));
    match root.processor_register(PATH, number) {
        Reading::Absent => no_answer("the module msr is not loaded (modprobe msr)"),
        Reading::Unreadable(Cause::DeviceGone) => {
            no_answer("the processor, or who virtualizes it, does not give this register")
        }
        Reading::Unreadable(Cause::Os(errno)) if errno == Errno::ENXIO as i32 => {
            no_answer("the processor is not online")
        }
        other => other,
    }
}

fn evidence(facts: &Facts, read: impl FnOnce(&Msr) -> Reading<Value>) -> Evidence {
    match &facts.msr {
        Some(msr) if msr.probed => Evidence::new(read(msr), Source::file(PATH)),
        _ => Evidence::not_gathered(),
    }
}

fn bit(register: &Reading<u64>, bit: u64) -> Reading<Value> {
    register.as_ref().map(|value| Value::Bool(value & bit != 0))
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "msr.probed",
        kind: Kind::Bool,
        doc: "Whether registers of the processor were to be read, with --probe.",
        needs: Needs::PROCESSOR_REGISTERS,
        read: |facts| match &facts.msr {
            Some(msr) => Evidence::new(Reading::Known(Value::Bool(msr.probed)), Source::file(PATH)),
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "msr.memory-encryption",
        kind: Kind::Bool,
        doc: "Whether the firmware switched memory encryption on (SMEE in SYSCFG); absent on Intel. Only \
              with --probe.",
        needs: NEEDS,
        read: |facts| evidence(facts, |msr| bit(&msr.syscfg, MEMORY_ENCRYPTION)),
    },
    Fact {
        name: "msr.snp",
        kind: Kind::Bool,
        doc: "Whether SEV-SNP is switched on in SYSCFG, by the firmware or by the kernel; absent on Intel. \
              Only with --probe.",
        needs: NEEDS,
        read: |facts| evidence(facts, |msr| bit(&msr.syscfg, SNP)),
    },
    Fact {
        name: "msr.rmp",
        kind: Kind::Bool,
        doc: "Whether the firmware set memory aside for SEV-SNP's reverse map; absent on Intel. Only with \
              --probe.",
        needs: NEEDS,
        read: |facts| {
            let mut note = None;
            let evidence = evidence(facts, |msr| {
                msr.rmp.as_ref().map(|rmp| {
                    note = match rmp {
                        Rmp::None => None,
                        Rmp::Range(base, end) => Some(format!(
                            "{base:#x} to {end:#x}, {} MiB",
                            (end.saturating_sub(*base) + 1) >> 20
                        )),
                        Rmp::Segmented(base) => Some(format!("in pieces, listed at {base:#x}")),
                    };
                    Value::Bool(*rmp != Rmp::None)
                })
            });
            Evidence { note, ..evidence }
        },
    },
    Fact {
        name: "msr.tme",
        kind: Kind::Bool,
        doc: "Whether the firmware switched memory encryption on (IA32_TME_ACTIVATE); absent on AMD. Only \
              with --probe.",
        needs: NEEDS,
        read: |facts| evidence(facts, |msr| bit(&msr.tme_activate, TME_ENABLED)),
    },
    Fact {
        name: "msr.seamrr",
        kind: Kind::Bool,
        doc: "Whether the firmware set memory aside for the TDX module (SEAMRR); absent on AMD. Only with \
              --probe.",
        needs: NEEDS,
        read: |facts| evidence(facts, |msr| bit(&msr.seamrr_mask, SEAMRR_ENABLED)),
    },
    Fact {
        name: "msr.tdx-keys",
        kind: Kind::Integer,
        doc: "How many encryption keys the firmware left for TDX; it takes one itself. Absent on AMD. Only \
              with --probe.",
        needs: NEEDS,
        read: |facts| {
            evidence(facts, |msr| {
                msr.keyid_partitioning
                    .as_ref()
                    .map(|keys| Value::Integer(i64::try_from(keys >> 32).unwrap_or(i64::MAX)))
            })
        },
    },
];

#[cfg(test)]
#[path = "msr_tests.rs"]
mod tests;
