//! Taking an argument out of the text in which it is written.

use super::argument::{Argument, Match};
use super::asked::{Asked, Word, assignments, why_not_plain};
use super::{DEFAULT, DEFAULTS, Defaults, Edit, LINUX, Refused, carry_out, refused};
use crate::format::shell_vars::{Assignment, PartKind, Span};

/// Neighbours are cut one after the other, in about as many rounds as their number has binary digits.
const ROUNDS: usize = 64;

/// Removes an argument from both variables wherever it is written; afterwards neither holds it.
pub(super) fn remove(work: &mut Defaults, argument: &Argument<'_>) -> Result<(), Refused> {
    for _ in 0..ROUNDS {
        let edits = edits(work, argument)?;
        if edits.is_empty() {
            return Ok(());
        }
        carry_out(work, edits);
    }
    Err(refused(DEFAULTS, None, format!("`{}` is there too often", argument.text)))
}

/// Cuts of which none touches another.
fn edits(work: &Defaults, argument: &Argument<'_>) -> Result<Vec<Edit>, Refused> {
    let asked = Asked::read(work)?;
    let found: Vec<(&Word, Match)> = asked
        .words()
        .map(|word| (word, argument.matches(word)))
        .filter(|(_, found)| *found != Match::No)
        .collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<Vec<Assignment<'_>>> =
        work.files.iter().map(|(_, text)| assignments(text)).collect();
    let mut edits = Vec::new();
    for (word, found) in found {
        edits.push(edit(work, &texts, argument, word, &found)?);
    }
    edits.sort_by_key(|edit| (edit.file, edit.span));
    let mut end = (0, 0);
    edits.retain(|edit| {
        let is_free = (edit.file, edit.span.start) >= end;
        if is_free {
            end = (edit.file, edit.span.end + 1);
        }
        is_free
    });
    Ok(edits)
}

/// The cut that takes one argument of a value out of the text that wrote it.
fn edit(
    work: &Defaults,
    texts: &[Vec<Assignment<'_>>],
    argument: &Argument<'_>,
    token: &Word,
    found: &Match,
) -> Result<Edit, Refused> {
    // What no file wrote has no place.
    let stretches: Option<Vec<_>> = token.written.iter().copied().collect();
    let stretches = stretches.unwrap_or_default();
    let (Some(&(file, line, first)), Some(&(behind, _, last))) =
        (stretches.first(), stretches.last())
    else {
        return Err(refused(DEFAULTS, None, format!("`{}` comes from outside", argument.text)));
    };
    let (path, text) = work.files.get(file).map_or((DEFAULTS, &[][..]), |(p, t)| (p, t));
    let refuse = |why: &str| {
        refused(path, Some(line), format!("`{}` cannot be taken out of this: {why}", argument.text))
    };
    let in_order = texts.get(file).map(Vec::as_slice).unwrap_or_default();
    let place = in_order.partition_point(|one| one.value.span.end < last.end);
    let holds = |one: &&Assignment<'_>| {
        file == behind && one.value.span.start <= first.start && first.start <= last.start
    };
    let Some(assignment) = in_order.get(place).filter(holds) else {
        return Err(refuse("it is put together from several values"));
    };
    if assignment.name != LINUX && assignment.name != DEFAULT {
        return Err(refuse("another variable brings it in"));
    }
    if let Some(why) = why_not_plain(assignment) {
        return Err(refuse(why));
    }
    let source = Source { text, assignment };
    let is_one = stretches.windows(2).all(|pair| match pair {
        [(_, _, one), (_, _, next)] => source.is_escape_between(*one, *next),
        _ => false,
    });
    match found {
        Match::Member { at, rest } if token.is_bare() && stretches.len() == 1 => {
            let span = Span { start: first.start + at, end: first.end };
            Ok(Edit { file, span, with: rest.clone().into_bytes() })
        }
        Match::Whole if is_one => {
            let start = first.start - usize::from(source.is_escaped(first.start));
            let span = source.with_blanks(Span { start, end: last.end });
            Ok(Edit { file, span, with: Vec::new() })
        }
        _ => Err(refuse("it is written in pieces")),
    }
}

/// An assignment in its text.
struct Source<'t> {
    text: &'t [u8],
    assignment: &'t Assignment<'t>,
}

impl Source<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// Whether a byte stands for itself in the value.
    fn is_literal(&self, at: usize) -> bool {
        let parts = &self.assignment.value.parts;
        let place = parts.partition_point(|part| part.span.end <= at);
        parts.get(place).is_some_and(|p| p.kind == PartKind::Literal && p.span.start <= at)
    }

    /// Whether the byte before is the backslash that quotes this one.
    fn is_escaped(&self, at: usize) -> bool {
        at.checked_sub(1)
            .is_some_and(|before| self.byte(before) == Some(b'\\') && !self.is_literal(before))
    }

    fn is_escape_between(&self, one: Span, next: Span) -> bool {
        one.end + 1 == next.start && self.is_escaped(next.start)
    }

    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), Some(b' ' | b'\t')) && self.is_literal(at)
    }

    /// A token with the blanks that go with it: those before it, or those behind the first one. What is
    /// alone goes alone, so that an empty value with blanks in it comes back as it was.
    fn with_blanks(&self, token: Span) -> Span {
        let mut start = token.start;
        while let Some(before) = start.checked_sub(1).filter(|before| self.is_blank(*before)) {
            start = before - usize::from(self.is_escaped(before));
        }
        let mut end = token.end;
        loop {
            if self.is_blank(end) {
                end += 1;
            } else if self.is_blank(end + 1) && self.is_escaped(end + 1) {
                end += 2;
            } else {
                break;
            }
        }
        let parts = &self.assignment.value.parts;
        let is_text = |at: usize| !self.byte(at).is_none_or(|byte| byte.is_ascii_whitespace());
        let has_before = parts.iter().take_while(|part| part.span.start < start).any(|part| {
            part.kind != PartKind::Literal
                || (part.span.start..part.span.end.min(start)).any(is_text)
        });
        let has_behind = parts.iter().rev().take_while(|part| part.span.end > end).any(|part| {
            part.kind != PartKind::Literal || (part.span.start.max(end)..part.span.end).any(is_text)
        });
        if start < token.start && has_before {
            Span { start, end: token.end }
        } else if end > token.end && has_behind {
            Span { start: token.start, end }
        } else {
            token
        }
    }
}
