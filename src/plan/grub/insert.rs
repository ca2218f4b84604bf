//! Putting an argument behind all others.

use super::argument::{self, Argument};
use super::asked::{Asked, Site, Word, assignments, why_not_plain};
use super::{DEFAULTS, Defaults, Edit, Refused, carry_out, drop_in, refused};
use crate::format::shell_vars::{Assignment, Part, PartKind, Quote, Span};

/// Adds an argument that neither variable holds.
pub(super) fn add(work: &mut Defaults, argument: &Argument<'_>) -> Result<(), Refused> {
    let asked = Asked::read(work)?;
    let mut lines = asked.linux.iter().chain(&asked.default);
    if let Some(line) = lines.find(|line| line.words.iter().any(Word::ends_kernel)) {
        let why = "`--` hands what follows it to init, not to the kernel";
        return Err(refuse(work, Some(line.site), why));
    }
    // The one that the kernel reads last.
    let Some(line) = asked.default.as_ref().or(asked.linux.as_ref()) else {
        drop_in::add_line(work, argument);
        return Ok(());
    };
    let site = line.site;
    let why = match place(work, site) {
        Ok((at, blank)) => {
            let with = [blank.as_bytes(), argument.text.as_bytes()].concat();
            let edit = Edit { file: site.file, span: Span { start: at, end: at }, with };
            carry_out(work, vec![edit]);
            return Ok(());
        }
        Err(why) => why,
    };
    if !work.drop_ins {
        return Err(refuse(work, Some(site), why));
    }
    drop_in::add(work, argument)?;
    let after = Asked::read(work)?;
    if !argument::is_effective(&after, argument) {
        let why = "what stands here undoes our own drop-in, which is read before it";
        return Err(refuse(work, after.default.map(|line| line.site), why));
    }
    Ok(())
}

/// Where the next argument goes in the assignment at a place, if that is a plain one in the main file.
fn place(work: &Defaults, site: Site) -> Result<(usize, &'static str), &'static str> {
    if site.file != 0 {
        return Err("a drop-in decides the arguments");
    }
    let text = work.files.first().map(|(_, text)| text.as_slice()).unwrap_or_default();
    let list = assignments(text);
    let Some(assignment) = list.iter().find(|one| one.value.span == site.word) else {
        return Err("it is no plain assignment");
    };
    match why_not_plain(assignment) {
        Some(why) => Err(why),
        None => Ok(behind_last(text, assignment)),
    }
}

/// Where the next argument goes, and the blank before it as it must be written there.
pub(super) fn behind_last(text: &[u8], assignment: &Assignment<'_>) -> (usize, &'static str) {
    let parts = &assignment.value.parts;
    let is_escaped = |part: &Part<'_>| {
        let before = part.span.start.checked_sub(1).and_then(|before| text.get(before));
        part.quote == Quote::Single && before == Some(&b'\\')
    };
    for part in parts.iter().rev() {
        let blank = if part.quote == Quote::Bare || is_escaped(part) { "\\ " } else { " " };
        match &part.kind {
            PartKind::Literal => {
                let bytes = part.span.of(text);
                if let Some(last) = bytes.iter().rposition(|byte| !byte.is_ascii_whitespace()) {
                    return (part.span.start + last + 1, blank);
                }
            }
            PartKind::Expansion(expansion) => {
                // `${NAME:+$NAME }` brings its own blank.
                let ends_blank = expansion.word.last().is_some_and(|last| {
                    last.kind == PartKind::Literal && last.span.of(text).ends_with(b" ")
                });
                return (part.span.end, if ends_blank { "" } else { blank });
            }
            PartKind::Undecidable(_) => {}
        }
    }
    match parts.first() {
        Some(part) => (part.span.start - usize::from(is_escaped(part)), ""),
        None => (assignment.value.span.start, ""),
    }
}

fn refuse(work: &Defaults, site: Option<Site>, why: &str) -> Refused {
    let path = site.and_then(|site| work.files.get(site.file)).map_or(DEFAULTS, |(path, _)| path);
    refused(path, site.map(|site| site.line), format!("nothing can be added here: {why}"))
}
