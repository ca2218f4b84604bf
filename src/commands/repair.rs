//! One repair, whoever asked for it: judge, plan, hear the kubelet, change, judge again.

use super::CommandError;
use super::busy::nobody_is_in_the_way;
use super::configuration::Policy;
use super::disproved;
use super::judgement::{Judgement, judgement};
use super::site::{Hold, Site};
use super::verification::verdict;
use crate::apply::actions::kubelet::{DryRun, dry_run_of};
use crate::apply::{Applied, Verification, apply};
use crate::exit::Exit;
use crate::plan::kubelet::candidate;
use crate::plan::sources::{self, Sources};
use crate::plan::{Allowed, Fate, Proposal, propose};
use crate::remediate::State;
use crate::report::{Report, RuleResult, Status, Verdict};
use crate::rules::{Chosen, Severity};

/// A plan that was carried out, and the host as it was judged after that.
pub(super) struct Done {
    pub(super) applied: Applied,
    pub(super) after: Judgement,
}

/// An error with all that caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What the host's own kubelet said, as the end of a sentence.
pub(super) fn words(answer: &DryRun) -> String {
    match answer {
        DryRun::Accepted { lenient: false } => "it takes the new configuration".to_owned(),
        DryRun::Accepted { lenient: true } => {
            "it takes the new configuration, but ignores a part of it".to_owned()
        }
        DryRun::Rejected(why) => format!("it refuses the new configuration: {why}"),
        DryRun::NoVerdict(why) => format!("no verdict on the new configuration: {why}"),
    }
}

/// A configuration that the host's own kubelet refuses is not put in place, and one that only it could
/// vouch for is not either.
fn vouched_for(proposal: &Proposal, answer: Option<&DryRun>) -> Result<(), CommandError> {
    match answer {
        Some(DryRun::Rejected(why)) => {
            Err(CommandError::Kubelet(format!("the host's own kubelet would not start: {why}")))
        }
        Some(DryRun::Accepted { .. }) => Ok(()),
        Some(DryRun::NoVerdict(_)) | None if proposal.unproven.is_empty() => Ok(()),
        Some(DryRun::NoVerdict(_)) | None => Err(CommandError::Kubelet(format!(
            "whether so new a kubelet still knows {} is only told by the kubelet itself, and it gave \
             no verdict",
            proposal.unproven.join(", ")
        ))),
    }
}

/// A plan, the commands that are left to be run elsewhere, and what the plan was made from.
pub(super) struct Proposed {
    pub(super) proposal: Proposal,
    pub(super) left_to_run: Vec<String>,
    pub(super) sources: Sources,
}

/// What is to be judged and may be changed.
#[derive(Clone, Copy)]
pub(super) struct Repair<'a> {
    pub(super) policy: &'a Policy,
    pub(super) site: &'a Site<'a>,
    pub(super) allowed: Allowed<'a>,
    /// Go on although somebody is at work on the host.
    pub(super) allow_busy: bool,
}

impl Repair<'_> {
    pub(super) fn judge(&self) -> Result<Judgement, CommandError> {
        let Policy { rules, wanted } = self.policy;
        judgement(&self.site.opened, rules, wanted, Chosen::fixes_need)
    }

    pub(super) fn propose(&self, judged: &Judgement) -> Proposed {
        let sources = sources::read(&self.site.opened.root, &judged.facts);
        let mut proposal = propose(&judged.report, &judged.facts, &sources, self.allowed);
        if !self.site.is_offline() {
            disproved::refuse(&mut proposal.fates, &self.site.history());
            return Proposed { proposal, left_to_run: Vec::new(), sources };
        }
        let (plan, left_to_run) = proposal.plan.files_only();
        Proposed { proposal: Proposal { plan, ..proposal }, left_to_run, sources }
    }

    /// What the host's own kubelet says of its configuration as the plan makes it; `None` where the plan
    /// does not change it, or no kubelet can be run here.
    pub(super) fn ask_kubelet(
        &self,
        judged: &Judgement,
        proposal: &Proposal,
        sources: &Sources,
    ) -> Option<DryRun> {
        let (kubelet, files) = (judged.facts.kubelet.as_ref()?, sources.kubelet.as_ref().ok()?);
        if self.site.is_offline() {
            return None;
        }
        candidate(kubelet, files, &proposal.plan).map(|candidate| dry_run_of(&candidate))
    }

    /// Whether a plan that was shown may be carried out, as far as the host is concerned.
    pub(super) fn may(
        &self,
        proposal: &Proposal,
        answer: Option<&DryRun>,
    ) -> Result<(), CommandError> {
        vouched_for(proposal, answer)?;
        if self.allow_busy {
            return Ok(());
        }
        nobody_is_in_the_way(self.site, proposal.plan.restarts_kubelet())
    }

    /// Carries it out, or says why not.
    pub(super) fn apply(
        &self,
        hold: &Hold,
        judged: &Judgement,
        proposal: &Proposal,
    ) -> Result<Done, CommandError> {
        let mut after = None;
        let applied = apply(
            &hold.tree,
            &hold.lock,
            &self.site.occasion,
            &hold.interrupt,
            &proposal.plan,
            proposal.plan.digest(),
            &mut || match self.judge() {
                Ok(judgement) => {
                    let verification = self.verify(&judged.report, proposal, &judgement);
                    after = Some(judgement);
                    verification
                }
                Err(error) => Verification::Failed { why: chain(&error) },
            },
        )?;
        // Nothing is committed that was not judged again.
        let after = after.map_or_else(|| self.judge(), Ok)?;
        Ok(Done { applied, after })
    }

    /// What is so when nothing more is changed.
    pub(super) fn left(&self, report: &Report, proposal: &Proposal) -> Exit {
        let required = report.with(Severity::Required, Status::Fail);
        let fate = |result: &RuleResult| {
            proposal.fates.iter().find(|(rule, _)| rule.id == result.rule.id).map(|it| &it.1)
        };
        let waits = |result: &RuleResult| match fate(result) {
            Some(Fate::InPlace) => true,
            Some(Fate::Refused(_)) => false,
            _ => result.waits_for_a_reboot(),
        };
        let mut failed = required.peekable();
        if failed.peek().is_none() {
            return match report.verdict {
                Verdict::RebootRequired => Exit::RebootRequired,
                // Never green where nobody could look.
                Verdict::CannotTell => Exit::CannotTell,
                Verdict::Ready | Verdict::NotReady => self.unless_a_change_waits(),
            };
        }
        if failed.all(waits) && !self.site.is_offline() {
            Exit::RebootRequired
        } else {
            Exit::NotReady
        }
    }

    /// A host that is right as it runs, and may not be any more when it is booted.
    fn unless_a_change_waits(&self) -> Exit {
        let waits = !self.site.is_offline() && State::read(&self.site.opened.root).pending_reboot;
        if waits { Exit::RebootRequired } else { Exit::Ready }
    }

    /// What the second judgement says: what was planned for must hold, as far as it can before a reboot, nothing
    /// may be left to be planned, and nothing that was right may be wrong.
    fn verify(&self, before: &Report, proposal: &Proposal, after: &Judgement) -> Verification {
        let again = self.propose(after);
        let commands_left = !again.left_to_run.is_empty();
        verdict(before, proposal, &after.report, &again.proposal, commands_left)
    }
}
