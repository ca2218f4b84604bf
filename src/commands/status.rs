//! `status`: what the daemon last said, and whether that still holds. It reads no host.

use std::path::Path;
use std::process::ExitCode;

use super::{CommandError, configuration, output, platform, rule_set};
use crate::cli;
use crate::config::Check;
use crate::exit::{Exit, Npd};
use crate::host::{Root, Terminal};
use crate::publish::RUNTIME_DIRECTORY;
use crate::publish::last::Last;
use crate::report::human::Look;
use crate::report::stored::Stored;
use crate::report::{npd, status, status_json};

pub(super) fn run(arguments: &cli::Status, terminal: Terminal) -> Result<ExitCode, CommandError> {
    let last = Last::read(&arguments.runtime_directory);
    let verbose = arguments.verbose;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose };
    output::write(|out| match arguments.format {
        cli::StatusFormat::Human => status::render(&last, look, out),
        cli::StatusFormat::Json => status_json::render(&last, out),
        cli::StatusFormat::Npd => npd::render_last(&last, out),
    })?;
    let exit = Exit::from(last.verdict());
    Ok(match arguments.format {
        cli::StatusFormat::Npd => Npd::from(exit).into(),
        _ => exit.into(),
    })
}

/// What the daemon knows, where that answers what `check` was asked: this machine, all rules, as it shows
/// itself. A choice of rules, a stage, a TEE or a value that somebody gave, here or to the daemon, and a
/// daemon of another version, whose rules are others, leave the answer to `check`. So do rules and choices of
/// the site: the daemon may have been started before they were written.
pub(super) fn of_daemon(arguments: &cli::Check) -> Option<Last> {
    let cli::Check { host, probing, selection, cluster, format: _, output, baseline, verbose: _ } =
        arguments;
    let cli::Host { root, host, assume } = host;
    let cli::Probing { probe_gpu, probe } = probing;
    let cli::Selection { only, skip, rules, stage, tee, expect } = selection;
    let plain = root.is_none()
        && !probe_gpu
        && !probe
        && host.is_none()
        && assume.is_empty()
        && only.is_empty()
        && skip.is_empty()
        && rules.is_empty()
        && stage.is_none()
        && tee.is_none()
        && expect.is_empty()
        && !cluster.cluster
        && output.is_none()
        && baseline.is_none();
    let last = (plain && !site_chooses()).then(|| Last::read(Path::new(RUNTIME_DIRECTORY)))?;
    let wide = last.stale.is_none() && last.report.as_ref().is_some_and(is_whole);
    wide.then_some(last)
}

/// Whether the site's files say, or may say, what is judged.
fn site_chooses() -> bool {
    let read = |root: Root| configuration::read(&root).ok();
    let site = Root::live().ok().and_then(read);
    rule_set::site_has_rules() || site.is_none_or(|site| site.config.check != Check::default())
}

fn is_whole(report: &Stored) -> bool {
    report.live
        && report.not_judged == 0
        && !report.rules.iter().any(|rule| rule.overridden)
        && !platform::is_chosen(&report.stage_why)
        && !platform::is_chosen(&report.tee_why)
        && report.judged.program == env!("CARGO_PKG_VERSION")
}
