//! The configuration as a plan makes it, whole, to be shown to the host's own kubelet before it is put in
//! place.

use super::sources::{Files, SourceFile};
use crate::facts::kubelet::{Kubelet, Start};
use crate::host::Reading;
use crate::plan::{FileChange, Plan, StepKind};

/// What a kubelet would load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub binary: String,
    /// The text given by `--config`.
    pub main: Option<Vec<u8>>,
    /// The files of `--config-dir` by their paths within it; `None` where the flag is not given.
    pub drop_ins: Option<Vec<(String, Vec<u8>)>>,
    /// `Name=true`, as `--feature-gates` takes them.
    pub gates: Vec<String>,
}

/// The candidate of a plan; `None` where it changes nothing that the kubelet reads, or where it is not
/// known which kubelet would read it.
pub fn candidate(kubelet: &Kubelet, files: &Files, plan: &Plan) -> Option<Candidate> {
    let Reading::Known(start) = &kubelet.start else { return None };
    let Reading::Known(binary) = &start.binary else { return None };
    let changes: Vec<&FileChange> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::Write(change) => Some(change),
            StepKind::Act(_) => None,
        })
        .collect();
    let change_of = |path: &str| changes.iter().find(|change| change.path == path);
    let after = |file: &SourceFile| match change_of(&file.path) {
        Some(change) => change.after.clone(),
        None => Some(file.text.clone()),
    };
    let directory = drop_in_directory(start);
    let inside = |path: &str| {
        let rest = path.strip_prefix(directory?)?;
        Some(rest.trim_start_matches('/').to_owned())
    };
    let is_read = |change: &&FileChange| {
        files.main.as_ref().is_some_and(|main| main.path == change.path)
            || inside(&change.path).is_some()
    };
    if !changes.iter().copied().any(|change| is_read(&change)) {
        return None;
    }
    let drop_ins = directory.map(|_| {
        let kept =
            files.drop_ins.iter().filter_map(|file| Some((inside(&file.path)?, after(file)?)));
        let known = |path: &str| files.drop_ins.iter().any(|file| file.path == path);
        let new = changes
            .iter()
            .filter(|change| !known(&change.path))
            .filter_map(|change| Some((inside(&change.path)?, change.after.clone()?)));
        kept.chain(new).collect()
    });
    Some(Candidate {
        binary: binary.clone(),
        main: files.main.as_ref().and_then(after),
        drop_ins,
        gates: start.gates.iter().map(|(name, value)| format!("{name}={value}")).collect(),
    })
}

fn drop_in_directory(start: &Start) -> Option<&str> {
    start.config_dir.known().map(|path| path.trim_end_matches('/'))
}
