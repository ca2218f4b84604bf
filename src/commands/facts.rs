//! `facts`: all that was read, as JSON.

use super::{CommandError, host, output};
use crate::cli;
use crate::exit::Exit;
use crate::facts::{Needs, gather};
use crate::report::facts_json;

pub(super) fn run(arguments: &cli::Facts) -> Result<Exit, CommandError> {
    let assumed = host::assumptions(&arguments.host.assume)?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?
        .asking_cluster(host::cluster(&arguments.cluster)?);
    let facts = gather(&opened.root, &opened.run, Needs::ALL, assumed);
    let wanted = |name: &str| {
        arguments.only.is_empty()
            || arguments.only.iter().any(|prefix| name.starts_with(prefix.as_str()))
    };
    output::write(|out| facts_json::render(&facts, wanted, out))
}
