//! Which file is changed: the one that decides, and none where something else would win over it.

use std::collections::BTreeMap;

use super::sources::{Files, SourceFile};
use super::splice::Lines;
use super::text::{Role, edit};
use super::{Doubt, FileChange, Refused, Wanted, native};
use crate::facts::kubelet::decode::Decoded;
use crate::facts::kubelet::{Kubelet, Start};
use crate::format::duration::GoDuration;
use crate::format::version::Version;
use crate::host::Reading;

/// The name of our own file in `--config-dir`.
const OWN: &str = "50-ccgpu-node.conf";

/// What it begins with.
const HEAD: &str = "\
# Written by ccgpu-node, for confidential GPU workloads. `ccgpu-node rollback` undoes it.
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
";

/// Others than root have no business with it.
const OWN_MODE: u32 = 0o600;

/// From this minor version on kubeadm keeps settings of one node in a file of their own.
const INSTANCE_FROM: u64 = 34;

/// The files that change, the deciding one first; none where all is so already.
pub fn changes(
    kubelet: &Kubelet,
    files: &Files,
    wanted: &Wanted,
) -> Result<Vec<FileChange>, Refused> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let start = start_of(kubelet)?;
    let mut wanted = wanted.clone();
    beaten_by_flags(start, files, &mut wanted)?;
    let layers = layers(files)?;
    let now = Effective::of(&layers);
    wanted.gates.retain(|name, value| match value {
        Some(value) => now.gates.get(name) != Some(value),
        None => layers.iter().any(|layer| layer.sets(name)),
    });
    if now.timeout == timeout_of(&wanted) {
        wanted.runtime_request_timeout = None;
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let changes = match &start.config_dir {
        Reading::Known(directory) => with_drop_in(directory, &layers, files, &wanted)?,
        Reading::Absent => in_main(kubelet, start, files, &wanted)?,
        Reading::Unreadable(cause) => {
            return Err(refused(&start.source.path, start.source.line, cause.to_string()));
        }
    };
    takes_effect(files, &changes, &wanted)?;
    Ok(changes)
}

fn refused(path: &str, line: impl Into<Option<u32>>, why: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), line: line.into(), why: why.into() }
}

fn timeout_of(wanted: &Wanted) -> Option<GoDuration> {
    wanted.runtime_request_timeout.as_deref().and_then(|text| GoDuration::parse(text).ok())
}

/// How the kubelet starts, where its configuration may be changed by file at all.
fn start_of(kubelet: &Kubelet) -> Result<&Start, Refused> {
    let layout = &kubelet.layout;
    let path = kubelet.config_path.reading.known().map_or(&*layout.source.path, String::as_str);
    match &layout.reading {
        Reading::Known(name) => {
            if let Some(instead) = native::place(name) {
                return Err(refused(path, None, instead));
            }
        }
        Reading::Absent => {}
        Reading::Unreadable(cause) => {
            let why = format!("whose host this is cannot be told: {cause}");
            return Err(refused(path, layout.source.line, why));
        }
    }
    match &kubelet.start {
        Reading::Known(start) => Ok(start),
        Reading::Absent => Err(refused(&kubelet.found.source.path, None, "there is no kubelet")),
        Reading::Unreadable(cause) => {
            let why = format!("how the kubelet is started cannot be told: {cause}");
            Err(refused(&kubelet.found.source.path, None, why))
        }
    }
}

/// Leaves out what a flag says already, and refuses what a flag says otherwise.
fn beaten_by_flags(start: &Start, files: &Files, wanted: &mut Wanted) -> Result<(), Refused> {
    const GATES: &str = "--feature-gates";
    const TIMEOUT: &str = "--runtime-request-timeout";
    for (name, value) in &start.gates {
        let Some(wanted) = wanted.gates.get(name) else { continue };
        if *wanted != Some(*value) {
            let what = format!("the flag {GATES} sets {name} to {value}");
            return Err(beaten(start, files, GATES, &what));
        }
    }
    wanted.gates.retain(|name, _| !start.gates.contains_key(name));
    if let (Some(now), Some(text)) = (start.timeout, &wanted.runtime_request_timeout) {
        if Some(now) != timeout_of(wanted) {
            let what = format!("the flag {TIMEOUT} sets {now}, not {text}");
            return Err(beaten(start, files, TIMEOUT, &what));
        }
        wanted.runtime_request_timeout = None;
    }
    Ok(())
}

fn beaten(start: &Start, files: &Files, flag: &str, what: &str) -> Refused {
    let found = files.flags.iter().find_map(|file| {
        let text = std::str::from_utf8(&file.text).ok()?;
        let (place, _) = text.match_indices(flag).find(|(place, _)| {
            let lines = Lines(text);
            !lines.between(lines.start(*place), *place).trim_start().starts_with(['#', ';'])
        })?;
        Some((file.path.as_str(), Some(Lines(text).number(place))))
    });
    let (path, line) = found.unwrap_or((&start.source.path, start.source.line));
    let why = format!("{what}, and flags beat every file: change the flag and restart the kubelet");
    refused(path, line, why)
}

/// One file of the configuration, as the kubelet decodes it.
struct Layer<'a> {
    file: &'a SourceFile,
    role: Role,
    decoded: Decoded,
}

impl Layer<'_> {
    /// A drop-in's null sets nothing.
    fn sets(&self, gate: &str) -> bool {
        self.decoded.gates.get(gate).is_some_and(|set| set.value.is_some())
    }
}

fn layers(files: &Files) -> Result<Vec<Layer<'_>>, Refused> {
    let main = files.main.iter().map(|file| (file, Role::Main));
    let drop_ins = files.drop_ins.iter().map(|file| (file, Role::DropIn));
    main.chain(drop_ins)
        .map(|(file, role)| {
            let decoded = role.decode(&file.text).map_err(|doubt| doubt.in_file(&file.path))?;
            Ok(Layer { file, role, decoded })
        })
        .collect()
}

/// What the files come to.
#[derive(Default)]
struct Effective {
    gates: BTreeMap<String, bool>,
    timeout: Option<GoDuration>,
}

impl Effective {
    fn of(layers: &[Layer<'_>]) -> Self {
        let mut effective = Self::default();
        for layer in layers {
            effective.lay_over(&layer.decoded);
        }
        effective
    }

    fn lay_over(&mut self, decoded: &Decoded) {
        if decoded.gates_taken_away.is_some() {
            self.gates.clear();
        }
        for (name, set) in &decoded.gates {
            match set.value {
                Some(value) => self.gates.insert(name.clone(), value),
                None => self.gates.remove(name),
            };
        }
        if let Some(set) = decoded.timeout {
            self.timeout = set.value;
        }
    }
}

fn edited(file: &SourceFile, wanted: &Wanted, role: Role) -> Result<Option<FileChange>, Refused> {
    let after = edit(&file.text, wanted, role).map_err(|doubt| doubt.in_file(&file.path))?;
    Ok((after != file.text).then(|| FileChange {
        path: file.path.clone(),
        before: Some(file.text.clone()),
        after: Some(after),
        new_mode: OWN_MODE,
    }))
}

fn in_main(
    kubelet: &Kubelet,
    start: &Start,
    files: &Files,
    wanted: &Wanted,
) -> Result<Vec<FileChange>, Refused> {
    let Some(main) = &files.main else {
        let why = "the kubelet is started without --config, so that flags alone configure it";
        return Err(refused(&start.source.path, start.source.line, why));
    };
    let mut changes: Vec<FileChange> = edited(main, wanted, Role::Main)?.into_iter().collect();
    if is_kubeadm_with_instance(kubelet, start)
        && let Some(instance) = &files.instance
    {
        changes.extend(edited(instance, wanted, Role::Main)?);
    }
    Ok(changes)
}

fn is_kubeadm_with_instance(kubelet: &Kubelet, start: &Start) -> bool {
    let version = start.version.known().map(Version::minor);
    kubelet.layout.reading == Reading::Known("kubeadm")
        && version.is_some_and(|version| version >= (1, INSTANCE_FROM))
}

/// Sets in our own drop-in; takes out where the gate stands, since the kubelet checks files by themselves.
fn with_drop_in(
    directory: &str,
    layers: &[Layer<'_>],
    files: &Files,
    wanted: &Wanted,
) -> Result<Vec<FileChange>, Refused> {
    let path = format!("{}/{OWN}", directory.trim_end_matches('/'));
    let mut outgoing = Wanted::default();
    let mut incoming = wanted.clone();
    incoming.gates.retain(|_, value| value.is_some());
    outgoing.gates.extend(wanted.gates.iter().map(|(name, value)| (name.clone(), *value)));
    outgoing.gates.retain(|_, value| value.is_none());
    let mut changes = Vec::new();
    for layer in layers {
        let own = layer.file.path == path;
        if layer.role == Role::DropIn && !own {
            of_others(layer, &path, &incoming, &outgoing)?;
        } else if !own && outgoing.gates.keys().any(|name| layer.sets(name)) {
            changes.extend(edited(layer.file, &outgoing, layer.role)?);
        }
    }
    let (change, old) = match files.drop_ins.iter().find(|file| file.path == path) {
        Some(own) => (wanted, own.clone()),
        None if incoming.is_empty() => return Ok(changes),
        None => (&incoming, SourceFile { path: path.clone(), text: HEAD.as_bytes().to_vec() }),
    };
    let is_new = files.drop_ins.iter().all(|file| file.path != path);
    if let Some(mut change) = edited(&old, change, Role::DropIn)? {
        change.before = change.before.filter(|_| !is_new);
        changes.push(change);
    }
    Ok(changes)
}

/// Refuses where another drop-in has the last word.
fn of_others(
    layer: &Layer<'_>,
    own: &str,
    incoming: &Wanted,
    outgoing: &Wanted,
) -> Result<(), Refused> {
    let path = layer.file.path.as_str();
    for (name, set) in &layer.decoded.gates {
        if outgoing.gates.contains_key(name) && set.value.is_some() {
            let why = format!("this drop-in sets {name}, and it is not ours: take it out here");
            return Err(refused(path, set.line, why));
        }
    }
    if !is_after(path, own) {
        return Ok(());
    }
    let wins = |what: &str| format!("this drop-in is read after ours and {what}: change it here");
    if let Some(line) = layer.decoded.gates_taken_away
        && !incoming.gates.is_empty()
    {
        return Err(refused(path, line, wins("takes all feature gates away")));
    }
    for (name, set) in &layer.decoded.gates {
        if incoming.gates.get(name).is_some_and(|value| *value != set.value) {
            return Err(refused(path, set.line, wins(&format!("sets {name}"))));
        }
    }
    if let Some(set) = layer.decoded.timeout
        && incoming.runtime_request_timeout.is_some()
        && set.value != timeout_of(incoming)
    {
        return Err(refused(path, set.line, wins("sets runtimeRequestTimeout")));
    }
    Ok(())
}

/// Whether the kubelet reads this file after that one: by the names of one directory after the other.
fn is_after(path: &str, other: &str) -> bool {
    path.split('/').gt(other.split('/'))
}

/// What all files come to once they are changed is what is wanted.
fn takes_effect(files: &Files, changes: &[FileChange], wanted: &Wanted) -> Result<(), Refused> {
    let mut then = files.clone();
    for change in changes {
        let Some(after) = &change.after else { continue };
        let drop_ins = then.drop_ins.iter_mut();
        match then.main.iter_mut().chain(drop_ins).find(|file| file.path == change.path) {
            Some(file) => file.text.clone_from(after),
            None if change.before.is_none() => {
                let file = SourceFile { path: change.path.clone(), text: after.clone() };
                then.drop_ins.push(file);
            }
            None => {}
        }
    }
    then.drop_ins.sort_by(|left, right| left.path.split('/').cmp(right.path.split('/')));
    let layers = layers(&then)?;
    let now = Effective::of(&layers);
    let gates = wanted.gates.iter().all(|(name, value)| match value {
        Some(value) => now.gates.get(name) == Some(value),
        None => !layers.iter().any(|layer| layer.sets(name)),
    });
    if gates && (wanted.runtime_request_timeout.is_none() || now.timeout == timeout_of(wanted)) {
        return Ok(());
    }
    let path = changes.first().map(|change| &change.path);
    let path = path.or(files.main.as_ref().map(|file| &file.path)).map_or("", String::as_str);
    Err(Doubt::new("the change would not take effect").in_file(path))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
