//! The facts about modes that rules may name: of the host as a whole, and of each GPU and NVSwitch.

use std::collections::BTreeSet;

use super::{DEVICES, GpuModes, Modes};
use crate::facts::catalogue::{Evidence, Fact};
use crate::facts::pci::Pci;
use crate::facts::{Facts, Kind, Needs, Reading, Source, Value};

/// What the modes of devices are found by.
pub(in crate::facts) const NEEDS: Needs =
    Needs::PCI.and(Needs::PCI_POWER).and(Needs::VFIO).and(Needs::GPU_REGISTERS);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "gpu.probed",
        kind: Kind::Bool,
        doc: "Whether registers of the GPUs and NVSwitches were to be read, with --probe-gpu.",
        needs: Needs::GPU_REGISTERS,
        read: |facts| match &facts.gpu_modes {
            Some(modes) => known(Value::Bool(modes.probed)),
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "gpu.modes",
        kind: Kind::Set,
        doc: "The modes that the GPUs say they are in: on, off, devtools, ppcie, invalid.",
        needs: NEEDS,
        read: |facts| {
            with_gpus(facts, |gpus| {
                let all = gpus.iter().filter_map(|(_, modes)| match modes.mode() {
                    Reading::Absent => None,
                    mode => Some(mode),
                });
                all.fold(Reading::Known(BTreeSet::new()), |set, mode| {
                    set.and_then(|mut set| {
                        mode.map(|mode| {
                            set.insert(mode.to_owned());
                            set
                        })
                    })
                })
                .map(Value::Set)
            })
        },
    },
    Fact {
        name: "gpu.same-mode",
        kind: Kind::Bool,
        doc: "Whether all GPUs say that they are in the same mode, and the NVSwitches in the one that \
              goes with it.",
        needs: NEEDS,
        read: same_mode,
    },
];

fn known(value: Value) -> Evidence {
    Evidence::new(Reading::Known(value), Source::file(DEVICES))
}

fn with_gpus(facts: &Facts, judge: impl FnOnce(&[(String, &Modes)]) -> Reading<Value>) -> Evidence {
    let (Some(modes), Some(pci)) = (&facts.gpu_modes, &facts.pci) else {
        return Evidence::not_gathered();
    };
    if !modes.probed {
        return Evidence::not_gathered();
    }
    let reading = match pci.doubt() {
        Some((cause, _)) => Reading::Unreadable(cause),
        None => judge(&of(modes, pci, pci.gpus())),
    };
    Evidence::new(reading, Source::file(DEVICES))
}

/// Devices by address, each with what it says.
fn of<'m>(modes: &'m GpuModes, pci: &Pci, indices: &[usize]) -> Vec<(String, &'m Modes)> {
    let device =
        |index: &usize| Some((pci.all().get(*index)?.address.to_string(), modes.of(*index)?));
    indices.iter().filter_map(device).collect()
}

/// Two modes that differ are enough to know it, whatever the rest is in.
fn same_mode(facts: &Facts) -> Evidence {
    let mut note = None;
    let evidence = with_gpus(facts, |gpus| {
        let (Some(modes), Some(pci)) = (&facts.gpu_modes, &facts.pci) else {
            return Reading::Unreadable(crate::facts::Cause::NotGathered);
        };
        let switches = of(modes, pci, pci.nvswitches());
        let told = |all: &[(String, &Modes)]| -> Vec<(String, Reading<&'static str>)> {
            let mode = |(name, modes): &(String, &Modes)| (name.clone(), modes.mode());
            all.iter().map(mode).filter(|(_, mode)| !mode.is_absent()).collect()
        };
        let (gpus, switches) = (told(gpus), told(&switches));
        let known = |all: &[(String, Reading<&'static str>)]| -> Vec<(String, &'static str)> {
            all.iter().filter_map(|(name, mode)| Some((name.clone(), *mode.known()?))).collect()
        };
        let (known_gpus, known_switches) = (known(&gpus), known(&switches));
        let odd = known_gpus.first().and_then(|(name, mode)| {
            let other_gpu = known_gpus.iter().find(|(_, other)| other != mode);
            // The switches are in a mode of their own only where the GPUs need them to be.
            let protects = |mode: &str| mode == "ppcie";
            let other_switch =
                known_switches.iter().find(|(_, other)| protects(other) != protects(mode));
            let (other, theirs) = other_gpu.or(other_switch)?;
            Some(format!("{name} is in {mode}, {other} in {theirs}"))
        });
        if odd.is_some() {
            note = odd;
            return Reading::Known(Value::Bool(false));
        }
        let unknown =
            gpus.iter().chain(&switches).find_map(|(name, mode)| Some((name, mode.cause()?)));
        match unknown {
            Some((name, cause)) => {
                note = Some(name.clone());
                Reading::Unreadable(cause.clone())
            }
            None => Reading::Known(Value::Bool(true)),
        }
    });
    Evidence { note, ..evidence }
}

/// The confidential computing mode of a device.
pub(in crate::facts) fn cc_mode(facts: &Facts, index: usize) -> Evidence {
    of_device(facts, index, |it| it.cc.as_ref().map(|mode| text(mode.name())))
}

/// Its protected PCI Express mode.
pub(in crate::facts) fn ppcie_mode(facts: &Facts, index: usize) -> Evidence {
    of_device(facts, index, |it| it.ppcie.as_ref().map(|on| text(if *on { "on" } else { "off" })))
}

/// Both in one word.
pub(in crate::facts) fn hardware_mode(facts: &Facts, index: usize) -> Evidence {
    of_device(facts, index, |it| it.mode().map(text))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn of_device(facts: &Facts, index: usize, read: fn(&Modes) -> Reading<Value>) -> Evidence {
    let (Some(modes), Some(pci)) = (&facts.gpu_modes, &facts.pci) else {
        return Evidence::not_gathered();
    };
    if !modes.probed {
        return Evidence::not_gathered();
    }
    let Some(function) = pci.all().get(index) else { return Evidence::not_gathered() };
    let path = |attribute: &str| format!("{DEVICES}/{}/{attribute}", function.address);
    match modes.of(index) {
        Some(modes) => Evidence::new(read(modes), Source::file(path(modes.attribute))),
        None => Evidence::new(Reading::Absent, Source::file(path(super::IDENTITY))),
    }
}
