//! `recover`: ends what was interrupted, and tells what a reboot brought. Run at boot before the kubelet,
//! and by every `fix`; the second run in a row has nothing to do.

use std::io::{self, Write};

use super::site::{Site, begin};
use super::{CommandError, output};
use crate::apply::Recovered;
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::transactions as show;

pub(super) fn run(arguments: &cli::Recover, terminal: Terminal) -> Result<Exit, CommandError> {
    let site = Site::open(arguments.root.as_deref())?;
    let (lock, _interrupt) = begin(&site)?;
    let recovered = site.recover(&lock)?;
    site.settle_sentinel()?;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
    output::write(|out| render(&recovered, look, out))?;
    Ok(recovered.iter().map(exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Ready))
}

/// What was done, a line each; nothing where there was nothing to do and nobody asked.
pub(super) fn render(recovered: &[Recovered], look: Look, out: &mut dyn Write) -> io::Result<()> {
    show::recovered(recovered, look, out)
}

fn exit(recovered: &Recovered) -> Exit {
    match recovered {
        Recovered::Discarded { .. }
        | Recovered::Confirmed { .. }
        | Recovered::Finished { pending: false, .. } => Exit::Ready,
        Recovered::Finished { pending: true, .. } => Exit::RebootRequired,
        Recovered::RolledBack { .. } => Exit::RolledBack,
        Recovered::Ineffective { .. } | Recovered::Manual { .. } => Exit::NeedsPerson,
    }
}
