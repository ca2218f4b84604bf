//! Who takes a device at a boot: pure, from what was read.
//!
//! udev asks kmod for the modules whose alias the device is, and loads those that nothing denies; the first
//! to be there gets the device. What only the initramfs obeys (`rd.driver.blacklist`) keeps nobody away,
//! since udev asks again once the root file system is there.

use std::collections::BTreeSet;

use super::kernel::KernelModules;
use super::modprobe_d::Modprobe;
use super::{ids, line};
use crate::facts::pci::{Function, is_vfio};
use crate::format::cmdline::Cmdline;
use crate::format::modules_alias;

/// All that decides, of one kernel and one command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Boot<'a> {
    pub(super) kernel: &'a KernelModules,
    pub(super) aliases: &'a [u8],
    pub(super) modprobe: &'a Modprobe,
    /// `None` where it is not known: then nothing that it might say counts.
    pub(super) line: Option<&'a Cmdline>,
    /// Whether what the initramfs of dracut obeys is obeyed.
    pub(super) dracut: bool,
    /// The only driver that may take the device, where one is set before any module is loaded.
    pub(super) only: Option<&'a str>,
}

/// What becomes of a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The modules whose alias it is.
    pub(super) modules: BTreeSet<String>,
    /// Those that nothing keeps from taking it, drivers of VFIO left out.
    pub(super) takers: BTreeSet<String>,
    pub(super) notes: BTreeSet<String>,
}

impl Outcome {
    pub(super) fn add(&mut self, other: Self) {
        self.modules.extend(other.modules);
        self.takers.extend(other.takers);
        self.notes.extend(other.notes);
    }
}

pub(super) fn decide(boot: Boot<'_>, function: &Function) -> Option<Outcome> {
    let alias = function.modalias()?;
    let mut modules = boot.modprobe.aliases(&alias);
    // kmod asks the next place only where the one before has no answer.
    if modules.is_empty() {
        modules = modules_alias::modules(boot.aliases, &alias);
    }
    let mut outcome = Outcome { modules, ..Outcome::default() };
    if let Some(only) = boot.only {
        outcome.notes.insert(format!("driverctl lets only {only} take it"));
        return Some(outcome);
    }
    let denied = boot.line.map(line::denied).unwrap_or_default();
    for module in outcome.modules.iter().filter(|module| !is_vfio(module)) {
        let kept = if denied.contains(module) {
            Some(format!("{module} is denied on the kernel command line"))
        } else if let Some(at) = boot.modprobe.denial(module) {
            Some(format!("{module} is denied in {at}"))
        } else if module == "nouveau" && boot.nouveau_stays_away() {
            Some("nouveau is told to set no mode".to_owned())
        } else {
            None
        };
        if let Some(why) = kept {
            outcome.notes.insert(why);
            continue;
        }
        match boot.vfio(function, module) {
            Vfio::First => {
                outcome
                    .notes
                    .insert(format!("vfio-pci is given its id, and comes before {module}"));
                continue;
            }
            Vfio::Races => {
                let what =
                    format!("vfio-pci is given its id, but nothing loads it before {module}");
                outcome.notes.insert(what);
            }
            Vfio::Silent => {}
        }
        outcome.takers.insert(module.clone());
    }
    Some(outcome)
}

/// What `vfio-pci` was told about a device.
enum Vfio {
    Silent,
    /// To take it, and it is there first.
    First,
    /// To take it, but whoever comes first has it.
    Races,
}

impl Boot<'_> {
    fn vfio(&self, function: &Function, module: &str) -> Vfio {
        let of_line = self.line.and_then(line::vfio_ids);
        let built_in = self.kernel.built_in.known().is_some_and(|it| it.contains("vfio_pci"));
        // What is built in reads no file; of a module the command line has the last word.
        let of_files = (!built_in && of_line.is_none())
            .then(|| self.modprobe.parameters("vfio_pci", "ids").last().and_then(|(ids, _)| ids))
            .flatten();
        let Some(list) = of_line.map(str::to_owned).or(of_files) else { return Vfio::Silent };
        let (ids, _) = ids::read_ids(&list);
        if !ids.iter().any(|id| id.is(function)) {
            return Vfio::Silent;
        }
        let first = built_in
            || self.modprobe.loads_vfio_before(module)
            || (self.dracut && self.line.is_some_and(line::loads_vfio_first));
        if first { Vfio::First } else { Vfio::Races }
    }

    /// nouveau is loaded and does nothing where its `modeset` is 0. The last word counts, and that of the
    /// command line comes after those of the files.
    fn nouveau_stays_away(&self) -> bool {
        let Some(line) = self.line else { return false };
        let of_files = self.modprobe.parameters("nouveau", "modeset").last().and_then(|(it, _)| it);
        let modeset = line::nouveau_modeset(line).map(str::to_owned).or(of_files);
        match modeset.as_deref() {
            Some("0") => true,
            None | Some("-1") => line::no_modeset(line),
            Some(_) => false,
        }
    }
}
