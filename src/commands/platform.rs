//! What a host is judged as, where the user does not say: the stage that it shows, and the trusted
//! execution environment of its CPU.

use super::judgement::Wanted;
use crate::config::Place;
use crate::facts::{Facts, Needs, Reading, Value, catalogue};
use crate::rules::{Platform, Stage, Tee};

/// What must be read to tell.
pub(super) const NEEDS: Needs =
    Needs::CPU.and(Needs::PCI).and(Needs::OPERATOR).and(Needs::KATA_FOUND);

const ASKED_FOR: &str = "asked for";
const SET_IN: &str = "set in";

/// A platform and why it is that.
pub(super) struct Chosen {
    pub(super) platform: Platform,
    pub(super) stage_why: String,
    pub(super) tee_why: String,
}

pub(super) fn choose(wanted: &Wanted, facts: &Facts) -> Chosen {
    let (stage, stage_why) = match wanted.stage {
        Some(stage) => (stage, asked(wanted.site.stage.as_ref())),
        None => shown_stage(facts),
    };
    let (tee, tee_why) = match wanted.tee {
        Some(tee) => (Some(tee), asked(wanted.site.tee.as_ref())),
        None => tee_of_cpu(facts),
    };
    Chosen { platform: Platform { stage, tee }, stage_why, tee_why }
}

/// By the command line, unless the configuration is where it stands.
fn asked(site: Option<&Place>) -> String {
    site.map_or_else(|| ASKED_FOR.to_owned(), |place| format!("{SET_IN} {place}"))
}

/// Whether somebody chose it, so that the host does not show it by itself.
pub(super) fn is_chosen(why: &str) -> bool {
    why == ASKED_FOR || why.starts_with(SET_IN)
}

/// Once a device is handed to VFIO, or the GPU Operator has left its traces, all devices must be handed
/// over; before that, none has to be. Kata comes before the operator.
fn shown_stage(facts: &Facts) -> (Stage, String) {
    if reading(facts, "operator.validations") == Reading::Known(Value::Bool(true)) {
        return (Stage::Operator, "the GPU Operator has run here".to_owned());
    }
    match reading(facts, "pci.passthrough-binding") {
        Reading::Known(Value::Text(bound)) if bound != "none" => {
            (Stage::Operator, "devices are bound to vfio-pci".to_owned())
        }
        _ if reading(facts, "kata.found") == Reading::Known(Value::Bool(true)) => {
            (Stage::Kata, "Kata is installed, and no device is bound to vfio-pci yet".to_owned())
        }
        _ => (Stage::Host, "no device is bound to vfio-pci yet".to_owned()),
    }
}

/// The vendor decides, not whether the feature is on: a host on which it is off must not be judged by
/// the lower standard of hosts that are not meant for it.
fn tee_of_cpu(facts: &Facts) -> (Option<Tee>, String) {
    match reading(facts, "cpu.vendor") {
        Reading::Known(Value::Text(vendor)) => match vendor.as_str() {
            "AuthenticAMD" => (Some(Tee::Snp), "AMD CPU".to_owned()),
            "GenuineIntel" => (Some(Tee::Tdx), "Intel CPU".to_owned()),
            other => (None, format!("the CPU vendor {other} is not known; give --tee")),
        },
        Reading::Unreadable(cause) => (None, format!("{cause}; give --tee")),
        Reading::Known(_) | Reading::Absent => {
            (None, "the CPU's vendor is not told; give --tee".to_owned())
        }
    }
}

/// The reading of a fact by its name.
pub(super) fn reading(facts: &Facts, name: &str) -> Reading<Value> {
    match catalogue::fact(name) {
        Some(fact) => (fact.read)(facts).reading,
        None => Reading::Absent,
    }
}
