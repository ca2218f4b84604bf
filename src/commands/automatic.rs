//! `fix --automatic`: mends without a person, within bounds that it keeps on disk itself.
//!
//! Whoever started it, and what he wants, does not matter: nothing is taken from him. Each way out before
//! the first change is a refusal that says why.

use super::configuration::{self, Policy};
use super::repair::{Done, Proposed, Repair, chain, words};
use super::site::{Hold, Site};
use super::{CommandError, output};
use crate::apply::own_state::write_ledger;
use crate::apply::{ApplyError, Entry, State as Transaction, history};
use crate::cli;
use crate::config::{Mode, Remediate};
use crate::exit::Exit;
use crate::host::{Root, Terminal};
use crate::plan::{Action, Allowed, Proposal, StepKind};
use crate::remediate::state::{LEDGER, PAUSE};
use crate::remediate::{Breaker, Ledger, Moment, Outcome, Pause, Spent, State};
use crate::report::human::Look;
use crate::report::plan::{self as show, Setting};
use crate::report::transactions::{self, Standing};

pub(super) fn run(terminal: Terminal) -> Result<Exit, CommandError> {
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: false };
    let loaded = configuration::read(&Root::live()?)?;
    let policy = Policy::by(Some(&loaded), &cli::Selection::default(), &[])?;
    let settings = &loaded.config.remediate;
    allowed_at_all(settings)?;
    let site = Site::open(None)?;
    let hold = site.hold()?;
    let state = State::read(&site.opened.root);
    not_paused(&state.pause)?;
    let ledger = state.ledger.map_err(|why| held_back(format!("{why}; {RESET}")))?;
    let mut book = Book { site: &site, hold: &hold, ledger };
    book.nothing_failed(look)?;

    let (mut allowed, mut spent) = book.allowed(&settings.rules);
    let judged = repair(&policy, &allowed, &site).judge()?;
    let mut proposed = repair(&policy, &allowed, &site).propose(&judged);
    if proposed.proposal.plan.restarts_kubelet()
        && let Some(why) = book.ledger.forbids_restart(&book.now())
    {
        let restarting = of_kubelet(&proposed.proposal);
        allowed.retain(|rule| !restarting.contains(rule));
        spent.push(why);
        proposed = repair(&policy, &allowed, &site).propose(&judged);
    }
    // What was tried is of no matter where it is not what fails.
    spent.retain(|spent| match spent {
        Spent::Rule { rule, .. } => {
            proposed.proposal.fates.iter().any(|(failed, _)| *failed.id == **rule)
        }
        Spent::Pause { .. } | Spent::Day { .. } => true,
    });
    let fix = repair(&policy, &allowed, &site);
    let Proposed { proposal, sources, .. } = proposed;
    let answer = fix.ask_kubelet(&judged, &proposal, &sources);
    let said = answer.as_ref().map(words);
    let setting = Setting {
        host: &judged.report.header.host,
        kubelet_says: said.as_deref(),
        ..Setting::default()
    };
    output::write(|out| show::render(&judged.report, &proposal, &setting, look, out))?;
    if proposal.plan.is_empty() {
        if spent.is_empty() {
            return Ok(fix.left(&judged.report, &proposal));
        }
        book.keep_time();
        let all: Vec<String> = spent.iter().map(ToString::to_string).collect();
        return Err(held_back(all.join("; ")));
    }
    fix.may(&proposal, answer.as_ref())?;
    book.begin(&proposal)?;
    let outcome = fix.apply(&hold, &judged, &proposal);
    book.end(&outcome)?;
    let done = outcome?;
    Ok(tell(&fix, &done, look))
}

const RESET: &str = "`ccgpu-node reset` goes on once a person has looked";

fn held_back(why: String) -> CommandError {
    CommandError::HeldBack(why)
}

fn allowed_at_all(settings: &Remediate) -> Result<(), CommandError> {
    if settings.mode != Mode::Auto {
        let why = format!("the configuration has [remediate] mode = \"{}\"", settings.mode);
        return Err(held_back(why));
    }
    Ok(())
}

fn not_paused(pause: &Pause) -> Result<(), CommandError> {
    match pause {
        Pause::No => Ok(()),
        Pause::Because(reason) => {
            let colon = if reason.is_empty() { "" } else { ": " };
            Err(held_back(format!("mending is paused by {PAUSE}{colon}{reason}")))
        }
        Pause::CannotTell(why) => {
            Err(held_back(format!("it cannot be told whether mending is paused: {PAUSE}: {why}")))
        }
    }
}

/// Rules of the steps that end in a restart of the kubelet.
fn of_kubelet(proposal: &Proposal) -> Vec<String> {
    let steps = proposal.plan.steps.iter();
    let restarts =
        steps.filter(|step| matches!(step.kind, StepKind::Act(Action::RestartKubelet { .. })));
    restarts.flat_map(|step| &step.rules).map(ToString::to_string).collect()
}

/// All rules that the steps of a plan are for.
fn rules_of(proposal: &Proposal) -> Vec<String> {
    let mut rules: Vec<String> =
        proposal.plan.steps.iter().flat_map(|step| &step.rules).map(ToString::to_string).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// A fix of the ledger that did not last: a boot did not bring it, or somebody took it back.
fn undone(ledger: &Ledger, entries: &[Entry]) -> Option<String> {
    ledger.attempts().iter().filter(|attempt| !attempt.reset).find_map(|attempt| {
        let Outcome::Fixed { transaction } = attempt.outcome else { return None };
        let entry = entries.iter().find(|entry| entry.number == transaction)?;
        match &entry.state {
            Transaction::Ineffective { why } => Some(format!(
                "the reboot did not bring what transaction {transaction} is for: {why}"
            )),
            Transaction::Manual { why } => {
                Some(format!("transaction {transaction} needs a person: {why}"))
            }
            Transaction::RolledBack { .. } => {
                Some(format!("transaction {transaction}, a fix without a person, was taken back"))
            }
            _ if entry.taken_back => {
                Some(format!("transaction {transaction}, a fix without a person, was taken back"))
            }
            _ => None,
        }
    })
}

/// The ledger, and the right to write it.
struct Book<'a> {
    site: &'a Site<'a>,
    hold: &'a Hold,
    ledger: Ledger,
}

impl Book<'_> {
    fn now(&self) -> Moment {
        self.site.moment()
    }

    fn write(&self) -> Result<(), CommandError> {
        write_ledger(&self.hold.tree, &self.hold.lock, &self.ledger)
            .map_err(|error| held_back(format!("{LEDGER} cannot be written: {}", chain(&error))))
    }

    /// That no earlier attempt failed, and no transaction is open. What was interrupted is ended, once: the
    /// breaker is open on disk before that, so that an end that fails is not tried again.
    fn nothing_failed(&mut self, look: Look) -> Result<(), CommandError> {
        if self.ledger.is_unfinished() {
            self.ledger.end(Outcome::Interrupted, &self.now());
            self.write()?;
            let recovered = self.site.recover(self.hold)?;
            output::write(|out| transactions::recovered(&recovered, look, out))?;
        }
        self.breaker_closed()?;
        let entries = history(&self.hold.tree)?;
        let open = entries.iter().find(|entry| entry.state == Transaction::Interrupted);
        if let Some(entry) = open {
            let why = format!(
                "transaction {} was interrupted; `ccgpu-node recover` ends it",
                entry.number
            );
            return Err(held_back(why));
        }
        // With none interrupted, this restarts nothing and changes no file of the host.
        let recovered = self.site.recover(self.hold)?;
        output::write(|out| transactions::recovered(&recovered, look, out))?;
        let entries = history(&self.hold.tree)?;
        if let Some(why) = undone(&self.ledger, &entries) {
            self.ledger.open(why, &self.now());
            self.write()?;
            self.breaker_closed()?;
        }
        let waits =
            entries.iter().find(|entry| matches!(entry.state, Transaction::PendingReboot { .. }));
        match waits {
            Some(entry) => {
                Err(held_back(format!("transaction {} waits for a reboot", entry.number)))
            }
            None => Ok(()),
        }
    }

    fn breaker_closed(&self) -> Result<(), CommandError> {
        match self.ledger.breaker() {
            Breaker::Closed => Ok(()),
            Breaker::Open { why, .. } => Err(held_back(format!("{why}; {RESET}"))),
        }
    }

    /// Of these rules, those that may be tried now, and why the others may not.
    fn allowed(&self, rules: &[String]) -> (Vec<String>, Vec<Spent>) {
        let now = self.now();
        let mut allowed = Vec::new();
        let mut spent = Vec::new();
        for rule in rules {
            match self.ledger.forbids_rule(rule, &now) {
                Some(why) => spent.push(why),
                None => allowed.push(rule.clone()),
            }
        }
        (allowed, spent)
    }

    /// What has gone by in this boot makes the next try possible earlier, if it is known after the next.
    fn keep_time(&mut self) {
        if self.ledger.look(&self.now()) {
            // Not to know it is only to wait longer.
            let _ = self.write();
        }
    }

    fn begin(&mut self, proposal: &Proposal) -> Result<(), CommandError> {
        let now = self.now();
        self.ledger.begin(&rules_of(proposal), proposal.plan.restarts_kubelet(), &now);
        self.write()
    }

    fn end(&mut self, outcome: &Result<Done, CommandError>) -> Result<(), CommandError> {
        let outcome = match outcome {
            Ok(done) => Outcome::Fixed { transaction: done.applied.number },
            Err(error) => {
                let why = chain(error);
                match error {
                    CommandError::Apply(ApplyError::Refused(_)) => Outcome::Refused { why },
                    CommandError::Apply(ApplyError::RolledBack { .. }) => {
                        Outcome::RolledBack { why }
                    }
                    _ => Outcome::NeedsPerson { why },
                }
            }
        };
        self.ledger.end(outcome, &self.now());
        write_ledger(&self.hold.tree, &self.hold.lock, &self.ledger)
            .map_err(CommandError::Unrecorded)
    }
}

fn tell(fix: &Repair<'_>, done: &Done, look: Look) -> Exit {
    let next = fix.propose(&done.after);
    let standing = Standing {
        verdict: done.after.report.verdict,
        offline: false,
        more: !next.proposal.plan.is_empty(),
    };
    // What is done is done, whether or not anybody can be told.
    let _ = output::write(|out| transactions::applied(&done.applied, standing, look, out));
    fix.left(&done.after.report, &next.proposal)
}

/// What may be changed without a person: by safe fixes of these rules, and never in anybody's way.
fn repair<'a>(policy: &'a Policy, rules: &'a [String], site: &'a Site<'a>) -> Repair<'a> {
    Repair { policy, site, allowed: Allowed::SafeOf(rules), allow_busy: false }
}
