//! `man`: the manual, made of what can be typed, so that the two never differ.

use clap::CommandFactory as _;

use super::{CommandError, output};
use crate::cli::{self, Cli};
use crate::exit::Exit;

/// Prints the page of the program, or writes `ccgpu-node.1`, `ccgpu-node-check.1` and their like.
pub(super) fn run(arguments: &cli::Man) -> Result<Exit, CommandError> {
    let command = Cli::command();
    match &arguments.output_dir {
        None => output::write(|out| clap_mangen::Man::new(command).render(out)),
        Some(path) => clap_mangen::generate_to(command, path)
            .map(|()| Exit::Ready)
            .map_err(|source| CommandError::ManualPages { path: path.clone(), source }),
    }
}
