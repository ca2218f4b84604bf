//! The configuration that a shim takes: its file, then all that is in `config.d` beside it.
//!
//! Both runtimes read every name there, whatever its ending. The one in Go follows links, the one in Rust
//! refuses them. Keys that nobody knows are ignored.

use super::shim::{ConfigurationFile, Language};
use crate::facts::told::Stop;
use crate::facts::{Cause, Reading, Source};
use crate::format::toml_tree::Table;
use crate::host::{DEFAULT_CAP, Root};

/// More drop-ins than any installation has.
const DROP_INS_LIMIT: usize = 1000;

/// What the files come to.
#[derive(Debug)]
pub(super) struct Effective {
    /// The file alone.
    pub(super) base: Table,
    pub(super) merged: Table,
    /// Names in `config.d` that end in something else than `.toml`, and are read all the same.
    pub(super) stray: Vec<String>,
    /// The directory of the drop-ins, whether it exists or not.
    pub(super) directory: String,
}

pub(super) fn load(root: &Root, file: &ConfigurationFile) -> Result<Effective, Stop> {
    let real = match root.resolve(&file.path) {
        Reading::Known(real) => real,
        Reading::Absent => file.path.clone(),
        Reading::Unreadable(cause) => {
            return Err(Stop::CannotTell(cause, Source::file(file.path.as_str())));
        }
    };
    let base = table(root, &real, &file.path)?;
    let parent = real.rsplit_once('/').map_or("", |(parent, _)| parent);
    let directory = format!("{parent}/config.d");
    let mut effective =
        Effective { merged: base.clone(), base, stray: Vec::new(), directory: directory.clone() };
    let names = match root.list(&directory) {
        Reading::Known(entries) => entries,
        Reading::Absent => return Ok(effective),
        Reading::Unreadable(cause @ Cause::NotADirectory) => {
            return Err(Stop::Fails(cause, Source::file(directory)));
        }
        Reading::Unreadable(cause) => {
            return Err(Stop::CannotTell(cause, Source::file(directory)));
        }
    };
    if names.len() > DROP_INS_LIMIT {
        let what = format!("more than {DROP_INS_LIMIT} drop-in files");
        let cause = Cause::NotDecidable { line: None, what };
        return Err(Stop::CannotTell(cause, Source::file(directory)));
    }
    for entry in names {
        let path = format!("{directory}/{}", entry.name);
        if file.shim.language == Language::Rust && root.link(&path).known().is_some() {
            let cause = Cause::malformed(None, "runtime-rs takes no symbolic link as a drop-in");
            return Err(Stop::Fails(cause, Source::file(path)));
        }
        effective.merged.lay_over(table(root, &path, &path)?);
        if !entry.name.as_bytes().ends_with(b".toml") {
            effective.stray.push(entry.name);
        }
    }
    Ok(effective)
}

/// The file at `path`, which is known to people as `name`.
fn table(root: &Root, path: &str, name: &str) -> Result<Table, Stop> {
    let source = || Source::file(name);
    let bytes = match root.read(path, DEFAULT_CAP) {
        Reading::Known(bytes) => bytes,
        Reading::Absent if root.link(path).known().is_some() => {
            let cause = Cause::malformed(None, "a symbolic link that leads nowhere");
            return Err(Stop::Fails(cause, source()));
        }
        Reading::Absent => {
            let cause = Cause::NoAnswer("it went away while it was looked at".to_owned());
            return Err(Stop::CannotTell(cause, source()));
        }
        Reading::Unreadable(cause @ Cause::NotAFile("a directory")) => {
            return Err(Stop::Fails(cause, source()));
        }
        Reading::Unreadable(cause) => return Err(Stop::CannotTell(cause, source())),
    };
    let fails = |line: Option<u32>, what: String| {
        let source = Source { path: name.into(), line };
        Stop::Fails(Cause::malformed(line, what), source)
    };
    let text =
        std::str::from_utf8(&bytes).map_err(|_| fails(None, "it is not UTF-8".to_owned()))?;
    Table::parse(name, text).map_err(|error| fails(Some(error.line), error.to_string()))
}
