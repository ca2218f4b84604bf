//! What rules may ask about drivers on disk.

use std::collections::BTreeSet;

use super::decide::{Boot, Outcome, decide};
use super::{DKMS, Drivers, read_ids};
use crate::facts::catalogue::{Collection, Evidence, Fact};
use crate::facts::pci::Function;
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::format::cmdline::parse_bool;

const MODPROBE_D: &str = "/etc/modprobe.d";
const ON_DISK: Needs =
    Needs::DRIVERS.and(Needs::OS).and(Needs::CMDLINE).and(Needs::BOOT_CONFIG).and(Needs::PCI);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "drivers.nvidia-on-disk",
        kind: Kind::Set,
        doc: "NVIDIA's modules (nvidia.ko and its kin) that are installed for the kernels that may boot next; \
              absent without a device of NVIDIA, as all about drivers on disk.",
        needs: ON_DISK,
        read: |facts| evidence(facts, nvidia_on_disk),
    },
    Fact {
        name: "drivers.nvidia-dkms",
        kind: Kind::Set,
        doc: "Versions of NVIDIA's modules that DKMS builds anew for each new kernel.",
        needs: ON_DISK,
        read: |facts| {
            evidence(facts, |drivers| {
                Evidence::new(drivers.dkms.clone().map(Value::Set), Source::file(DKMS))
            })
        },
    },
    Fact {
        name: "drivers.initramfs-current",
        kind: Kind::Bool,
        doc: "Whether the next kernel's initramfs is as new as the files of modprobe.d about drivers of GPUs, \
              of which it holds copies; absent without an initramfs or such files.",
        needs: ON_DISK,
        read: |facts| evidence(facts, initramfs_current),
    },
    Fact {
        name: "modprobe.denied",
        kind: Kind::Set,
        doc: "Modules that modprobe.d keeps from being loaded for a device.",
        needs: ON_DISK,
        read: |facts| {
            evidence(facts, |drivers| {
                let denied = drivers.modprobe.denied();
                let denied: BTreeSet<String> = denied.into_iter().map(str::to_owned).collect();
                of_modprobe(drivers, Value::Set(denied))
            })
        },
    },
    Fact {
        name: "modprobe.options-without-effect",
        kind: Kind::Set,
        doc: "Options in modprobe.d for modules that the next kernel has built in, with file and line: only \
              the kernel command line reaches those.",
        needs: ON_DISK,
        read: |facts| evidence(facts, options_without_effect),
    },
    Fact {
        name: "modprobe.malformed-ids",
        kind: Kind::Set,
        doc: "What stands in modprobe.d among the ids for vfio-pci and is none, as an address, with file and line.",
        needs: ON_DISK,
        read: |facts| evidence(facts, malformed_ids),
    },
    Fact {
        name: "modprobe.unsafe-interrupts",
        kind: Kind::Bool,
        doc: "Whether modprobe.d lets VFIO or iommufd assign devices without interrupt isolation.",
        needs: ON_DISK,
        read: |facts| evidence(facts, unsafe_interrupts),
    },
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[];

fn evidence(facts: &Facts, read: fn(&Drivers) -> Evidence) -> Evidence {
    match &facts.drivers {
        Some(drivers) if drivers.skipped => {
            let source = Source::file("/lib/modules");
            Evidence::new(Reading::Absent, source)
                .with_note("not read, for no device of NVIDIA is here")
        }
        Some(drivers) => read(drivers),
        None => Evidence::not_gathered(),
    }
}

/// A value that was worked out from modprobe.d, where that could be read.
fn of_modprobe(drivers: &Drivers, value: Value) -> Evidence {
    Evidence::new(drivers.modprobe.said.as_ref().map(|_| value), Source::file(MODPROBE_D))
}

fn nvidia_on_disk(drivers: &Drivers) -> Evidence {
    let mut found = BTreeSet::new();
    let reading = drivers.next.as_ref().and_then(|kernels| {
        for kernel in kernels {
            match &kernel.nvidia {
                Reading::Known(paths) => found.extend(paths.iter().cloned()),
                Reading::Absent => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
            }
        }
        Reading::Known(Value::Set(std::mem::take(&mut found)))
    });
    Evidence::new(reading, Source::file("/lib/modules"))
}

fn initramfs_current(drivers: &Drivers) -> Evidence {
    let directory = Source::file("/boot");
    // Without such files it does not matter which kernel boots.
    if drivers.modprobe.said.known().is_some() && drivers.modprobe.copied.is_empty() {
        return Evidence::new(Reading::Absent, directory);
    }
    let kernels = match (&drivers.modprobe.said, &drivers.next) {
        (Reading::Unreadable(cause), _) | (_, Reading::Unreadable(cause)) => {
            return Evidence::new(Reading::Unreadable(cause.clone()), directory);
        }
        (_, Reading::Absent) => return Evidence::new(Reading::Absent, directory),
        (_, Reading::Known(kernels)) => kernels,
    };
    let mut answer = Evidence::new(Reading::Absent, directory);
    for kernel in kernels {
        let image = match &kernel.initramfs {
            Reading::Known(image) => image,
            Reading::Absent => continue,
            Reading::Unreadable(cause) => {
                answer.reading = Reading::Unreadable(cause.clone());
                continue;
            }
        };
        let source = Source::file(image.path.clone());
        for file in &drivers.modprobe.copied {
            let (Some(built), Some(changed)) = (image.modified, file.modified) else {
                let why = format!("when {} or {} was changed is not known", image.path, file.path);
                answer = Evidence::new(Reading::Unreadable(Cause::NoAnswer(why)), source.clone());
                continue;
            };
            if changed > built {
                let note = format!("{} was changed after it was built", file.path);
                return Evidence::new(Reading::Known(Value::Bool(false)), source).with_note(note);
            }
            if answer.reading.is_absent() {
                answer = Evidence::new(Reading::Known(Value::Bool(true)), source.clone());
            }
        }
    }
    answer
}

fn options_without_effect(drivers: &Drivers) -> Evidence {
    // Without options it does not matter what is built in.
    if !drivers.modprobe.has_options() {
        return of_modprobe(drivers, Value::Set(BTreeSet::new()));
    }
    let reading = drivers.next.as_ref().and_then(|kernels| {
        let mut void = BTreeSet::new();
        for kernel in kernels {
            match &kernel.built_in {
                Reading::Known(built_in) => {
                    void.extend(drivers.modprobe.options_without_effect(built_in));
                }
                // Every kernel's package has the list.
                Reading::Absent => {
                    let why = format!("/lib/modules/{} has no modules.builtin", kernel.release);
                    return Reading::Unreadable(Cause::NoAnswer(why));
                }
                Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
            }
        }
        Reading::Known(Value::Set(void))
    });
    match reading {
        Reading::Known(value) => of_modprobe(drivers, value),
        other => Evidence::new(other, Source::file("/lib/modules")),
    }
}

fn malformed_ids(drivers: &Drivers) -> Evidence {
    let mut wrong = BTreeSet::new();
    for (list, at) in drivers.modprobe.parameters("vfio_pci", "ids") {
        let list = list.unwrap_or_default();
        wrong.extend(read_ids(&list).1.into_iter().map(|element| format!("{element} ({at})")));
    }
    of_modprobe(drivers, Value::Set(wrong))
}

fn unsafe_interrupts(drivers: &Drivers) -> Evidence {
    let last = |module: &'static str| {
        drivers
            .modprobe
            .parameters(module, "allow_unsafe_interrupts")
            .filter_map(|(value, at)| {
                Some((value.as_deref().map_or(Some(true), parse_bool)?, at.clone()))
            })
            .last()
    };
    let decided = [last("vfio_iommu_type1"), last("iommufd")];
    match decided.into_iter().flatten().find(|(value, _)| *value) {
        Some((_, at)) => {
            let reading = drivers.modprobe.said.as_ref().map(|_| Value::Bool(true));
            Evidence::new(reading, at)
        }
        None => of_modprobe(drivers, Value::Bool(false)),
    }
}

/// The modules that the next boot loads for a device, denied ones too.
pub(in crate::facts) fn next_boot_modules(facts: &Facts, index: usize) -> Evidence {
    next_boot(facts, index, |outcome| &outcome.modules)
}

/// Those of them that nothing keeps from taking it.
pub(in crate::facts) fn next_boot_drivers(facts: &Facts, index: usize) -> Evidence {
    next_boot(facts, index, |outcome| &outcome.takers)
}

fn next_boot(facts: &Facts, index: usize, wanted: fn(&Outcome) -> &BTreeSet<String>) -> Evidence {
    let (Some(drivers), Some(pci)) = (&facts.drivers, &facts.pci) else {
        return Evidence::not_gathered();
    };
    let Some(function) = pci.all().get(index) else { return Evidence::not_gathered() };
    let source = match drivers.next.known().and_then(|kernels| kernels.first()) {
        Some(kernel) => Source::file(kernel.aliases_path()),
        None => Source::file("/lib/modules"),
    };
    match outcome(facts, drivers, function) {
        Ok(outcome) => {
            let notes: Vec<&str> = outcome.notes.iter().map(String::as_str).collect();
            let value = Value::Set(wanted(&outcome).clone());
            let evidence = Evidence::new(Reading::Known(value), source);
            if notes.is_empty() { evidence } else { evidence.with_note(notes.join("; ")) }
        }
        Err(cause) => Evidence::new(Reading::Unreadable(cause), source),
    }
}

/// What becomes of a device, whichever of the kernels and lines that may boot does.
fn outcome(facts: &Facts, drivers: &Drivers, function: &Function) -> Result<Outcome, Cause> {
    if facts.modules.as_ref().is_some_and(|modules| modules.loaded.is_absent()) {
        let note = "this kernel loads no modules".to_owned();
        return Ok(Outcome { notes: [note].into(), ..Outcome::default() });
    }
    let kernels = match &drivers.next {
        Reading::Known(kernels) => kernels,
        Reading::Absent => return Err(Cause::NotGathered),
        Reading::Unreadable(cause) => return Err(cause.clone()),
    };
    if let Reading::Unreadable(cause) = &drivers.modprobe.said {
        return Err(cause.clone());
    }
    let only = match &drivers.overrides {
        Reading::Known(overrides) => overrides.get(&function.address.to_string()),
        Reading::Absent => None,
        Reading::Unreadable(cause) => return Err(cause.clone()),
    };
    let lines = lines(facts);
    let mut all = Outcome::default();
    for kernel in kernels {
        let aliases = match &kernel.aliases {
            Reading::Known(aliases) => aliases,
            Reading::Absent => {
                return Err(Cause::NoAnswer(format!("there is no {}", kernel.aliases_path())));
            }
            Reading::Unreadable(cause) => return Err(cause.clone()),
        };
        let boot = |line| Boot {
            kernel,
            aliases,
            modprobe: &drivers.modprobe,
            line,
            dracut: drivers.dracut,
            only: only.map(String::as_str),
        };
        let judge = |line| {
            decide(boot(line), function)
                .ok_or_else(|| Cause::NoAnswer("its ids and class cannot be read".to_owned()))
        };
        match &lines {
            Ok(lines) => {
                for line in lines {
                    all.add(judge(Some(*line))?);
                }
            }
            // What no line could take back is so whatever it says.
            Err(cause) => {
                let outcome = judge(None)?;
                if !outcome.takers.is_empty() {
                    return Err(cause.clone());
                }
                all.add(outcome);
            }
        }
    }
    Ok(all)
}

/// The command lines that the next boot may have; that of this boot where no loader's files are found.
fn lines(facts: &Facts) -> Result<Vec<&crate::format::cmdline::Cmdline>, Cause> {
    let Some(boot) = &facts.boot_config else { return Err(Cause::NotGathered) };
    match boot.lines() {
        Reading::Known(lines) => Ok(lines),
        Reading::Unreadable(cause) => Err(cause),
        Reading::Absent => match facts.cmdline.as_ref().map(|cmdline| &cmdline.line) {
            Some(Reading::Known(line)) => Ok(vec![line]),
            Some(Reading::Unreadable(cause)) => Err(cause.clone()),
            Some(Reading::Absent) | None => Err(Cause::NotGathered),
        },
    }
}
