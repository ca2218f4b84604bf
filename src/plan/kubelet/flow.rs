//! Pairs of a map between brackets, in YAML or JSON: on one line, or each on a line of its own.

use super::Doubt;
use super::map::{Map, Pair};
use super::splice::Splice;

/// Whether a text is only blanks and a comment.
pub(super) fn is_blank(text: &str) -> bool {
    let rest = text.trim_start_matches([' ', '\t']);
    rest.is_empty() || (rest.starts_with('#') && rest.len() < text.len())
}

/// Where a comma stands among the blanks and comments after a value; `Err` where something else comes
/// before the bracket.
pub(super) fn after_value(rest: &str, comments: bool) -> Result<Option<usize>, ()> {
    let mut after_blank = false;
    let mut in_comment = false;
    for (place, byte) in rest.bytes().enumerate() {
        match byte {
            b'\n' => (in_comment, after_blank) = (false, true),
            _ if in_comment => {}
            b' ' | b'\t' | b'\r' => after_blank = true,
            b',' => return Ok(Some(place)),
            b'}' => return Ok(None),
            b'#' if comments && after_blank => in_comment = true,
            _ => return Err(()),
        }
    }
    Err(())
}

impl Map<'_> {
    /// A map of one pair, written as this one is.
    pub(super) fn braces(&self, name: &str, word: &str) -> String {
        format!("{{{}}}", self.item(name, word))
    }

    fn item(&self, name: &str, word: &str) -> String {
        let colon = self.colon_text();
        if self.is_json() { format!("\"{name}\"{colon}{word}") } else { format!("{name}: {word}") }
    }

    /// JSON is written with or without a space after its marks; YAML needs it.
    fn colon_text(&self) -> &'static str {
        let tight = self.is_json()
            && self.document.pairs(self.document.root()).next().is_some_and(|(key, value)| {
                let end = self.document.written(key).end;
                self.lines().between(end, self.document.written(value).start) == ":"
            });
        if tight { ":" } else { ": " }
    }

    fn is_inside(&self, place: usize) -> bool {
        place < self.written.end.saturating_sub(1)
    }

    /// Whether a pair stands on a line of its own, and no bracket does.
    fn has_own_line(&self, pair: Pair) -> Result<bool, Doubt> {
        let (key, lines) = (self.key(pair), self.lines());
        let (end, comma) = self.end_of(pair)?;
        let after = comma.map_or(end, |comma| comma + 1);
        Ok(lines.start(key.start) > self.written.start
            && lines.indentation(key.start, self.is_json()).is_some()
            && self.is_inside(lines.end(after))
            && is_blank(lines.between(after, lines.end(after))))
    }

    pub(super) fn add_flow(&self, name: &str, word: &str) -> Result<Vec<Splice>, Doubt> {
        let item = self.item(name, word);
        let Some(last) = self.pairs.last().copied() else {
            return Ok(vec![Splice::insert(self.written.start + 1, item)]);
        };
        let lines = self.lines();
        let (end, comma) = self.end_of(last)?;
        if self.has_own_line(last)? {
            let start = self.key(last).start;
            let indentation = lines.indentation(start, self.is_json()).unwrap_or_default();
            let after = comma.map_or(end, |comma| comma + 1);
            let line = format!("{indentation}{item}{}", if comma.is_some() { "," } else { "" });
            let mut splices = vec![lines.insert_below(after, &[line])];
            if comma.is_none() {
                // Before the line below, which begins at the same place where no comment is.
                splices.insert(0, Splice::insert(end, ","));
            }
            return Ok(splices);
        }
        let blank = if self.colon_text() == ":" { "" } else { " " };
        Ok(vec![match comma {
            Some(comma) => Splice::insert(comma + 1, format!("{blank}{item},")),
            None => Splice::insert(end, format!(",{blank}{item}")),
        }])
    }

    /// A comment between what goes and what stays might be about either.
    fn without_comment(&self, start: usize, end: usize, pair: Pair) -> Result<Splice, Doubt> {
        if self.lines().between(start, end).contains('#') {
            return Err(self.doubt(pair, "a comment stands where the setting would be taken out"));
        }
        Ok(Splice::delete(start..end))
    }

    pub(super) fn remove_flow(&self, pair: Pair) -> Result<Vec<Splice>, Doubt> {
        let place = self.pairs.iter().position(|other| *other == pair).unwrap_or_default();
        let before = place.checked_sub(1).and_then(|place| self.pairs.get(place)).copied();
        let after = self.pairs.get(place + 1).copied();
        let (start, lines) = (self.key(pair).start, self.lines());
        let (end, comma) = self.end_of(pair)?;
        let next = comma.map_or(end, |comma| comma + 1);
        match (before, after) {
            (_, Some(_)) | (None, None) if self.has_own_line(pair)? => {
                Ok(vec![lines.delete(start)])
            }
            (None, None) => {
                let (open, close) = (self.written.start + 1, self.written.end.saturating_sub(1));
                let around = [lines.between(open, start), lines.between(next, close)];
                let alone = around.iter().all(|text| text.bytes().all(|byte| byte == b' '));
                let (start, end) = if alone { (open, close) } else { (start, next) };
                Ok(vec![self.without_comment(start, end, pair)?])
            }
            (Some(before), None) if self.has_own_line(pair)? => {
                let mut splices = vec![lines.delete(start)];
                // The comma after the last one stays where there was one.
                if comma.is_none()
                    && let (_, Some(comma)) = self.end_of(before)?
                {
                    splices.push(Splice::delete(comma..comma + 1));
                }
                Ok(splices)
            }
            (Some(before), _) => {
                let (end_before, _) = self.end_of(before)?;
                Ok(vec![self.without_comment(end_before, end, pair)?])
            }
            (None, Some(after)) => {
                Ok(vec![self.without_comment(start, self.key(after).start, pair)?])
            }
        }
    }
}
