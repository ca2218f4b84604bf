//! Kernel arguments in `/etc/default/grub` and its drop-ins: added and removed token by token, every
//! other byte kept.
//!
//! The line of a kernel is `$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT`. An argument is added where the
//! assignment stands that decides the last of the two, if it is a plain one in `/etc/default/grub`; else in
//! a drop-in of our own, on hosts that read drop-ins. It is removed wherever it is written out.
//!
//! What the edited texts mean is evaluated again before they are handed out: the arguments asked for hold,
//! and every other argument and variable is what it was. Whatever cannot be shown to be so is refused.
//!
//! Three things it leaves alone. `GRUB_CMDLINE_LINUX_RECOVERY`, and with it the entries for recovery as far
//! as they have arguments of their own. The variables for Xen. And what GRUB itself puts in at boot, such as
//! `$tuned_params`: whether that takes an argument back is seen in the generated menu, not here.

mod argument;
mod asked;
mod cut;
mod drop_in;
mod guard;
mod insert;
mod line;

#[cfg(test)]
mod excerpts;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

pub use line::{ADDED_BY_GRUB, length};

use super::{ArgumentChange, FileChange, Refused};
use crate::format::shell_vars::{Dialect, Span};
use asked::Asked;

/// Where the defaults are kept.
const DEFAULTS: &str = "/etc/default/grub";
const LINUX: &str = "GRUB_CMDLINE_LINUX";
const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// The texts that the boot menu is generated from, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Path and bytes; `/etc/default/grub` first, then the drop-ins.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether this host's `grub-mkconfig` reads `/etc/default/grub.d`.
    pub drop_ins: bool,
    pub dialect: Dialect,
}

/// Some bytes of a file, and what is put in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    /// An index into [`Defaults::files`].
    file: usize,
    span: Span,
    with: Vec<u8>,
}

/// The files that change so that the arguments change; none where they are so already.
///
/// Afterwards each argument to add is there once, and no later one of its key takes it back; no argument to
/// remove is in either variable. Of `iommu=`, `amd_iommu=` and `intel_iommu=`, whose values are lists, one
/// member is added or removed.
pub fn edit(defaults: &Defaults, change: &ArgumentChange) -> Result<Vec<FileChange>, Refused> {
    let (add, remove) = argument::checked(change)?;
    check_files(&defaults.files)?;
    let before = Asked::read(defaults)?;
    let mut work = defaults.clone();
    for argument in &remove {
        cut::remove(&mut work, argument)?;
    }
    for argument in &add {
        if argument::is_effective(&Asked::read(&work)?, argument) {
            continue;
        }
        // What stands there and has no effect is not left to stand twice.
        cut::remove(&mut work, argument)?;
        insert::add(&mut work, argument)?;
    }
    drop_in::tidy(&mut work, defaults);
    if work == *defaults {
        return Ok(Vec::new());
    }
    let after = Asked::read(&work)?;
    guard::check((defaults, &before), (&work, &after), &add, &remove)?;
    line::check(&before, &after)?;
    Ok(changes(defaults, work))
}

fn check_files(files: &[(String, Vec<u8>)]) -> Result<(), Refused> {
    if files.first().is_none_or(|(path, _)| path != DEFAULTS) {
        return Err(refused(DEFAULTS, None, "it does not exist"));
    }
    let mut paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    let twice = paths.windows(2).find(|pair| pair.first() == pair.last());
    match twice.and_then(<[&str]>::first) {
        Some(path) => Err(refused(path, None, "it is read twice")),
        None => Ok(()),
    }
}

fn changes(defaults: &Defaults, mut work: Defaults) -> Vec<FileChange> {
    let mut changes = Vec::new();
    for (path, before) in &defaults.files {
        let after = work.files.iter().position(|(other, _)| other == path);
        let after = after.map(|place| work.files.remove(place).1);
        if after.as_ref() != Some(before) {
            changes.push(FileChange {
                path: path.clone(),
                before: Some(before.clone()),
                after,
                new_mode: 0o644,
            });
        }
    }
    // What is left did not exist before.
    changes.extend(work.files.into_iter().map(|(path, text)| FileChange {
        path,
        before: None,
        after: Some(text),
        new_mode: 0o644,
    }));
    changes
}

/// Carries out edits of which none touches another.
fn carry_out(defaults: &mut Defaults, mut edits: Vec<Edit>) {
    edits.sort_by_key(|edit| (edit.file, edit.span));
    let mut edits = edits.into_iter().peekable();
    for (file, (_, text)) in defaults.files.iter_mut().enumerate() {
        let mut edited = Vec::new();
        let mut copied = 0;
        while let Some(edit) = edits.next_if(|edit| edit.file == file) {
            edited.extend_from_slice(text.get(copied..edit.span.start).unwrap_or_default());
            edited.extend_from_slice(&edit.with);
            copied = edit.span.end;
        }
        if copied > 0 {
            edited.extend_from_slice(text.get(copied..).unwrap_or_default());
            *text = edited;
        }
    }
}

fn refused(path: &str, line: Option<u32>, why: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), line, why: why.into() }
}
