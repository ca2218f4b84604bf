//! What a text was parsed into. All positions are byte offsets into that text, so that it can be edited
//! in place.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A stretch of bytes of the text, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The bytes, or none where the span is not of this text.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A parsed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script<'t> {
    pub text: &'t [u8],
    pub statements: Vec<Statement<'t>>,
    /// Whether a function is defined anywhere: a word that looks like a missing command may be its name.
    pub defines_functions: bool,
}

/// One command of the text, without the `;` or newline that ends it. Blank lines and comments lie between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'t> {
    pub span: Span,
    /// From 1.
    pub line: u32,
    pub kind: Kind<'t>,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'t> {
    /// Only assignments, several where they share a command (`A=1 B=2`, `export A=1`).
    Assignments { exported: bool, list: Vec<Assignment<'t>> },
    /// Anything that is not evaluated.
    Opaque {
        why: Cow<'static, str>,
        effect: Effect<'t>,
        /// It may end with a status other than zero without stopping `set -e`, as `[ .. ] && A=1` does.
        /// At the end of a sourced file that status becomes the one of `.`, which does stop.
        may_end_false: bool,
    },
    /// The shell stops here.
    Aborts {
        why: Cow<'static, str>,
        /// So in dash only; in bash the statement is one that is not evaluated.
        dash_only: bool,
        /// Because no such command exists; a function of that name would change it.
        missing_command: bool,
    },
}

/// Which variables a statement that is not evaluated may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<'t> {
    /// These at most.
    Names(BTreeSet<&'t str>),
    /// Any, or it may leave the script.
    Anything,
}

/// `NAME=value` or `NAME+=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'t> {
    pub name: &'t str,
    /// From the name's first byte to the value's last.
    pub span: Span,
    /// From 1.
    pub line: u32,
    /// `+=`, which dash takes for a command.
    pub append: bool,
    pub value: Word<'t>,
}

/// One word with its quoting. Its span holds the quotes; the spans of its parts do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'t> {
    pub span: Span,
    pub parts: Vec<Part<'t>>,
}

/// A stretch of a word that is of one kind. Quotes, escaping backslashes and continued lines lie between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'t> {
    pub span: Span,
    pub quote: Quote,
    pub kind: PartKind<'t>,
}

/// How a part is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    Bare,
    Single,
    Double,
}

/// What a part stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind<'t> {
    /// The bytes of its span, as they are.
    Literal,
    /// A variable.
    Expansion(Box<Expansion<'t>>),
    /// Something that only the shell can tell.
    Undecidable(&'static str),
}

/// `$NAME`, `${NAME}`, or one of the four forms with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion<'t> {
    pub name: &'t str,
    pub condition: Option<Condition>,
    /// The word of a condition; empty without one.
    pub word: Vec<Part<'t>>,
}

/// When the word of an expansion is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// `+`: the word where the variable is set, else nothing. Otherwise `-`: the word where it is not set.
    pub when_set: bool,
    /// With `:`, an empty variable counts as one that is not set.
    pub empty_is_unset: bool,
}
