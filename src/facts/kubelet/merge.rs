//! The configuration that takes effect: file, then drop-ins, then flags, each beating those before it.

use std::collections::BTreeMap;

use super::decode::{self, Decoded};
use super::flags::Flags;
pub(crate) use crate::facts::told::Stop;
use crate::format::duration::GoDuration;
use crate::host::{Cause, DEFAULT_CAP, FileKind, Reading, Root, Source};

/// A value that something sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) source: Source,
    /// The flag that sets it, where one does.
    pub(super) flag: Option<&'static str>,
    /// What it beats.
    pub(super) beaten: Option<Source>,
}

impl<T> Given<T> {
    /// What a reader who looks into the beaten file must know.
    pub(super) fn note(&self) -> Option<String> {
        match (self.flag, &self.beaten) {
            (Some(flag), Some(beaten)) => {
                Some(format!("set by the flag {flag}, which beats {beaten}"))
            }
            (Some(flag), None) => Some(format!("set by the flag {flag}")),
            (None, Some(beaten)) => Some(format!("beats {beaten}")),
            (None, None) => None,
        }
    }
}

/// All that is set. Nothing here says whether the kubelet's version takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) gates: BTreeMap<String, Given<bool>>,
    pub(super) timeout: Option<Given<GoDuration>>,
    /// Gates of the main file that something else overrides. New kubelets stop over them all the same.
    pub(super) overridden: BTreeMap<String, Given<bool>>,
    pub(super) lenient: Option<(Source, String)>,
    /// The files that were read, the main one first.
    pub(super) files: Vec<String>,
}

/// More files than any drop-in directory has.
const FILES_LIMIT: usize = 1000;

/// More gates than there are, so that not all can be known.
const GATES_LIMIT: usize = 1000;

const GATES_FLAG: &str = "--feature-gates";
const TIMEOUT_FLAG: &str = "--runtime-request-timeout";

/// Reads and merges. `flags` hold the paths as absolute ones; `flags_source` is where they stand.
pub(super) fn merge(root: &Root, flags: &Flags, flags_source: &Source) -> Result<Merged, Stop> {
    let mut merged = Merged::default();
    if let Some(why) = &flags.wrong {
        let cause = Cause::malformed(flags_source.line, why.clone());
        return Err(Stop::Fails(cause, flags_source.clone()));
    }
    if let Some(path) = &flags.config {
        let decoded = decoded(path, &read(root, path)?, decode::main_file)?;
        if let Some(remark) = &decoded.lenient {
            merged.lenient = Some((Source::line(path.as_str(), remark.line), remark.what.clone()));
        }
        merged.lay_over(path, decoded);
    }
    let main_gates = merged.gates.clone();
    if let Some(directory) = &flags.config_dir {
        for path in drop_ins(root, directory)? {
            let decoded = decoded(&path, &read(root, &path)?, decode::drop_in)?;
            merged.lay_over(&path, decoded);
        }
    }
    for (name, value) in &flags.gates {
        let beaten = merged.gates.get(name).map(|given| given.source.clone());
        let source = flags_source.clone();
        let given = Given { value: *value, source, flag: Some(GATES_FLAG), beaten };
        merged.gates.insert(name.clone(), given);
    }
    if let Some(value) = flags.timeout {
        let beaten = merged.timeout.take().map(|given| given.source);
        let source = flags_source.clone();
        merged.timeout = Some(Given { value, source, flag: Some(TIMEOUT_FLAG), beaten });
    }
    if merged.gates.len().max(main_gates.len()) > GATES_LIMIT {
        let what = format!("more than {GATES_LIMIT} feature gates");
        let source = Source::file(flags.config.as_deref().unwrap_or(&flags_source.path));
        return Err(Stop::CannotTell(Cause::NotDecidable { line: None, what }, source));
    }
    merged.overridden = main_gates
        .into_iter()
        .filter(|(name, given)| merged.gates.get(name).is_none_or(|now| now.source != given.source))
        .collect();
    Ok(merged)
}

impl Merged {
    fn lay_over(&mut self, path: &str, decoded: Decoded) {
        if decoded.gates_taken_away.is_some() {
            self.gates.clear();
        }
        for (name, setting) in decoded.gates {
            let beaten = self.gates.remove(&name).map(|given| given.source);
            if let Some(value) = setting.value {
                let source = Source::line(path, setting.line);
                self.gates.insert(name, Given { value, source, flag: None, beaten });
            }
        }
        if let Some(setting) = decoded.timeout {
            let beaten = self.timeout.take().map(|given| given.source);
            self.timeout = setting.value.map(|value| {
                let source = Source::line(path, setting.line);
                Given { value, source, flag: None, beaten }
            });
        }
        self.files.push(path.to_owned());
    }
}

fn read(root: &Root, path: &str) -> Result<Vec<u8>, Stop> {
    match root.read(path, DEFAULT_CAP) {
        Reading::Known(bytes) => Ok(bytes),
        Reading::Absent => {
            let cause =
                Cause::malformed(None, "the kubelet is told to read this file, but it is missing");
            Err(Stop::Fails(cause, Source::file(path)))
        }
        Reading::Unreadable(cause) => Err(Stop::CannotTell(cause, Source::file(path))),
    }
}

fn decoded(
    path: &str,
    bytes: &[u8],
    decode: fn(&[u8]) -> Result<Decoded, Cause>,
) -> Result<Decoded, Stop> {
    decode(bytes).map_err(|cause| {
        let source = Source { path: path.into(), line: cause.line() };
        match cause {
            Cause::Malformed { .. } => Stop::Fails(cause, source),
            _ => Stop::CannotTell(cause, source),
        }
    })
}

/// The files of `--config-dir` in the order in which Go walks it: names in bytewise order, a directory's
/// files at the place of its name. Links to directories are not followed, not even at the top.
pub(crate) fn drop_ins(root: &Root, directory: &str) -> Result<Vec<String>, Stop> {
    let mut found = Vec::new();
    let top = directory.trim_end_matches('/');
    let mut open = vec![top.to_owned()];
    let mut looked = 0;
    while let Some(path) = open.pop() {
        looked += 1;
        if looked > FILES_LIMIT {
            let what = format!("more than {FILES_LIMIT} drop-in files");
            let cause = Cause::NotDecidable { line: None, what };
            return Err(Stop::CannotTell(cause, Source::file(top)));
        }
        match kind(root, &path)? {
            Some(FileKind::Directory) => match root.list(&path) {
                Reading::Known(entries) => {
                    open.extend(
                        entries.into_iter().rev().map(|entry| format!("{path}/{}", entry.name)),
                    );
                }
                Reading::Absent => {}
                Reading::Unreadable(cause) => {
                    return Err(Stop::CannotTell(cause, Source::file(path)));
                }
            },
            None if path == top => {
                let cause = Cause::malformed(None, "the kubelet's --config-dir is missing");
                return Err(Stop::Fails(cause, Source::file(path)));
            }
            _ if path.rsplit_once('.').is_some_and(|(_, end)| end == "conf") => found.push(path),
            _ => {}
        }
    }
    Ok(found)
}

/// What a path is, links not followed; `None` where there is nothing.
fn kind(root: &Root, path: &str) -> Result<Option<FileKind>, Stop> {
    if let Reading::Known(_) = root.link(path) {
        return Ok(Some(FileKind::Symlink));
    }
    match root.stat(path) {
        Reading::Known(stat) => Ok(Some(stat.kind)),
        Reading::Absent => Ok(None),
        Reading::Unreadable(cause) => Err(Stop::CannotTell(cause, Source::file(path))),
    }
}
