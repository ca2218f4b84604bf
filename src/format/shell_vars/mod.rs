//! The safe subset of POSIX shell in which `/etc/default/grub`, its drop-ins and `/etc/os-release` are
//! written: what would the real `sh` make of these variables, told without running it.
//!
//! [`parse`] splits one text into statements with byte spans, so that an editor can change one value and
//! nothing else. [`evaluate`] sources several texts in order and answers for one variable: its value with
//! the line that each part came from, that it is unset, that it cannot be told, or that the shell would stop.
//!
//! The rule above all others: a value is only called known where every POSIX shell computes that value.
//! Whatever this parser does not understand makes the answer "not decidable", from that line on for all
//! variables where the construct could assign any of them or leave the script, else for those it names.
//!
//! Two liberties are taken, both because `update-grub` works on the hosts where such lines stand:
//!
//! * A command substitution, and a well-known program such as `sed` or `[`, runs in a child process. It cannot
//!   assign, so it only touches the variable that takes its output. That it may fail, which under `set -e`
//!   ends the script, is not counted.
//! * No variable whose name starts with `GRUB_` comes from outside, but for the few that `grub-mkconfig`
//!   sets before it reads these files.
//!
//! It must not run anything, open anything, or know what a value means.

mod command;
mod evaluate;
mod names;
mod parser;
mod script;
mod simple;
mod value;
mod word;

#[cfg(test)]
mod excerpts;
#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use evaluate::{Environment, Evaluation, File, Variable, evaluate};
pub use script::{
    Assignment, Condition, Effect, Expansion, Kind, Part, PartKind, Quote, Script, Span, Statement,
    Word,
};
pub use value::{Assigned, Doubt, Known, Place, Token, Value};

/// Which shell `/bin/sh` is. The two differ in `+=`, arrays and `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Debian and Ubuntu.
    Dash,
    /// Fedora, RHEL, SUSE, Arch.
    Bash,
    /// Not known: where the two differ, nothing is decidable.
    Unknown,
}

/// Splits a text into its statements. Takes time linear in its length, and never fails: what is not
/// understood becomes a statement that says so.
pub fn parse(text: &[u8]) -> Script<'_> {
    parser::Parser::new(text).script()
}
