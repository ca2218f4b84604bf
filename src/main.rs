//! Parses, runs the command, prints an error's chain once, returns the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use ccgpu_node::{cli::Cli, commands};
use clap::Parser as _;

/// musl's own allocator asks the kernel for each few small things and gives them back at once: a third of
/// the time of a run.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = error.exit();
            let mut message = format!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                message = format!("{message}: {error}");
                cause = error.source();
            }
            // Nobody is left to be told that standard error is closed.
            let _ = writeln!(std::io::stderr().lock(), "{}", commands::printable(&message));
            exit.into()
        }
    }
}
