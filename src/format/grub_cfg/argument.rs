//! A stretch of a command's arguments by itself, as `grub-mkconfig` puts it behind `linux`.

use std::ops::Range;

use super::lexer::{Lexer, Part, Token};

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Where it stands in the text, quotes included.
    pub range: Range<usize>,
    /// What the command is handed; none where that depends on a variable of GRUB.
    pub text: Option<Vec<u8>>,
}

/// Splits a text into arguments, or says what in it keeps GRUB, or what is written behind it, from taking it
/// so. GRUB drops a carriage return; one at the end of an argument is not part of it.
pub fn arguments(text: &[u8]) -> Result<Vec<Argument>, &'static str> {
    // What follows must be an argument of its own, so one is put there.
    const NEXT: &[u8] = b" x";
    if text.contains(&b'\n') {
        return Err("a newline, at which GRUB ends the command");
    }
    let mut line: Vec<u8> = text.to_vec();
    for at in 0..line.len() {
        if line.get(at) == Some(&b'\r') {
            let next = line.get(at + 1).copied().unwrap_or(b' ');
            if !matches!(next, b' ' | b'\t' | b'\r') {
                return Err("a carriage return within an argument");
            }
            if let Some(byte) = line.get_mut(at) {
                *byte = b' ';
            }
        }
    }
    line.extend_from_slice(NEXT);
    let mut lexer = Lexer::new(&line);
    let mut found = Vec::new();
    loop {
        let rest = line.get(lexer.at()..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = lexer.at() + blanks;
        let token = lexer.next_token().map_err(|_| "a quote or a dollar sign that GRUB refuses")?;
        match token {
            _ if line.get(start) == Some(&b'#') => {
                return Err("a `#`, behind which GRUB reads no more");
            }
            None => break,
            Some(Token::End) => return Err("a character at which GRUB ends the command"),
            Some(Token::Open | Token::Close) => {
                return Err("a brace, which GRUB takes for a block");
            }
            Some(Token::Word(word)) => {
                let text = match word.parts.as_slice() {
                    [] => Some(Vec::new()),
                    [Part::Text(text)] => Some(text.clone()),
                    _ => None,
                };
                found.push(Argument { range: start..lexer.at(), text });
            }
        }
    }
    match found.pop() {
        Some(last) if last.range == (text.len() + 1..line.len()) => Ok(found),
        _ => Err("a backslash at its end, which GRUB takes with what follows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<Vec<(&str, Option<String>)>, &'static str> {
        let shown = |one: Argument| {
            let text = one.text.map(|text| String::from_utf8(text).unwrap());
            (one.range, text)
        };
        let all = arguments(text.as_bytes())?.into_iter().map(shown);
        Ok(all.map(|(range, decoded)| (&text[range], decoded)).collect())
    }

    #[test]
    fn arguments_keep_their_places() {
        let text = " quiet  a=\"b  c\"\t'd e'f g\\ h \\\"i\\\" $j ${k}l \r";
        let decoded = |text: &str| Some(text.to_owned());
        let expected = [
            ("quiet", decoded("quiet")),
            ("a=\"b  c\"", decoded("a=b  c")),
            ("'d e'f", decoded("d ef")),
            ("g\\ h", decoded("g h")),
            ("\\\"i\\\"", decoded("\"i\"")),
            ("$j", None),
            ("${k}l", None),
        ];
        assert_eq!(split(text), Ok(expected.to_vec()));
        assert_eq!(split(""), Ok(Vec::new()));
        assert_eq!(split("\r"), Ok(Vec::new()));
        assert_eq!(split("a#b ''"), Ok(vec![("a#b", decoded("a#b")), ("''", decoded(""))]));
    }

    #[test]
    fn what_grub_would_not_take_as_arguments_is_refused() {
        for (text, why) in [
            ("a\nb", "a newline, at which GRUB ends the command"),
            ("a;b", "a character at which GRUB ends the command"),
            ("a & b", "a character at which GRUB ends the command"),
            ("a {b", "a brace, which GRUB takes for a block"),
            ("a #b", "a `#`, behind which GRUB reads no more"),
            ("#", "a `#`, behind which GRUB reads no more"),
            ("a 'b", "a quote or a dollar sign that GRUB refuses"),
            ("a $ b", "a quote or a dollar sign that GRUB refuses"),
            ("a\\", "a backslash at its end, which GRUB takes with what follows"),
            ("a \\", "a backslash at its end, which GRUB takes with what follows"),
            ("a\rb", "a carriage return within an argument"),
        ] {
            assert_eq!(split(text), Err(why), "{text:?}");
        }
    }
}
