//! Whether what the labels of the Node say of the mode goes together, and with what cc-manager's log says.
//!
//! A label bears no date. That a change is under way, and not left behind, is told by the log alone.

use super::list::{CHANGE_TAKES, age, applied_mode};
use crate::facts::catalogue::{Evidence, Fact};
use crate::facts::cluster::{self, label};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

const WANTED: &str = "nvidia.com/cc.mode";
const STATE: &str = "nvidia.com/cc.mode.state";

pub(super) const AGREE: Fact = Fact {
    name: "cc.labels-agree",
    kind: Kind::Bool,
    doc: "Whether the node's labels nvidia.com/cc.mode and nvidia.com/cc.mode.state name the same mode, \
          and cc-manager's log too; absent where the API server was not asked, or names none that was \
          set. It cannot be told for two minutes after a change.",
    needs: Needs::CC_MODE.and(Needs::OPERATOR_FILES).and(cluster::NEEDS),
    read: |facts| {
        let (reading, note) = agree(facts);
        Evidence { note, ..Evidence::new(reading.map(Value::Bool), Source::file(cluster::NODE)) }
    },
};

fn agree(facts: &Facts) -> (Reading<bool>, Option<String>) {
    let state = match label(facts, STATE) {
        Reading::Known(state) => state,
        Reading::Absent => return (Reading::Absent, None),
        Reading::Unreadable(cause) => return (Reading::Unreadable(cause), None),
    };
    if state == "failed" {
        return (Reading::Known(false), Some(format!("{STATE} is failed")));
    }
    let other = match label(facts, WANTED) {
        Reading::Known(wanted) if wanted != state => Some(wanted),
        Reading::Known(_) | Reading::Absent => None,
        Reading::Unreadable(cause) => return (Reading::Unreadable(cause), None),
    };
    if let Some(wanted) = other {
        let what = format!("{WANTED} is {wanted}, {STATE} is {state}");
        return match age(facts, wanted) {
            Some(age) if age <= CHANGE_TAKES => {
                let why =
                    format!("{what}; the change began {age} s ago and takes up to two minutes");
                (Reading::Unreadable(Cause::NoAnswer(why)), None)
            }
            _ => (Reading::Known(false), Some(what)),
        };
    }
    match applied_mode(facts) {
        Some(set) if set != state => (
            Reading::Known(false),
            Some(format!("{STATE} is {state}, cc-manager's log says {set}")),
        ),
        _ => (Reading::Known(true), None),
    }
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
