//! The files that containerd's configuration is spread over, in the order in which they count.
//!
//! A file is read, then those that it imports; each once, so that a circle ends. A missing import stops
//! containerd, and a pattern that matches nothing does not.

use std::collections::{BTreeSet, VecDeque};

use super::Stop;
use crate::facts::{Cause, Reading, Source};
use crate::format::toml_tree::{Table, Value};
use crate::host::Root;

/// More files than any configuration is made of.
const FILES_LIMIT: usize = 1000;

/// A file and what it says.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) table: Table,
}

/// The main file and all imports, later ones beating earlier ones. The main file must exist.
pub(super) fn load(root: &Root, main: &str) -> Result<Vec<File>, Stop> {
    let mut files: Vec<File> = Vec::new();
    let mut loaded = BTreeSet::new();
    let mut pending = VecDeque::from([(main.to_owned(), None)]);
    while let Some((path, asked)) = pending.pop_front() {
        if !loaded.insert(path.clone()) {
            continue;
        }
        if loaded.len() > FILES_LIMIT {
            let what = format!("more than {FILES_LIMIT} files");
            let cause = Cause::NotDecidable { line: None, what };
            return Err(Stop::CannotTell(cause, Source::file(main)));
        }
        let table = super::read(root, &path).map_err(|stop| missing_import(root, stop, asked))?;
        for (import, line) in imports(&path, &table)? {
            let asked = Source::line(path.as_str(), line);
            let found = resolve(root, &path, &import, &asked)?;
            pending.extend(found.into_iter().map(|found| (found, Some(asked.clone()))));
        }
        files.push(File { path, table });
    }
    Ok(files)
}

/// A file that is missing is best explained by the line that asks for it.
fn missing_import(root: &Root, stop: Stop, asked: Option<Source>) -> Stop {
    match (stop, asked) {
        (Stop::Fails(_, file), Some(asked)) if root.stat(&file.path).is_absent() => {
            let what = format!("imports {}, which does not exist", file.path);
            Stop::Fails(Cause::malformed(asked.line, what), asked)
        }
        (stop, _) => stop,
    }
}

fn imports(path: &str, table: &Table) -> Result<Vec<(String, u32)>, Stop> {
    let Some(item) = table.get("imports") else { return Ok(Vec::new()) };
    let wrong = |line: u32| {
        let cause = Cause::malformed(line, "imports is no array of strings");
        Stop::Fails(cause, Source::line(path, line))
    };
    let Value::Array(items) = &item.value else { return Err(wrong(item.line)) };
    let text = |item: &crate::format::toml_tree::Item| match item.value.text() {
        Some(text) => Ok((text.to_owned(), item.line)),
        None => Err(wrong(item.line)),
    };
    items.iter().map(text).collect()
}

/// The files that an import means: one, or all that a pattern matches.
fn resolve(root: &Root, parent: &str, import: &str, asked: &Source) -> Result<Vec<String>, Stop> {
    let directory = parent.rsplit_once('/').map_or("", |(directory, _)| directory);
    let absolute =
        if import.starts_with('/') { import.to_owned() } else { format!("{directory}/{import}") };
    let path = clean(&absolute);
    if !path.contains('*') {
        return Ok(vec![path]);
    }
    if path.contains(['[', '\\']) {
        let what = format!("the pattern {path} is not understood here");
        return Err(Stop::CannotTell(
            Cause::NotDecidable { line: asked.line, what },
            asked.clone(),
        ));
    }
    let mut found = vec![String::new()];
    for part in path.split('/').skip(1) {
        let mut next = Vec::new();
        for here in &found {
            if !part.contains(['*', '?']) {
                next.push(format!("{here}/{part}"));
                continue;
            }
            let top = if here.is_empty() { "/" } else { here.as_str() };
            match root.list(top) {
                Reading::Known(entries) => next.extend(
                    entries
                        .into_iter()
                        .filter(|entry| matches(part, &entry.name))
                        .map(|entry| format!("{here}/{}", entry.name)),
                ),
                Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => {}
                Reading::Unreadable(cause) => {
                    return Err(Stop::CannotTell(cause, Source::file(top)));
                }
            }
        }
        if next.len() > FILES_LIMIT {
            let what = format!("the pattern {path} matches more than {FILES_LIMIT} files");
            let cause = Cause::NotDecidable { line: asked.line, what };
            return Err(Stop::CannotTell(cause, asked.clone()));
        }
        found = next;
    }
    // A part after the last pattern is a name that may not exist.
    found.retain(|path| !root.stat(path).is_absent() || root.link(path).known().is_some());
    Ok(found)
}

/// A path without `.`, `..` and doubled slashes, as Go makes it before anything is looked up.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whether a name matches a pattern of `*` and `?`; a dot at its start is a character like any other.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut in_name) = (0, 0);
    // Where to go on when the last star has to take one character more.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = name.get(in_name) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at += 1;
                in_name += 1;
            }
            _ => match &mut star {
                Some((after, taken)) => {
                    *taken += 1;
                    (at, in_name) = (*after, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("/etc/containerd/../x//./y", "/etc/x/y"),
            ("/../../a", "/a"),
            ("/", "/"),
            ("", "/"),
            ("/a/b/", "/a/b"),
        ] {
            assert_eq!(clean(path), expected);
        }
    }

    proptest! {
        /// The same pattern as a regular expression is the oracle.
        #[test]
        fn a_pattern_matches_what_its_expression_matches(
            pattern in "[ab.*?]{0,8}", name in "[ab.]{0,8}",
        ) {
            let expression: String = pattern
                .chars()
                .map(|c| match c {
                    '*' => ".*".to_owned(),
                    '?' => ".".to_owned(),
                    c => regex::escape(&c.to_string()),
                })
                .collect();
            let expression = regex::Regex::new(&format!("^(?s:{expression})$")).unwrap();
            prop_assert_eq!(matches(&pattern, &name), expression.is_match(&name));
        }
    }
}
