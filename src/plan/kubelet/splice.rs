//! Changes of a text by byte ranges, and where its lines begin and end.

use std::ops::Range;

use super::Doubt;

/// These bytes become this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) with: String,
}

impl Splice {
    pub(super) fn insert(place: usize, text: impl Into<String>) -> Self {
        Self { range: place..place, with: text.into() }
    }

    pub(super) fn delete(range: Range<usize>) -> Self {
        Self { range, with: String::new() }
    }
}

/// Carries out changes that do not overlap.
pub(super) fn apply(text: &str, mut splices: Vec<Splice>) -> Result<String, Doubt> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut changed = String::with_capacity(text.len());
    let mut done = 0;
    for Splice { range, with } in splices {
        let kept = text.get(done..range.start).ok_or_else(|| Doubt::new("the changes overlap"))?;
        changed.push_str(kept);
        changed.push_str(&with);
        done = range.end;
    }
    changed.push_str(text.get(done..).ok_or_else(|| Doubt::new("the changes overlap"))?);
    Ok(changed)
}

/// A text by its lines, which LF or CRLF ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines<'a>(pub(super) &'a str);

impl<'a> Lines<'a> {
    /// Counts from 1.
    pub(super) fn number(self, place: usize) -> u32 {
        let breaks = self.between(0, place).bytes().filter(|byte| *byte == b'\n').count();
        u32::try_from(breaks + 1).unwrap_or(u32::MAX)
    }

    pub(super) fn between(self, start: usize, end: usize) -> &'a str {
        self.0.get(start..end).unwrap_or_default()
    }

    pub(super) fn start(self, place: usize) -> usize {
        self.between(0, place).rfind('\n').map_or(0, |found| found + 1)
    }

    /// Before the line's break.
    pub(super) fn end(self, place: usize) -> usize {
        let rest = self.between(place, self.0.len());
        let line = rest.split('\n').next().unwrap_or_default();
        let ended = line.len() < rest.len();
        let line = line.strip_suffix('\r').filter(|_| ended).unwrap_or(line);
        place + line.len()
    }

    /// After the line's break.
    fn next(self, place: usize) -> Option<usize> {
        self.between(place, self.0.len()).find('\n').map(|found| place + found + 1)
    }

    /// How the line at this place ends, or would end as the lines before it do.
    pub(super) fn line_break(self, place: usize) -> &'static str {
        let after = self.between(self.end(place), self.0.len());
        let line_break = if after.is_empty() { self.last_break() } else { after };
        if line_break.starts_with("\r\n") { "\r\n" } else { "\n" }
    }

    fn last_break(self) -> &'a str {
        let Some(found) = self.0.rfind('\n') else { return "" };
        let crlf = self.between(0, found).ends_with('\r');
        self.between(found - usize::from(crlf), self.0.len())
    }

    /// What stands before this place on its line, where that is nothing but spaces, or tabs where they may
    /// indent.
    pub(super) fn indentation(self, place: usize, tabs: bool) -> Option<&'a str> {
        let before = self.between(self.start(place), place);
        before.bytes().all(|byte| byte == b' ' || (tabs && byte == b'\t')).then_some(before)
    }

    /// These lines below the line at this place.
    pub(super) fn insert_below(self, place: usize, lines: &[String]) -> Splice {
        // A block scalar ends where the line after it begins.
        if self.between(0, place).ends_with('\n') {
            let line_break = self.last_break_before(place);
            return Splice::insert(place, lines.join(line_break) + line_break);
        }
        let line_break = self.line_break(place);
        Splice::insert(self.end(place), format!("{line_break}{}", lines.join(line_break)))
    }

    fn last_break_before(self, place: usize) -> &'static str {
        if self.between(0, place).ends_with("\r\n") { "\r\n" } else { "\n" }
    }

    /// The whole line at this place; with the break before it where none ends it.
    pub(super) fn delete(self, place: usize) -> Splice {
        let start = self.start(place);
        if let Some(next) = self.next(place) {
            return Splice::delete(start..next);
        }
        let before = self.between(0, start);
        let before = before.strip_suffix('\n').unwrap_or(before);
        let before = before.strip_suffix('\r').unwrap_or(before);
        Splice::delete(before.len()..self.0.len())
    }

    /// Where a character stands that YAML takes for the end of a line and an editor does not.
    pub(super) fn first_odd_break(self) -> Option<usize> {
        self.0
            .char_indices()
            .find(|(place, c)| match c {
                '\r' => !self.between(place + 1, self.0.len()).starts_with('\n'),
                '\u{85}' | '\u{2028}' | '\u{2029}' => true,
                _ => false,
            })
            .map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_and_end_where_their_breaks_are() {
        let lines = Lines("a\r\n b\nc");
        assert_eq!([lines.start(0), lines.start(4), lines.start(6)], [0, 3, 6]);
        assert_eq!([lines.end(0), lines.end(4), lines.end(6)], [1, 5, 7]);
        assert_eq!([lines.line_break(0), lines.line_break(4)], ["\r\n", "\n"]);
        assert_eq!([lines.number(0), lines.number(4), lines.number(6)], [1, 2, 3]);
        assert_eq!(lines.indentation(4, false), Some(" "));
        assert_eq!(lines.indentation(5, false), None);
    }

    #[test]
    fn a_line_below_the_last_one_ends_as_that_one_does() {
        let below = |text: &str| {
            let line = vec!["new".to_owned()];
            apply(text, vec![Lines(text).insert_below(text.trim_end().len(), &line)]).unwrap()
        };
        assert_eq!(below("a\r\nb"), "a\r\nb\r\nnew");
        assert_eq!(below("a\nb\n"), "a\nb\nnew\n");
        assert_eq!(below("a"), "a\nnew");
    }

    #[test]
    fn a_deleted_line_takes_one_break_with_it() {
        let without = |text: &str, place| apply(text, vec![Lines(text).delete(place)]).unwrap();
        assert_eq!(without("a\nb\nc", 2), "a\nc");
        assert_eq!(without("a\r\nb", 3), "a");
        assert_eq!(without("a", 0), "");
    }

    #[test]
    fn changes_that_overlap_are_not_carried_out() {
        let splices = vec![Splice::delete(0..2), Splice::delete(1..3)];
        assert!(apply("abcd", splices).is_err());
    }
}
