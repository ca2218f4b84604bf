//! Which mode the GPUs of a host need, by their architecture and number.

use super::Mode;
use crate::facts::pci::Pci;
use crate::facts::{Cause, Reading};

/// Its GPUs reach each other through `NVSwitches` that a guest must own; the links of newer ones are encrypted.
const HOPPER: &str = "Hopper";

/// The mode, and why, for people. Absent where there is no GPU.
pub(super) fn needed(pci: &Pci) -> (Reading<Mode>, Option<String>) {
    if let Some((cause, _)) = pci.doubt() {
        return (Reading::Unreadable(cause), None);
    }
    let mut hopper = 0;
    for index in pci.gpus() {
        let Some(function) = pci.all().get(*index) else { continue };
        match function.model() {
            Some(model) if model.architecture == HOPPER => hopper += 1,
            Some(_) => {}
            None => {
                let why = format!("the architecture of the GPU {} is not known", function.address);
                return (Reading::Unreadable(Cause::NoAnswer(why)), None);
            }
        }
    }
    let (gpus, switches) = (pci.gpus().len(), pci.nvswitches().len());
    match (gpus, hopper, switches) {
        (0, ..) => (Reading::Absent, None),
        (_, 0, _) => {
            let why = "the links between Blackwell GPUs are encrypted, so that each is on its own";
            (Reading::Known(Mode::On), Some(why.to_owned()))
        }
        (1, ..) => (Reading::Known(Mode::On), Some("there is one GPU".to_owned())),
        (_, _, 0) => {
            let why = "there is no NVSwitch, so that each GPU is a guest's own";
            (Reading::Known(Mode::On), Some(why.to_owned()))
        }
        (..) if hopper == gpus => {
            let why = format!("{gpus} Hopper GPUs and {switches} NVSwitches go to one guest");
            (Reading::Known(Mode::Ppcie), Some(why))
        }
        (..) => {
            let why = "GPUs of different architectures share NVSwitches".to_owned();
            (Reading::Unreadable(Cause::NoAnswer(why)), None)
        }
    }
}
