//! `reset`: lets a host be mended without a person again, after one has looked. It repeats nothing: the next
//! fix is planned from what is so by then, and what was tried stays counted.

use super::fix::confirmed;
use super::site::Site;
use super::{CommandError, output};
use crate::apply::own_state::write_ledger;
use crate::cli;
use crate::exit::Exit;
use crate::remediate::{Breaker, Ledger, State};
use crate::report::transactions::timestamp;
use crate::report::visible;

pub(super) fn run(arguments: &cli::Reset) -> Result<Exit, CommandError> {
    let site = Site::open(None)?;
    let hold = site.hold()?;
    let (mut ledger, said) = match State::read(&site.opened.root).ledger {
        Ok(ledger) => {
            let Some(said) = found(&ledger) else {
                let said = "No fix without a person has failed: there is nothing to reset.";
                return output::write(|out| writeln!(out, "{said}"));
            };
            (ledger, said)
        }
        Err(why) => {
            let lost = "What was tried is not known, and is counted anew";
            (Ledger::default(), format!("{why}. {lost}."))
        }
    };
    output::write(|out| writeln!(out, "{}", visible(&said)))?;
    if !arguments.yes && !confirmed("Let this host be mended without a person again?")? {
        return Err(CommandError::Declined);
    }
    ledger.reset(&site.moment());
    write_ledger(&hold.tree, &hold.lock, &ledger)?;
    output::write(|out| {
        writeln!(out, "It may be, from now on. What was tried today stays counted.")
    })
}

/// What keeps the host from being mended, in a sentence.
fn found(ledger: &Ledger) -> Option<String> {
    match ledger.breaker() {
        Breaker::Open { since, why } => Some(format!("Since {}: {why}.", timestamp(*since))),
        Breaker::Closed if ledger.is_unfinished() => {
            Some("A fix without a person was interrupted.".to_owned())
        }
        Breaker::Closed => None,
    }
}
