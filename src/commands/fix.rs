//! `fix`: judge, plan, show, ask, change, judge again; undo what did not do what it should.

use super::busy::nobody_is_in_the_way;
use super::configuration::Policy;
use super::judgement::{Judgement, judgement};
use super::site::{Hold, Site};
use super::verification::verdict;
use super::{CommandError, output};
use crate::apply::actions::kubelet::{DryRun, dry_run_of};
use crate::apply::{Applied, Verification, apply};
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::plan::kubelet::candidate;
use crate::plan::sources::{self, Sources};
use crate::plan::{Digest, Fate, Proposal, propose};
use crate::report::human::Look;
use crate::report::plan::{self as show, Setting};
use crate::report::plan_json::{self, Outcome};
use crate::report::transactions::{self, Standing};
use crate::report::{HostOrigin, Report, RuleResult, Status, Verdict};
use crate::rules::{Chosen, Resolution, Severity};

pub(super) fn run(arguments: &cli::Fix, terminal: Terminal) -> Result<Exit, CommandError> {
    // A wrong configuration or assumption is told before anything is looked at.
    let policy = Policy::of(arguments.root.is_none(), &arguments.selection, &arguments.assume)?;
    let wanted_plan = arguments.plan.as_deref().map(digest).transpose()?;
    let site = Site::open(arguments.root.as_deref())?;
    let fix = Fix { arguments, policy: &policy, site: &site };
    let look =
        Look { colour: terminal.colour, width: terminal.width.into(), verbose: arguments.dry_run };

    // A dry run needs no right to write, and waits for nobody.
    let held = if arguments.dry_run { None } else { Some(site.hold()?) };
    let human = arguments.format == cli::Format::Human;
    if let Some(hold) = &held {
        let recovered = site.recover(hold)?;
        if human {
            output::write(|out| transactions::recovered(&recovered, look, out))?;
        }
    }
    let judged = fix.judge()?;
    let Proposed { proposal, left_to_run, sources } = fix.propose(&judged);
    let answer = fix.ask_kubelet(&judged, &proposal, &sources);
    let said = answer.as_ref().map(words);
    let tree = match &judged.report.header.origin {
        HostOrigin::Directory(path) => Some(path.as_str()),
        HostOrigin::Live | HostOrigin::Capture(_) => None,
    };
    let setting = Setting {
        host: &judged.report.header.host,
        tree,
        left_to_run: &left_to_run,
        kubelet_says: said.as_deref(),
    };
    let json = |outcome: &Outcome<'_>| {
        output::write(|out| plan_json::render(&proposal, &setting, outcome, out))
    };
    if human {
        output::write(|out| show::render(&judged.report, &proposal, &setting, look, out))?;
    }

    let found = proposal.plan.digest();
    if wanted_plan.is_some_and(|wanted| wanted != found) {
        return Err(CommandError::OtherPlan);
    }
    let Some(held) = held.filter(|_| !proposal.plan.is_empty()) else {
        if !human {
            json(&Outcome::NotTried)?;
        }
        return Ok(fix.left(&judged.report, &proposal));
    };
    match fix.carry_out(&held, &judged, &proposal, answer.as_ref()) {
        Ok(done) => {
            let next = fix.propose(&done.after);
            let (applied, after) = (&done.applied, &done.after.report);
            let verdict = after.verdict;
            // What is done is done, whether or not anybody can be told.
            let _ = if human {
                let standing = Standing {
                    verdict,
                    offline: site.is_offline(),
                    more: !next.proposal.plan.is_empty(),
                };
                output::write(|out| transactions::applied(applied, standing, look, out))
            } else {
                json(&Outcome::Applied { applied, verdict })
            };
            let exit = fix.left(after, &next.proposal);
            let waits = applied.pending.is_some() && exit == Exit::Ready;
            Ok(if waits { Exit::RebootRequired } else { exit })
        }
        Err(error) => {
            if !human {
                json(&Outcome::Failed(chain(&error)))?;
            }
            Err(error)
        }
    }
}

/// A plan that was carried out, and the host as it was judged after that.
struct Done {
    applied: Applied,
    after: Judgement,
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Asks a person, who must be there.
pub(super) fn confirmed(question: &str) -> Result<bool, CommandError> {
    Terminal::confirms(question).ok_or_else(|| {
        CommandError::Usage("nobody is there to be asked: give --yes, or --dry-run".to_owned())
    })
}

fn digest(text: &str) -> Result<Digest, CommandError> {
    Digest::parse(text).ok_or_else(|| {
        CommandError::Usage(format!("--plan {text}: a plan's hash has 64 hexadecimal digits"))
    })
}

/// What the host's own kubelet said, as the end of a sentence.
fn words(answer: &DryRun) -> String {
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
struct Proposed {
    proposal: Proposal,
    left_to_run: Vec<String>,
    sources: Sources,
}

/// One run of the command.
struct Fix<'a> {
    arguments: &'a cli::Fix,
    policy: &'a Policy,
    site: &'a Site<'a>,
}

impl Fix<'_> {
    fn judge(&self) -> Result<Judgement, CommandError> {
        let Policy { rules, wanted } = self.policy;
        judgement(&self.site.opened, rules, wanted, Chosen::fixes_need)
    }

    fn propose(&self, judged: &Judgement) -> Proposed {
        let sources = sources::read(&self.site.opened.root, &judged.facts);
        let proposal = propose(&judged.report, &judged.facts, &sources, self.arguments.r#unsafe);
        if !self.site.is_offline() {
            return Proposed { proposal, left_to_run: Vec::new(), sources };
        }
        let (plan, left_to_run) = proposal.plan.files_only();
        Proposed { proposal: Proposal { plan, ..proposal }, left_to_run, sources }
    }

    /// What the host's own kubelet says of its configuration as the plan makes it; `None` where the plan
    /// does not change it, or no kubelet can be run here.
    fn ask_kubelet(
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

    /// From a plan that was shown to one that was carried out, or to the reason why not.
    fn carry_out(
        &self,
        hold: &Hold,
        judged: &Judgement,
        proposal: &Proposal,
        answer: Option<&DryRun>,
    ) -> Result<Done, CommandError> {
        vouched_for(proposal, answer)?;
        if !self.arguments.allow_busy {
            nobody_is_in_the_way(self.site, proposal.plan.restarts_kubelet())?;
        }
        if !self.arguments.yes && !confirmed("Change this host?")? {
            return Err(CommandError::Declined);
        }
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
    fn left(&self, report: &Report, proposal: &Proposal) -> Exit {
        let required = report.with(Severity::Required, Status::Fail);
        let fate = |result: &RuleResult| {
            proposal.fates.iter().find(|(rule, _)| rule.id == result.rule.id).map(|it| &it.1)
        };
        let waits = |result: &RuleResult| {
            fate(result) == Some(&Fate::InPlace)
                || result.rule.resolved_by == Some(Resolution::Reboot)
        };
        let mut failed = required.peekable();
        if failed.peek().is_none() {
            return match report.verdict {
                Verdict::RebootRequired => Exit::RebootRequired,
                // Never green where nobody could look.
                Verdict::CannotTell => Exit::CannotTell,
                Verdict::Ready | Verdict::NotReady => Exit::Ready,
            };
        }
        if failed.all(waits) && !self.site.is_offline() {
            Exit::RebootRequired
        } else {
            Exit::NotReady
        }
    }

    /// What the second judgement says: what was planned for must hold, as far as it can before a reboot, nothing
    /// may be left to be planned, and nothing that was right may be wrong.
    fn verify(&self, before: &Report, proposal: &Proposal, after: &Judgement) -> Verification {
        let again = self.propose(after);
        let commands_left = !again.left_to_run.is_empty();
        verdict(before, proposal, &after.report, &again.proposal, commands_left)
    }
}
