//! `facts`: all that was read, as JSON.

use super::{CommandError, host, output};
use crate::cli;
use crate::exit::Exit;
use crate::facts::{Needs, gather};
use crate::host::Terminal;
use crate::report::human::Look;
use crate::report::{facts_json, facts_list};

pub(super) fn run(arguments: &cli::Facts, terminal: Terminal) -> Result<Exit, CommandError> {
    let wanted = |name: &str| {
        arguments.only.is_empty()
            || arguments.only.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    if arguments.list {
        let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose: true };
        return output::write(|out| facts_list::render(wanted, look, out));
    }
    let assumed = host::assumptions(&arguments.host.assume)?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?
        .asking_cluster(host::cluster(&arguments.cluster, arguments.host.host.as_deref())?)
        .allowing(arguments.probing);
    let facts = gather(&opened.root, &opened.run, Needs::ALL, assumed);
    output::write(|out| facts_json::render(&facts, wanted, out))
}
