//! The daemon as a process on whole machines made for the purpose: real files and signals, stand-ins for
//! systemd's two sockets that are stricter than systemd, and all that goes wrong around a service.

#![expect(clippy::disallowed_methods, reason = "tests make hosts and start programs")]
#![expect(clippy::print_stdout, reason = "a test says what it left out")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod daemon;
mod faults;
#[path = "../repair/furnish.rs"]
mod furnish;
mod journal;
mod logging;
#[path = "../repair/menu.rs"]
mod menu;
mod service;
#[path = "../repair/world.rs"]
#[expect(dead_code, reason = "machines are made for other tests as well")]
mod world;
