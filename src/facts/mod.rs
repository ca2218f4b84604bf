//! What is so on a host: one typed struct per source, one module per source.
//!
//! Gathering cannot fail as a whole: every leaf is a [`Reading`]. A fact never says whether it is good
//! or bad; that is for the rules. To add a fact: read it in its source's module, and list it in that
//! module's `FACTS` (or its collection's facts) with its kind and a sentence.

mod assumption;
pub mod boot_config;
pub mod catalogue;
pub mod cc_mode;
pub mod cgroup;
pub mod cluster;
pub mod cmdline;
pub mod co_owners;
pub mod container_runtime;
pub mod cpu;
mod devices;
pub mod drivers;
pub mod expected;
pub mod firmware;
pub mod gpu_mode;
pub mod interrupts;
pub mod iommu;
pub mod kata;
pub mod kernel;
pub mod kubelet;
pub mod kvm;
pub mod memory;
pub mod modules;
pub mod msr;
pub mod operator;
pub mod os;
pub mod pci;
mod platforms;
pub mod pod_resources;
mod sysfs;
pub mod tee;
#[cfg(test)]
mod testing;
mod told;
mod value;
pub mod vfio;
pub mod volatile;

use std::collections::BTreeMap;

pub use crate::host::{Cause, Reading, Source};
use crate::host::{Root, Run};
pub use assumption::{AssumptionError, assumption};
pub use told::Told;
pub use value::{Kind, Value, ValueError};

/// Which sources a set of rules asks for: a set of the constants below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs(u64);

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
    /// Speed of the link and the like of NVIDIA functions, and together with [`Needs::PCI_CONFIG`] of the
    /// bridges above GPUs and NVSwitches, with their drivers and groups. The kernel asks the device itself
    /// for the state of its link, so only who wants to know it should have it read.
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
    /// Whether the GPU Operator has been here.
    pub const OPERATOR: Self = Self(1 << 12);
    /// The secure processor's device, SGX, and the service that quotes.
    pub const TEE: Self = Self(1 << 14);
    /// KVM's device and parameters, and the vhost devices.
    pub const KVM: Self = Self(1 << 15);
    pub const MEMORY: Self = Self(1 << 16);
    /// How the firmware booted the machine.
    pub const FIRMWARE: Self = Self(1 << 17);
    /// Secure Boot, and what the firmware calls itself. To read a variable runs the firmware's own code.
    pub const FIRMWARE_DETAIL: Self = Self(1 << 18);
    /// Lockdown, `SELinux`, hibernation, crash kernel and control groups.
    pub const KERNEL: Self = Self(1 << 19);
    /// Whether Kata Containers is installed, and where.
    pub const KATA_FOUND: Self = Self(1 << 20);
    /// Its version and what its configurations come to.
    pub const KATA: Self = Self(1 << 21);
    /// The container runtime's configuration.
    pub const CONTAINER_RUNTIME: Self = Self(1 << 22);
    /// The container runtime's version, which may take running it.
    pub const CONTAINER_RUNTIME_VERSION: Self = Self(1 << 23);
    /// What the GPU Operator and its device plugin leave behind.
    pub const OPERATOR_FILES: Self = Self(1 << 24);
    /// The specifications of the Container Device Interface.
    pub const CDI: Self = Self(1 << 25);
    /// The aliases of the next kernel, the configuration of modprobe, installed drivers.
    pub const DRIVERS: Self = Self(1 << 26);
    /// Whether the firmware's picture is kept in a GPU.
    pub const FRAMEBUFFER: Self = Self(1 << 27);
    /// The files of other programs that write kernel arguments.
    pub const CO_OWNERS: Self = Self(1 << 28);
    /// Configuration space: of the bridges above GPUs and NVSwitches all that this user may see, of those
    /// devices themselves the header, to know whether they answer. It is the device that answers, so
    /// only who wants to know should have it read.
    pub const PCI_CONFIG: Self = Self(1 << 29);
    /// Address windows, virtual functions, width of the link and counted errors of NVIDIA functions.
    pub const PCI_HEALTH: Self = Self(1 << 30);
    /// What cc-manager says about the confidential computing mode.
    pub const CC_MODE: Self = Self(1 << 31);
    /// What the running kubelet tells of devices, over a socket of this machine.
    pub const POD_RESOURCES: Self = Self(1 << 32);
    /// What the API server says, where the user wants it asked.
    pub const CLUSTER: Self = Self(1 << 33);
    /// The mode that GPUs and NVSwitches say they are in; read only where a person allowed it for this run.
    pub const GPU_REGISTERS: Self = Self(1 << 34);
    /// Registers of the processor, likewise.
    pub const PROCESSOR_REGISTERS: Self = Self(1 << 35);
    pub const ALL: Self = Self((1 << 36) - 1);

    /// What belongs to a node further on than the host stage. It is read when it is known that the node is.
    pub const SOFTWARE: Self = Self::KATA
        .and(Self::CONTAINER_RUNTIME)
        .and(Self::CONTAINER_RUNTIME_VERSION)
        .and(Self::OPERATOR_FILES)
        .and(Self::CDI)
        .and(Self::CC_MODE)
        .and(Self::POD_RESOURCES)
        .and(Self::CLUSTER);

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two sets share a source.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The set as bits, for those who only carry it.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of these bits; those that are no source are dropped.
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }
}

/// Values that the user vouches for, by the fact's name. They count only where the
/// fact itself cannot be read.
pub type Assumptions = BTreeMap<&'static str, Value>;

/// All that was gathered. A source that no rule asked for is `None`.
#[derive(Debug, Default)]
pub struct Facts {
    pub assumed: Assumptions,
    /// What the site expects of the host.
    pub expected: expected::Expected,
    pub cpu: Option<cpu::Cpu>,
    pub os: Option<os::Os>,
    pub iommu: Option<iommu::Iommu>,
    pub pci: Option<pci::Pci>,
    pub gpu_modes: Option<gpu_mode::GpuModes>,
    pub vfio: Option<vfio::Vfio>,
    pub modules: Option<modules::Modules>,
    pub msr: Option<msr::Msr>,
    pub cmdline: Option<cmdline::Cmdline>,
    pub boot_config: Option<boot_config::BootConfig>,
    pub drivers: Option<drivers::Drivers>,
    pub co_owners: Option<co_owners::CoOwners>,
    pub kubelet: Option<kubelet::Kubelet>,
    pub operator: Option<operator::Operator>,
    pub tee: Option<tee::Tee>,
    pub kvm: Option<kvm::Kvm>,
    pub memory: Option<memory::Memory>,
    pub firmware: Option<firmware::Firmware>,
    pub kernel: Option<kernel::Kernel>,
    pub cgroup: Option<cgroup::Cgroup>,
    pub kata_places: Option<kata::Places>,
    pub kata: Option<kata::Kata>,
    pub container_runtime: Option<container_runtime::ContainerRuntime>,
    pub operator_files: Option<operator::Files>,
    pub cdi: Option<operator::Cdi>,
    pub cc_mode: Option<cc_mode::CcMode>,
    pub pod_resources: Option<pod_resources::PodResources>,
    pub cluster: Option<cluster::Cluster>,
}

/// Reads what is needed, each file once.
pub fn gather(root: &Root, run: &Run, needs: Needs, assumed: Assumptions) -> Facts {
    gather_again(root, run, needs, Facts { assumed, ..Facts::default() }, Needs::ALL)
}

/// The same as [`gather`], for a host that was gathered before with the same needs: only sources that may
/// read differently now, and those that build upon them, are read again.
pub fn gather_again(
    root: &Root,
    run: &Run,
    needs: Needs,
    previous: Facts,
    changed: Needs,
) -> Facts {
    let facts = gather_host_again(root, run, needs, previous, changed);
    facts.with_software_again(root, run, needs, changed)
}

/// The same, but of [`Needs::SOFTWARE`] nothing is read: what was known of it stays for
/// [`Facts::with_software_again`].
pub fn gather_host_again(
    root: &Root,
    run: &Run,
    needs: Needs,
    previous: Facts,
    changed: Needs,
) -> Facts {
    let assumed = previous.assumed;
    let again = Again { root, needs, changed };
    let boot_config = needs.has(Needs::BOOT_CONFIG);
    // What the next boot will bring is told by comparing with this one, in the distribution's way.
    let basis = |source: Needs| if boot_config { source.and(Needs::BOOT_CONFIG) } else { source };
    let of_pci = Needs::PCI
        .and(Needs::PCI_POWER)
        .and(Needs::PCI_DETAIL)
        .and(Needs::PCI_EVERY_DETAIL)
        .and(Needs::FRAMEBUFFER)
        .and(Needs::PCI_CONFIG)
        .and(Needs::PCI_HEALTH);
    let kubelet = Needs::KUBELET.and(Needs::KUBELET_VERSION);
    let firmware = Needs::FIRMWARE.and(Needs::FIRMWARE_DETAIL);
    let places = Needs::KATA_FOUND.and(Needs::KATA);
    let os = again.source(Needs::OS, basis(Needs::OS), previous.os, || os::gather(root));
    let cmdline = again
        .source(Needs::CMDLINE, basis(Needs::CMDLINE), previous.cmdline, || cmdline::gather(root));
    let boot_config = match (&cmdline, &os) {
        (Some(cmdline), Some(os)) => {
            let inputs = Needs::BOOT_CONFIG.and(Needs::CMDLINE).and(Needs::OS);
            let read = || boot_config::gather(root, &cmdline.line, os.is_debian_family());
            again.source(inputs, Needs::BOOT_CONFIG, previous.boot_config, read)
        }
        _ => None,
    };
    let pci = again.source(of_pci, of_pci, previous.pci, || pci::gather(root, needs));
    let drivers = match (&os, &boot_config) {
        (Some(os), Some(boot)) => {
            // Devices that come and go decide nothing about files, unless they decide whether these are worth reading.
            let skips = drivers::are_skipped(pci.as_ref());
            let turned = previous.drivers.as_ref().is_some_and(|drivers| drivers.skipped != skips);
            let inputs = Needs::DRIVERS.and(Needs::BOOT_CONFIG).and(Needs::CMDLINE).and(Needs::OS);
            let inputs = if turned { inputs.and(Needs::PCI) } else { inputs };
            let read = || drivers::gather(root, pci.as_ref(), os, boot);
            again.source(inputs, Needs::DRIVERS, previous.drivers, read)
        }
        _ => None,
    };
    let registers = Needs::GPU_REGISTERS.and(Needs::PCI);
    let gpu_modes = again.source(registers, Needs::GPU_REGISTERS, previous.gpu_modes, || {
        gpu_mode::gather(root, pci.as_ref())
    });
    let cpu = again.alone(Needs::CPU, previous.cpu, || cpu::gather(root));
    let registers = Needs::PROCESSOR_REGISTERS.and(Needs::CPU);
    let msr = again.source(registers, Needs::PROCESSOR_REGISTERS, previous.msr, || {
        msr::gather(root, cpu.as_ref())
    });
    Facts {
        cpu,
        msr,
        iommu: again.alone(Needs::IOMMU, previous.iommu, || iommu::gather(root)),
        pci,
        gpu_modes,
        drivers,
        co_owners: again.alone(Needs::CO_OWNERS, previous.co_owners, || co_owners::gather(root)),
        vfio: again.alone(Needs::VFIO, previous.vfio, || vfio::gather(root)),
        modules: again.alone(Needs::MODULES, previous.modules, || modules::gather(root)),
        kubelet: again.source(kubelet, Needs::KUBELET, previous.kubelet, || {
            kubelet::gather(root, run, needs, &assumed)
        }),
        operator: again.alone(Needs::OPERATOR, previous.operator, || operator::gather(root)),
        tee: again.alone(Needs::TEE, previous.tee, || tee::gather(root)),
        kvm: again.alone(Needs::KVM, previous.kvm, || kvm::gather(root)),
        memory: again.alone(Needs::MEMORY, previous.memory, || memory::gather(root)),
        firmware: again
            .source(firmware, Needs::FIRMWARE, previous.firmware, || firmware::gather(root, needs)),
        kernel: again.alone(Needs::KERNEL, previous.kernel, || kernel::gather(root)),
        cgroup: again.alone(Needs::KERNEL, previous.cgroup, || cgroup::gather(root)),
        kata_places: again.source(places, places, previous.kata_places, || kata::find(root)),
        kata: previous.kata,
        container_runtime: previous.container_runtime,
        operator_files: previous.operator_files,
        cdi: previous.cdi,
        cc_mode: previous.cc_mode,
        pod_resources: previous.pod_resources,
        cluster: previous.cluster,
        boot_config,
        os,
        cmdline,
        assumed,
        expected: previous.expected,
    }
}

impl Facts {
    /// Reads what is needed of [`Needs::SOFTWARE`], after all else.
    #[must_use]
    pub fn with_software_again(
        mut self,
        root: &Root,
        run: &Run,
        needs: Needs,
        changed: Needs,
    ) -> Self {
        let again = Again { root, needs, changed };
        let of_kata = Needs::KATA.and(Needs::KATA_FOUND);
        self.kata = again.source(of_kata, Needs::KATA, self.kata, || match &self.kata_places {
            Some(places) => kata::gather(root, run, places),
            None => kata::gather(root, run, &kata::find(root)),
        });
        let wanted = Needs::CONTAINER_RUNTIME;
        let runtime = wanted.and(Needs::CONTAINER_RUNTIME_VERSION);
        self.container_runtime = again.source(runtime, wanted, self.container_runtime, || {
            container_runtime::gather(root, run, needs, &self.assumed)
        });
        self.operator_files = again
            .alone(Needs::OPERATOR_FILES, self.operator_files, || operator::gather_files(root));
        self.cdi = again.alone(Needs::CDI, self.cdi, || operator::gather_cdi(root));
        self.cc_mode = again.alone(Needs::CC_MODE, self.cc_mode, || cc_mode::gather(root));
        // Nothing tells when the answers of these two change; they are as old as the other facts.
        let wanted = Needs::POD_RESOURCES;
        self.pod_resources =
            again.source(wanted.and(Needs::KUBELET), wanted, self.pod_resources, || {
                pod_resources::gather(run, self.kubelet.as_ref())
            });
        let (wanted, named) = (Needs::CLUSTER, Needs::KUBELET.and(Needs::OS));
        self.cluster = again.source(wanted.and(named), wanted, self.cluster, || {
            cluster::gather(run, self.kubelet.as_ref(), self.os.as_ref())
        });
        self
    }
}

/// What is wanted, and what of it may read differently than before.
struct Again<'a> {
    root: &'a Root,
    needs: Needs,
    changed: Needs,
}

impl Again<'_> {
    /// A source that nothing but its own files decides.
    fn alone<T>(&self, source: Needs, before: Option<T>, read: impl FnOnce() -> T) -> Option<T> {
        self.source(source, source, before, read)
    }

    /// A source that is read where one of `wanted` is needed, and again where one of `inputs` changed.
    fn source<T>(
        &self,
        inputs: Needs,
        wanted: Needs,
        before: Option<T>,
        read: impl FnOnce() -> T,
    ) -> Option<T> {
        if !self.needs.meets(wanted) {
            return None;
        }
        match before {
            Some(before) if !self.changed.meets(inputs) => Some(before),
            _ => {
                self.root.ask_for(inputs.bits() & wanted.bits());
                Some(read())
            }
        }
    }
}
