//! What CRI-O's files come to: `crio.conf`, then all files below `crio.conf.d` in the order of their
//! names, whatever these end in. A handler of a later file replaces the whole handler.

use std::collections::BTreeSet;

use super::detect::CRIO;
use super::handler::{Handler, Named, Snapshotter, place, tables};
use super::{Configured, Stop, read as read_file};
use crate::facts::{Cause, Reading, Source, Told};
use crate::format::toml_tree::Table;
use crate::host::{FileKind, Root};

const DROP_INS: &str = "/etc/crio/crio.conf.d";

/// More drop-ins than any host has.
const FILES_LIMIT: usize = 1000;

pub(super) fn read(root: &Root) -> Result<Configured, Stop> {
    let mut handlers: Vec<Handler> = Vec::new();
    let mut tables = Vec::new();
    if !root.stat(CRIO).is_absent() {
        tables.push(read_file(root, CRIO)?);
    }
    for path in drop_ins(root)? {
        tables.push(read_file(root, &path)?);
    }
    for table in &tables {
        for handler in handlers_of(root, table) {
            handlers.retain(|other| other.name != handler.name);
            handlers.push(handler);
        }
    }
    handlers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Configured {
        source: Source::file(CRIO),
        note: None,
        cri_enabled: Told::known(true, Source::file(CRIO)),
        proxy_snapshotters: BTreeSet::new(),
        handlers,
        misplaced: Vec::new(),
    })
}

fn handlers_of(root: &Root, table: &Table) -> Vec<Handler> {
    let runtimes = table.table_at(&["crio", "runtime", "runtimes"]);
    let handler = |(name, item, runtime): (&str, _, &Table)| Handler {
        name: name.to_owned(),
        source: place(item),
        program: Named::of(root, runtime.get("runtime_path")),
        config: Named::of(root, runtime.get("runtime_config_path")),
        // CRI-O has no snapshotters; its storage does what they do.
        snapshotter: Snapshotter { name: "overlay".to_owned(), source: None },
        image_snapshotter: None,
        guest_pull: runtime
            .get("runtime_pull_image")
            .is_some_and(|item| item.value == crate::format::toml_tree::Value::Bool(true)),
    };
    tables(runtimes).map(handler).collect()
}

/// The files of the directory and of those in it.
fn drop_ins(root: &Root) -> Result<Vec<String>, Stop> {
    let mut found = Vec::new();
    let mut open = vec![DROP_INS.to_owned()];
    let mut looked = 0;
    while let Some(path) = open.pop() {
        looked += 1;
        if looked > FILES_LIMIT {
            let what = format!("more than {FILES_LIMIT} drop-in files");
            let cause = Cause::NotDecidable { line: None, what };
            return Err(Stop::CannotTell(cause, Source::file(DROP_INS)));
        }
        let is_link = root.link(&path).known().is_some();
        match root.stat(&path) {
            Reading::Known(stat) if stat.kind == FileKind::Directory && !is_link => {
                match root.list(&path) {
                    Reading::Known(entries) => open.extend(
                        entries.into_iter().rev().map(|entry| format!("{path}/{}", entry.name)),
                    ),
                    Reading::Absent => {}
                    Reading::Unreadable(cause) => {
                        return Err(Stop::CannotTell(cause, Source::file(path)));
                    }
                }
            }
            Reading::Absent if path == DROP_INS => {}
            Reading::Known(_) | Reading::Absent => found.push(path),
            Reading::Unreadable(cause) => {
                return Err(Stop::CannotTell(cause, Source::file(path)));
            }
        }
    }
    Ok(found)
}
