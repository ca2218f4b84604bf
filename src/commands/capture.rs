//! `capture`: one redacted file that `check --host` takes for the host.

use super::{CommandError, host, output};
use crate::capture;
use crate::cli;
use crate::exit::Exit;

pub(super) fn run(arguments: &cli::Capture) -> Result<Exit, CommandError> {
    let cluster = host::cluster(&arguments.cluster, arguments.host.as_deref())?;
    let opened = host::open(arguments.root.as_deref(), arguments.host.as_deref())?
        .allowing(arguments.probing);
    let mut notes = vec![
        format!("captured by ccgpu-node {}", env!("CARGO_PKG_VERSION")),
        "values that say nothing about fitness are redacted; look it through before you share it"
            .to_owned(),
    ];
    if !nix::unistd::geteuid().is_root() {
        notes.push("captured by an ordinary user: what needs root is missing".to_owned());
    }
    let archive = capture::capture(opened.root, cluster, notes);
    output::write(|out| out.write_all(archive.to_text().as_bytes()))
}
