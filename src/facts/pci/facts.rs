//! What rules may ask about PCI as a whole.

use crate::facts::catalogue::{Evidence, Fact};
use crate::facts::{Cause, Kind, Needs, Reading, Source, Value};

use super::evidence::{evidence, integer, row};
use super::{DEVICES, Pci, is_vfio};

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "pci.function-count",
        kind: Kind::Integer,
        doc: "Number of PCI functions that the kernel lists.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, |pci| Evidence::new(count_all(pci), Source::file(DEVICES))),
    },
    Fact {
        name: "pci.unidentified-count",
        kind: Kind::Integer,
        doc: "Number of PCI functions whose vendor and class cannot be read; each may be a GPU.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, unidentified),
    },
    Fact {
        name: "pci.gpu-count",
        kind: Kind::Integer,
        doc: "Number of NVIDIA GPUs, virtual functions left out.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, |pci| count(pci, pci.gpus())),
    },
    Fact {
        name: "pci.gpu-virtual-function-count",
        kind: Kind::Integer,
        doc: "Number of virtual functions of NVIDIA GPUs, as vGPU uses them.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, |pci| count(pci, &pci.roles.virtual_gpus)),
    },
    Fact {
        name: "pci.nvswitch-count",
        kind: Kind::Integer,
        doc: "Number of NVIDIA functions of class \"bridge, other\", which NVSwitches are.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, |pci| count(pci, pci.nvswitches())),
    },
    Fact {
        name: "pci.companion-count",
        kind: Kind::Integer,
        doc: "Number of audio, USB and USB-C functions that are part of a GPU's board.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, |pci| count(pci, pci.companions_of_gpus())),
    },
    Fact {
        name: "pci.gpus-bound-to-vfio",
        kind: Kind::Integer,
        doc: "Number of NVIDIA GPUs that a VFIO driver holds.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, gpus_bound_to_vfio),
    },
    Fact {
        name: "pci.passthrough-binding",
        kind: Kind::Text,
        doc: "How many of the GPUs and NVSwitches a VFIO driver holds: none, some or all.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, passthrough_binding),
    },
    Fact {
        name: "pci.host-drivers",
        kind: Kind::Set,
        doc: "Drivers outside VFIO that hold a GPU or NVSwitch.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, host_drivers),
    },
    Fact {
        name: "pci.hgx-nvswitches-missing",
        kind: Kind::Integer,
        doc: "How many of the four NVSwitches of an HGX board with eight Hopper GPUs are not seen; absent on other \
              hosts, as those with Blackwell, whose switches are no PCI functions of NVIDIA.",
        needs: Needs::PCI,
        read: |facts| evidence(facts, nvswitches_missing),
    },
];

/// NVSwitches of an HGX board with eight GPUs of SXM form.
const SWITCHES: usize = 4;
const GPUS_OF_BOARD: usize = 8;

fn host_drivers(pci: &Pci) -> Evidence {
    let mut drivers = std::collections::BTreeSet::new();
    for placement in pci.passthrough().iter().filter_map(|index| pci.placement(*index)) {
        match &placement.driver {
            Reading::Known(driver) if !is_vfio(driver) => {
                drivers.insert(driver.clone());
            }
            Reading::Known(_) | Reading::Absent => {}
            Reading::Unreadable(cause) => {
                return Evidence::new(Reading::Unreadable(cause.clone()), Source::file(DEVICES));
            }
        }
    }
    doubtful(pci, drivers.len()).unwrap_or_else(|| {
        Evidence::new(Reading::Known(Value::Set(drivers)), Source::file(DEVICES))
    })
}

/// Boards of four GPUs have no switches, and `PCIe` cards none either.
fn nvswitches_missing(pci: &Pci) -> Evidence {
    let on_board = |index: &&usize| {
        let model = pci.all().get(**index).and_then(super::Function::model);
        model.is_some_and(|model| model.architecture == "Hopper" && model.family.contains("SXM"))
    };
    let boards = pci.gpus().iter().filter(on_board).count() / GPUS_OF_BOARD;
    let (wanted, found) = (boards * SWITCHES, pci.nvswitches().len());
    let source = Source::file(DEVICES);
    if let Some(evidence) = doubtful(pci, found) {
        return evidence;
    }
    if boards == 0 {
        return Evidence::new(Reading::Absent, source).with_note("no board of eight Hopper GPUs");
    }
    Evidence::new(Reading::Known(integer(wanted.saturating_sub(found))), source)
        .with_note(format!("{found} of {wanted} found"))
}

fn count_all(pci: &Pci) -> Reading<Value> {
    pci.functions.as_ref().map(|functions| integer(functions.len()))
}

fn unidentified(pci: &Pci) -> Evidence {
    let reading = pci.functions.as_ref().map(|_| integer(pci.unidentified.len()));
    let evidence = Evidence::new(reading, Source::file(DEVICES));
    if pci.unidentified.is_empty() {
        evidence
    } else {
        evidence.with_note(row(pci.unidentified.iter().map(|it| it.name.as_str())))
    }
}

/// What is left of a reading when there may be devices that are not listed: the cause, and how far
/// one got.
fn doubtful(pci: &Pci, found: usize) -> Option<Evidence> {
    let source = Source::file(DEVICES);
    match &pci.functions {
        Reading::Absent => {
            let note = "sysfs has no directory of PCI devices";
            Some(Evidence::new(Reading::Absent, source).with_note(note))
        }
        Reading::Unreadable(cause) => {
            Some(Evidence::new(Reading::Unreadable(cause.clone()), source))
        }
        Reading::Known(_) => pci.doubt().map(|(cause, source)| {
            let names = row(pci.unidentified.iter().map(|it| it.name.as_str()));
            let note = format!("{found} found, but these could not be identified: {names}");
            Evidence::new(Reading::Unreadable(cause), source).with_note(note)
        }),
    }
}

fn count(pci: &Pci, members: &[usize]) -> Evidence {
    doubtful(pci, members.len()).unwrap_or_else(|| {
        Evidence::new(Reading::Known(integer(members.len())), Source::file(DEVICES))
    })
}

/// How many devices VFIO holds, how many it does not, and why the rest cannot be told.
fn binding(pci: &Pci, members: &[usize]) -> (usize, usize, Option<Cause>) {
    let (mut held, mut others, mut unknown) = (0, 0, None);
    for placement in members.iter().filter_map(|index| pci.placement(*index)) {
        match &placement.driver {
            Reading::Known(driver) if is_vfio(driver) => held += 1,
            Reading::Known(_) | Reading::Absent => others += 1,
            Reading::Unreadable(cause) => unknown = unknown.or(Some(cause.clone())),
        }
    }
    (held, others, unknown)
}

fn gpus_bound_to_vfio(pci: &Pci) -> Evidence {
    let (held, _, unknown) = binding(pci, pci.gpus());
    doubtful(pci, held).unwrap_or_else(|| {
        let reading = match unknown {
            None => Reading::Known(integer(held)),
            Some(cause) => Reading::Unreadable(cause),
        };
        Evidence::new(reading, Source::file(DEVICES))
    })
}

fn passthrough_binding(pci: &Pci) -> Evidence {
    let (held, others, unknown) = binding(pci, pci.passthrough());
    let known = |word: &str| {
        Evidence::new(Reading::Known(Value::Text(word.to_owned())), Source::file(DEVICES))
    };
    if held > 0 && others > 0 {
        // No device that is still unknown can change this.
        return known("some").with_note(format!("{held} of {}", pci.passthrough().len()));
    }
    if let Some(evidence) = doubtful(pci, held) {
        return evidence;
    }
    match (unknown, held, others) {
        (Some(cause), ..) => Evidence::new(Reading::Unreadable(cause), Source::file(DEVICES)),
        (None, 0, 0) => Evidence::new(Reading::Absent, Source::file(DEVICES))
            .with_note("no GPU and no NVSwitch"),
        (None, 0, _) => known("none"),
        (None, ..) => known("all"),
    }
}
