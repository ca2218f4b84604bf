//! Arguments that are kept in boot loader entries, changed by `grubby` for all kernels.
//!
//! `grubby` says nothing where it changed nothing, so the entries are read again afterwards.

use std::io;
use std::time::Duration;

use super::error::{ActionError, shown};
use super::programs::{Programs, succeeded};
use crate::format::bls::Entry;
use crate::format::cmdline::Cmdline;
use crate::format::grub_cfg::GrubEnv;
use crate::host::{DEFAULT_CAP, Reading, Root};
use crate::plan::ArgumentChange;

const DEADLINE: Duration = Duration::from_secs(120);

const ENTRIES: &str = "/boot/loader/entries";

/// What `grubby` writes besides the entries, each where it is there.
const OTHERS: [&str; 4] =
    ["/boot/grub2/grubenv", "/boot/grub/grubenv", "/etc/default/grub", "/etc/kernel/cmdline"];

/// The files that `grubby` may change on the host behind a root, by their real paths: a link is followed, so
/// that no file is named twice.
pub fn files(root: &Root) -> Vec<String> {
    let entries = match root.list(ENTRIES) {
        Reading::Known(names) => names,
        Reading::Absent | Reading::Unreadable(_) => Vec::new(),
    };
    let entries = entries
        .into_iter()
        .filter(|entry| is_entry(&entry.name))
        .map(|entry| format!("{ENTRIES}/{}", entry.name));
    let all = entries.chain(OTHERS.map(str::to_owned));
    let mut real: Vec<String> = all.filter_map(|path| root.resolve(&path).into_known()).collect();
    real.sort();
    real.dedup();
    real
}

/// Changes the arguments of all kernels, and sees that every entry that is not there for repair has them.
pub fn update(change: &ArgumentChange) -> Result<(), ActionError> {
    let root = Root::live().map_err(|error| ActionError::File {
        path: "/".to_owned(),
        verb: "opened",
        source: io::Error::other(error),
    })?;
    update_with(&Programs::of_this_host(), &root, change)
}

fn update_with(
    programs: &Programs,
    root: &Root,
    change: &ArgumentChange,
) -> Result<(), ActionError> {
    let mut grubby = programs.program("grubby", DEADLINE).arg("--update-kernel=ALL");
    if !change.remove.is_empty() {
        grubby = grubby.arg(format!("--remove-args={}", change.remove.join(" ")));
    }
    if !change.add.is_empty() {
        grubby = grubby.arg(format!("--args={}", change.add.join(" ")));
    }
    succeeded("grubby", &grubby)?;
    check(root, change)
}

fn check(root: &Root, change: &ArgumentChange) -> Result<(), ActionError> {
    let unreadable = |path: &str, cause| ActionError::Unreadable { path: path.to_owned(), cause };
    let refused = |why: String| ActionError::Refused { program: "grubby".to_owned(), why };
    let names = match root.list(ENTRIES) {
        Reading::Known(names) => names,
        Reading::Absent => return Err(refused(format!("there is no {ENTRIES}"))),
        Reading::Unreadable(cause) => return Err(unreadable(ENTRIES, cause)),
    };
    let mut looked_at = 0;
    for name in names.iter().map(|entry| &entry.name).filter(|name| is_entry(name)) {
        let path = format!("{ENTRIES}/{name}");
        let entry = match root.read_with(&path, DEFAULT_CAP, Entry::parse) {
            Reading::Known(entry) => entry,
            Reading::Absent => continue,
            Reading::Unreadable(cause) => return Err(unreadable(&path, cause)),
        };
        if entry.is_rescue() {
            continue;
        }
        looked_at += 1;
        let options = with_variables(root, &entry.options)?;
        let line = Cmdline::parse(&options);
        let has = |word: &String| {
            let word = Cmdline::parse(word.as_bytes());
            let wanted = word.params().next();
            wanted.is_some_and(|wanted| line.params().any(|param| param.same_as(&wanted)))
        };
        if let Some(word) = change.add.iter().find(|word| !has(word)) {
            return Err(refused(format!("{} has no {}", shown(&path), shown(word))));
        }
        let stays = |word: &&String| !change.add.contains(word) && has(word);
        if let Some(word) = change.remove.iter().find(stays) {
            return Err(refused(format!("{} still has {}", shown(&path), shown(word))));
        }
    }
    if looked_at == 0 {
        return Err(refused(format!("{ENTRIES} holds no entry that boots Linux")));
    }
    Ok(())
}

/// The options with `$kernelopts` in place, which older releases keep in the environment block. Other
/// variables stay as they are: `grubby` does not change those.
fn with_variables(root: &Root, options: &[u8]) -> Result<Vec<u8>, ActionError> {
    const NAMES: [&str; 2] = ["$kernelopts", "${kernelopts}"];
    let text = String::from_utf8_lossy(options);
    if !text.split_ascii_whitespace().any(|word| NAMES.contains(&word)) {
        return Ok(options.to_vec());
    }
    for path in ["/boot/grub2/grubenv", "/boot/grub/grubenv"] {
        match root.read(path, DEFAULT_CAP) {
            Reading::Known(block) => {
                let value = GrubEnv::parse(&block)
                    .ok()
                    .and_then(|block| block.get("kernelopts").map(str::to_owned))
                    .unwrap_or_default();
                let words = text
                    .split_ascii_whitespace()
                    .map(|word| if NAMES.contains(&word) { value.as_str() } else { word });
                return Ok(words.collect::<Vec<_>>().join(" ").into_bytes());
            }
            Reading::Absent => {}
            Reading::Unreadable(cause) => {
                return Err(ActionError::Unreadable { path: path.to_owned(), cause });
            }
        }
    }
    Ok(options.to_vec())
}

fn is_entry(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension == "conf")
}

#[cfg(test)]
#[path = "loader_entries_tests.rs"]
mod tests;
