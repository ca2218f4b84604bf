//! Drivers on disk: which of them the next boot would give a GPU to.
//!
//! Read are the files by which udev and modprobe decide: the aliases of the kernel that boots next, the
//! configuration of modprobe, and what driverctl keeps; besides, which NVIDIA drivers are installed and
//! whether the initramfs is as new as the configuration that it holds a copy of. Nothing is run, and no
//! initramfs is opened. Which driver holds a GPU now is for `pci` to say.
//!
//! All of it is decided when a fact is asked, by `decide`; so a device that comes or goes makes nobody
//! read these files again.

mod decide;
mod ids;
mod kernel;
mod line;
mod list;
mod modprobe_d;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use ids::{DeviceId, read_ids};
pub use kernel::{Initramfs, KernelModules};
pub(super) use list::{COLLECTIONS, FACTS, next_boot_drivers, next_boot_modules};
pub use modprobe_d::{Modprobe, Said};

use super::boot_config::BootConfig;
use super::os::Os;
use super::pci::Pci;
use super::{Cause, Needs, Reading};
use crate::host::Root;

/// What must be known to tell who takes a GPU at the next boot.
pub(super) const NEEDS: Needs = Needs::DRIVERS
    .and(Needs::PCI)
    .and(Needs::MODULES)
    .and(Needs::OS)
    .and(Needs::CMDLINE)
    .and(Needs::BOOT_CONFIG);

const DKMS: &str = "/var/lib/dkms";
const DRACUT: [&str; 2] = ["/usr/bin/dracut", "/usr/sbin/dracut"];
const DRIVERCTL: &str = "/etc/driverctl.d";

/// A menu with more kernels than that, of which any may boot, is not looked through.
const MOST_KERNELS: usize = 4;

#[derive(Debug)]
pub struct Drivers {
    /// Nothing was read, because no device of NVIDIA is there.
    pub skipped: bool,
    /// The kernels that the next boot may take; the running one where the boot loader does not say.
    pub next: Reading<Vec<KernelModules>>,
    pub modprobe: Modprobe,
    /// NVIDIA's packages of module sources, as `/var/lib/dkms/nvidia/580.95.05`, which are built anew for
    /// each new kernel.
    pub dkms: Reading<BTreeSet<String>>,
    /// Whether dracut is there to make an initramfs that obeys `rd.driver.pre`.
    pub dracut: bool,
    /// The drivers that driverctl sets before any module is loaded, by the device's address.
    pub overrides: Reading<BTreeMap<String, String>>,
}

/// Whether nobody asks, because no device of NVIDIA is there.
pub(super) fn are_skipped(pci: Option<&Pci>) -> bool {
    pci.is_some_and(has_none_of_nvidia)
}

/// Reads what `next` and the rest need. Without an NVIDIA device nobody asks, so nothing is read.
pub(super) fn gather(root: &Root, pci: Option<&Pci>, os: &Os, boot: &BootConfig) -> Drivers {
    let skipped = are_skipped(pci);
    if skipped {
        let unread =
            || Cause::NoAnswer("no device of NVIDIA is here, so it was not read".to_owned());
        return Drivers {
            skipped,
            next: Reading::Unreadable(unread()),
            modprobe: Modprobe::unread(unread()),
            dkms: Reading::Unreadable(unread()),
            dracut: false,
            overrides: Reading::Unreadable(unread()),
        };
    }
    let next = releases(os, boot).map(|releases| {
        releases.into_iter().map(|release| KernelModules::read(root, release)).collect()
    });
    Drivers {
        skipped,
        next,
        modprobe: modprobe_d::read(root, os.is_debian_family()),
        dkms: dkms(root),
        dracut: DRACUT.iter().any(|path| root.stat(path).known().is_some()),
        overrides: overrides(root),
    }
}

/// Whether it is certain that no function is NVIDIA's.
pub(super) fn has_none_of_nvidia(pci: &Pci) -> bool {
    pci.doubt().is_none() && !pci.all().iter().any(super::pci::Function::is_nvidia)
}

/// The releases of the kernels that may boot next.
fn releases(os: &Os, boot: &BootConfig) -> Reading<BTreeSet<String>> {
    let running = || os.kernel.as_ref().map(|release| BTreeSet::from([release.clone()]));
    let Reading::Known(kernels) = boot.next_kernels() else { return running() };
    if kernels.is_empty() {
        return running();
    }
    if kernels.len() > MOST_KERNELS {
        let what = format!("{} kernels may boot next", kernels.len());
        return Reading::Unreadable(Cause::NotDecidable { line: None, what });
    }
    Reading::Known(kernels)
}

fn dkms(root: &Root) -> Reading<BTreeSet<String>> {
    let packages = root.list(DKMS).or_absent(Vec::new());
    packages.and_then(|packages| {
        let mut found = BTreeSet::new();
        for package in packages.iter().filter(|package| package.name.starts_with("nvidia")) {
            let path = format!("{DKMS}/{}", package.name);
            match root.list(&path) {
                // Besides versions there are links, named `kernel-` and after kernels.
                Reading::Known(versions) => found.extend(
                    versions
                        .iter()
                        .filter(|version| version.name.starts_with(|it: char| it.is_ascii_digit()))
                        .map(|version| format!("{path}/{}", version.name)),
                ),
                Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
        Reading::Known(found)
    })
}

fn overrides(root: &Root) -> Reading<BTreeMap<String, String>> {
    let names = root.list(DRIVERCTL).or_absent(Vec::new());
    names.and_then(|names| {
        let mut found = BTreeMap::new();
        for entry in names {
            match root.read_attribute(&format!("{DRIVERCTL}/{}", entry.name)) {
                Reading::Known(driver) => {
                    found.insert(entry.name, driver.trim().to_owned());
                }
                Reading::Absent => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
        Reading::Known(found)
    })
}
