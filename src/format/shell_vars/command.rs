//! The grammar of commands: where each ends, and which variables it may change. Nothing is evaluated here.

use super::names::is_well_known;
use super::parser::{Halt, HereDocument, Parser};
use super::script::{PartKind, Quote, Span};
use super::simple::Simple;

/// What was seen of a command, a pipeline or an and-or list.
#[derive(Debug)]
pub(super) struct Shape<'t> {
    /// The command, where it is nothing but one simple command.
    pub simple: Option<Simple<'t>>,
    /// In words, where it is more.
    pub what: &'static str,
    /// See [`super::Kind::Opaque`].
    pub may_end_false: bool,
    /// It ends with a command whose purpose is to succeed or fail, such as `[`.
    pub is_test: bool,
    /// Behind its last byte.
    pub end: usize,
}

/// What ends a list of commands.
#[derive(Debug, Clone, Copy)]
enum Close {
    Words(&'static [&'static str]),
    /// The `)` of a subshell.
    Parenthesis,
    /// The `)` of a command substitution, which may be empty.
    Substitution,
    /// `;;` or `esac`; the commands may be none.
    Case,
}

impl<'t> Parser<'t> {
    pub(super) fn and_or(&mut self) -> Result<Shape<'t>, Halt> {
        let mut shape = self.pipeline()?;
        loop {
            self.skip_blanks();
            let is_and = self.rest().starts_with(b"&&");
            if !is_and && !self.rest().starts_with(b"||") {
                return Ok(shape);
            }
            self.at += 2;
            self.skip_empty_lines()?;
            self.absorb_part(&shape);
            let next = self.pipeline()?;
            self.absorb_part(&next);
            shape = Shape {
                simple: None,
                what: "a conditional list",
                // Only a command that others follow is exempt from `set -e`.
                may_end_false: is_and || next.may_end_false,
                is_test: next.is_test,
                end: next.end,
            };
        }
    }

    /// What `if` and `while` ask. Nothing that fails in there stops the script.
    fn condition(&mut self, close: &'static [&'static str]) -> Result<(), Halt> {
        self.conditions += 1;
        self.list(Close::Words(close))?;
        self.conditions -= 1;
        Ok(())
    }

    /// A test whose outcome nobody asks for stops the script where it fails; other programs are taken to
    /// succeed.
    pub(super) fn stops_if_false(&mut self, shape: &Shape<'t>) {
        if shape.is_test && self.conditions == 0 {
            self.effects.anything("a test that stops the script where it fails");
        }
    }

    fn absorb_part(&mut self, shape: &Shape<'t>) {
        if let Some(simple) = &shape.simple {
            self.absorb(simple);
        }
    }

    fn pipeline(&mut self) -> Result<Shape<'t>, Halt> {
        let negated = self.reserved() == Some("!");
        if negated {
            self.at += 1;
            self.skip_blanks();
        }
        let mut shape = self.command()?;
        if negated {
            self.absorb_part(&shape);
            let what = "a negated command";
            shape = Shape { simple: None, what, may_end_false: true, is_test: false, ..shape };
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'|') || matches!(self.peek_at(1), Some(b'|' | b'&')) {
                return Ok(shape);
            }
            self.at += 1;
            self.skip_empty_lines()?;
            self.absorb_part(&shape);
            let next = self.command()?;
            self.absorb_part(&next);
            let may_end_false = negated || next.may_end_false;
            let is_test = next.is_test && !negated;
            shape =
                Shape { simple: None, what: "a pipeline", may_end_false, is_test, end: next.end };
        }
    }

    fn command(&mut self) -> Result<Shape<'t>, Halt> {
        let shape = |what, may_end_false| {
            let (simple, is_test, end) = (None, false, 0);
            Shape { simple, what, may_end_false, is_test, end }
        };
        let mut shape = match self.reserved() {
            Some("if") => shape("an `if`", self.if_clause()?),
            Some("case") => shape("a `case`", self.case_clause()?),
            Some("for") => shape("a `for` loop", self.for_loop()?),
            Some(word @ ("while" | "until")) => {
                self.at += word.len();
                self.condition(&["do"])?;
                shape("a loop", self.list(Close::Words(&["done"]))?)
            }
            Some("{") => {
                self.at += 1;
                shape("a group of commands", self.list(Close::Words(&["}"]))?)
            }
            Some(_) => return Err(self.lost("a reserved word where none can stand")),
            None if self.peek() == Some(b'(') => {
                if self.peek_at(1) == Some(b'(') {
                    return Err(self.lost("`((`, which is arithmetic in bash"));
                }
                self.at += 1;
                shape("a subshell", self.list(Close::Parenthesis)?)
            }
            None if self.function()? => shape("a function", false),
            None => return self.simple(),
        };
        shape.end = self.at;
        while self.redirection()? {
            shape.end = self.at;
        }
        Ok(shape)
    }

    /// The reserved word at the current position, those of bash included.
    fn reserved(&self) -> Option<&'static str> {
        const RESERVED: &[&str] = &[
            "if", "then", "elif", "else", "fi", "for", "in", "while", "until", "do", "done",
            "case", "esac", "{", "}", "!", "function", "select", "time", "coproc", "[[", "]]",
        ];
        let rest = self.rest();
        let is_here = |word: &&str| {
            rest.strip_prefix(word.as_bytes()).is_some_and(|behind| match behind.first() {
                None => true,
                Some(byte) => b" \t\n;&|<>()\\".contains(byte),
            })
        };
        let word = RESERVED.iter().copied().find(is_here)?;
        // It may go on behind a continued line. A word that stands nowhere makes the parser give up.
        if rest.get(word.len()) == Some(&b'\\') { Some("]]") } else { Some(word) }
    }

    /// Commands up to what closes them, which is passed too. Tells whether the last may end false.
    fn list(&mut self, close: Close) -> Result<bool, Halt> {
        self.enter()?;
        let mut may_end_false = false;
        let mut is_empty = matches!(close, Close::Words(_) | Close::Parenthesis);
        loop {
            self.skip_empty_lines()?;
            if self.closes(close) {
                break;
            }
            if self.peek().is_none() {
                return Err(self.lost("a compound command without its end"));
            }
            is_empty = false;
            let shape = self.and_or()?;
            self.absorb_part(&shape);
            self.stops_if_false(&shape);
            may_end_false = shape.may_end_false;
            self.skip_blanks();
            match (self.peek(), self.peek_at(1)) {
                (Some(b';'), next) if !matches!(next, Some(b';' | b'&')) => self.at += 1,
                (Some(b'&'), next) if !matches!(next, Some(b'&' | b'>')) => {
                    self.at += 1;
                    may_end_false = false;
                }
                (Some(b'\n'), _) => {}
                (Some(b')'), _) if matches!(close, Close::Parenthesis | Close::Substitution) => {}
                (Some(b';'), Some(b';')) if matches!(close, Close::Case) => {}
                _ => return Err(self.lost("an operator where none can stand")),
            }
        }
        self.leave();
        if is_empty {
            return Err(self.lost("a compound command without commands"));
        }
        Ok(may_end_false)
    }

    /// Whether a list ends here. Its end is passed, but for that of a `case` item.
    fn closes(&mut self, close: Close) -> bool {
        let length = match close {
            Close::Words(words) => {
                self.reserved().filter(|word| words.contains(word)).map(str::len)
            }
            Close::Parenthesis | Close::Substitution => (self.peek() == Some(b')')).then_some(1),
            Close::Case => {
                let ends = self.reserved() == Some("esac") || self.rest().starts_with(b";;");
                ends.then_some(0)
            }
        };
        self.at += length.unwrap_or_default();
        length.is_some()
    }

    fn if_clause(&mut self) -> Result<bool, Halt> {
        self.at += 2;
        self.condition(&["then"])?;
        let mut may_end_false = false;
        loop {
            let start = self.at;
            may_end_false |= self.list(Close::Words(&["elif", "else", "fi"]))?;
            // Which of them it was, its last byte tells.
            let closed = Span { start, end: self.at }.of(self.text);
            if closed.ends_with(b"elif") {
                self.condition(&["then"])?;
            } else if closed.ends_with(b"else") {
                may_end_false |= self.list(Close::Words(&["fi"]))?;
                return Ok(may_end_false);
            } else {
                return Ok(may_end_false);
            }
        }
    }

    fn for_loop(&mut self) -> Result<bool, Halt> {
        self.at += 3;
        self.skip_blanks();
        let name = self.name();
        if name.is_empty() {
            return Err(self.lost("a loop without a variable"));
        }
        self.effects.names.insert(name);
        self.skip_empty_lines()?;
        if self.reserved() == Some("in") {
            self.at += 2;
            self.skip_blanks();
            while !self.word()?.span.is_empty() {
                self.skip_blanks();
            }
            if self.peek() != Some(b'\n') && self.peek() != Some(b';') {
                return Err(self.lost("an operator where none can stand"));
            }
        }
        if self.peek() == Some(b';') && self.peek_at(1) != Some(b';') {
            self.at += 1;
        }
        self.skip_empty_lines()?;
        if self.reserved() != Some("do") {
            return Err(self.lost("a loop without `do`"));
        }
        self.at += 2;
        self.list(Close::Words(&["done"]))
    }

    fn case_clause(&mut self) -> Result<bool, Halt> {
        self.at += 4;
        self.skip_blanks();
        if self.word()?.span.is_empty() {
            return Err(self.lost("a `case` without a word"));
        }
        self.skip_empty_lines()?;
        if self.reserved() != Some("in") {
            return Err(self.lost("a `case` without `in`"));
        }
        self.at += 2;
        let mut may_end_false = false;
        loop {
            self.skip_empty_lines()?;
            if self.reserved() == Some("esac") {
                self.at += 4;
                return Ok(may_end_false);
            }
            self.patterns()?;
            may_end_false |= self.list(Close::Case)?;
            if self.rest().starts_with(b";;") {
                if self.peek_at(2) == Some(b'&') {
                    return Err(self.lost("`;;&`, which only bash has"));
                }
                self.at += 2;
            }
        }
    }

    /// `a | b )`
    fn patterns(&mut self) -> Result<(), Halt> {
        if self.peek() == Some(b'(') {
            self.at += 1;
        }
        loop {
            self.skip_blanks();
            if self.word()?.span.is_empty() {
                return Err(self.lost("a `case` without a pattern"));
            }
            self.skip_blanks();
            match self.peek() {
                Some(b'|') => self.at += 1,
                Some(b')') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.lost("a `case` pattern without an end")),
            }
        }
    }

    /// `name() command`, of which only the fact is kept: calling it is what may have an effect.
    fn function(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let name = self.name();
        self.skip_blanks();
        if name.is_empty() || self.peek() != Some(b'(') {
            self.at = start;
            return Ok(false);
        }
        self.at += 1;
        self.skip_blanks();
        if self.peek() != Some(b')') {
            return Err(self.lost("a parenthesis where none can stand"));
        }
        self.at += 1;
        self.skip_empty_lines()?;
        if self.reserved().is_none() && self.peek() != Some(b'(') {
            return Err(self.lost("a function without a body"));
        }
        let outside = std::mem::take(&mut self.effects);
        self.enter()?;
        self.command()?;
        self.leave();
        self.effects = outside;
        self.defines_functions = true;
        if is_well_known(name) {
            self.effects.anything(format!("it gives `{name}` another meaning"));
        }
        Ok(true)
    }

    /// What follows `$(`, to behind its `)`. It runs in a child process.
    pub(super) fn substitution(&mut self) -> Result<(), Halt> {
        if !self.here_documents.is_empty() {
            return Err(self.lost("a here-document in an unusual place"));
        }
        let outside = std::mem::take(&mut self.effects);
        self.substitutions += 1;
        self.list(Close::Substitution)?;
        self.substitutions -= 1;
        self.effects = outside;
        Ok(())
    }

    /// Passes one redirection, where one stands.
    pub(super) fn redirection(&mut self) -> Result<bool, Halt> {
        self.skip_blanks();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let operator = self.rest().get(digits..).unwrap_or_default();
        let length = match operator {
            [b'<', b'<', b'<', ..] => return Err(self.lost("`<<<`, which only bash has")),
            [b'<', b'<', b'-', ..] => 3,
            [b'<', b'<' | b'&' | b'>', ..] | [b'>', b'>' | b'&' | b'|', ..] => 2,
            [b'<' | b'>', b'(', ..] => return Err(self.lost("a process substitution")),
            [b'<' | b'>', ..] => 1,
            _ => return Ok(false),
        };
        let is_here_document = operator.starts_with(b"<<");
        let strips_tabs = length == 3;
        self.at += digits + length;
        self.skip_blanks();
        let target = self.word()?;
        if target.span.is_empty() {
            return Err(self.lost("a redirection without a target"));
        }
        if !is_here_document {
            return Ok(true);
        }
        // A delimiter of one piece is enough; others are not worth the risk.
        let [part] = target.parts.as_slice() else {
            return Err(self.lost("a here-document with an unusual delimiter"));
        };
        let delimiter = part.span.of(self.text);
        let is_usual = part.kind == PartKind::Literal && !delimiter.contains(&b'\n');
        if !is_usual || delimiter.is_empty() || self.substitutions > 0 {
            return Err(self.lost("a here-document in an unusual place"));
        }
        let verbatim = part.quote != Quote::Bare;
        self.here_documents.push(HereDocument { delimiter, verbatim, strips_tabs });
        Ok(true)
    }
}
