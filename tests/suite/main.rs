//! The program as its users run it: the real binary on fixtures, on real machines' trees, on hostile trees.

#![expect(clippy::disallowed_methods, reason = "tests make hosts and start programs")]

mod program;

mod cli;
mod capture;
mod fixtures;
mod hostile;
mod shared_hosts;
