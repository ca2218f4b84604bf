//! `diff`: opens what is compared, whatever it is, has it judged, and shows how the two differ.

use std::path::Path;
use std::process::ExitCode;

use super::configuration::Policy;
use super::host::{self, Opened};
use super::judgement::{Wanted, judgement};
use super::{CommandError, output};
use crate::cli::{self, TextFormat};
use crate::diff::{DiffError, InputKind, Side, compare, kind, of_report};
use crate::exit::Diff;
use crate::facts::Needs;
use crate::host::{Archive, Cause, Reading, Root, Run, Terminal};
use crate::report::HostOrigin;
use crate::report::diff::{json, text};
use crate::report::human::Look;
use crate::rules::RuleSet;

/// As large as a captured host may be; a report is far smaller.
const CAP: u64 = 256 << 20;

/// What the user named, not yet judged.
enum Input {
    Host(Box<Opened>),
    Report(Box<Side>),
}

pub(super) fn run(arguments: &cli::Diff, terminal: Terminal) -> Result<ExitCode, CommandError> {
    // Both by the same measure: what is wanted of this machine is nothing that others differ in.
    let Policy { rules, wanted } = Policy::of(false, &arguments.judged.selection(), &[])?;
    let a = (open(&arguments.a)?, arguments.a.as_path());
    let b = (open(&arguments.b)?, arguments.b.as_path());
    let wanted = as_reported(wanted, [&a.0, &b.0]);
    let a = side(a, &rules, &wanted)?;
    let b = side(b, &rules, &wanted)?;
    let difference = compare(&a, &b, arguments.all)?;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: false };
    output::write(|out| match arguments.format {
        TextFormat::Text => text::render(&difference, look, out),
        TextFormat::Json => json::render(&difference, out),
    })?;
    Ok(if difference.is_none() { Diff::Same } else { Diff::Different }.into())
}

/// A host that is compared with a report is judged as that was, unless the user says otherwise.
fn as_reported(mut wanted: Wanted, inputs: [&Input; 2]) -> Wanted {
    let report = inputs.into_iter().find_map(|input| match input {
        Input::Report(side) => Some(side),
        Input::Host(_) => None,
    });
    if let Some(report) = report {
        wanted.stage = wanted.stage.or(Some(report.stage));
        wanted.tee = wanted.tee.or(report.tee);
    }
    wanted
}

fn side(input: (Input, &Path), rules: &RuleSet, wanted: &Wanted) -> Result<Side, CommandError> {
    match input {
        (Input::Report(side), _) => Ok(*side),
        (Input::Host(opened), path) => {
            let judged = judgement(&opened, rules, wanted, |_| Needs::ALL)?;
            Ok(Side::of_host(&name(path), &judged.report, &judged.facts))
        }
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Finds out what was named.
fn open(path: &Path) -> Result<Input, CommandError> {
    if path == Path::new("now") || path == Path::new("-") {
        return Ok(Input::Host(Box::new(host::open(None, None)?)));
    }
    let unreadable = |why: String| DiffError::Unreadable { name: name(path), why };
    let bytes = match Root::named_file(path, CAP) {
        Reading::Known(bytes) => bytes,
        Reading::Unreadable(Cause::NotAFile("a directory")) => {
            return Ok(Input::Host(Box::new(host::open(Some(path), None)?)));
        }
        Reading::Absent => return Err(unreadable("no such file".to_owned()).into()),
        Reading::Unreadable(cause) => return Err(unreadable(cause.to_string()).into()),
    };
    match kind(&bytes) {
        InputKind::Json => Ok(Input::Report(Box::new(of_report(&name(path), &bytes)?))),
        InputKind::Capture => {
            let archive = Archive::parse(&bytes)
                .map_err(|error| DiffError::Capture { name: name(path), why: error.to_string() })?;
            let root = Root::archive(archive);
            let run = Run::on(&root);
            let origin = HostOrigin::Capture(name(path));
            Ok(Input::Host(Box::new(Opened { root, run, origin })))
        }
        InputKind::Neither => Err(DiffError::Unrecognised { name: name(path) }.into()),
    }
}
