//! The program as its users run it: the real binary on fixtures, on real machines' trees, on hostile trees.

#![expect(clippy::disallowed_methods, reason = "tests make hosts and start programs")]

mod program;

mod capture;
mod cli;
mod fixtures;
mod hostile;
mod pci_oracle;
mod shared_hosts;
