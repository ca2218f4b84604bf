//! The version of the container runtime, from the program itself.

use super::{Name, detect};
use crate::facts::{Assumptions, Cause, Needs, Reading, Source, Told, Value};
use crate::format::version::Version;
use crate::host::{Program, Root, Run};

pub(super) const FACT: &str = "container-runtime.version";
const HINT: &str = "give it with --assume container-runtime.version=2.3.0";

pub(super) fn read(
    root: &Root,
    run: &Run,
    needs: Needs,
    name: Name,
    config: &str,
) -> Told<Version> {
    let source = Source::file(config);
    if !needs.has(Needs::CONTAINER_RUNTIME_VERSION) {
        return Told::unreadable(Cause::NotGathered, source);
    }
    let no_answer = |why: &str, source| {
        Told::unreadable(Cause::NoAnswer(why.to_owned()), source).with_note(HINT)
    };
    // The one inside another program cannot be asked by itself.
    if config != detect::CONTAINERD && config != detect::CRIO {
        return no_answer("it is a part of this distribution of Kubernetes", source);
    }
    let there = |path: &String| root.stat(path).known().is_some();
    let binary = ["/usr/bin", "/usr/local/bin"]
        .map(|directory| format!("{directory}/{}", name.word()))
        .into_iter()
        .find(there);
    let Some(binary) = binary else { return no_answer("its program was not found", source) };
    let source = Source::file(binary.as_str());
    let program = match name {
        Name::Containerd => Program::ContainerdVersion { binary },
        Name::Crio => Program::CrioVersion { binary },
    };
    match run.ask(&program) {
        Reading::Known(output) => match version_in(&output.stdout) {
            Some(version) if output.code == Some(0) => Told::known(version, source),
            _ => no_answer("the program gave no version", source),
        },
        Reading::Unreadable(cause) => Told::unreadable(cause, source).with_note(HINT),
        Reading::Absent => no_answer("no program can be asked for its version", source),
    }
}

/// The version that the meaning of the configuration goes by: as read, else as the user vouches for it.
pub(super) fn believed(told: &Told<Version>, assumed: &Assumptions) -> Reading<Version> {
    match (&told.reading, assumed.get(FACT)) {
        (Reading::Unreadable(_), Some(Value::Version(version))) => Reading::Known(version.clone()),
        (reading, _) => reading.clone(),
    }
}

/// The first version in `containerd github.com/containerd/containerd/v2 v2.3.0 4f2e...`, in which `v2`
/// alone is a part of a name, or in `crio version 1.34.1`.
fn version_in(output: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(output).ok()?;
    let looks_like_one = |word: &&str| {
        let digits = word.strip_prefix('v').unwrap_or(word);
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
    };
    let word = text.lines().next()?.split_ascii_whitespace().find(looks_like_one)?;
    Version::parse(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_programs_say_their_version_in_the_first_line() {
        let version = |text: &str| version_in(text.as_bytes()).map(|version| version.to_string());
        for (text, expected) in [
            ("containerd github.com/containerd/containerd/v2 v2.3.0 4f2e1\n", Some("v2.3.0")),
            ("containerd containerd.io 1.7.27 05044ec\n", Some("1.7.27")),
            ("containerd github.com/containerd/containerd 1.7.24 \n", Some("1.7.24")),
            ("crio version 1.34.1\n   GitCommit: a\n", Some("1.34.1")),
            ("containerd\n", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "{text:?}");
        }
    }
}
