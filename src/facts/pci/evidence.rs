//! How facts about PCI are read from [`Pci`], with the attribute that each stands in.

use std::collections::BTreeSet;

use crate::facts::catalogue::{Evidence, Selection, Subject};
use crate::facts::{Cause, Facts, Reading, Source, Value};

use super::{
    Bar, DEVICES, Detail, Function, Group, Pci, Placement, framebuffer, group, models, names,
};

/// How many names a note gives; the rest is counted.
const NAMED: usize = 5;

pub(super) fn evidence(facts: &Facts, judge: impl FnOnce(&Pci) -> Evidence) -> Evidence {
    match &facts.pci {
        Some(pci) => judge(pci),
        None => Evidence::not_gathered(),
    }
}

pub(super) fn integer(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Names in a row, cut at [`NAMED`].
pub(super) fn row<'name>(names: impl ExactSizeIterator<Item = &'name str>) -> String {
    let all = names.len();
    let row = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if all > NAMED { format!("{row} and {} more", all - NAMED) } else { row }
}

pub(super) fn select(facts: &Facts, members: fn(&Pci) -> &[usize]) -> Selection {
    let Some(pci) = &facts.pci else {
        let doubt = Some((Cause::NotGathered, Source::file(DEVICES)));
        return Selection { subjects: Vec::new(), doubt };
    };
    let subject = |index: &usize| {
        let function = pci.all().get(*index)?;
        Some(Subject { index: *index, label: function.address.to_string() })
    };
    Selection { subjects: members(pci).iter().filter_map(subject).collect(), doubt: pci.doubt() }
}

pub(super) fn select_every(facts: &Facts) -> Selection {
    let Some(pci) = &facts.pci else {
        let doubt = Some((Cause::NotGathered, Source::file(DEVICES)));
        return Selection { subjects: Vec::new(), doubt };
    };
    let subjects = pci.all().iter().enumerate();
    let subject = |(index, function): (usize, &Function)| Subject {
        index,
        label: function.address.to_string(),
    };
    Selection { subjects: subjects.map(subject).collect(), doubt: pci.doubt() }
}

/// The public name of an id; absent where the list has none.
pub(super) fn named<T>(
    id: Option<T>,
    find: impl FnOnce(T) -> Option<&'static str>,
) -> Reading<Value> {
    match id {
        Some(id) => {
            find(id).map_or(Reading::Absent, |name| Reading::Known(Value::Text(name.to_owned())))
        }
        None => no_answer("the id cannot be read"),
    }
}

pub(super) fn no_answer<T>(why: &str) -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer(why.to_owned()))
}

pub(super) fn text(reading: &Reading<String>) -> Reading<Value> {
    reading.as_ref().map(|text| Value::Text(text.clone()))
}

pub(super) fn number(reading: &Reading<i64>) -> Reading<Value> {
    reading.as_ref().map(|number| Value::Integer(*number))
}

pub(super) fn of_function(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Pci, &Function) -> Reading<Value>,
) -> Evidence {
    evidence(facts, |pci| match pci.all().get(index) {
        Some(function) => {
            let source = Source::file(format!("{DEVICES}/{}{attribute}", function.address));
            Evidence::new(read(pci, function), source)
        }
        None => Evidence::not_gathered(),
    })
}

pub(super) fn of_placement(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Placement) -> Reading<Value>,
) -> Evidence {
    of_function(facts, index, attribute, |pci, _| match pci.placement(index) {
        Some(placement) => read(placement),
        None => Reading::Unreadable(Cause::NotGathered),
    })
}

pub(super) fn of_detail(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Detail) -> Reading<Value>,
) -> Evidence {
    of_function(facts, index, &format!("/{attribute}"), |pci, _| match pci.detail(index) {
        Some(detail) => read(detail),
        None => Reading::Unreadable(Cause::NotGathered),
    })
}

/// A fact of the group that a function is in; `Absent` when it is in none.
pub(super) fn of_group(
    facts: &Facts,
    index: usize,
    attribute: &str,
    read: impl FnOnce(&Pci, &Function, &Group) -> (Reading<Value>, Option<String>),
) -> Evidence {
    let link = of_placement(facts, index, "/iommu_group", |placement| {
        placement.iommu_group.as_ref().map(|group| Value::Integer(i64::from(*group)))
    });
    evidence(facts, |pci| {
        let placement = pci.placement(index).map(|placement| &placement.iommu_group);
        match (placement, pci.all().get(index)) {
            (Some(Reading::Known(number)), Some(function)) => match pci.group(*number) {
                Some(group) => {
                    let (reading, note) = read(pci, function, group);
                    let path = format!("{}/{number}{attribute}", group::GROUPS);
                    Evidence { reading, source: Some(Source::file(path)), note }
                }
                None => Evidence::not_gathered(),
            },
            (Some(Reading::Absent), _) => link.with_note("in no IOMMU group"),
            _ => link,
        }
    })
}

pub(super) fn listed(
    facts: &Facts,
    index: usize,
    pick: fn(&models::Model) -> Option<&'static str>,
    otherwise: &str,
) -> Evidence {
    let evidence = of_function(facts, index, "/uevent", |_, function| match function.device {
        Some(_) => function
            .model()
            .and_then(pick)
            .map_or(Reading::Absent, |text| Reading::Known(Value::Text(text.to_owned()))),
        None => no_answer("the device id cannot be read"),
    });
    if evidence.reading.is_absent() { evidence.with_note(otherwise) } else { evidence }
}

/// The listed family, else the public name, else what the class says.
pub(super) fn name(facts: &Facts, index: usize) -> Evidence {
    let mut unlisted_switch = false;
    let evidence = of_function(facts, index, "/uevent", |_, function| {
        unlisted_switch = function.is_nvswitch() && function.model().is_none();
        let public = || names::device(function.vendor?, function.device?);
        function.model().map(|model| model.family).or_else(public).map_or_else(
            || no_answer("no list has a name for this id"),
            |name| Reading::Known(Value::Text(name.to_owned())),
        )
    });
    if unlisted_switch {
        evidence.with_note("an NVSwitch by class only; its id is not on the list")
    } else {
        evidence
    }
}

/// Whether VFIO may own the group, with who objects and which port lets him into it.
pub(super) fn group_viable(facts: &Facts, index: usize) -> Evidence {
    of_group(facts, index, "/devices", |pci, function, group| {
        let (viable, offenders) = group.viable(function.address);
        let note = row(offenders.iter().map(String::as_str));
        let note = (!note.is_empty()).then(|| match pci.why_not_isolated(index) {
            Some(why) => format!("{note}; {why}"),
            None => note,
        });
        (viable.map(Value::Bool), note)
    })
}

/// Who else is in the group, with the port that lets him into it.
pub(super) fn group_foreign(facts: &Facts, index: usize) -> Evidence {
    of_group(facts, index, "/devices", |pci, function, group| {
        let foreign = group.foreign(pci, function.address);
        let is_shared = foreign.known().is_some_and(|members| !members.is_empty());
        let why = is_shared.then(|| pci.why_not_isolated(index)).flatten();
        (foreign.map(Value::Set), why)
    })
}

pub(super) fn firmware_framebuffer(facts: &Facts, index: usize) -> Evidence {
    let mut keeper = None;
    let evidence = of_function(facts, index, "", |pci, function| match pci.framebuffer(function) {
        Reading::Known(name) => {
            keeper = Some(name.to_owned());
            Reading::Known(Value::Bool(true))
        }
        Reading::Absent => Reading::Known(Value::Bool(false)),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    });
    let source = Some(Source::file(framebuffer::IOMEM));
    match keeper {
        Some(name) => Evidence { source, ..evidence }.with_note(format!("{name} keeps it")),
        None => Evidence { source, ..evidence },
    }
}

/// The kernel forgets a window for which it found no address, so what the device's header shows counts too.
pub(super) fn bars_assigned(facts: &Facts, index: usize) -> Evidence {
    let mut note = None;
    let of_header = facts.pci.as_ref().map_or(&[][..], |pci| pci.windows(index));
    let evidence = of_detail(facts, index, "resource", |detail| {
        detail.bars.as_ref().and_then(|bars| {
            let forgotten = of_header.iter().copied();
            let forgotten = forgotten.filter(|index| bars.iter().all(|bar| bar.index != *index));
            let unassigned = bars.iter().filter(|bar| !bar.is_assigned()).map(|bar| bar.index);
            let unassigned: BTreeSet<u8> = unassigned.chain(forgotten).collect();
            // A copy of a host may have lost its windows, which the header alone does not contradict.
            if bars.is_empty() {
                return no_answer("the kernel lists no address window of it at all");
            }
            if !unassigned.is_empty() {
                let windows: Vec<String> =
                    unassigned.iter().map(|index| format!("BAR {index}")).collect();
                note = Some(format!("no address for {}", windows.join(", ")));
            }
            Reading::Known(Value::Bool(unassigned.is_empty()))
        })
    });
    Evidence { note, ..evidence }
}

pub(super) fn vfio_cdev(facts: &Facts, index: usize) -> Evidence {
    evidence(facts, |pci| match (pci.placement(index), &facts.vfio) {
        (Some(placement), Some(vfio)) => match &placement.vfio_device {
            Reading::Known(name) => Evidence::new(
                vfio.has_cdev(name).map(Value::Bool),
                Source::file(format!("/dev/vfio/devices/{name}")),
            ),
            Reading::Absent => {
                of_function(facts, index, "/vfio-dev", |_, _| Reading::Known(Value::Bool(false)))
                    .with_note("no VFIO driver made a device for it")
            }
            Reading::Unreadable(cause) => {
                let cause = cause.clone();
                of_function(facts, index, "/vfio-dev", |_, _| Reading::Unreadable(cause))
            }
        },
        _ => Evidence::not_gathered(),
    })
}

pub(super) fn vfio_group_node(facts: &Facts, index: usize) -> Evidence {
    evidence(facts, |pci| match (pci.placement(index), &facts.vfio) {
        (Some(placement), Some(vfio)) => match &placement.iommu_group {
            Reading::Known(number) => Evidence::new(
                vfio.has_group(*number).map(Value::Bool),
                Source::file(format!("/dev/vfio/{number}")),
            ),
            Reading::Absent => {
                of_function(facts, index, "/iommu_group", |_, _| Reading::Known(Value::Bool(false)))
                    .with_note("in no IOMMU group")
            }
            Reading::Unreadable(cause) => {
                let cause = cause.clone();
                of_function(facts, index, "/iommu_group", |_, _| Reading::Unreadable(cause))
            }
        },
        _ => Evidence::not_gathered(),
    })
}

/// Fewer lanes than a device has are a card in a narrow slot, or one that is not seated.
pub(super) fn full_width(facts: &Facts, index: usize) -> Evidence {
    // What the kernel writes where the device does not tell, or the link is down.
    let is_lanes = |lanes: i64| (1..=32).contains(&lanes);
    let mut note = None;
    let evidence = of_detail(facts, index, "current_link_width", |detail| {
        detail.max_link_width.as_ref().and_then(|max| {
            detail.link_width.as_ref().and_then(|now| {
                if !is_lanes(*max) {
                    note = Some("the device does not tell how many lanes it has".to_owned());
                    return Reading::Absent;
                }
                if !is_lanes(*now) {
                    return no_answer("the link does not tell its width");
                }
                note = Some(format!("{now} of {max} lanes"));
                Reading::Known(Value::Bool(now == max))
            })
        })
    });
    Evidence { note, ..evidence }
}

/// The largest memory window that has an address.
fn largest_window(detail: &Detail) -> Reading<Bar> {
    detail.bars.as_ref().and_then(|bars| {
        let assigned = bars.iter().filter(|bar| bar.is_memory() && bar.is_assigned());
        let largest = assigned.max_by_key(|bar| bar.size());
        largest.map_or(Reading::Absent, |bar| Reading::Known(*bar))
    })
}

pub(super) fn memory_window(facts: &Facts, index: usize) -> Evidence {
    let mut note = None;
    let evidence = of_detail(facts, index, "resource", |detail| {
        largest_window(detail).map(|bar| {
            note = Some(bar.to_string());
            Value::Integer(i64::try_from(bar.size() >> 20).unwrap_or(i64::MAX))
        })
    });
    let absent = evidence.reading.is_absent();
    let note = if absent { Some("no memory window has an address".to_owned()) } else { note };
    Evidence { note, ..evidence }
}

pub(super) fn memory_window_above_4g(facts: &Facts, index: usize) -> Evidence {
    let mut note = None;
    let evidence = of_detail(facts, index, "resource", |detail| {
        largest_window(detail).map(|bar| {
            note = Some(bar.to_string());
            Value::Bool(bar.start >= 1 << 32)
        })
    });
    Evidence { note, ..evidence }
}

pub(super) fn answers(facts: &Facts, index: usize) -> Evidence {
    let evidence = of_function(facts, index, "/config", |pci, _| {
        pci.answers(index)
            .map_or(Reading::Unreadable(Cause::NotGathered), |answers| answers.map(Value::Bool))
    });
    match evidence.reading {
        Reading::Known(Value::Bool(false)) => {
            evidence.with_note("its configuration space reads as all ones")
        }
        _ => evidence,
    }
}
