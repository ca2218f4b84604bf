//! `pause` and `resume`: a file that keeps everything from being mended without a person.

use super::{CommandError, output, printable};
use crate::apply::Tree;
use crate::apply::own_state::{remove_pause, write_pause};
use crate::cli;
use crate::exit::Exit;
use crate::remediate::state::PAUSE;

/// Characters of a reason that are kept.
const LENGTH: usize = 500;

pub(super) fn pause(arguments: &cli::Pause) -> Result<Exit, CommandError> {
    let reason: String = arguments.reason.join(" ").chars().take(LENGTH).collect();
    // One line, and none that a terminal would obey.
    let reason = printable(&reason).replace('\n', " ");
    write_pause(&Tree::live()?, &reason)?;
    output::write(|out| writeln!(out, "Nothing is mended without a person while {PAUSE} stands."))
}

pub(super) fn resume() -> Result<Exit, CommandError> {
    let was = remove_pause(&Tree::live()?)?;
    let said = if was { "The pause is over." } else { "There was no pause." };
    output::write(|out| writeln!(out, "{said}"))
}
