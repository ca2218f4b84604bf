//! The version of Kata: from the file that older releases install, else from the shim itself.
//!
//! `versions.yaml`, which every release installs, lists the versions of what Kata is built from, and not
//! that of Kata.

use super::place::{Layout, Places};
use crate::facts::{Cause, Reading, Source, Told};
use crate::format::version::Version;
use crate::host::{Program, Root, Run};

const HINT: &str = "give it with --assume kata.version=3.29.0";

/// The oldest where there is more than one installation: it is what fails.
pub(super) fn read(root: &Root, run: &Run, places: &Places) -> Told<Version> {
    let source = places.found.source.clone();
    match &places.found.reading {
        Reading::Known(true) => {}
        Reading::Known(false) | Reading::Absent => return Told::new(Reading::Absent, source),
        Reading::Unreadable(cause) => return Told::unreadable(cause.clone(), source),
    }
    let mut oldest: Option<Told<Version>> = None;
    for place in &places.all {
        if place.layout == Layout::KataManager {
            continue;
        }
        let told = in_file(root, &place.path).unwrap_or_else(|| ask(root, run, &place.shims()));
        let older = match (&oldest, &told.reading) {
            (None, _) | (Some(_), Reading::Unreadable(_)) => true,
            (Some(known), Reading::Known(version)) => {
                known.reading.known().is_some_and(|known| version < known)
            }
            (Some(_), Reading::Absent) => false,
        };
        if older {
            oldest = Some(told);
        }
    }
    oldest.unwrap_or_else(|| {
        no_answer("kata-manager does not say which version it installed", source)
    })
}

/// `Some` where the file exists and says something, be it wrong.
fn in_file(root: &Root, place: &str) -> Option<Told<Version>> {
    let path = format!("{place}/VERSION");
    let source = Source::line(path.as_str(), 1);
    match root.read_text(&path) {
        Reading::Known(text) => Some(match Version::parse(text.trim()) {
            Ok(version) => Told::known(version, source),
            Err(error) => {
                Told::unreadable(Cause::malformed(1, error.to_string()), source).with_note(HINT)
            }
        }),
        Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => None,
        Reading::Unreadable(cause) => Some(Told::unreadable(cause, source).with_note(HINT)),
    }
}

fn ask(root: &Root, run: &Run, shims: &[String]) -> Told<Version> {
    let there = |shim: &&String| root.stat(shim).known().is_some();
    let Some(binary) = shims.iter().find(there) else {
        let first = shims.first().map_or("/opt/kata", String::as_str);
        return no_answer("neither VERSION nor a shim is there", Source::file(first));
    };
    let source = Source::file(binary.as_str());
    match run.ask(&Program::KataShimVersion { binary: binary.clone() }) {
        Reading::Known(output) => match version_in(&output.stdout) {
            Some(version) if output.code == Some(0) => Told::known(version, source),
            _ => no_answer("the shim gave no version", source),
        },
        Reading::Unreadable(cause) => Told::unreadable(cause, source).with_note(HINT),
        Reading::Absent => no_answer("no program can be asked for its version", source),
    }
}

fn no_answer(why: &str, source: Source) -> Told<Version> {
    Told::unreadable(Cause::NoAnswer(why.to_owned()), source).with_note(HINT)
}

/// The version in `Kata Containers containerd shim (Golang): id: "io.containerd.kata.v2", version:
/// 4.1.0, commit: ...`.
fn version_in(output: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(output).ok()?;
    let (_, after) = text.split_once("version: ")?;
    let version = after.split([',', ' ', '\n']).next()?;
    Version::parse(version).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shims_say_their_version_alike() {
        let version = |text: &str| version_in(text.as_bytes()).map(|version| version.to_string());
        let go = "Kata Containers containerd shim (Golang): id: \"io.containerd.kata.v2\", version: 3.29.0, commit: 8dccf4c\n";
        assert_eq!(version(go).as_deref(), Some("3.29.0"));
        let rust = "Kata Containers containerd shim (Rust): id: io.containerd.kata.v2, version: 4.1.0, commit: 7c6ba40\n";
        assert_eq!(version(rust).as_deref(), Some("4.1.0"));
        assert_eq!(version("version: \n"), None);
        assert_eq!(version("usage\n"), None);
    }
}
