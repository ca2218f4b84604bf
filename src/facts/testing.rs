//! Small hosts made of files, for the tests of this module's sources.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::catalogue::{self, Evidence};
use super::{
    Facts, Needs, cgroup, cpu, firmware, iommu, kernel, kvm, memory, modules, os, pci, tee, vfio,
};
use crate::host::Root;

/// A directory with these files. A path that ends in `/` is an empty directory, and a content that
/// begins with `-> ` makes the path a symbolic link.
#[expect(clippy::disallowed_methods, reason = "tests make the hosts that they read")]
pub(super) fn tree(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => symlink(target, &path).unwrap(),
            None => fs::write(&path, content).unwrap(),
        }
    }
    directory
}

/// The sources that need no program, as [`super::gather`] would read them.
pub(super) fn facts(directory: &Path, needs: Needs) -> Facts {
    let root = &Root::directory(directory).unwrap();
    Facts {
        cpu: needs.has(Needs::CPU).then(|| cpu::gather(root)),
        os: needs.has(Needs::OS).then(|| os::gather(root)),
        iommu: needs.has(Needs::IOMMU).then(|| iommu::gather(root)),
        pci: needs.has(Needs::PCI).then(|| pci::gather(root, needs)),
        vfio: needs.has(Needs::VFIO).then(|| vfio::gather(root)),
        modules: needs.has(Needs::MODULES).then(|| modules::gather(root)),
        tee: needs.has(Needs::TEE).then(|| tee::gather(root)),
        kvm: needs.has(Needs::KVM).then(|| kvm::gather(root)),
        memory: needs.has(Needs::MEMORY).then(|| memory::gather(root)),
        firmware: needs.has(Needs::FIRMWARE).then(|| firmware::gather(root, needs)),
        kernel: needs.has(Needs::KERNEL).then(|| kernel::gather(root)),
        cgroup: needs.has(Needs::KERNEL).then(|| cgroup::gather(root)),
        ..Facts::default()
    }
}

pub(super) fn value(facts: &Facts, name: &str) -> Evidence {
    (catalogue::fact(name).unwrap().read)(facts)
}
