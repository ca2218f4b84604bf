//! Asks the fixer, when the site allows it and the same failure was seen often and long enough. Whether
//! that is so is decided by [`crate::remediate`]; here it is carried to the file that starts the fixer. The
//! daemon cannot mend, and nothing that it asks for is done without the fixer's own look.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{log, words};
use crate::config::Remediate;
use crate::publish::output_file::OutputFile;
use crate::remediate::{Decision, HoldBack, Observer, REQUEST, Standing};
use crate::report::Report;

/// What was last decided, as far as it is worth a word when it changes.
type Told = (&'static str, Vec<String>);

#[derive(Debug)]
pub(super) struct Mending {
    observer: Observer,
    told: Told,
}

impl Mending {
    pub(super) fn new(settings: &Remediate) -> Self {
        Self { observer: Observer::new(settings), told: ("nothing", Vec::new()) }
    }

    pub(super) fn configure(&mut self, settings: &Remediate) {
        self.observer.configure(settings);
    }

    /// Takes a check in. The rules, where the fixer is to be asked to mend them.
    pub(super) fn observe(
        &mut self,
        report: &Report,
        uptime: Duration,
        standing: &Standing,
    ) -> Option<Vec<String>> {
        let decision = self.observer.observe(report, uptime, standing);
        let told = told(&decision);
        if told != self.told {
            log::decision(&decision);
            self.told = told;
        }
        match decision {
            Decision::Request { rules } => Some(rules),
            Decision::Nothing | Decision::Would { .. } | Decision::HeldBack { .. } => None,
        }
    }

    /// The uptime at which a check tells more, where something waits to be seen again.
    pub(super) fn next_check(&self) -> Option<Duration> {
        self.observer.next_check()
    }
}

fn told(decision: &Decision) -> Told {
    match decision {
        Decision::Nothing => ("nothing", Vec::new()),
        Decision::Would { rules } => ("would", rules.clone()),
        Decision::Request { rules } => ("request", rules.clone()),
        Decision::HeldBack { rules, why } => {
            let why = match why {
                HoldBack::NotYet { .. } => "not yet",
                HoldBack::Paused => "paused",
                HoldBack::BreakerOpen => "breaker open",
                HoldBack::PendingReboot => "pending reboot",
                HoldBack::BackOff { .. } => "back-off",
            };
            (why, rules.clone())
        }
    }
}

/// Asks the fixer: the change of this file starts its unit. The names are for people.
pub(super) fn ask(directory: &Path, rules: &[String]) -> Result<(), String> {
    let text = format!("{}\n", rules.join("\n"));
    let file = OutputFile::at(&request(directory));
    file.and_then(|file| file.write(text.as_bytes())).map_err(|error| words::causes(&error))
}

/// Takes the request back.
pub(super) fn ask_no_more(directory: &Path) {
    // Where none stands there is nothing to take back.
    let _ = rustix::fs::unlink(request(directory));
}

fn request(directory: &Path) -> PathBuf {
    // Below the usual directory it is the file that the unit waits for.
    directory.join(Path::new(REQUEST).file_name().unwrap_or_default())
}
