//! How many GPUs and `NVSwitches` a guest gets, and by which names the device plugin offers them.

use std::collections::BTreeSet;

use super::WorkloadError;
use super::names::is_resource;
use crate::facts::operator::{Device, nodes_of};
use crate::facts::{Facts, Reading, Value, catalogue};

const GPU: &str = "nvidia.com/pgpu";
const NVSWITCH: &str = "nvidia.com/nvswitch";

/// The names of the two resources.
pub(super) struct Names {
    pub(super) gpu: String,
    pub(super) nvswitch: String,
}

fn reading(facts: &Facts, name: &str) -> Reading<Value> {
    catalogue::fact(name).map_or(Reading::Absent, |fact| (fact.read)(facts).reading)
}

fn count(facts: &Facts, name: &str) -> Option<usize> {
    match reading(facts, name) {
        Reading::Known(Value::Integer(count)) => usize::try_from(count).ok(),
        _ => None,
    }
}

/// GPUs and `NVSwitches` of one guest.
pub(super) fn counts(
    facts: &Facts,
    asked: Option<usize>,
    assumed: &mut Vec<String>,
) -> Result<(usize, usize), WorkloadError> {
    let there = count(facts, "pci.gpu-count");
    let switches = count(facts, "pci.nvswitch-count").unwrap_or_default();
    let together = match reading(facts, "cc.needed-mode") {
        Reading::Known(Value::Text(mode)) => Some(mode == "ppcie"),
        Reading::Known(_) | Reading::Absent => Some(false),
        Reading::Unreadable(_) => None,
    };
    match (asked, there) {
        (_, Some(0)) => Err(WorkloadError::NoGpu),
        (Some(asked), Some(there)) if asked > there => Err(WorkloadError::TooMany { asked, there }),
        (Some(asked), Some(there)) if together == Some(true) && asked > 1 && asked < there => {
            Err(WorkloadError::Part { there })
        }
        (Some(1), Some(_)) => Ok((1, 0)),
        (Some(asked), Some(there)) => Ok((asked, if asked == there { switches } else { 0 })),
        (None, Some(there)) => match together {
            Some(true) => Ok((there, switches)),
            Some(false) => Ok((1, 0)),
            None => {
                let what = "one GPU: whether a guest must have all of them is not known";
                assumed.push(what.to_owned());
                Ok((1, 0))
            }
        },
        (asked, None) => {
            let gpus = asked.unwrap_or(1);
            let what =
                format!("{gpus} of the GPUs and no NVSwitch: how many there are is not told");
            assumed.push(what);
            Ok((gpus, 0))
        }
    }
}

/// As the guide has them where they are offered so; else by the CDI specification that has the devices.
pub(super) fn names(facts: &Facts, with_switches: bool, assumed: &mut Vec<String>) -> Names {
    let offered: BTreeSet<String> = match reading(facts, "operator.resources") {
        Reading::Known(Value::Set(names)) => {
            names.into_iter().filter(|name| is_resource(name)).collect()
        }
        _ => BTreeSet::new(),
    };
    let pci = facts.pci.as_ref();
    let gpus = pci.map_or(&[][..], |pci| pci.gpus());
    let switches = pci.map_or(&[][..], |pci| pci.nvswitches());
    let no_switch = switches.is_empty();
    let mut name = |usual: &str, of: &[usize], what: &str| {
        if offered.contains(usual) {
            return usual.to_owned();
        }
        if let Some(kind) = kind_of(facts, of).filter(|kind| offered.contains(kind)) {
            return kind;
        }
        let mut all = offered.iter();
        if let (Some(only), None, true) = (all.next(), all.next(), no_switch) {
            return only.clone();
        }
        let names: Vec<&str> = offered.iter().map(String::as_str).collect();
        assumed.push(match names.as_slice() {
            [] => format!("{usual} for {what}: no device plugin offers any resource here"),
            names => {
                let names = names.join(", ");
                format!("{usual} for {what}: which of {names} it is cannot be told")
            }
        });
        usual.to_owned()
    };
    let gpu = name(GPU, gpus, "GPUs");
    let nvswitch =
        if with_switches { name(NVSWITCH, switches, "NVSwitches") } else { NVSWITCH.to_owned() };
    Names { gpu, nvswitch }
}

/// The one kind of devices in CDI specifications whose nodes are these functions'.
fn kind_of(facts: &Facts, functions: &[usize]) -> Option<String> {
    let (pci, cdi) = (facts.pci.as_ref()?, facts.cdi.as_ref()?);
    let nodes: BTreeSet<String> =
        functions.iter().filter_map(|index| nodes_of(pci, *index).into_known()).flatten().collect();
    let is_theirs = |device: &&Device| device.nodes.iter().any(|node| nodes.contains(node));
    let mut kinds: BTreeSet<&str> =
        cdi.devices.known()?.iter().filter(is_theirs).map(|device| device.kind.as_str()).collect();
    let kind = kinds.pop_first()?;
    kinds.is_empty().then(|| kind.to_owned())
}
