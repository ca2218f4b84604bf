//! How a kubelet that does not run would be started: its systemd unit with all drop-ins.
//!
//! Read as systemd reads it on `daemon-reload`: first directory wins, drop-ins in the order of their
//! names, an empty assignment resets. Drop-ins for all services (`service.d`) are not looked at.

use std::collections::BTreeMap;

use super::process::base_name;
use crate::format::systemd_unit::{self, Command, Setting};
use crate::host::{Cause, Reading, Root, Source};

/// The search path of system units, first wins.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const UNIT: &str = "kubelet.service";

/// How the unit starts the kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Where the command stands.
    pub(super) source: Source,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) directory: String,
    /// The files that had a part in it.
    pub(super) files: Vec<String>,
}

/// The start command of the unit: absent where there is no unit, unreadable where that cannot be told,
/// an error where there is one that cannot be followed.
pub(super) fn read(root: &Root) -> Result<Reading<Start>, (Cause, Source)> {
    let mut files = Vec::new();
    for directory in DIRECTORIES {
        let path = format!("{directory}/{UNIT}");
        match fragment(root, &path) {
            Ok(Some(text)) => {
                files.push((path, text));
                break;
            }
            Ok(None) => {}
            // Whether there is a unit is not known then.
            Err((cause, _)) => return Ok(Reading::Unreadable(cause)),
        }
    }
    if files.is_empty() {
        return Ok(Reading::Absent);
    }
    for path in drop_ins(root)?.into_values() {
        if let Some(text) = fragment(root, &path)? {
            files.push((path, text));
        }
    }
    resolve(root, &files).map(Reading::Known)
}

/// The text of a unit file: `None` where there is none, empty where it is masked.
fn fragment(root: &Root, path: &str) -> Result<Option<String>, (Cause, Source)> {
    match root.read_text(path) {
        Reading::Known(text) => Ok(Some(text)),
        // A link to /dev/null masks; it is a device on a live host and dangles in an image.
        other => match (root.link(path), other) {
            (Reading::Known(target), _) if target == "/dev/null" => Ok(Some(String::new())),
            (_, Reading::Unreadable(cause)) => Err((cause, Source::file(path))),
            _ => Ok(None),
        },
    }
}

/// Path of each drop-in by its name; that of the first directory counts.
fn drop_ins(root: &Root) -> Result<BTreeMap<String, String>, (Cause, Source)> {
    let mut found = BTreeMap::new();
    for directory in DIRECTORIES {
        let directory = format!("{directory}/{UNIT}.d");
        match root.list(&directory) {
            Reading::Known(entries) => {
                for entry in entries.into_iter().filter(|entry| is_drop_in(&entry.name)) {
                    let path = format!("{directory}/{}", entry.name);
                    found.entry(entry.name).or_insert(path);
                }
            }
            Reading::Absent => {}
            Reading::Unreadable(cause) => return Err((cause, Source::file(directory))),
        }
    }
    Ok(found)
}

fn is_drop_in(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == "conf")
}

fn resolve(root: &Root, files: &[(String, String)]) -> Result<Start, (Cause, Source)> {
    let mut commands: Vec<(String, Source)> = Vec::new();
    let mut directory = None;
    let mut inline = Vec::new();
    let mut environment_files = Vec::new();
    for (path, text) in files {
        for Setting { section, key, value, line } in systemd_unit::settings(text) {
            if section != "Service" {
                continue;
            }
            match (key.as_str(), value.is_empty()) {
                ("ExecStart", true) => commands.clear(),
                ("ExecStart", false) => commands.push((value, Source::line(path.as_str(), line))),
                ("Environment", true) => inline.clear(),
                ("Environment", false) => inline.extend(systemd_unit::environment(&value)),
                ("EnvironmentFile", true) => environment_files.clear(),
                ("EnvironmentFile", false) => {
                    environment_files.push((value, Source::line(path.as_str(), line)));
                }
                ("WorkingDirectory", _) => directory = Some(value),
                _ => {}
            }
        }
    }
    let mut environment: BTreeMap<String, String> = inline.into_iter().collect();
    // Files beat what stands in the unit itself.
    for (value, source) in environment_files {
        environment.extend(environment_file(root, &value, source)?);
    }
    let directory = directory
        .map(|directory| directory.trim_start_matches('-').to_owned())
        .filter(|directory| directory.starts_with('/'))
        .unwrap_or_else(|| "/".to_owned());
    let unit = files.first().map_or(UNIT, |(path, _)| path.as_str());
    let Some((value, source)) = commands.into_iter().next_back() else {
        let what = "the kubelet's unit is masked or starts nothing";
        return Err((Cause::NoAnswer(what.to_owned()), Source::file(unit)));
    };
    let Some(command) = systemd_unit::command(&value, &environment) else {
        let cause = Cause::malformed(source.line, "systemd cannot read this command");
        return Err((cause, source));
    };
    let Some((program, arguments)) = kubelet_in(command) else {
        let what = "the command of the kubelet's unit is another program".to_owned();
        return Err((Cause::NotDecidable { line: source.line, what }, source));
    };
    let files = files.iter().map(|(path, _)| path.clone()).collect();
    Ok(Start { source, program, arguments, directory, files })
}

fn environment_file(
    root: &Root,
    value: &str,
    source: Source,
) -> Result<Vec<(String, String)>, (Cause, Source)> {
    let path = value.trim_matches(['"', '\'']);
    let (path, optional) = match path.strip_prefix('-') {
        Some(path) => (path, true),
        None => (path, false),
    };
    if path.contains(['*', '?', '[', '%']) {
        let what = format!("the environment files {path}");
        return Err((Cause::NotDecidable { line: source.line, what }, source));
    }
    match root.read_text(path) {
        Reading::Known(text) => Ok(systemd_unit::environment_file(&text)),
        Reading::Absent if optional => Ok(Vec::new()),
        Reading::Absent => {
            let what = format!("the environment file {path} is missing, so systemd starts nothing");
            Err((Cause::malformed(source.line, what), source))
        }
        Reading::Unreadable(cause) => Err((cause, Source::file(path))),
    }
}

/// The kubelet and its arguments in a command that may be a wrapper around it.
fn kubelet_in(command: Command) -> Option<(String, Vec<String>)> {
    let mut words = vec![command.program];
    words.extend(command.arguments);
    let place = words.iter().position(|word| base_name(word) == "kubelet")?;
    let arguments = words.split_off(place + 1);
    let program = words.pop()?;
    // `hyperkube kubelet`: the program is the word before.
    if program == "kubelet" && words.last().is_some_and(|word| base_name(word) == "hyperkube") {
        return Some((words.pop()?, arguments));
    }
    Some((program, arguments))
}
