//! KVM: its device node, those that a guest's network and agent need, and the parameters that say
//! whether confidential guests work.
//!
//! The modules clear their own parameters when the hardware, the firmware or the boot does not do its
//! part, so these are what is so and not what was asked for. Why a parameter is cleared is for the rules
//! to tell from other facts.

use std::collections::BTreeMap;

use super::catalogue::{Collection, Evidence, Fact};
use super::devices::{self, Devices};
use super::{Facts, Kind, Needs, Reading, Source, Value, sysfs};
use crate::host::{FileKind, Root};

const DEVICE: &str = "/dev/kvm";
const VHOST_NET: &str = "/dev/vhost-net";
const VHOST_VSOCK: &str = "/dev/vhost-vsock";

/// Module and parameter of each fact below.
const PARAMETERS: &[(&str, &str)] = &[
    ("kvm", "enable_virt_at_load"),
    ("kvm", "mmio_caching"),
    ("kvm", "tdp_mmu"),
    ("kvm_amd", "sev"),
    ("kvm_amd", "sev_es"),
    ("kvm_amd", "sev_snp"),
    ("kvm_intel", "enable_apicv"),
    ("kvm_intel", "ept"),
    ("kvm_intel", "eptad"),
    ("kvm_intel", "tdx"),
    ("kvm_intel", "unrestricted_guest"),
];

/// Nodes and parameters.
#[derive(Debug)]
pub struct Kvm {
    /// What the nodes are; `Absent` when there is none.
    pub device: Reading<FileKind>,
    pub vhost_net: Reading<FileKind>,
    pub vhost_vsock: Reading<FileKind>,
    /// By module and parameter; `Absent` without the module, or on a kernel whose module has no such
    /// parameter.
    parameters: BTreeMap<(&'static str, &'static str), Parameter>,
}

#[derive(Debug)]
struct Parameter {
    value: Reading<bool>,
    /// Whether the module is there, loaded or built in.
    module: Reading<()>,
}

pub(super) fn gather(root: &Root) -> Kvm {
    let devices = Devices::of(root);
    let mut modules: BTreeMap<&str, Reading<()>> = BTreeMap::new();
    let parameters = PARAMETERS.iter().map(|&(module, name)| {
        let there = modules.entry(module).or_insert_with(|| sysfs::module(root, module)).clone();
        let path = path(module, name);
        let value = there.clone().and_then(|()| sysfs::read_flag(root, &path));
        ((module, name), Parameter { value, module: there })
    });
    Kvm {
        parameters: parameters.collect(),
        device: devices.node(DEVICE),
        vhost_net: devices.node(VHOST_NET),
        vhost_vsock: devices.node(VHOST_VSOCK),
    }
}

fn path(module: &str, parameter: &str) -> String {
    format!("/sys/module/{module}/parameters/{parameter}")
}

fn node(facts: &Facts, path: &str, read: fn(&Kvm) -> &Reading<FileKind>) -> Evidence {
    match &facts.kvm {
        Some(kvm) => Evidence::new(devices::is_device(read(kvm)), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

/// A parameter that is missing is explained by its module: not loaded, or without it.
fn parameter(facts: &Facts, module: &'static str, name: &'static str) -> Evidence {
    let Some(kvm) = &facts.kvm else { return Evidence::not_gathered() };
    let Some(parameter) = kvm.parameters.get(&(module, name)) else {
        return Evidence::not_gathered();
    };
    let evidence =
        Evidence::new(parameter.value.clone().map(Value::Bool), Source::file(path(module, name)));
    match (&parameter.value, &parameter.module) {
        (Reading::Absent, Reading::Known(())) => {
            evidence.with_note(format!("this kernel's {module} has no such parameter"))
        }
        (Reading::Absent, Reading::Absent) => evidence.with_note(format!("{module} is not loaded")),
        _ => evidence,
    }
}

macro_rules! parameter {
    ($name:literal, $module:literal, $parameter:literal, $doc:literal) => {
        Fact {
            name: $name,
            kind: Kind::Bool,
            doc: $doc,
            needs: Needs::KVM,
            read: |facts| parameter(facts, $module, $parameter),
        }
    };
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "kvm.present",
        kind: Kind::Bool,
        doc: "Whether /dev/kvm is a character device.",
        needs: Needs::KVM,
        read: |facts| node(facts, DEVICE, |kvm| &kvm.device),
    },
    Fact {
        name: "kvm.vhost-net",
        kind: Kind::Bool,
        doc: "Whether /dev/vhost-net is a character device; it is there before its module is loaded.",
        needs: Needs::KVM,
        read: |facts| node(facts, VHOST_NET, |kvm| &kvm.vhost_net),
    },
    Fact {
        name: "kvm.vhost-vsock",
        kind: Kind::Bool,
        doc: "Whether /dev/vhost-vsock is a character device; it is there before its module is loaded.",
        needs: Needs::KVM,
        read: |facts| node(facts, VHOST_VSOCK, |kvm| &kvm.vhost_vsock),
    },
    parameter!("kvm.sev", "kvm_amd", "sev", "Whether KVM runs SEV guests; absent without kvm_amd."),
    parameter!(
        "kvm.sev-es",
        "kvm_amd",
        "sev_es",
        "Whether KVM runs SEV-ES guests; absent without kvm_amd."
    ),
    parameter!(
        "kvm.sev-snp",
        "kvm_amd",
        "sev_snp",
        "Whether KVM runs SEV-SNP guests; absent without kvm_amd, or on a kernel before 6.11."
    ),
    parameter!(
        "kvm.tdx",
        "kvm_intel",
        "tdx",
        "Whether KVM runs TDX guests; absent without kvm_intel, or on a kernel before 6.16."
    ),
    parameter!(
        "kvm.ept",
        "kvm_intel",
        "ept",
        "Whether KVM uses extended page tables; absent without kvm_intel."
    ),
    parameter!(
        "kvm.ept-accessed-dirty",
        "kvm_intel",
        "eptad",
        "Whether KVM uses the accessed and dirty bits of extended page tables; absent without kvm_intel."
    ),
    parameter!(
        "kvm.apicv",
        "kvm_intel",
        "enable_apicv",
        "Whether KVM uses the CPU's virtual APIC; absent without kvm_intel."
    ),
    parameter!(
        "kvm.unrestricted-guest",
        "kvm_intel",
        "unrestricted_guest",
        "Whether guests may run in real mode; absent without kvm_intel."
    ),
    parameter!(
        "kvm.tdp-mmu",
        "kvm",
        "tdp_mmu",
        "Whether KVM keeps guests' second page tables with the newer code; absent without kvm."
    ),
    parameter!(
        "kvm.mmio-caching",
        "kvm",
        "mmio_caching",
        "Whether KVM marks device memory in guests' second page tables; absent without kvm."
    ),
    parameter!(
        "kvm.virt-at-load",
        "kvm",
        "enable_virt_at_load",
        "Whether KVM switches virtualization on when it is loaded; absent on kernels before 6.12."
    ),
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, tree, value};
    use super::*;

    const KNOWN: fn(bool) -> Reading<Value> = |flag| Reading::Known(Value::Bool(flag));

    #[test]
    fn parameters_are_flags_and_absent_without_their_module() {
        let host = tree(&[
            ("sys/module/kvm_amd/parameters/sev", "1\n"),
            ("sys/module/kvm_amd/parameters/sev_es", "Y\n"),
            ("sys/module/kvm_amd/parameters/sev_snp", "N\n"),
        ]);
        let facts = facts(host.path(), Needs::KVM);
        let flag = |name: &str| value(&facts, name).reading;
        assert_eq!(flag("kvm.sev"), KNOWN(true));
        assert_eq!(flag("kvm.sev-es"), KNOWN(true));
        assert_eq!(flag("kvm.sev-snp"), KNOWN(false));
        let tdx = value(&facts, "kvm.tdx");
        assert!(tdx.reading.is_absent());
        assert_eq!(tdx.note.as_deref(), Some("kvm_intel is not loaded"));
    }

    #[test]
    fn a_module_without_the_parameter_is_told_from_one_that_is_not_loaded() {
        let host = tree(&[("sys/module/kvm_amd/parameters/sev", "Y\n")]);
        let facts = facts(host.path(), Needs::KVM);
        let snp = value(&facts, "kvm.sev-snp");
        assert!(snp.reading.is_absent());
        assert_eq!(snp.note.as_deref(), Some("this kernel's kvm_amd has no such parameter"));
    }

    #[test]
    fn without_sysfs_nothing_is_said_about_parameters() {
        for host in [tree(&[("etc/hostname", "")]), tree(&[("sys/module/", "")])] {
            let facts = facts(host.path(), Needs::KVM);
            for name in ["kvm.sev-snp", "kvm.tdx", "kvm.tdp-mmu", "kvm.present"] {
                assert!(value(&facts, name).reading.cause().is_some(), "{name}");
            }
        }
    }

    #[test]
    fn kvm_is_present_only_as_a_device() {
        let file = tree(&[("dev/kvm", "")]);
        let others = tree(&[("dev/null", "")]);
        for host in [file, others] {
            let facts = facts(host.path(), Needs::KVM);
            assert_eq!(value(&facts, "kvm.present").reading, KNOWN(false));
            assert_eq!(value(&facts, "kvm.vhost-vsock").reading, KNOWN(false));
        }
    }

    #[test]
    fn every_parameter_that_is_read_is_a_fact() {
        let host = tree(&[("sys/module/kvm/parameters/x", "")]);
        let facts = facts(host.path(), Needs::KVM);
        for fact in FACTS {
            assert_ne!((fact.read)(&facts), Evidence::not_gathered(), "{}", fact.name);
        }
        assert_eq!(FACTS.len(), PARAMETERS.len() + 3);
    }
}
