//! The command line that this kernel was booted with, and what it makes the kernel do.
//!
//! It shows what booted, not what is configured; `boot_config` compares the two. Whether the IOMMU
//! really works is told by sysfs; the command line explains, and is what gets repaired.

mod meaning;
mod mistakes;
#[cfg(test)]
mod tests;

pub(super) use meaning::Finding;
pub(super) use mistakes::{Mistake, mistakes};

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source};
use crate::format::cmdline::Cmdline as Line;
use crate::host::{DEFAULT_CAP, Root};

pub(super) const PATH: &str = "/proc/cmdline";

/// The booted command line.
#[derive(Debug)]
pub struct Cmdline {
    pub line: Reading<Line>,
}

pub(super) fn gather(root: &Root) -> Cmdline {
    let line = match root.read(PATH, DEFAULT_CAP) {
        // Every kernel was booted with one, an empty one if nothing else; an image shows none.
        Reading::Absent => Reading::Unreadable(Cause::NoAnswer("/proc is not mounted".to_owned())),
        other => other.map(|bytes| Line::parse(&bytes)),
    };
    Cmdline { line }
}

/// What a line means, by the kernel's own handlers; the same for the booted and for the next line.
pub(super) mod means {
    pub(in crate::facts) use super::meaning::{
        acs_override, acs_weakened, interrupt_remapping_off, iommu_off, iommu_off_amd,
        iommu_off_intel, module_denylist, passthrough, tokens, unsafe_interrupts,
    };
}

fn evidence(facts: &Facts, meaning: fn(&Line) -> Finding) -> Evidence {
    let source = Source::file(PATH);
    let Some(cmdline) = &facts.cmdline else {
        return Evidence::new(Reading::Unreadable(Cause::NotGathered), source);
    };
    let mut note = None;
    let reading = cmdline.line.as_ref().map(|line| {
        let finding = meaning(line);
        note = finding.note;
        finding.value
    });
    Evidence { reading, source: Some(source), note }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "cmdline.tokens",
        kind: Kind::Set,
        doc: "Every kernel parameter of the booted command line as it is written, up to a `--`.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::tokens),
    },
    Fact {
        name: "cmdline.keys",
        kind: Kind::Set,
        doc: "The keys of the booted command line, with `_` for `-`, up to a `--`.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::keys),
    },
    Fact {
        name: "cmdline.iommu-off",
        kind: Kind::Set,
        doc: "Booted parameters that switch the IOMMU off on AMD or on Intel hosts.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::iommu_off),
    },
    Fact {
        name: "cmdline.iommu-off-amd",
        kind: Kind::Set,
        doc: "Booted parameters that switch the IOMMU off on an AMD host.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::iommu_off_amd),
    },
    Fact {
        name: "cmdline.iommu-off-intel",
        kind: Kind::Set,
        doc: "Booted parameters that switch the IOMMU off on an Intel host.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::iommu_off_intel),
    },
    Fact {
        name: "cmdline.iommu-passthrough",
        kind: Kind::Bool,
        doc: "Whether the booted command line makes passthrough the IOMMU's default domain; the \
              kernel's own default is not part of it.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::passthrough),
    },
    Fact {
        name: "cmdline.passthrough-arguments",
        kind: Kind::Set,
        doc: "Booted parameters that ask for passthrough as the IOMMU's default domain.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::passthrough_arguments),
    },
    Fact {
        name: "cmdline.amd-pgtbl-v2",
        kind: Kind::Bool,
        doc: "Whether the booted command line selects version 2 page tables for the AMD IOMMU.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::amd_pgtbl_v2),
    },
    Fact {
        name: "cmdline.interrupt-remapping-off",
        kind: Kind::Set,
        doc: "Booted parameters that switch interrupt remapping off.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::interrupt_remapping_off),
    },
    Fact {
        name: "cmdline.acs-override",
        kind: Kind::Set,
        doc: "Booted `pcie_acs_override=` parameters, with which a patched kernel invents isolation.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::acs_override),
    },
    Fact {
        name: "cmdline.acs-weakened",
        kind: Kind::Set,
        doc: "Booted `pci=` parameters that take ACS control from devices by name.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::acs_weakened),
    },
    Fact {
        name: "cmdline.unsafe-interrupts",
        kind: Kind::Bool,
        doc: "Whether the booted command line lets VFIO or iommufd assign devices without interrupt \
              isolation.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::unsafe_interrupts),
    },
    Fact {
        name: "cmdline.snp-off",
        kind: Kind::Set,
        doc: "Booted parameters that switch SEV-SNP off, or something that it needs of KVM.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::snp_off),
    },
    Fact {
        name: "cmdline.tdx-off",
        kind: Kind::Set,
        doc: "Booted parameters that switch TDX off, or something that it needs of KVM.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::tdx_off),
    },
    Fact {
        name: "cmdline.tdx-asked",
        kind: Kind::Bool,
        doc: "Whether the booted command line asks KVM to run TDX guests; modprobe.d may do so as well.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::tdx_asked),
    },
    Fact {
        name: "cmdline.module-denylist",
        kind: Kind::Set,
        doc: "Modules that the booted command line keeps from loading, by `modprobe.blacklist` and \
              `module_blacklist`; names that neither can match are left out.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::module_denylist),
    },
    Fact {
        name: "cmdline.truncated",
        kind: Kind::Bool,
        doc: "Whether the booted command line is as long as x86 allows, so that its end may be missing.",
        needs: Needs::CMDLINE,
        read: |facts| evidence(facts, meaning::truncated),
    },
];
pub(super) const COLLECTIONS: &[Collection] = &[];
