//! The kubelet's version: from the program itself, else from the package of an image, else as assumed.

use super::Told;
use super::process::version_in;
use crate::facts::{Assumptions, Needs, Value};
use crate::format::version::Version;
use crate::host::{Cause, Program, Reading, Root, Run, Source};

pub(super) const FACT: &str = "kubelet.version";
const PACKAGES: &str = "/var/lib/dpkg/status";
/// The largest seen have 6 MB.
const PACKAGES_CAP: u64 = 16 << 20;

/// Reads the version of the program at this path.
pub(super) fn read(
    root: &Root,
    run: &Run,
    needs: Needs,
    program: &Reading<String>,
) -> Told<Version> {
    if needs.has(Needs::KUBELET_VERSION) {
        ask(root, run, program)
    } else {
        Told::new(Reading::Unreadable(Cause::NotGathered), Source::file("/usr/bin/kubelet"))
    }
}

/// The version that the other facts go by: as read, else as the user vouches for it. The fact itself stays
/// what was read, so that a report can say which of the two it was.
pub(super) fn believed(told: &Told<Version>, assumed: &Assumptions) -> Told<Version> {
    match (&told.reading, assumed.get(FACT)) {
        (Reading::Unreadable(_), Some(Value::Version(version))) => {
            Told::known(version.clone(), told.source.clone()).with_note("assumed, not read")
        }
        _ => told.clone(),
    }
}

fn ask(root: &Root, run: &Run, program: &Reading<String>) -> Told<Version> {
    let path = match program {
        Reading::Known(path) => path.clone(),
        Reading::Absent => "/usr/bin/kubelet".to_owned(),
        Reading::Unreadable(cause) => {
            let source = Source::file("/usr/bin/kubelet");
            return Told::new(Reading::Unreadable(cause.clone()), source).with_note(HINT);
        }
    };
    let source = Source::file(path.as_str());
    root.depends_on(&path);
    match run.ask(&Program::KubeletVersion { binary: path }) {
        Reading::Known(output) => match version_in(&output.stdout) {
            Some(version) if output.code == Some(0) => Told::known(version, source),
            _ => {
                let why = "kubelet --version gave no version".to_owned();
                Told::new(Reading::Unreadable(Cause::NoAnswer(why)), source).with_note(HINT)
            }
        },
        Reading::Unreadable(cause) if root.is_live() => {
            Told::new(Reading::Unreadable(cause), source).with_note(HINT)
        }
        Reading::Absent | Reading::Unreadable(_) => package(root).unwrap_or_else(|| {
            let why = "no program can be asked for its version".to_owned();
            Told::new(Reading::Unreadable(Cause::NoAnswer(why)), source).with_note(HINT)
        }),
    }
}

const HINT: &str = "give it with --assume kubelet.version=1.34.2";

/// The installed package, which on a running machine may be newer than what runs.
fn package(root: &Root) -> Option<Told<Version>> {
    if root.is_live() {
        return None;
    }
    let bytes = root.read(PACKAGES, PACKAGES_CAP).into_known()?;
    let (version, line) = installed(&String::from_utf8_lossy(&bytes))?;
    let source = Source::line(PACKAGES, line);
    Some(Told::known(version, source).with_note("of the installed package"))
}

/// The version of the installed package `kubelet` in dpkg's list, and its line.
fn installed(list: &str) -> Option<(Version, u32)> {
    let (mut own, mut installed, mut version) = (false, false, None);
    // An empty line ends a package; the one added here ends the last.
    for (number, line) in (1..).zip(list.lines().chain([""])) {
        if line.is_empty() {
            if own && installed {
                return version;
            }
            (own, installed, version) = (false, false, None);
        } else if let Some((name, value)) = line.split_once(": ") {
            match name {
                "Package" => own = value == "kubelet",
                "Status" => installed = value.ends_with(" installed"),
                "Version" if own => {
                    // An epoch stands before a colon.
                    let value = value.split_once(':').map_or(value, |(_, value)| value);
                    version = Version::parse(value).ok().map(|version| (version, number));
                }
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_installed_package_counts() {
        let list = "Package: kubectl\nStatus: install ok installed\nVersion: 1.35.0-1.1\n\n\
                    Package: kubelet\nStatus: hold ok installed\nArchitecture: amd64\n\
                    Description: node agent\n with: more\nVersion: 1.34.2-1.1\n";
        let (version, line) = installed(list).unwrap();
        assert_eq!((version.to_string().as_str(), line), ("1.34.2-1.1", 10));
        assert_eq!(version, Version::parse("1.34.2").unwrap());
        assert_eq!(
            installed(&list.replace("hold ok installed", "deinstall ok config-files")),
            None
        );
        assert_eq!(installed(""), None);
    }

    #[test]
    fn the_program_says_its_version_in_one_line() {
        let version = |text: &str| version_in(text.as_bytes()).map(|version| version.to_string());
        assert_eq!(version("Kubernetes v1.36.3\n").as_deref(), Some("v1.36.3"));
        assert_eq!(
            version("warning\nKubernetes v1.33.5-eks-113cf36\n").as_deref(),
            Some("v1.33.5-eks-113cf36")
        );
        assert_eq!(version("Kubernetes\n"), None);
        assert_eq!(version(""), None);
    }
}
