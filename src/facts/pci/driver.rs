//! Drivers: their names kept once, and what a name says about sharing a group with VFIO.

use std::collections::BTreeMap;

/// Whether a driver hands its device to user space through VFIO.
///
/// A PCI driver of this kind is `vfio-pci` or a variant named after it, with dashes or underscores:
/// `nvgrace_gpu_vfio_pci`, `mlx5_vfio_pci`, `hisi-acc-vfio-pci`. `nvidia-vgpu-vfio` is none: it is a part
/// of NVIDIA's host driver, which keeps the device. The rest are those of other buses, which occur
/// in groups too.
pub fn is_vfio(driver: &str) -> bool {
    const OTHER_BUSES: [&str; 6] =
        ["vfio-platform", "vfio-amba", "vfio-fsl-mc", "vfio-cdx", "vfio_ap", "vfio_ccw"];
    let variant_of = |suffix: &str| {
        driver.strip_suffix(suffix).is_some_and(|rest| {
            rest.is_empty() || (rest.len() > 1 && (rest.ends_with('-') || rest.ends_with('_')))
        })
    };
    variant_of("vfio-pci") || variant_of("vfio_pci") || OTHER_BUSES.contains(&driver)
}

/// Whether the kernel lets VFIO own a group in which some member has this driver.
///
/// A driver outside VFIO must promise the kernel that it does no DMA of its own (`driver_managed_dma`).
/// Of the drivers that meet a GPU in its group on x86 hosts only two do; a driver that is not known to
/// promise it counts as one that does not.
pub fn leaves_group_to_vfio(driver: &str) -> bool {
    is_vfio(driver) || matches!(driver, "pcieport" | "pci-stub")
}

/// Names of drivers, each kept once: ten thousand functions share a few dozen.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    numbers: BTreeMap<Box<str>, u32>,
}

/// A driver's place in [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(u32);

impl Names {
    pub(super) fn number(&mut self, name: &str) -> Number {
        if let Some(number) = self.numbers.get(name) {
            return Number(*number);
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        Number(number)
    }

    pub(super) fn name(&self, number: Number) -> &str {
        self.names.get(number.0 as usize).map_or("", |name| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_of_vfio_pci_are_vfio() {
        for driver in [
            "vfio-pci",
            "vfio_pci",
            "nvgrace_gpu_vfio_pci",
            "mlx5_vfio_pci",
            "hisi-acc-vfio-pci",
            "vfio-platform",
        ] {
            assert!(is_vfio(driver), "{driver}");
        }
    }

    #[test]
    fn what_only_sounds_like_vfio_is_not() {
        for driver in [
            "",
            "nvidia",
            "nvidia-vgpu-vfio",
            "nvidia_vgpu_vfio",
            "vfio",
            "pci-stub",
            "pcieport",
            "myvfio-pci",
            "-vfio-pci",
            "vfio-pci-not",
            "nouveau",
        ] {
            assert!(!is_vfio(driver), "{driver}");
        }
    }

    #[test]
    fn a_port_driver_leaves_the_group_and_an_audio_driver_does_not() {
        assert!(leaves_group_to_vfio("pcieport"));
        assert!(leaves_group_to_vfio("pci-stub"));
        assert!(leaves_group_to_vfio("vfio-pci"));
        for driver in ["snd_hda_intel", "xhci_hcd", "nvidia", "shpchp", "mlx5_core"] {
            assert!(!leaves_group_to_vfio(driver), "{driver}");
        }
    }

    #[test]
    fn a_name_is_kept_once() {
        let mut names = Names::default();
        let first = names.number("nvme");
        let second = names.number("vfio-pci");
        assert_eq!(names.number("nvme"), first);
        assert_ne!(first, second);
        assert_eq!(names.name(second), "vfio-pci");
    }
}
