//! `workload`: the manifest of a sample pod for a node.

use std::io::Write as _;

use super::{CommandError, host, output};
use crate::cli::{self, ManifestFormat};
use crate::exit::Exit;
use crate::facts::gather;
use crate::workload::{NEEDS, Wishes, workload};

pub(super) fn run(arguments: &cli::Workload) -> Result<Exit, CommandError> {
    let assumed = host::assumptions(&arguments.host.assume)?;
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?;
    let facts = gather(&opened.root, &opened.run, NEEDS, assumed);
    let wishes = Wishes {
        name: Some(arguments.name.clone()),
        image: arguments.image.clone(),
        gpus: arguments.gpus.map(usize::from),
        runtime_class: arguments.runtime_class.clone(),
    };
    let found = workload(&facts, &wishes)?;
    let assumed: Vec<String> = found.assumed.iter().map(|text| comment(text)).collect();
    output::write(|out| {
        if arguments.format == ManifestFormat::Json {
            let text = serde_json::to_string_pretty(&found.pod).map_err(std::io::Error::other)?;
            return writeln!(out, "{text}");
        }
        for text in &assumed {
            writeln!(out, "# assumed: {text}")?;
        }
        out.write_all(found.pod.yaml().as_bytes())
    })?;
    for text in &assumed {
        // Who closed it does not want to know.
        let _ = writeln!(std::io::stderr(), "assumed: {text}");
    }
    Ok(if assumed.is_empty() { Exit::Ready } else { Exit::CannotTell })
}

/// A text that is one line for every reader: what it quotes may come from the host.
fn comment(text: &str) -> String {
    let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    text.chars().map(plain).collect()
}
