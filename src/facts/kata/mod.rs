//! Kata Containers: where it is installed, its version, and what the configurations of its GPU shims
//! come to.
//!
//! What is told is what a shim that starts now takes from its files; annotations of a pod may change some
//! of it. The guest's image is not looked into.

mod effective;
mod list;
mod place;
mod shim;
mod timeouts;
mod values;
mod version;

use super::{Reading, Told};
use crate::format::version::Version;
use crate::host::{Root, Run};

pub(super) use list::{COLLECTIONS, FACTS};
pub use place::{Layout, Place, Places};
pub(super) use place::{exists, find};
pub(crate) use shim::tee_of_cpu;
pub use shim::{Language, Shim};
pub use values::Configuration;

/// An installed Kata. Where there is none, the version is absent and there are no configurations.
#[derive(Debug)]
pub struct Kata {
    pub version: Told<Version>,
    /// Names of all shims that have a configuration.
    pub shims: Told<Vec<String>>,
    /// Those of the shims for NVIDIA GPUs, by name.
    pub configurations: Reading<Vec<Configuration>>,
}

pub(super) fn gather(root: &Root, run: &Run, places: &Places) -> Kata {
    let version = version::read(root, run, places);
    let listed = shim::list(root, places);
    let source = places.found.source.clone();
    let names = listed.as_ref().map(|files| {
        let mut names: Vec<String> = files.iter().map(|file| file.shim.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    });
    let configurations = listed.map(|files| {
        let gpu = files.into_iter().filter(|file| file.shim.is_for_nvidia_gpus());
        gpu.map(|file| Configuration::read(root, file)).collect()
    });
    Kata { version, shims: Told::new(names, source), configurations }
}

#[cfg(test)]
mod tests;
