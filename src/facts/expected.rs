//! What a site expects of a host: how many GPUs and NVSwitches, and of which model. Without it a board that
//! lost a GPU looks like one that never had it.
//!
//! What is expected is not read here but handed in, like what is assumed. A fact says whether the host is so;
//! where nothing is expected it is absent.

use super::catalogue::{Collection, Evidence, Fact, fact};
use super::pci::{Function, NVIDIA, Pci, names};
use super::{Cause, Facts, Kind, Needs, Reading, Value};

/// How many devices are named in a note; a board has no more.
const NAMED: usize = 16;

/// A value, and who expects it: `--expect` or a file of the configuration with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<T> {
    pub value: T,
    pub by: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    pub gpus: Option<Wish<u32>>,
    pub nvswitches: Option<Wish<u32>>,
    /// An id, as `10de:2335`, or whole words of a GPU's name, as `H200`, in any case.
    pub gpu_model: Option<Wish<String>>,
}

/// The most devices that can be expected of one host.
pub const MOST: u32 = 1024;

/// Why a text is no expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectError {
    #[error("it reads KEY=VALUE, where KEY is gpus, nvswitches or gpu-model")]
    NoKey,
    #[error("{0:?} is no number of devices")]
    NoCount(String),
    #[error("the model is empty")]
    NoModel,
    #[error("{0} was expected before")]
    Twice(&'static str),
}

impl Expected {
    /// Adds what `--expect KEY=VALUE` says.
    pub fn add(&mut self, text: &str, by: &str) -> Result<(), ExpectError> {
        let (key, value) = text.split_once('=').ok_or(ExpectError::NoKey)?;
        let count = || match value.parse() {
            Ok(count) if count <= MOST => Ok(Wish { value: count, by: by.to_owned() }),
            _ => Err(ExpectError::NoCount(value.to_owned())),
        };
        match key {
            "gpus" => once(&mut self.gpus, count()?, "gpus"),
            "nvswitches" => once(&mut self.nvswitches, count()?, "nvswitches"),
            "gpu-model" if value.trim().is_empty() => Err(ExpectError::NoModel),
            "gpu-model" => {
                let wish = Wish { value: value.trim().to_owned(), by: by.to_owned() };
                once(&mut self.gpu_model, wish, "gpu-model")
            }
            _ => Err(ExpectError::NoKey),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T, key: &'static str) -> Result<(), ExpectError> {
    if place.is_some() {
        return Err(ExpectError::Twice(key));
    }
    *place = Some(value);
    Ok(())
}

/// What people call a device: its address and its model, or its id where it has no name.
fn describe(function: &Function) -> String {
    let id = function.device.map(|device| format!("10de:{device:04x}"));
    let name = function.model().map(|model| model.family.to_owned());
    let name = name.or_else(|| {
        let device = function.device?;
        names::device(NVIDIA, device).map(str::to_owned)
    });
    let model = name.or(id).unwrap_or_else(|| "unknown".to_owned());
    format!("{} {model}", function.address)
}

fn listed<'f>(functions: impl Iterator<Item = &'f Function>) -> String {
    let all: Vec<String> = functions.map(describe).collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    let shown = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{shown} and {} more", all.len() - NAMED) } else { shown }
}

/// Whether as many are there as expected; with doubt about any device there is no answer.
fn counted(
    facts: &Facts,
    count: &'static str,
    wish: Option<&Wish<u32>>,
    members: fn(&Pci) -> &[usize],
) -> Evidence {
    let Some(found) = fact(count).map(|fact| (fact.read)(facts)) else {
        return Evidence::not_gathered();
    };
    let (Some(wish), Some(pci)) = (wish, &facts.pci) else {
        return Evidence { reading: Reading::Absent, ..found };
    };
    let reading = match found.reading {
        Reading::Known(Value::Integer(count)) => {
            Reading::Known(Value::Bool(count == i64::from(wish.value)))
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
        Reading::Known(_) | Reading::Absent => no_pci(),
    };
    let functions = members(pci).iter().filter_map(|index| pci.all().get(*index));
    let note = format!("{} expected by {}; found: {}", wish.value, wish.by, listed(functions));
    Evidence { reading, source: found.source, note: Some(note) }
}

fn no_pci<T>() -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer("sysfs has no directory of PCI devices".to_owned()))
}

/// Whether a text has these words, whole: "h100" is no part of "gh100", and "h20" none of "h200".
fn has_words(text: &str, words: &str) -> bool {
    let is_end = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(start, found)| {
        let before = text.get(..start).and_then(|before| before.chars().next_back());
        let after = text.get(start + found.len()..).and_then(|after| after.chars().next());
        is_end(before) && is_end(after)
    })
}

/// Whether a GPU is of the model that was written down.
fn is_model(function: &Function, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    let holds = |name: &str| has_words(&name.to_lowercase(), &wanted);
    let Some(device) = function.device else { return false };
    wanted == format!("10de:{device:04x}")
        || function.model().is_some_and(|model| holds(model.family))
        || names::device(NVIDIA, device).is_some_and(holds)
}

fn model(facts: &Facts) -> Evidence {
    let Some(found) = fact("pci.gpu-count").map(|fact| (fact.read)(facts)) else {
        return Evidence::not_gathered();
    };
    let (Some(wish), Some(pci)) = (&facts.expected.gpu_model, &facts.pci) else {
        return Evidence { reading: Reading::Absent, ..found };
    };
    let gpus = || pci.gpus().iter().filter_map(|index| pci.all().get(*index));
    let others: Vec<&Function> = gpus().filter(|gpu| !is_model(gpu, &wish.value)).collect();
    let reading = match found.reading {
        // One that is another is enough, whatever else cannot be told.
        _ if !others.is_empty() => Reading::Known(Value::Bool(false)),
        Reading::Known(_) => Reading::Known(Value::Bool(true)),
        Reading::Absent => no_pci(),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    };
    let note = match others.as_slice() {
        [] => format!("{} expected by {}", wish.value, wish.by),
        others => {
            let others = listed(others.iter().copied());
            format!("{} expected by {}; others: {others}", wish.value, wish.by)
        }
    };
    Evidence { reading, source: found.source, note: Some(note) }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "expected.gpus",
        kind: Kind::Bool,
        doc: "Whether the host has as many GPUs as its site expects; absent where nothing is expected.",
        needs: Needs::PCI,
        read: |facts| counted(facts, "pci.gpu-count", facts.expected.gpus.as_ref(), Pci::gpus),
    },
    Fact {
        name: "expected.nvswitches",
        kind: Kind::Bool,
        doc: "Whether the host has as many NVSwitches as its site expects; absent where nothing is expected.",
        needs: Needs::PCI,
        read: |facts| {
            let wish = facts.expected.nvswitches.as_ref();
            counted(facts, "pci.nvswitch-count", wish, Pci::nvswitches)
        },
    },
    Fact {
        name: "expected.gpu-model",
        kind: Kind::Bool,
        doc: "Whether every GPU is of the model that its site expects; absent where nothing is expected.",
        needs: Needs::PCI,
        read: model,
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    fn uevent(id: &str, class: &str) -> String {
        format!("PCI_CLASS={class}\nPCI_ID={id}\nPCI_SUBSYS_ID=10DE:16C1\n")
    }

    fn of(expectations: &[&str]) -> Facts {
        let device = |address: &str| format!("sys/bus/pci/devices/{address}/uevent");
        let host = tree(&[
            (&device("0000:18:00.0"), &uevent("10DE:2330", "30200")),
            (&device("0000:19:00.0"), &uevent("10DE:2335", "30200")),
            (&device("0000:20:00.0"), &uevent("10DE:22A3", "68000")),
        ]);
        let mut expected = Expected::default();
        for each in expectations {
            expected.add(each, "--expect").unwrap();
        }
        Facts { expected, ..facts(host.path(), Needs::PCI) }
    }

    fn is(facts: &Facts, name: &str) -> Option<bool> {
        match value(facts, name).reading {
            Reading::Known(Value::Bool(value)) => Some(value),
            Reading::Absent => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn where_nothing_is_expected_nothing_is_said() {
        let facts = of(&[]);
        for fact in FACTS {
            assert_eq!(is(&facts, fact.name), None, "{}", fact.name);
        }
    }

    #[test]
    fn a_count_that_differs_is_told_with_what_was_found() {
        let facts = of(&["gpus=2", "nvswitches=4"]);
        assert_eq!(is(&facts, "expected.gpus"), Some(true));
        assert_eq!(is(&facts, "expected.nvswitches"), Some(false));
        assert_eq!(
            value(&facts, "expected.nvswitches").note.unwrap(),
            "4 expected by --expect; found: 0000:20:00.0 H100 NVSwitch"
        );
        assert_eq!(is(&of(&["gpus=0"]), "expected.gpus"), Some(false));
    }

    #[test]
    fn every_gpu_must_be_of_the_model() {
        for (model, expected) in [
            ("H100", false),
            ("h200", false),
            ("gh100", true),
            ("10de:2335", false),
            ("H20", false),
            ("100", false),
        ] {
            let facts = of(&[&format!("gpu-model={model}")]);
            assert_eq!(is(&facts, "expected.gpu-model"), Some(expected), "{model}");
        }
        let note = value(&of(&["gpu-model=H100"]), "expected.gpu-model").note.unwrap();
        assert_eq!(note, "H100 expected by --expect; others: 0000:19:00.0 H200 SXM 141GB");
    }

    #[test]
    fn a_device_that_cannot_be_told_leaves_the_count_open() {
        let host = tree(&[
            ("sys/bus/pci/devices/0000:18:00.0/uevent", &uevent("10DE:2330", "30200")),
            ("sys/bus/pci/devices/0000:19:00.0/uevent", ""),
        ]);
        let mut expected = Expected::default();
        expected.add("gpus=1", "--expect").unwrap();
        let facts = Facts { expected, ..facts(host.path(), Needs::PCI) };
        assert!(value(&facts, "expected.gpus").reading.cause().is_some());
    }

    #[test]
    fn what_is_no_expectation_is_refused() {
        let mut expected = Expected::default();
        for wrong in
            ["", "gpus", "gpu=8", "gpus=", "gpus=-1", "gpus=8x", "gpus=99999", "gpu-model= "]
        {
            assert!(expected.add(wrong, "--expect").is_err(), "{wrong}");
        }
        expected.add("gpus=8", "--expect").unwrap();
        assert_eq!(expected.add("gpus=8", "--expect"), Err(ExpectError::Twice("gpus")));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(gpus|nvswitches|gpu-model|\\PC{0,4})?=?\\PC{0,8}") {
            let _ = Expected::default().add(&text, "--expect");
        }
    }
}
