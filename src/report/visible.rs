//! Makes text from a host safe to show: what a terminal would obey, or would hide, becomes an escape.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every control character, line break and direction mark spelt out.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_treacherous) else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(plain);
    for c in rest.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if !is_treacherous(c) => shown.push(c),
            // Writing to a String does not fail.
            c if u32::from(c) <= 0xff => drop(write!(shown, "\\x{:02x}", u32::from(c))),
            c => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character moves the cursor, changes the direction of text, or cannot be seen.
pub(super) fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // No XML may hold these two.
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_survives() {
        for (text, shown) in [
            ("plain é 日本", "plain é 日本"),
            ("\x1b[2Jgone", "\\x1b[2Jgone"),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
            ("\u{7f}\u{9b}31m", "\\x7f\\x9b31m"),
            ("abc\u{202e}fdp", "abc\\u{202e}fdp"),
            ("x\u{2066}y\u{2069}\u{2028}", "x\\u{2066}y\\u{2069}\\u{2028}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn every_character_comes_out_harmless() {
        let all: String = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        assert!(!visible(&all).contains(is_treacherous));
    }
}
