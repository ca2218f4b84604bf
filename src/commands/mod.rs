//! What each command does: it opens the host, has it read and judged, and hands the result to a
//! renderer. Nothing here knows a fact's source or a rule's meaning.

mod capture;
mod check;
mod facts;
mod header;
mod host;
mod output;
mod platform;
mod rule_set;
mod rules;

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::host::{Cause, RootError, Terminal};
use crate::rules::{FilterError, LoadError};

pub use output::printable;

/// Why a command could not do its work. What is wrong with a host is never an error but a finding.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Rules(#[from] LoadError),
    #[error("cannot read the rule file {}: {why}", path.display())]
    RuleFile { path: PathBuf, why: String },
    #[error("cannot list {path}: {cause}; rules of this site may be missing")]
    RuleDirectory { path: &'static str, cause: Cause },
    #[error("{0}")]
    Usage(String),
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
}

/// Runs what was typed.
pub fn run(cli: Cli) -> Result<Exit, CommandError> {
    let terminal = Terminal::of_stdout(cli.color.into());
    match cli.command {
        Command::Check(arguments) => check::run(&arguments, terminal),
        Command::Facts(arguments) => facts::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments, terminal),
        Command::Completions { shell } => output::write(|out| {
            clap_complete::generate(shell, &mut Cli::command(), "ccgpu-node", out);
            Ok(())
        }),
        Command::Man => output::write(|out| clap_mangen::Man::new(Cli::command()).render(out)),
    }
}
