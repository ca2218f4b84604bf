//! `fix`: judge, plan, show, ask, change, judge again; undo what did not do what it should.

use super::configuration::Policy;
use super::repair::{Proposed, Repair, chain, words};
use super::site::Site;
use super::{CommandError, automatic, output};
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::plan::{Allowed, Digest};
use crate::report::HostOrigin;
use crate::report::human::Look;
use crate::report::plan::{self as show, Setting};
use crate::report::plan_json::{self, Outcome};
use crate::report::transactions::{self, Standing};

pub(super) fn run(arguments: &cli::Fix, terminal: Terminal) -> Result<Exit, CommandError> {
    if arguments.automatic {
        return automatic::run(terminal);
    }
    // A wrong configuration or assumption is told before anything is looked at.
    let policy = Policy::of(arguments.root.is_none(), &arguments.selection, &arguments.assume)?;
    let wanted_plan = arguments.plan.as_deref().map(digest).transpose()?;
    let site = Site::open(arguments.root.as_deref())?;
    let allowed = if arguments.r#unsafe { Allowed::All } else { Allowed::Safe };
    let fix = Repair { policy: &policy, site: &site, allowed, allow_busy: arguments.allow_busy };
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
    let done = fix.may(&proposal, answer.as_ref()).and_then(|()| {
        if !arguments.yes && !confirmed("Change this host?")? {
            return Err(CommandError::Declined);
        }
        fix.apply(&held, &judged, &proposal)
    });
    match done {
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
