//! `recover`: ends what was interrupted, and tells what a reboot brought. Run at boot before the kubelet,
//! and by every `fix`; the second run in a row has nothing to do.

use super::site::Site;
use super::{CommandError, output};
use crate::apply::Recovered;
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::transactions as show;

pub(super) fn run(arguments: &cli::Recover, terminal: Terminal) -> Result<Exit, CommandError> {
    let site = Site::open(arguments.root.as_deref())?;
    let hold = site.hold()?;
    let recovered = site.recover(&hold)?;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
    output::write(|out| show::recovered(&recovered, look, out))?;
    Ok(recovered
        .transactions
        .iter()
        .map(exit)
        .max_by_key(|exit| *exit as u8)
        .unwrap_or(Exit::Ready))
}

/// That a fix was taken back is no failure of `recover`.
fn exit(recovered: &Recovered) -> Exit {
    match recovered {
        Recovered::Discarded { .. }
        | Recovered::Confirmed { .. }
        | Recovered::RolledBack { reboot: false, .. }
        | Recovered::Finished { pending: false, .. } => Exit::Ready,
        Recovered::RolledBack { reboot: true, .. } | Recovered::Finished { pending: true, .. } => {
            Exit::RebootRequired
        }
        Recovered::Ineffective { .. } | Recovered::Manual { .. } | Recovered::Postponed { .. } => {
            Exit::NeedsPerson
        }
    }
}
