//! What the service manager and the log hear of the daemon itself: its status, and what of its own work
//! does not go well. Each is told once.

use super::problems::Problems;
use super::work::Outcomes;
use super::{log, service_manager};

#[derive(Debug, Default)]
pub(super) struct Announcer {
    problems: Problems,
    /// The verdict, as the service manager shows it.
    verdict: String,
    /// The status that was last told; `None` before the daemon is ready.
    told: Option<String>,
}

impl Announcer {
    pub(super) fn is_ready(&self) -> bool {
        self.told.is_some()
    }

    pub(super) fn set_verdict(&mut self, verdict: String) {
        self.verdict = verdict;
    }

    /// Notes how something went; what is wrong is in words.
    pub(super) fn note(&mut self, what: &str, outcome: Result<(), String>) {
        if let Some(news) = self.problems.note(what, outcome) {
            log::problem(what, &news);
        }
    }

    pub(super) fn note_all(&mut self, outcomes: Outcomes) {
        for (what, outcome) in outcomes {
            self.note(&what, outcome);
        }
    }

    /// A reload took all in.
    pub(super) fn note_reload(&mut self) {
        self.problems.note("configuration", Ok(()));
        log::reloaded();
    }

    /// A reload changed nothing. It is told each time: somebody waits for the answer.
    pub(super) fn note_failed_reload(&mut self, why: &str) {
        log::reload_failed(why);
        self.problems.note("configuration", Err(format!("reload failed: {why}")));
    }

    /// Tells the service manager a status that it does not know; with the first, that all is up.
    pub(super) fn tell(&mut self) {
        let status = self.status();
        match &self.told {
            None => service_manager::ready(&status),
            Some(told) if *told != status => service_manager::status(&status),
            Some(_) => {}
        }
        self.told = Some(status);
    }

    /// Ends a reload for the service manager, however it went.
    pub(super) fn tell_reloaded(&mut self) {
        let status = self.status();
        service_manager::ready(&status);
        self.told = Some(status);
    }

    fn status(&self) -> String {
        match self.problems.first() {
            Some(problem) => format!("{}; {problem}", self.verdict),
            None => self.verdict.clone(),
        }
    }
}
