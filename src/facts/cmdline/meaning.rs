//! What a command line makes the kernel do, for the few parameters that decide the fitness of a host.
//!
//! Shared by the line that was booted and the line that the next boot gets. Each function follows the
//! kernel's own handler: some parameters stick once given, for others the last word wins. Whether the
//! result is good or bad is for the rules.

use std::collections::BTreeSet;

use super::super::Value;
use crate::format::cmdline::{Cmdline, Param, elements, normal_key, parse_bool};

/// What follows from a line, and the words that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::facts) struct Finding {
    pub(in crate::facts) value: Value,
    pub(in crate::facts) note: Option<String>,
}

impl Finding {
    fn set(members: BTreeSet<String>) -> Self {
        Self { value: Value::Set(members), note: None }
    }

    fn bool(value: bool, decider: Option<Param<'_>>) -> Self {
        let note = decider.map(|param| format!("decided by {}", param.token));
        Self { value: Value::Bool(value), note }
    }
}

/// Every parameter of the kernel, as it is written.
pub(in crate::facts) fn tokens(line: &Cmdline) -> Finding {
    Finding::set(line.params().map(|param| param.token.to_owned()).collect())
}

/// Every key, with `_` for `-`.
pub(in crate::facts) fn keys(line: &Cmdline) -> Finding {
    Finding::set(line.params().map(|param| normal_key(param.key)).collect())
}

/// The parameters that switch the IOMMU off on an AMD host.
pub(in crate::facts) fn iommu_off_amd(line: &Cmdline) -> Finding {
    let mut off = generic_off(line);
    // `off` sticks: no later value takes it back, and `on` is not a value that the driver knows.
    for param in line.all("amd_iommu") {
        if values(&param).any(|element| element.starts_with("off")) {
            off.insert(param.token.to_owned());
        }
    }
    Finding::set(off)
}

/// The parameters that switch the IOMMU off on an Intel host.
pub(in crate::facts) fn iommu_off_intel(line: &Cmdline) -> Finding {
    let mut off = generic_off(line);
    off.extend(switched_off(line, |param| param.is("intel_iommu").then_some(Switch::ByValue)));
    Finding::set(off)
}

/// The parameters that switch the IOMMU off on one vendor's hosts at least.
pub(in crate::facts) fn iommu_off(line: &Cmdline) -> Finding {
    let mut off = BTreeSet::new();
    for finding in [iommu_off_amd(line), iommu_off_intel(line)] {
        if let Value::Set(members) = finding.value {
            off.extend(members);
        }
    }
    Finding::set(off)
}

/// `iommu=off` sticks too; `iommu=force` and its kin do not take it back.
fn generic_off(line: &Cmdline) -> BTreeSet<String> {
    line.all("iommu")
        .filter(|param| generic_values(param).any(|element| element.starts_with("off")))
        .map(|param| param.token.to_owned())
        .collect()
}

/// Whether the line makes passthrough the default domain. The generic and the core parameter write the
/// same variable, so the later one in the line decides.
pub(in crate::facts) fn passthrough(line: &Cmdline) -> Finding {
    let mut state = (false, None);
    for param in line.params() {
        if param.is("iommu") {
            for element in generic_values(&param) {
                if element.starts_with("pt") {
                    state = (true, Some(param));
                } else if element.starts_with("nopt") {
                    state = (false, Some(param));
                }
            }
        } else if param.is("iommu.passthrough") {
            // Without a value, or with one that is no bool, the kernel refuses it.
            if let Some(value) = param.value.and_then(parse_bool) {
                state = (value, Some(param));
            }
        }
    }
    Finding::bool(state.0, state.1)
}

/// The parameters that ask for passthrough as the default domain, whether or not another outweighs them.
pub(in crate::facts) fn passthrough_arguments(line: &Cmdline) -> Finding {
    let asks = |param: &Param<'_>| {
        (param.is("iommu") && generic_values(param).any(|element| element.starts_with("pt")))
            || (param.is("iommu.passthrough") && param.value.and_then(parse_bool) == Some(true))
    };
    Finding::set(line.params().filter(asks).map(|param| param.token.to_owned()).collect())
}

/// The parameters that switch interrupt remapping off.
pub(in crate::facts) fn interrupt_remapping_off(line: &Cmdline) -> Finding {
    Finding::set(switched_off(line, |param| {
        if param.is("nointremap") {
            Some(Switch::Off)
        } else {
            param.is("intremap").then_some(Switch::ByValue)
        }
    }))
}

/// Parameters of the out-of-tree patch that lets the kernel claim an isolation that is not there.
pub(in crate::facts) fn acs_override(line: &Cmdline) -> Finding {
    Finding::set(line.all("pcie_acs_override").map(|param| param.token.to_owned()).collect())
}

/// `pci=` parameters that change the ACS of devices by name.
pub(in crate::facts) fn acs_weakened(line: &Cmdline) -> Finding {
    let weakens = |element: &str| {
        element.starts_with("disable_acs_redir=") || element.starts_with("config_acs=")
    };
    Finding::set(
        line.all("pci")
            .filter(|param| values(param).any(weakens))
            .map(|param| param.token.to_owned())
            .collect(),
    )
}

/// Whether devices may be assigned although their interrupts are not isolated. modprobe hands over what
/// stands after `--` as well.
pub(in crate::facts) fn unsafe_interrupts(line: &Cmdline) -> Finding {
    const KEYS: [&str; 2] =
        ["vfio_iommu_type1.allow_unsafe_interrupts", "iommufd.allow_unsafe_interrupts"];
    let mut decider = None;
    for key in KEYS {
        let mut last = None;
        for param in line.with_init().filter(|param| param.is(key)) {
            if let Some(value) = param.value.map_or(Some(true), parse_bool) {
                last = Some((value, param));
            }
        }
        match (last, decider) {
            (Some((true, _)), None | Some((false, _))) | (Some((false, _)), None) => decider = last,
            _ => {}
        }
    }
    Finding::bool(decider.is_some_and(|(value, _)| value), decider.map(|(_, param)| param))
}

/// Whether the AMD driver is told to use version 2 page tables.
pub(in crate::facts) fn amd_pgtbl_v2(line: &Cmdline) -> Finding {
    let mut state = (false, None);
    for param in line.all("amd_iommu") {
        for element in values(&param) {
            if element.starts_with("pgtbl_v2") {
                state = (true, Some(param));
            } else if element.starts_with("pgtbl_v1") {
                state = (false, Some(param));
            }
        }
    }
    Finding::bool(state.0, state.1)
}

/// Bool parameters of modules that SEV-SNP is off without.
const SNP_NEEDS: &[&str] = &[
    "kvm.mmio_caching",
    "kvm_amd.lbrv",
    "kvm_amd.npt",
    "kvm_amd.sev",
    "kvm_amd.sev_es",
    "kvm_amd.sev_snp",
];

/// Bool parameters of modules that TDX is off without.
const TDX_NEEDS: &[&str] = &[
    "kvm.enable_virt_at_load",
    "kvm.mmio_caching",
    "kvm.tdp_mmu",
    "kvm_intel.enable_apicv",
    "kvm_intel.ept",
    "kvm_intel.eptad",
    "kvm_intel.tdx",
];

/// The parameters that switch SEV-SNP off.
pub(in crate::facts) fn snp_off(line: &Cmdline) -> Finding {
    let mut off = modules_off(line, SNP_NEEDS);
    for param in line.all("sev").filter(|param| values(param).any(|element| element == "nosnp")) {
        off.insert(param.token.to_owned());
    }
    Finding::set(off)
}

/// The parameters that switch TDX off.
pub(in crate::facts) fn tdx_off(line: &Cmdline) -> Finding {
    Finding::set(modules_off(line, TDX_NEEDS))
}

/// Whether KVM is asked to run TDX guests.
pub(in crate::facts) fn tdx_asked(line: &Cmdline) -> Finding {
    let last = module_bools(line, "kvm_intel.tdx").last();
    Finding::bool(last.is_some_and(|(value, _)| value), last.map(|(_, param)| param))
}

/// The parameters that leave one of some bools off: the last word counts, and the words before it that
/// say the same.
fn modules_off(line: &Cmdline, keys: &[&str]) -> BTreeSet<String> {
    let mut off = BTreeSet::new();
    for key in keys {
        let mut of_key = BTreeSet::new();
        for (value, param) in module_bools(line, key) {
            if value {
                of_key.clear();
            } else {
                of_key.insert(param.token.to_owned());
            }
        }
        off.extend(of_key);
    }
    off
}

/// The values of a module's bool, which modprobe takes from behind `--` as well. Without a value it is
/// true; what is no bool is refused.
fn module_bools<'a>(line: &'a Cmdline, key: &'a str) -> impl Iterator<Item = (bool, Param<'a>)> {
    line.with_init()
        .filter(move |param| param.is(key))
        .filter_map(|param| Some((param.value.map_or(Some(true), parse_bool)?, param)))
}

/// Modules that neither autoload nor, for those of `module_blacklist`, load at all. Both compare byte
/// for byte with names that hold no dash, so a name with one does nothing and is left out.
pub(in crate::facts) fn module_denylist(line: &Cmdline) -> Finding {
    let modprobe = line.with_init().filter(|param| param.is("modprobe.blacklist"));
    // One string in the kernel, so that only the last one counts.
    let kernel = line.last("module_blacklist");
    let mut names = BTreeSet::new();
    let mut void = BTreeSet::new();
    for name in modprobe.chain(kernel).flat_map(|param| elements(param.value.unwrap_or_default())) {
        if name.contains('-') {
            void.insert(name);
        } else {
            names.insert(name.to_owned());
        }
    }
    let mut finding = Finding::set(names);
    if let Some(first) = void.first() {
        finding.note = Some(format!(
            "without effect: {}; write {}",
            void.iter().copied().collect::<Vec<_>>().join(", "),
            normal_key(first),
        ));
    }
    finding
}

/// Whether the line is as long as x86 allows.
pub(in crate::facts) fn truncated(line: &Cmdline) -> Finding {
    let cut = line.may_be_cut();
    let note = cut.then(|| format!("{} bytes; its end may be missing", line.length()));
    Finding { value: Value::Bool(cut), note }
}

/// The elements of a list; a parameter without a value has none.
fn values<'a>(param: &Param<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    elements(param.value.unwrap_or_default())
}

/// The same of `iommu=`, whose handler returns at `usedac` and reads no further.
fn generic_values<'a>(param: &Param<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    values(param).take_while(|element| !element.starts_with("usedac"))
}

/// How a parameter acts on a switch that the last word decides.
enum Switch {
    Off,
    /// `on` and `off` in a comma-separated value.
    ByValue,
}

/// The parameters that leave a switch off: those after the last one that switched it on.
fn switched_off(line: &Cmdline, acts: impl Fn(&Param<'_>) -> Option<Switch>) -> BTreeSet<String> {
    let mut off = BTreeSet::new();
    for param in line.params() {
        match acts(&param) {
            None => {}
            Some(Switch::Off) => {
                off.insert(param.token.to_owned());
            }
            Some(Switch::ByValue) => {
                for element in values(&param) {
                    if element.starts_with("on") {
                        off.clear();
                    } else if element.starts_with("off") {
                        off.insert(param.token.to_owned());
                    }
                }
            }
        }
    }
    off
}
