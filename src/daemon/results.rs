//! What is done with what a piece of work brought.

use std::sync::Arc;

use tokio::time::Instant;

use super::check::Checked;
use super::serve::{Service, failed, held, in_words};
use super::settings::Settings;
use super::transitions::{Standing, changes};
use super::work::Done;
use super::{agenda, log, mending, words};
use crate::commands::CommandError;
use crate::config::Mode;
use crate::host::uptime;
use crate::publish::Snapshot;
use crate::watch::{Gap, Watch};

impl Service {
    pub(super) fn finish(&mut self, done: Done) -> Result<(), CommandError> {
        match done {
            Done::Checked(result) => match *result {
                Ok(checked) => self.publish(checked)?,
                // Nothing has been said yet, so whoever started the daemon is told.
                Err(error) if !self.announcer.is_ready() => return Err(error),
                Err(error) => {
                    self.announcer.note("check", Err(words::causes(&error)));
                    self.withdraw();
                }
            },
            Done::Published(checked, outcomes) => {
                self.announcer.note_all(outcomes);
                self.follow(*checked);
                self.announcer.tell();
            }
            Done::Withdrawn(outcomes) => {
                self.announcer.note_all(outcomes);
                self.announcer.set_verdict("cannot-tell".to_owned());
                self.announcer.tell();
            }
            Done::Reloaded(result) => self.use_settings(*result),
            Done::Configured(outcomes) => {
                self.announcer.note_all(outcomes);
                self.full_check()?;
                self.announcer.tell_reloaded();
            }
        }
        self.go_on();
        Ok(())
    }

    /// Tells everybody what a check brought.
    fn publish(&mut self, checked: Checked) -> Result<(), CommandError> {
        self.announcer.note("check", Ok(()));
        let report = &checked.judgement.report;
        let changes = changes(self.standing.as_ref(), report);
        log::changes(&changes, report);
        self.transitions += changes.count();
        self.standing = Some(Standing::of(report));
        self.announcer.set_verdict(words::status(report));
        let standing = checked.state.standing(self.mode());
        let request = self.mending.observe(report, checked.judged.uptime, &standing);
        self.look_again()?;
        let (outputs, transitions) = (Arc::clone(&self.outputs), self.transitions);
        let directory = self.directory.path().to_owned();
        self.work.begin(move || {
            let snapshot = Snapshot {
                report: &checked.judgement.report,
                facts: &checked.judgement.facts,
                judged: checked.judged,
                transitions,
                standing: &standing,
            };
            let mut outcomes = in_words(held(&outputs).publish(&snapshot));
            if let Some(rules) = request {
                outcomes.push(("fix-request".to_owned(), mending::ask(&directory, &rules)));
            }
            Done::Published(Box::new(checked), outcomes)
        });
        Ok(())
    }

    /// Watches what the check looked at. It comes after the publishing, which must not wait for it: what
    /// happens until then is told all the same.
    fn follow(&mut self, checked: Checked) {
        self.watch.follow(&checked.host.root, &checked.judgement.facts);
        let gaps: Vec<String> = self.watch.gaps().map(Gap::reason).collect();
        let outcome = if gaps.is_empty() { Ok(()) } else { Err(gaps.join("; ")) };
        self.announcer.note("watch", outcome);
        self.rest = Some(Instant::now() + agenda::rest(checked.judged.took));
        self.before = Some(checked.into());
    }

    /// How far mending may go. The fixer works on the machine that it runs on, so for another one nothing
    /// is asked.
    fn mode(&self) -> Mode {
        match self.settings.config.remediate.mode {
            Mode::Auto if self.root.is_some() => Mode::Plan,
            mode => mode,
        }
    }

    /// Sets the timer for when a check would tell more about what could be mended.
    fn look_again(&mut self) -> Result<(), CommandError> {
        let Some(at) = self.mending.next_check() else { return Ok(()) };
        let after = at.saturating_sub(uptime());
        Ok(self.channels.set_look_again(after).map_err(failed("set a timer"))?)
    }

    /// The host cannot be judged: what was said of it holds no longer.
    fn withdraw(&mut self) {
        self.standing = None;
        let outputs = Arc::clone(&self.outputs);
        self.work.begin(move || Done::Withdrawn(in_words(held(&outputs).withdraw())));
    }

    fn use_settings(&mut self, result: Result<Settings, CommandError>) {
        match result {
            Ok(settings) => {
                self.settings = Arc::new(settings);
                // By other rules other things are to be read.
                self.before = None;
                self.watch = Watch::open(self.settings.config.daemon.settle);
                self.mending.configure(&self.settings.config.remediate);
                self.announcer.note_reload();
                let (outputs, settings) = (Arc::clone(&self.outputs), Arc::clone(&self.settings));
                self.work.begin(move || {
                    let gone = held(&outputs).configure(&settings.config.publish);
                    Done::Configured(in_words(gone))
                });
            }
            Err(error) => {
                self.announcer.note_failed_reload(&words::causes(&error));
                self.announcer.tell_reloaded();
            }
        }
    }
}
