//! `rollback`: takes back what a fix changed, file by file, and refuses where somebody changed it since.

use super::busy::nobody_is_in_the_way;
use super::fix::confirmed;
use super::site::Site;
use super::{CommandError, output};
use crate::apply::{State, history, rollback};
use crate::cli;
use crate::exit::Exit;
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::transactions as show;

pub(super) fn run(arguments: &cli::Rollback, terminal: Terminal) -> Result<Exit, CommandError> {
    let site = Site::open(arguments.root.as_deref())?;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: false };
    let hold = site.hold()?;
    let recovered = site.recover(&hold)?;
    output::write(|out| show::recovered(&recovered, look, out))?;
    let entries = history(&hold.tree)?;
    let entry = entries.iter().rev().find(|entry| match arguments.number {
        Some(number) => entry.number == number,
        None => {
            !entry.taken_back
                && !matches!(entry.state, State::RolledBack { .. } | State::Manual { .. })
        }
    });
    if let Some(entry) = entry {
        output::write(|out| show::history(std::slice::from_ref(entry), look, out))?;
    }
    if let Some(entry) = entry.filter(|_| !arguments.allow_busy) {
        nobody_is_in_the_way(&site, entry.restarts_kubelet)?;
    }
    if entry.is_some() && !arguments.yes && !confirmed("Take this back?")? {
        return Err(CommandError::Declined);
    }
    let number = entry.map(|entry| entry.number).or(arguments.number);
    let rolled_back = rollback(&hold.tree, &hold.lock, &site.occasion, number)?;
    output::write(|out| show::rolled_back(&rolled_back, look, out))?;
    Ok(if rolled_back.reboot && !site.is_offline() { Exit::RebootRequired } else { Exit::Ready })
}
