//! The first lines of a report: which host this is, and as what it is judged.

use std::collections::BTreeMap;

use super::judgement::Wanted;
use super::platform::{Chosen, reading};
use crate::facts::{Facts, Needs, Reading, Value, catalogue};
use crate::report::{Assumed, Header, HostOrigin};

/// What must be read to write it.
pub(super) const NEEDS: Needs = Needs::CPU.and(Needs::OS).and(Needs::PCI);

/// What a host is called that does not tell its name.
pub(super) const UNNAMED: &str = "unnamed host";

pub(super) fn header(facts: &Facts, chosen: Chosen, wanted: &Wanted, origin: HostOrigin) -> Header {
    let text = |name: &str| match reading(facts, name) {
        Reading::Known(value) => Some(value.to_string()),
        Reading::Absent | Reading::Unreadable(_) => None,
    };
    Header {
        host: text("host.name").unwrap_or_else(|| UNNAMED.to_owned()),
        os: text("os.name"),
        kernel: text("kernel.release"),
        cpu: text("cpu.model"),
        virtualization: match reading(facts, "cpu.hypervisor") {
            Reading::Known(Value::Bool(true)) => Some("virtual machine".to_owned()),
            Reading::Known(Value::Bool(false)) => Some("bare metal".to_owned()),
            _ => None,
        },
        gpus: devices(facts),
        platform: chosen.platform,
        stage_why: chosen.stage_why,
        tee_why: chosen.tee_why,
        assumed: assumed(facts, wanted),
        origin,
    }
}

/// `8 x H200 SXM, 4 x NVSwitch`; `None` where PCI could not be read.
fn devices(facts: &Facts) -> Option<String> {
    let Reading::Known(Value::Integer(count)) = reading(facts, "pci.gpu-count") else {
        return None;
    };
    if count == 0 {
        return Some("none".to_owned());
    }
    let mut models: BTreeMap<(usize, String), usize> = BTreeMap::new();
    for (order, name) in ["pci.gpus", "pci.nvswitches"].into_iter().enumerate() {
        let collection = catalogue::collection(name)?;
        let model = collection.facts.iter().find(|fact| fact.name == "name");
        for subject in (collection.select)(facts).subjects {
            let model =
                model.and_then(|fact| (fact.read)(facts, subject.index).reading.into_known());
            let model = model.map_or_else(|| collection.item.to_owned(), |value| value.to_string());
            *models.entry((order, model)).or_default() += 1;
        }
    }
    let words: Vec<String> =
        models.into_iter().map(|((_, model), count)| format!("{count} x {model}")).collect();
    Some(words.join(", "))
}

/// What is vouched for and the host does not tell; where it tells, its word counts.
fn assumed(facts: &Facts, wanted: &Wanted) -> Vec<Assumed> {
    let by = match &wanted.site.assume {
        Some(place) => format!("in {place}"),
        None => "with --assume".to_owned(),
    };
    let counts = |name: &str| matches!(reading(facts, name), Reading::Unreadable(_));
    let assumed = facts.assumed.iter().filter(|(name, _)| counts(name));
    assumed
        .map(|(fact, value)| Assumed { fact, value: value.to_string(), by: by.clone() })
        .collect()
}
