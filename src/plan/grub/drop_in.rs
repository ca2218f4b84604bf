//! Text that is ours alone: a drop-in that holds exactly the arguments that could not be added in place,
//! and a line for the host whose files assign neither variable. Both go when nothing is left in them.

use super::argument::{self, Argument};
use super::asked::{Asked, assignments};
use super::insert::behind_last;
use super::{DEFAULT, Defaults, Edit, Refused, carry_out, refused};
use crate::format::shell_vars::Span;

/// The second is for hosts where something that is read after the first undoes it. A host has one of them.
pub(super) const PATHS: [&str; 2] =
    ["/etc/default/grub.d/99-ccgpu-node.cfg", "/etc/default/grub.d/zz-ccgpu-node.cfg"];

const HEADER: &str = "\
# Written by ccgpu-node: kernel arguments for confidential GPU workloads that could not be added where
# the others stand. The whole file is rewritten with every change; `ccgpu-node rollback` undoes it.
";

/// Behind the line that is added where neither variable is assigned.
const MARK: &str = " # added by ccgpu-node";

/// The drop-in with these arguments, each with its blank before it.
fn render(arguments: &str) -> Vec<u8> {
    format!("{HEADER}{DEFAULT}=\"${DEFAULT}{arguments}\"\n").into_bytes()
}

/// Whether a text is a drop-in as it is written here, to the byte.
fn is_own(text: &[u8]) -> bool {
    let empty = render("");
    let (Some(before), Some(behind)) =
        (empty.strip_suffix(b"\"\n"), text.strip_suffix(b"\"\n".as_slice()))
    else {
        return false;
    };
    let Some(arguments) = behind.strip_prefix(before) else { return false };
    match arguments.split_first() {
        None => true,
        Some((b' ', words)) => words.split(|byte| *byte == b' ').all(argument::is_plain),
        Some(_) => false,
    }
}

/// Adds an argument to our drop-in, which is made where there is none.
pub(super) fn add(work: &mut Defaults, argument: &Argument<'_>) -> Result<(), Refused> {
    let existing = work.files.iter().position(|(path, _)| PATHS.contains(&path.as_str()));
    if let Some((file, (path, text))) = existing.and_then(|at| Some((at, work.files.get(at)?))) {
        let list = assignments(text);
        let assignment = list.last().filter(|_| is_own(text)).ok_or_else(|| {
            refused(path, None, "it is not as it was written, so it is not written again")
        })?;
        let (at, blank) = behind_last(text, assignment);
        let with = [blank.as_bytes(), argument.text.as_bytes()].concat();
        carry_out(work, vec![Edit { file, span: Span { start: at, end: at }, with }]);
        return Ok(());
    }
    let without = work.files.len();
    for path in PATHS {
        // The order of the shell's glob, which is that of the bytes in dash.
        let is_behind = |(other, _): &(String, Vec<u8>)| other.as_str() > path;
        let drop_ins = work.files.iter().skip(1).position(is_behind);
        let place = drop_ins.map_or(without, |place| place + 1);
        work.files.insert(place, (path.to_owned(), render(&format!(" {}", argument.text))));
        if argument::is_effective(&Asked::read(work)?, argument) {
            return Ok(());
        }
        if path != PATHS[1] {
            work.files.remove(place);
        }
    }
    // The caller sees that it has no effect, and says what undoes it.
    Ok(())
}

/// Adds a line that assigns the argument, at the end of `/etc/default/grub`. It ends as the line before it.
pub(super) fn add_line(work: &mut Defaults, argument: &Argument<'_>) {
    let Some((_, text)) = work.files.first_mut() else { return };
    let ends = if text.ends_with(b"\r\n") { "\r\n" } else { "\n" };
    let line = format!("{DEFAULT}=\"{}\"{MARK}", argument.text);
    let is_whole = text.is_empty() || text.ends_with(b"\n");
    let line = if is_whole { line + ends } else { format!("\n{line}") };
    text.extend_from_slice(line.as_bytes());
}

/// Takes away what is ours and has just become empty.
pub(super) fn tidy(work: &mut Defaults, before: &Defaults) {
    let empty = render("");
    work.files.retain(|file| {
        let (path, text) = file;
        !PATHS.contains(&path.as_str()) || *text != empty || before.files.contains(file)
    });
    if let (Some(now), Some(was)) = (work.files.first_mut(), before.files.first())
        && now != was
        && let Some(rest) = without_empty_line(&now.1)
    {
        now.1 = rest;
    }
}

/// The text without our line at its end, where that has no argument any more.
fn without_empty_line(text: &[u8]) -> Option<Vec<u8>> {
    let line = format!("{DEFAULT}=\"\"{MARK}");
    for ends in ["\r\n", "\n"] {
        let own = format!("{line}{ends}");
        if let Some(rest) = text.strip_suffix(own.as_bytes()) {
            return (rest.is_empty() || rest.ends_with(b"\n")).then(|| rest.to_vec());
        }
    }
    // The text had no newline at its end, so one was put before the line.
    text.strip_suffix(format!("\n{line}").as_bytes()).map(<[u8]>::to_vec)
}
