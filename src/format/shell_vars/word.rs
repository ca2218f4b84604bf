//! Words: quoting and expansions.

use super::parser::{Halt, Parser};
use super::script::{Condition, Expansion, Part, PartKind, Quote, Span, Word};

/// Where a stretch of a word ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// At a blank, a newline or an operator.
    AtBlank,
    /// At the `}` of an expansion that is not quoted.
    AtBrace,
}

impl<'t> Parser<'t> {
    /// The word at the current position; empty where none starts here.
    pub(super) fn word(&mut self) -> Result<Word<'t>, Halt> {
        let start = self.at;
        let mut parts = Vec::new();
        self.bare(Ends::AtBlank, &mut parts)?;
        let span = Span { start, end: self.at };
        if !self.here_documents.is_empty() && span.of(self.text).contains(&b'\n') {
            return Err(self.lost("a here-document that starts within a word"));
        }
        Ok(Word { span, parts })
    }

    fn bare(&mut self, ends: Ends, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        while let Some(byte) = self.peek() {
            match byte {
                b'}' if ends == Ends::AtBrace => return Ok(()),
                _ if ends == Ends::AtBlank && ends_word(byte) => return Ok(()),
                b'\\' => self.escaped(parts),
                b'\'' => self.single_quoted(parts)?,
                b'"' => self.double_quoted(parts)?,
                b'$' => self.dollar(Quote::Bare, parts)?,
                b'`' => self.backquoted(Quote::Bare, parts)?,
                b'~' => {
                    let why = "a tilde stands for a home directory";
                    self.part(1, Quote::Bare, PartKind::Undecidable(why), parts);
                }
                b'{' if ends == Ends::AtBrace => {
                    return Err(self.lost("a brace inside an expansion"));
                }
                b'<' | b'>' if ends == Ends::AtBrace => {
                    return Err(self.lost("a redirection inside an expansion"));
                }
                _ => {
                    let is_end = |b: &u8| {
                        matches!(*b, b'\\' | b'\'' | b'"' | b'$' | b'`' | b'~')
                            || match ends {
                                Ends::AtBlank => ends_word(*b),
                                Ends::AtBrace => matches!(*b, b'{' | b'}' | b'<' | b'>'),
                            }
                    };
                    self.literal(Quote::Bare, is_end, parts);
                }
            }
        }
        match ends {
            Ends::AtBlank => Ok(()),
            Ends::AtBrace => Err(self.lost("an expansion without its closing brace")),
        }
    }

    /// A stretch of ordinary bytes, of which the first is known to be one.
    fn literal(&mut self, quote: Quote, is_end: impl Fn(&u8) -> bool, parts: &mut Vec<Part<'t>>) {
        let more = self.rest().iter().skip(1);
        let length = 1 + more.take_while(|byte| !is_end(byte)).count();
        self.part(length, quote, PartKind::Literal, parts);
    }

    /// Takes bytes as one part.
    fn part(&mut self, length: usize, quote: Quote, kind: PartKind<'t>, parts: &mut Vec<Part<'t>>) {
        let start = self.at;
        self.at = start.saturating_add(length).min(self.text.len());
        parts.push(Part { span: Span { start, end: self.at }, quote, kind });
    }

    fn escaped(&mut self, parts: &mut Vec<Part<'t>>) {
        match self.peek_at(1) {
            None => {
                let why = "a backslash at the end of the file";
                self.part(1, Quote::Bare, PartKind::Undecidable(why), parts);
            }
            Some(b'\n') => self.at += 2,
            Some(_) => {
                self.at += 1;
                self.part(1, Quote::Single, PartKind::Literal, parts);
            }
        }
    }

    fn single_quoted(&mut self, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        let open = self.at;
        self.at += 1;
        let Some(length) = self.rest().iter().position(|byte| *byte == b'\'') else {
            return Err(self.unterminated(open));
        };
        self.part(length, Quote::Single, PartKind::Literal, parts);
        self.at += 1;
        Ok(())
    }

    /// No shell goes on after a quote without an end; inside other constructs it is left open which one
    /// lacks its end.
    fn unterminated(&self, at: usize) -> Halt {
        if self.is_nested() {
            return self.lost("a quote without an end");
        }
        Halt::Aborts { at, why: "a quote without an end", dash_only: false }
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        let open = self.at;
        self.at += 1;
        let before = parts.len();
        if !self.between_double_quotes(b'"', parts)? {
            return Err(self.unterminated(open));
        }
        if parts.len() == before {
            // An editor finds the place between the quotes.
            self.part(0, Quote::Double, PartKind::Literal, parts);
        }
        self.at += 1;
        Ok(())
    }

    /// Everything up to the closing quote, or to the closing brace of an expansion within quotes. False
    /// where the text ends first.
    fn between_double_quotes(
        &mut self,
        close: u8,
        parts: &mut Vec<Part<'t>>,
    ) -> Result<bool, Halt> {
        let in_braces = close == b'}';
        while let Some(byte) = self.peek() {
            match byte {
                _ if byte == close => return Ok(true),
                b'\\' => match self.peek_at(1) {
                    Some(b'\n') => self.at += 2,
                    Some(b'$' | b'`' | b'"' | b'\\') => {
                        self.at += 1;
                        self.part(1, Quote::Double, PartKind::Literal, parts);
                    }
                    Some(b'{' | b'}' | b'\'') if in_braces => {
                        return Err(
                            self.lost("a backslash before a brace or a quote in an expansion")
                        );
                    }
                    _ => self.part(1, Quote::Double, PartKind::Literal, parts),
                },
                b'$' => self.dollar(Quote::Double, parts)?,
                b'`' => self.backquoted(Quote::Double, parts)?,
                // Here the shells do not agree on where the expansion ends.
                b'"' | b'\'' | b'{' if in_braces => {
                    return Err(
                        self.lost("a quote or a brace in an expansion within double quotes")
                    );
                }
                _ => {
                    let is_end = |b: &u8| {
                        matches!(*b, b'\\' | b'$' | b'`' | b'"')
                            || (in_braces && matches!(*b, b'}' | b'{' | b'\''))
                    };
                    self.literal(Quote::Double, is_end, parts);
                }
            }
        }
        Ok(false)
    }

    /// `` `command` ``: up to the next backquote without a backslash, whatever stands between.
    fn backquoted(&mut self, quote: Quote, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        let mut length = 1;
        loop {
            match self.peek_at(length) {
                None => return Err(self.lost("a backquote without an end")),
                Some(b'\\') => length += 2,
                Some(b'`') => break,
                Some(_) => length += 1,
            }
        }
        let why = "a command substitution";
        self.part(length + 1, quote, PartKind::Undecidable(why), parts);
        Ok(())
    }

    fn dollar(&mut self, quote: Quote, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        let start = self.at;
        match self.peek_at(1) {
            Some(b'\\') if self.peek_at(2) == Some(b'\n') => {
                return Err(self.lost("a line continued within an expansion"));
            }
            Some(b'(') if self.peek_at(2) == Some(b'(') => {
                return Err(self.lost("arithmetic, which may assign variables"));
            }
            Some(b'[') => return Err(self.lost("`$[`, which is arithmetic in bash")),
            Some(b'(') => {
                self.at += 2;
                self.substitution()?;
                let kind = PartKind::Undecidable("a command substitution");
                parts.push(Part { span: Span { start, end: self.at }, quote, kind });
            }
            Some(b'{') => {
                self.at += 2;
                let kind = self.braces(quote)?;
                parts.push(Part { span: Span { start, end: self.at }, quote, kind });
            }
            Some(b'\'') if quote == Quote::Bare => self.ansi_quoted(parts)?,
            Some(b'"') if quote == Quote::Bare => {
                let kind = PartKind::Undecidable("`$\"`, which is a translation in bash");
                self.part(1, quote, kind, parts);
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                let kind = PartKind::Undecidable("a parameter of the running shell");
                self.part(2, quote, kind, parts);
            }
            Some(0x80..) => {
                // A letter in some locales.
                let kind = PartKind::Undecidable("a variable's name beyond ASCII");
                self.part(1, quote, kind, parts);
            }
            _ => {
                self.at += 1;
                let name = self.name();
                if name.is_empty() {
                    self.at = start;
                    self.part(1, quote, PartKind::Literal, parts);
                    return Ok(());
                }
                if self.rest().starts_with(b"\\\n") {
                    return Err(self.lost("a line continued within an expansion"));
                }
                let expansion = Expansion { name, condition: None, word: Vec::new() };
                let kind = PartKind::Expansion(Box::new(expansion));
                parts.push(Part { span: Span { start, end: self.at }, quote, kind });
            }
        }
        Ok(())
    }

    /// `$'..'`: escapes in bash, a dollar sign and a quoted text in dash.
    fn ansi_quoted(&mut self, parts: &mut Vec<Part<'t>>) -> Result<(), Halt> {
        let inside = self.text.get(self.at + 2..).unwrap_or_default();
        let length = inside.iter().position(|byte| matches!(*byte, b'\'' | b'\\'));
        match length.map(|length| (length, inside.get(length))) {
            Some((length, Some(b'\''))) => {
                let kind = PartKind::Undecidable("`$'`, which is an escape in bash only");
                self.part(length + 3, Quote::Bare, kind, parts);
                Ok(())
            }
            _ => Err(self.lost("`$'`, which ends in different places in dash and bash")),
        }
    }

    /// The variable's name at the current position; empty where none is.
    pub(super) fn name(&mut self) -> &'t str {
        let rest = self.rest();
        if rest.first().is_none_or(u8::is_ascii_digit) {
            return "";
        }
        let length = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let name = rest.get(..length).and_then(|name| std::str::from_utf8(name).ok());
        self.at += length;
        name.unwrap_or_default()
    }

    /// What follows `${`, to behind its `}`.
    fn braces(&mut self, quote: Quote) -> Result<PartKind<'t>, Halt> {
        if self.peek() == Some(b'#') {
            self.at += 1;
            let is_name = !self.name().is_empty();
            if is_name && self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(PartKind::Undecidable("the length of a variable"));
            }
            return Err(self.lost("an expansion that not every shell has"));
        }
        let name = self.name();
        if name.is_empty() {
            return Err(self.lost("an expansion that not every shell has"));
        }
        let empty_is_unset = self.peek() == Some(b':');
        if empty_is_unset {
            self.at += 1;
        }
        let operator = self.peek();
        match operator {
            Some(b'}') if !empty_is_unset => {
                self.at += 1;
                let expansion = Expansion { name, condition: None, word: Vec::new() };
                Ok(PartKind::Expansion(Box::new(expansion)))
            }
            Some(b'-' | b'+' | b'=') => {
                self.at += 1;
                let word = self.braced_word(quote)?;
                if operator == Some(b'=') {
                    self.effects.names.insert(name);
                    return Ok(PartKind::Undecidable("an expansion that assigns"));
                }
                let when_set = operator == Some(b'+');
                let condition = Some(Condition { when_set, empty_is_unset });
                Ok(PartKind::Expansion(Box::new(Expansion { name, condition, word })))
            }
            Some(b'%' | b'#') if !empty_is_unset => {
                let rest = self.rest();
                let is_special =
                    |b: &u8| matches!(*b, b'}' | b'{' | b'\\' | b'\'' | b'"' | b'$' | b'`' | b'\n');
                match rest.iter().position(is_special) {
                    Some(length) if rest.get(length) == Some(&b'}') => {
                        self.at += length + 1;
                        Ok(PartKind::Undecidable("an expansion that cuts by a pattern"))
                    }
                    _ => Err(self.lost("an expansion with a pattern that is more than text")),
                }
            }
            Some(b'?') => Err(self.lost("an expansion that may stop the script")),
            _ => Err(self.lost("an expansion that not every shell has")),
        }
    }

    fn braced_word(&mut self, quote: Quote) -> Result<Vec<Part<'t>>, Halt> {
        self.enter()?;
        let mut word = Vec::new();
        if quote == Quote::Double {
            if !self.between_double_quotes(b'}', &mut word)? {
                return Err(self.lost("an expansion without its closing brace"));
            }
        } else {
            self.bare(Ends::AtBrace, &mut word)?;
        }
        self.at += 1;
        self.leave();
        Ok(word)
    }
}

/// Whether a byte outside quotes ends a word.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}
