//! `fix`, `rollback` and `recover` on whole machines made for the purpose: real programs over recorded
//! files, stand-ins for systemd and the kubelet, and faults at every call that the program makes.

#![expect(clippy::disallowed_methods, reason = "tests make hosts and start programs")]
#![expect(clippy::print_stdout, reason = "a test says what it left out")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod automatic;
mod boot;
mod checker;
mod checker_tests;
mod disturbances;
mod faults;
mod furnish;
mod golden;
mod injection;
mod kata;
mod kubelet;
mod menu;
mod others;
mod scenes;
mod world;
mod worlds;
