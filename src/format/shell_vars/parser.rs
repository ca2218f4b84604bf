//! The position in the text, what lies between commands, and the statements at top level.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::names::is_special_variable;
use super::script::{Effect, Kind, Script, Span, Statement};
use super::simple::special;

/// How deep expansions and compound commands may nest.
const DEEPEST: usize = 64;

/// Why parsing cannot go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The parser does not know what follows, so it knows nothing about the rest.
    Lost { at: usize, why: &'static str },
    /// No shell can go on either.
    Aborts { at: usize, why: &'static str, dash_only: bool },
}

/// What a command does to variables, gathered while it is parsed.
#[derive(Debug, Default)]
pub(super) struct Effects<'t> {
    pub names: BTreeSet<&'t str>,
    /// Why any variable may change, or the script end.
    pub anything: Option<Cow<'static, str>>,
}

impl Effects<'_> {
    /// Keeps the first reason, which is the one a reader meets first.
    pub(super) fn anything(&mut self, why: impl Into<Cow<'static, str>>) {
        self.anything.get_or_insert_with(|| why.into());
    }
}

/// A here-document whose text starts after the next newline.
#[derive(Debug)]
pub(super) struct HereDocument<'t> {
    pub delimiter: &'t [u8],
    /// Quoted: nothing in its text is expanded.
    pub verbatim: bool,
    /// `<<-`: tabs at the start of a line do not count.
    pub strips_tabs: bool,
}

pub(super) struct Parser<'t> {
    pub text: &'t [u8],
    pub at: usize,
    pub effects: Effects<'t>,
    pub here_documents: Vec<HereDocument<'t>>,
    pub defines_functions: bool,
    /// Within how many command substitutions.
    pub substitutions: usize,
    /// Within how many conditions, where `set -e` does not hold.
    pub conditions: usize,
    depth: usize,
    /// The last place whose line was asked for, so that lines are counted once.
    counted: (usize, u32),
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            effects: Effects::default(),
            here_documents: Vec::new(),
            defines_functions: false,
            substitutions: 0,
            conditions: 0,
            depth: 0,
            counted: (0, 1),
        }
    }

    pub(super) fn script(mut self) -> Script<'t> {
        let mut statements = Vec::new();
        // Shells disagree on what a NUL byte does, and drop it from some places only.
        if let Some(at) = self.text.iter().position(|byte| *byte == 0) {
            let halt = Halt::Lost { at, why: "the file holds a NUL byte" };
            statements.push(self.halted(0, &halt));
        } else {
            while let Some(statement) = self.statement() {
                statements.push(statement);
            }
        }
        Script { text: self.text, statements, defines_functions: self.defines_functions }
    }

    fn statement(&mut self) -> Option<Statement<'t>> {
        if let Err(halt) = self.skip_empty_lines() {
            return Some(self.halted(self.at, &halt));
        }
        self.peek()?;
        let start = self.at;
        let line = self.line_of(start);
        self.effects = Effects::default();
        match self.top_level() {
            Ok((kind, end)) => Some(Statement { span: Span { start, end }, line, kind }),
            Err(halt) => Some(self.halted(start, &halt)),
        }
    }

    fn top_level(&mut self) -> Result<(Kind<'t>, usize), Halt> {
        let shape = self.and_or()?;
        let background = self.end_of_statement()?;
        if !background {
            self.stops_if_false(&shape);
        }
        let kind = match shape.simple {
            Some(simple) if !background => self.kind_of(simple),
            simple => {
                if let Some(simple) = simple {
                    self.absorb(&simple);
                }
                self.opaque(shape.what, shape.may_end_false)
            }
        };
        Ok((kind, shape.end))
    }

    /// The statement that was not evaluated, with what is known of its effects so far.
    pub(super) fn opaque(&mut self, why: &'static str, may_end_false: bool) -> Kind<'t> {
        let mut effects = std::mem::take(&mut self.effects);
        if let Some(name) = effects.names.iter().find(|name| is_special_variable(name)) {
            let why = special(name);
            effects.anything(why);
        }
        match effects.anything {
            Some(why) => Kind::Opaque { why, effect: Effect::Anything, may_end_false },
            None => Kind::Opaque {
                why: Cow::Borrowed(why),
                effect: Effect::Names(effects.names),
                may_end_false,
            },
        }
    }

    /// The rest of the text as one statement.
    fn halted(&mut self, start: usize, halt: &Halt) -> Statement<'t> {
        let (at, kind) = match *halt {
            Halt::Lost { at, why } => {
                let why = Cow::Borrowed(why);
                (at, Kind::Opaque { why, effect: Effect::Anything, may_end_false: false })
            }
            Halt::Aborts { at, why, dash_only } => {
                let why = Cow::Borrowed(why);
                (at, Kind::Aborts { why, dash_only, missing_command: false })
            }
        };
        let line = self.line_of(at);
        // Nothing follows, not even the text of a here-document.
        self.at = self.text.len();
        self.here_documents.clear();
        Statement { span: Span { start, end: self.text.len() }, line, kind }
    }

    /// Passes what ends a statement; tells whether it was `&`, which puts it into a child process.
    fn end_of_statement(&mut self) -> Result<bool, Halt> {
        self.skip_blanks();
        match (self.peek(), self.peek_at(1)) {
            (None | Some(b'\n'), _) => Ok(false),
            (Some(b';'), next) if !matches!(next, Some(b';' | b'&')) => {
                self.at += 1;
                Ok(false)
            }
            (Some(b'&'), next) if !matches!(next, Some(b'&' | b'>')) => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.lost("an operator where none can stand")),
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at.saturating_add(ahead)).copied()
    }

    pub(super) fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn lost(&self, why: &'static str) -> Halt {
        Halt::Lost { at: self.at, why }
    }

    /// Goes one level deeper; `leave` must follow on success.
    pub(super) fn enter(&mut self) -> Result<(), Halt> {
        if self.depth >= DEEPEST {
            return Err(self.lost("nested too deeply"));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn is_nested(&self) -> bool {
        self.depth > 0
    }

    /// The line of an offset, from 1. Offsets should be asked for in order.
    pub(super) fn line_of(&mut self, at: usize) -> u32 {
        let (from, line) = if at >= self.counted.0 { self.counted } else { (0, 1) };
        let between = self.text.get(from..at).unwrap_or_default();
        let newlines = between.split(|byte| *byte == b'\n').count() - 1;
        let line = line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.counted = (at, line);
        line
    }

    /// Blanks, continued lines, and a comment, which runs to the newline whatever stands before that.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match (self.peek(), self.peek_at(1)) {
                (Some(b' ' | b'\t'), _) => self.at += 1,
                (Some(b'\\'), Some(b'\n')) => self.at += 2,
                (Some(b'#'), _) => {
                    let rest = self.rest();
                    self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    /// Blanks, comments and newlines.
    pub(super) fn skip_empty_lines(&mut self) -> Result<(), Halt> {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(b'\n') => self.newline()?,
                None if !self.here_documents.is_empty() => {
                    return Err(self.lost("a here-document without its text"));
                }
                _ => return Ok(()),
            }
        }
    }

    /// Passes a newline and the here-documents that were announced before it.
    fn newline(&mut self) -> Result<(), Halt> {
        self.at += 1;
        for document in std::mem::take(&mut self.here_documents) {
            self.here_document(&document)?;
        }
        Ok(())
    }

    fn here_document(&mut self, document: &HereDocument<'_>) -> Result<(), Halt> {
        while self.peek().is_some() {
            let rest = self.rest();
            let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            let shown = if document.strips_tabs { trim_tabs(line) } else { line };
            if shown == document.delimiter {
                // The newline is left for the statement that follows.
                self.at += length;
                return Ok(());
            }
            if !document.verbatim && !is_plain(line) {
                return Err(self.lost("a here-document that is more than text and plain variables"));
            }
            self.at = (self.at + length + 1).min(self.text.len());
        }
        Err(self.lost("a here-document without an end"))
    }
}

fn trim_tabs(line: &[u8]) -> &[u8] {
    let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
    line.get(tabs..).unwrap_or_default()
}

/// Whether a line that the shell expands is complete in itself, and can neither assign a variable nor stop
/// the script. Arithmetic can, and every `${NAME..}` but the forms named here. In doubt it is not plain.
fn is_plain(line: &[u8]) -> bool {
    let count = |wanted: u8| line.split(|byte| *byte == wanted).count() - 1;
    let is_complete = !line.ends_with(b"\\")
        && count(b'(') == count(b')')
        && (count(b'{') == count(b'}') || !line.windows(2).any(|pair| pair == b"${"))
        && count(b'`') % 2 == 0;
    is_complete
        && !line.windows(2).enumerate().any(|(at, pair)| match pair {
            b"$[" => true,
            b"$(" => line.get(at + 2) == Some(&b'('),
            b"${" => {
                let inside = line.get(at + 2..).unwrap_or_default();
                let name =
                    inside.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                let operator = inside.get(name..).unwrap_or_default();
                let operator = operator.strip_prefix(b":").unwrap_or(operator);
                name == 0 || !matches!(operator.first(), Some(b'}' | b'-' | b'+'))
            }
            _ => false,
        })
}
