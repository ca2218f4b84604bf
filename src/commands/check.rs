//! `check`: gather, judge, compare, render.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::configuration::Policy;
use super::judgement::{Judgement, judgement};
use super::{CommandError, host, output, status};
use crate::cli::{self, CheckFormat};
use crate::exit::{Exit, Npd};
use crate::facts::{Facts, Needs};
use crate::host::{Reading, Root, Stopwatch, Terminal};
use crate::publish::output_file::OutputFile;
use crate::report::baseline::{Baseline, BaselineError, compare};
use crate::report::html::{self, Artefact};
use crate::report::human::{self, Look};
use crate::report::prometheus::{self, Measured};
use crate::report::{Report, json, junit, markdown, npd};
use crate::rules::Chosen;

/// Bytes that a baseline may have; a report on the largest machines has 1 MiB.
const BASELINE_CAP: u64 = 64 << 20;

pub(super) fn run(arguments: &cli::Check, terminal: Terminal) -> Result<ExitCode, CommandError> {
    if arguments.format == CheckFormat::Npd
        && let Some(last) = status::of_daemon(arguments)
    {
        output::write(|out| npd::render_last(&last, out))?;
        return Ok(Npd::from(Exit::from(last.verdict())).into());
    }
    let stopwatch = Stopwatch::start();
    let running = arguments.host.root.is_none() && arguments.host.host.is_none();
    let Policy { rules, wanted } =
        Policy::of(running, &arguments.selection, &arguments.host.assume)?;
    let wanted = wanted.with_cluster(&arguments.cluster, arguments.host.host.as_deref())?;
    // What cannot be written or compared is told before a host is read.
    let file = arguments.output.as_deref().map(OutputFile::at).transpose()?;
    let baseline = arguments.baseline.as_deref().map(baseline).transpose()?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?
        .asking_cluster(wanted.cluster.clone())
        .allowing(arguments.probing);
    let more = match arguments.format {
        // Whoever keeps the page has no host to ask any more.
        CheckFormat::Html => |_: &Chosen| Needs::ALL.without(Needs::PCI_EVERY_DETAIL),
        _ => |_: &Chosen| Needs::NONE,
    };
    let mut judged = judgement(&opened, &rules, &wanted, more)?;
    if let (Some(then), Some(path)) = (&baseline, &arguments.baseline) {
        let comparison = compare(&judged.report, then).map_err(|source| unfit(path, source))?;
        judged.report.baseline = Some(comparison);
    }
    let form = Form { format: arguments.format, verbose: arguments.verbose, terminal };
    deliver(&judged, form, file, stopwatch)
}

/// How a report is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) format: CheckFormat,
    pub(super) verbose: bool,
    pub(super) terminal: Terminal,
}

/// Writes a report to a file or to standard output, and says what to exit with.
pub(super) fn deliver(
    judged: &Judgement,
    form: Form,
    file: Option<OutputFile>,
    stopwatch: Stopwatch,
) -> Result<ExitCode, CommandError> {
    let Form { format, verbose, terminal } = form;
    let Judgement { report, facts } = judged;
    if let Some(file) = file {
        let mut bytes = Vec::new();
        // A file is no terminal, whatever standard output is.
        let look = Look { verbose, ..Look::default() };
        render(report, facts, format, look, stopwatch, &mut bytes).map_err(CommandError::Output)?;
        file.write(&bytes)?;
    } else {
        let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose };
        output::write(|out| render(report, facts, format, look, stopwatch, out))?;
    }
    Ok(match format {
        CheckFormat::Npd => Npd::from(report.exit()).into(),
        _ => report.exit().into(),
    })
}

fn render(
    report: &Report,
    facts: &Facts,
    format: CheckFormat,
    look: Look,
    stopwatch: Stopwatch,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        CheckFormat::Human => human::render(report, look, out),
        CheckFormat::Json => json::render(report, out),
        CheckFormat::Junit => junit::render(report, look.verbose, out),
        CheckFormat::Markdown => markdown::render(report, look.verbose, out),
        CheckFormat::Prometheus => {
            let measured = Measured { at: crate::host::now(), took: stopwatch.elapsed() };
            prometheus::render(report, measured, out)
        }
        CheckFormat::Npd => npd::render(report, out),
        CheckFormat::Html => {
            let artefact = Artefact { report, facts, at: crate::host::now() };
            html::render(&artefact, out)
        }
    }
}

fn baseline(path: &Path) -> Result<Baseline, CommandError> {
    let failed = |why: String| CommandError::BaselineFile { path: path.to_owned(), why };
    let text = match Root::named_file(path, BASELINE_CAP) {
        Reading::Known(text) => text,
        Reading::Absent => return Err(failed("no such file".to_owned())),
        Reading::Unreadable(cause) => return Err(failed(cause.to_string())),
    };
    Baseline::parse(&path.display().to_string(), &text).map_err(|source| unfit(path, source))
}

fn unfit(path: &Path, source: BaselineError) -> CommandError {
    CommandError::Baseline { path: path.to_owned(), source }
}
