//! Simple commands: assignments, and the few commands whose effect on variables is known.

use std::borrow::Cow;

use super::command::Shape;
use super::names::{is_built_in, is_special_variable, is_test, is_well_known_program};
use super::parser::{Halt, Parser};
use super::script::{Assignment, Kind, PartKind, Quote, Span, Word};

/// A command of assignments, words and redirections.
#[derive(Debug, Default)]
pub(super) struct Simple<'t> {
    assignments: Vec<Assignment<'t>>,
    words: Vec<Word<'t>>,
    /// The assignments behind `export`.
    exports: Vec<Assignment<'t>>,
    redirected: bool,
}

/// What a simple command does to variables.
enum Verdict<'t> {
    Assigns,
    /// Nothing but the names already gathered.
    Harmless,
    Unsets(Vec<&'t str>),
    Anything(Cow<'static, str>),
    /// There is no command of this name, so the shell stops.
    Missing {
        why: Cow<'static, str>,
        dash_only: bool,
    },
}

impl<'t> Parser<'t> {
    pub(super) fn simple(&mut self) -> Result<Shape<'t>, Halt> {
        let start = self.at;
        let mut simple = Simple::default();
        let mut end = start;
        loop {
            if self.redirection()? {
                simple.redirected = true;
            } else if simple.words.is_empty()
                && let Some(assignment) = self.assignment()?
            {
                simple.assignments.push(assignment);
            } else if simple.is_export(self.text)
                && let Some(assignment) = self.assignment()?
            {
                simple.exports.push(assignment);
            } else {
                let word = self.word()?;
                if word.span.is_empty() {
                    break;
                }
                self.after_word(&word)?;
                simple.words.push(word);
            }
            end = self.at;
        }
        if end == start {
            return Err(self.lost("an operator where a command must stand"));
        }
        let command = simple.words.first().and_then(|word| self.bare_text(word));
        let is_test =
            command.and_then(|command| std::str::from_utf8(command).ok()).is_some_and(is_test);
        let simple = Some(simple);
        Ok(Shape { simple, what: "a command", may_end_false: false, is_test, end })
    }

    /// Refuses what only bash understands: `{name}>file` and `word(`.
    fn after_word(&self, word: &Word<'t>) -> Result<(), Halt> {
        match self.peek() {
            Some(b'(') => Err(self.lost("a parenthesis where none can stand")),
            Some(b'<' | b'>') if word.span.of(self.text).starts_with(b"{") => {
                Err(self.lost("a redirection that only bash has"))
            }
            _ => Ok(()),
        }
    }

    /// `NAME=value` or `NAME+=value`, where one stands.
    fn assignment(&mut self) -> Result<Option<Assignment<'t>>, Halt> {
        let start = self.at;
        let name = self.name();
        let append = match self.rest() {
            _ if name.is_empty() => None,
            [b'=', ..] => Some(false),
            [b'+', b'=', ..] => Some(true),
            [b'\\', b'\n', ..] => return Err(self.lost("a line continued within a name")),
            _ => None,
        };
        let Some(append) = append else {
            self.at = start;
            return Ok(None);
        };
        let line = self.line_of(start);
        self.at += 1 + usize::from(append);
        if self.peek() == Some(b'(') {
            let why = "an array, which dash does not know";
            if self.is_nested() {
                return Err(self.lost(why));
            }
            return Err(Halt::Aborts { at: start, why, dash_only: true });
        }
        let value = self.word()?;
        self.after_word(&value)?;
        let span = Span { start, end: self.at };
        Ok(Some(Assignment { name, span, line, append, value }))
    }

    /// A simple command at top level that nothing surrounds.
    pub(super) fn kind_of(&mut self, simple: Simple<'t>) -> Kind<'t> {
        match self.verdict(&simple) {
            Verdict::Assigns if self.has_no_effects() => {
                let exported = simple.is_export(self.text);
                let list = if exported { simple.exports } else { simple.assignments };
                Kind::Assignments { exported, list }
            }
            Verdict::Missing { why, dash_only } if self.has_no_effects() => {
                Kind::Aborts { why, dash_only, missing_command: true }
            }
            _ => {
                self.absorb(&simple);
                self.opaque("a command", false)
            }
        }
    }

    fn has_no_effects(&self) -> bool {
        self.effects.names.is_empty() && self.effects.anything.is_none()
    }

    /// Adds a simple command's effects to those of what surrounds it.
    pub(super) fn absorb(&mut self, simple: &Simple<'t>) {
        for assignment in simple.assignments.iter().chain(&simple.exports) {
            self.effects.names.insert(assignment.name);
            if assignment.append {
                self.effects.anything("`+=`, which dash does not know");
            }
        }
        match self.verdict(simple) {
            Verdict::Assigns | Verdict::Harmless => {}
            Verdict::Unsets(names) => self.effects.names.extend(names),
            Verdict::Anything(why) | Verdict::Missing { why, .. } => self.effects.anything(why),
        }
    }

    fn verdict(&self, simple: &Simple<'t>) -> Verdict<'t> {
        let assigned = simple.assignments.iter().chain(&simple.exports);
        if let Some(assignment) = assigned.clone().find(|one| is_special_variable(one.name)) {
            return Verdict::Anything(special(assignment.name));
        }
        let Some((command, arguments)) = simple.words.split_first() else {
            if simple.redirected {
                return Verdict::Harmless;
            }
            return Verdict::Assigns;
        };
        let Some(command) = self.bare_text(command) else {
            return Verdict::Anything("it runs a command whose name is quoted or expanded".into());
        };
        match command {
            b"export" if simple.assignments.is_empty() => self.export(simple, arguments),
            b"unset" => self.unset(arguments),
            b"command" => match arguments.first().and_then(|word| self.bare_text(word)) {
                Some(b"-v" | b"-V") => Verdict::Harmless,
                _ => Verdict::Anything("it runs `command`".into()),
            },
            b"printf" if !arguments.first().is_some_and(|word| self.is_plain_format(word)) => {
                Verdict::Anything("`printf` with an option, which assigns in bash".into())
            }
            b"source" if simple.assignments.is_empty() => {
                let why = "it runs another file with `source`, which dash does not know";
                Verdict::Missing { why: why.into(), dash_only: true }
            }
            b"." | b"source" => Verdict::Anything("it runs another file".into()),
            _ if std::str::from_utf8(command).is_ok_and(is_well_known_program) => Verdict::Harmless,
            _ => self.unknown_command(simple, command, arguments),
        }
    }

    fn unknown_command(
        &self,
        simple: &Simple<'t>,
        command: &[u8],
        arguments: &[Word<'t>],
    ) -> Verdict<'t> {
        let why = format!("it runs `{}`, which may do anything", shown(command));
        if std::str::from_utf8(command).is_ok_and(is_built_in) || command.contains(&b'/') {
            return Verdict::Anything(why.into());
        }
        let missing = |dash_only| Verdict::Missing {
            why: format!("`{}` stands where a command is expected", shown(command)).into(),
            dash_only,
        };
        let next_is_equals =
            arguments.first().is_some_and(|word| word.span.of(self.text).starts_with(b"="));
        if command.contains(&b'=') && command.contains(&b'[') {
            // An element of an array in bash.
            return missing(true);
        }
        let is_no_program = command.iter().any(|b| b.is_ascii_control() || *b == b'=')
            || command.starts_with("\u{feff}".as_bytes())
            || command.starts_with(b"GRUB_")
            || next_is_equals
            || !simple.assignments.is_empty();
        if is_no_program { missing(false) } else { Verdict::Anything(why.into()) }
    }

    /// `export NAME` and `export NAME=value`. Whether an unquoted expansion is split into words depends on
    /// the shell, and so do braces.
    fn export(&self, simple: &Simple<'t>, names: &[Word<'t>]) -> Verdict<'t> {
        let is_split = simple.exports.iter().flat_map(|one| &one.value.parts).any(|part| {
            part.quote == Quote::Bare
                && (part.kind != PartKind::Literal
                    || part.span.of(self.text).iter().any(|byte| b"*?[{".contains(byte)))
        });
        let are_names = names.iter().all(|word| {
            self.bare_text(word).is_some_and(|name| {
                is_name(name)
                    && std::str::from_utf8(name).is_ok_and(|name| !is_special_variable(name))
            })
        });
        if is_split || !are_names {
            return Verdict::Anything("`export` of something that is no plain assignment".into());
        }
        if simple.redirected {
            return Verdict::Harmless;
        }
        Verdict::Assigns
    }

    fn unset(&self, arguments: &[Word<'t>]) -> Verdict<'t> {
        let mut names = Vec::new();
        for (place, word) in arguments.iter().enumerate() {
            let text = self.bare_text(word).and_then(|text| std::str::from_utf8(text).ok());
            match text {
                Some("-f") if place == 0 => return Verdict::Harmless,
                Some("-v") if place == 0 => {}
                Some(name) if is_name(name.as_bytes()) => names.push(name),
                _ => return Verdict::Anything("`unset` of something that is no plain name".into()),
            }
        }
        Verdict::Unsets(names)
    }

    /// The text of a word that has neither quotes nor expansions.
    fn bare_text(&self, word: &Word<'t>) -> Option<&'t [u8]> {
        match word.parts.as_slice() {
            [part] if part.kind == PartKind::Literal && part.span == word.span => {
                self.text.get(part.span.start..part.span.end)
            }
            _ => None,
        }
    }

    fn is_plain_format(&self, word: &Word<'t>) -> bool {
        match word.parts.first() {
            Some(part) => {
                part.kind == PartKind::Literal
                    && !part.span.is_empty()
                    && !part.span.of(self.text).starts_with(b"-")
            }
            None => false,
        }
    }
}

impl Simple<'_> {
    fn is_export(&self, text: &[u8]) -> bool {
        self.assignments.is_empty()
            && self.words.first().is_some_and(|word| word.span.of(text) == b"export")
    }
}

fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|first| !first.is_ascii_digit())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Enough of a text to know it again.
pub(super) fn shown(text: &[u8]) -> String {
    text.get(..40).unwrap_or(text).escape_ascii().to_string()
}

pub(super) fn special(name: &str) -> Cow<'static, str> {
    format!("it assigns `{name}`, which has a meaning for the shell itself").into()
}
