//! `history`: what fixes have changed on this host, and what became of it. It reads only.

use super::site::tree;
use super::{CommandError, output};
use crate::apply::history;
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::transactions as show;

pub(super) fn run(arguments: &cli::History, terminal: Terminal) -> Result<Exit, CommandError> {
    let tree = tree(arguments.root.as_deref())?;
    let entries = history(&tree)?;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
    output::write(|out| match arguments.format {
        cli::Format::Human => show::history(&entries, look, out),
        cli::Format::Json => show::history_json(&entries, out),
    })
}
