//! What is so on a host: one typed struct per source, one module per source.
//!
//! Gathering cannot fail as a whole: every leaf is a [`Reading`]. A fact never says whether it is good
//! or bad; that is for the rules. To add a fact: read it in its source's module, and list it in that
//! module's `FACTS` (or its collection's facts) with its kind and a sentence.

mod assumption;
pub mod boot_config;
pub mod catalogue;
pub mod cmdline;
pub mod cpu;
pub mod iommu;
pub mod kubelet;
pub mod modules;
pub mod operator;
pub mod os;
pub mod pci;
mod sysfs;
#[cfg(test)]
mod testing;
mod value;
pub mod vfio;

use std::collections::BTreeMap;

pub use crate::host::{Cause, Reading, Source};
use crate::host::{Root, Run};
pub use assumption::{AssumptionError, assumption};
pub use value::{Kind, Value, ValueError};

/// Which sources a set of rules asks for: a set of the constants below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs(u32);

impl Needs {
    pub const NONE: Self = Self(0);
    pub const CPU: Self = Self(1);
    pub const OS: Self = Self(1 << 1);
    /// Groups, instances and firmware tables.
    pub const IOMMU: Self = Self(1 << 2);
    /// Every function's identity and driver, and the groups and chains of NVIDIA functions.
    pub const PCI: Self = Self(1 << 3);
    /// Power state and ways to reset of NVIDIA functions.
    pub const PCI_POWER: Self = Self(1 << 4);
    /// Link, address windows and the like of NVIDIA functions. The kernel asks the device itself for the
    /// state of its link, so only who wants to know it should have it read.
    pub const PCI_DETAIL: Self = Self(1 << 13);
    /// Both of every function; only for the `facts` and `capture` commands.
    pub const PCI_EVERY_DETAIL: Self = Self(1 << 5);
    pub const VFIO: Self = Self(1 << 6);
    pub const MODULES: Self = Self(1 << 7);
    pub const CMDLINE: Self = Self(1 << 8);
    /// The boot loader's configuration and what it generated.
    pub const BOOT_CONFIG: Self = Self(1 << 9);
    pub const KUBELET: Self = Self(1 << 10);
    /// The kubelet's version, which may take running it.
    pub const KUBELET_VERSION: Self = Self(1 << 11);
    /// Traces of the GPU Operator.
    pub const OPERATOR: Self = Self(1 << 12);
    pub const ALL: Self = Self((1 << 14) - 1);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Values that the user vouches for, by the fact's name. They count only where the
/// fact itself cannot be read.
pub type Assumptions = BTreeMap<&'static str, Value>;

/// All that was gathered. A source that no rule asked for is `None`.
#[derive(Debug, Default)]
pub struct Facts {
    pub assumed: Assumptions,
    pub cpu: Option<cpu::Cpu>,
    pub os: Option<os::Os>,
    pub iommu: Option<iommu::Iommu>,
    pub pci: Option<pci::Pci>,
    pub vfio: Option<vfio::Vfio>,
    pub modules: Option<modules::Modules>,
    pub cmdline: Option<cmdline::Cmdline>,
    pub boot_config: Option<boot_config::BootConfig>,
    pub kubelet: Option<kubelet::Kubelet>,
    pub operator: Option<operator::Operator>,
}

/// Reads what is needed, each file once.
pub fn gather(root: &Root, run: &Run, needs: Needs, assumed: Assumptions) -> Facts {
    let wanted = |source: Needs| needs.has(source);
    let pci = [Needs::PCI, Needs::PCI_POWER, Needs::PCI_DETAIL, Needs::PCI_EVERY_DETAIL];
    let pci = pci.into_iter().any(wanted);
    let boot_config = wanted(Needs::BOOT_CONFIG);
    // What the next boot will bring is told by comparing with this one, in the distribution's way.
    let os = (wanted(Needs::OS) || boot_config).then(|| os::gather(root));
    let cmdline = (wanted(Needs::CMDLINE) || boot_config).then(|| cmdline::gather(root));
    Facts {
        cpu: wanted(Needs::CPU).then(|| cpu::gather(root)),
        iommu: wanted(Needs::IOMMU).then(|| iommu::gather(root)),
        pci: pci.then(|| pci::gather(root, needs)),
        vfio: wanted(Needs::VFIO).then(|| vfio::gather(root)),
        modules: wanted(Needs::MODULES).then(|| modules::gather(root)),
        boot_config: match (&cmdline, &os) {
            (Some(cmdline), Some(os)) if boot_config => {
                Some(boot_config::gather(root, &cmdline.line, os.is_debian_family()))
            }
            _ => None,
        },
        kubelet: wanted(Needs::KUBELET).then(|| kubelet::gather(root, run, needs, &assumed)),
        operator: wanted(Needs::OPERATOR).then(|| operator::gather(root)),
        os,
        cmdline,
        assumed,
    }
}
