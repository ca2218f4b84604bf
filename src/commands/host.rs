//! Opens the host that the user named, with what the user vouches for.

use std::path::Path;

use super::CommandError;
use crate::facts::{Assumptions, Value, catalogue};
use crate::host::{Root, Run};
use crate::report::HostOrigin;

/// A host that is open, and how its facts are to be taken.
pub(super) struct Opened {
    pub(super) root: Root,
    pub(super) run: Run,
    pub(super) origin: HostOrigin,
}

impl Opened {
    /// The same host, remembering what is looked at, so that it can be watched.
    pub(super) fn tracing(self) -> Self {
        Self { root: self.root.tracing(), ..self }
    }
}

pub(super) fn open(root: Option<&Path>, captured: Option<&Path>) -> Result<Opened, CommandError> {
    let (root, origin) = match (root, captured) {
        (Some(path), _) => {
            (Root::directory(path)?, HostOrigin::Directory(path.display().to_string()))
        }
        (None, Some(path)) => {
            (Root::captured(path)?, HostOrigin::Capture(path.display().to_string()))
        }
        (None, None) => (Root::live()?, HostOrigin::Live),
    };
    let run = Run::on(&root);
    Ok(Opened { root, run, origin })
}

/// Understands `FACT=VALUE`, each checked against the catalogue.
pub(super) fn assumptions(texts: &[String]) -> Result<Assumptions, CommandError> {
    let mut assumed = Assumptions::new();
    for text in texts {
        let usage = |what: String| CommandError::Usage(format!("--assume {text}: {what}"));
        let (name, value) =
            text.split_once('=').ok_or_else(|| usage("it reads FACT=VALUE".to_owned()))?;
        let fact = catalogue::fact(name).ok_or_else(|| usage(unknown_fact(name)))?;
        let value = Value::parse(value, fact.kind).map_err(|error| usage(error.to_string()))?;
        if assumed.insert(fact.name, value).is_some() {
            return Err(usage("the fact was assumed before".to_owned()));
        }
    }
    Ok(assumed)
}

fn unknown_fact(name: &str) -> String {
    let near = nearest(name, catalogue::facts().map(|fact| fact.name));
    if near.is_empty() {
        return format!("there is no fact {name}; `ccgpu-node facts` lists them");
    }
    format!("there is no fact {name}{near}")
}

/// What a misspelt name probably means, as the end of a message.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    match names.map(|each| (strsim::osa_distance(name, each), each)).min() {
        Some((distance, each)) if distance <= name.len() / 3 => format!("; did you mean {each}?"),
        _ => String::new(),
    }
}
