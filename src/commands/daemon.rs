//! `daemon`: keeps judging this machine, and tells others, until it is told to end.

use super::CommandError;
use crate::cli;
use crate::exit::Exit;

pub(super) fn run(arguments: &cli::Daemon) -> Result<Exit, CommandError> {
    crate::daemon::run(arguments.root.as_deref())?;
    Ok(Exit::Ready)
}
