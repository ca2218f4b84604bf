//! Opens the host that the user named, with what the user vouches for.

use std::path::Path;

use super::CommandError;
use crate::cli;
use crate::facts::expected::Expected;
use crate::facts::{AssumptionError, Assumptions, assumption, catalogue};
use crate::host::api_server::{Access, BUILT_IN};
use crate::host::{Probes, Root, Run};
use crate::report::HostOrigin;

/// A host that is open, and how its facts are to be taken.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) root: Root,
    pub(crate) run: Run,
    pub(crate) origin: HostOrigin,
}

impl Opened {
    /// The same host, of whose hardware this may be asked.
    pub(crate) fn allowing(self, probing: cli::Probing) -> Self {
        let cli::Probing { probe_gpu, probe } = probing;
        Self { root: self.root.allowing(Probes { gpu: probe_gpu, processor: probe }), ..self }
    }

    /// The same host, remembering what is looked at, so that it can be watched.
    pub(crate) fn tracing(self) -> Self {
        Self { root: self.root.tracing(), ..self }
    }

    /// The same host, with its cluster asked too where somebody wants that.
    pub(crate) fn asking_cluster(self, access: Option<Access>) -> Self {
        Self { run: self.run.with_cluster(access), ..self }
    }
}

pub(crate) fn open(root: Option<&Path>, captured: Option<&Path>) -> Result<Opened, CommandError> {
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

/// How the command line wants the cluster of this machine asked; a captured host tells what its own said.
pub(crate) fn cluster(
    typed: &cli::Cluster,
    captured: Option<&Path>,
) -> Result<Option<Access>, CommandError> {
    if typed.cluster && captured.is_some() {
        let why = "--cluster: a captured host cannot be asked; its file holds what was said then";
        return Err(CommandError::Usage(why.to_owned()));
    }
    if typed.cluster && !BUILT_IN {
        let why =
            "--cluster: this ccgpu-node was built without the feature that asks the API server";
        return Err(CommandError::Usage(why.to_owned()));
    }
    Ok(typed.cluster.then(|| Access { kubeconfig: typed.kubeconfig.clone() }))
}

/// Understands `FACT=VALUE`, each checked against the catalogue.
pub(crate) fn assumptions(texts: &[String]) -> Result<Assumptions, CommandError> {
    let mut assumed = Assumptions::new();
    for text in texts {
        let usage = |what: String| CommandError::Usage(format!("--assume {text}: {what}"));
        let (name, value) = assumption(text).map_err(|error| usage(with_hint(&error)))?;
        if assumed.insert(name, value).is_some() {
            return Err(usage("the fact was assumed before".to_owned()));
        }
    }
    Ok(assumed)
}

/// Understands what `--expect` says.
pub(crate) fn expectations(texts: &[String]) -> Result<Expected, CommandError> {
    let mut expected = Expected::default();
    for text in texts {
        expected
            .add(text, "--expect")
            .map_err(|error| CommandError::Usage(format!("--expect {text}: {error}")))?;
    }
    Ok(expected)
}

fn with_hint(error: &AssumptionError) -> String {
    let AssumptionError::Unknown(name) = error else { return error.to_string() };
    let near = nearest(name, catalogue::facts().map(|fact| fact.name));
    if near.is_empty() {
        return format!("{error}; `ccgpu-node facts` lists them");
    }
    format!("{error}{near}")
}

/// What a misspelt name probably means, as the end of a message.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    match names.map(|each| (strsim::osa_distance(name, each), each)).min() {
        Some((distance, each)) if distance <= name.len() / 3 => format!("; did you mean {each}?"),
        _ => String::new(),
    }
}
