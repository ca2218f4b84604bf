//! The program as its users run it: the real binary on fixtures, on real machines' trees, on hostile trees.

#![expect(clippy::disallowed_methods, reason = "tests make hosts and start programs")]
#![expect(clippy::print_stdout, reason = "a test says what it left out")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

mod acs_oracle;
mod capture;
mod ci_examples;
mod cli;
mod config;
mod deploy;
mod diff;
mod explain;
mod fixtures;
mod formats;
mod gate;
mod hostile;
mod html;
mod partial;
mod pci_oracle;
mod probe;
mod published;
mod reboot;
mod sandbox;
mod shared_hosts;
mod topology;
mod users;
mod wait;
mod workload;
