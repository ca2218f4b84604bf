//! The operating system: `os-release`, and the running kernel's release.
//!
//! `os-release` is `KEY=VALUE` with the shell's quotes but without its expansions, so a small parser
//! reads it; a `$` in it is a character like any other.

use std::str::Chars;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::format::version::Version;
use crate::host::Root;

const OS_RELEASE: &str = "/etc/os-release";
const VENDOR_OS_RELEASE: &str = "/usr/lib/os-release";
const KERNEL: &str = "/proc/sys/kernel/osrelease";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

#[derive(Debug)]
pub struct Os {
    pub release: Reading<OsRelease>,
    /// The file that `release` is from.
    pub release_path: &'static str,
    /// As `uname -r` prints it.
    pub kernel: Reading<String>,
    /// As `uname -n` prints it.
    pub host_name: Reading<String>,
}

impl Os {
    /// Whether this is known to be Debian or made from it.
    pub fn is_debian_family(&self) -> bool {
        self.release.known().is_some_and(OsRelease::is_debian_family)
    }
}

/// The fields of `os-release` that are of use; `None` where it has no such line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct OsRelease {
    pub id: Option<String>,
    pub id_like: Option<String>,
    pub version_id: Option<String>,
    pub pretty_name: Option<String>,
}

pub(super) fn gather(root: &Root) -> Os {
    let read = |path: &str| root.read_text(path).and_then(|text| OsRelease::parse(&text));
    let (release, release_path) = match read(OS_RELEASE) {
        Reading::Absent => (read(VENDOR_OS_RELEASE), VENDOR_OS_RELEASE),
        known_or_unreadable => (known_or_unreadable, OS_RELEASE),
    };
    let kernel = match root.read_attribute(KERNEL) {
        // Every kernel has one.
        Reading::Absent => {
            Reading::Unreadable(Cause::NoAnswer("/proc/sys is not there".to_owned()))
        }
        other => other,
    };
    Os { release, release_path, kernel, host_name: root.read_attribute(HOST_NAME) }
}

impl OsRelease {
    /// The last of several lines for one key counts, as it does in a shell.
    pub fn parse(text: &str) -> Reading<Self> {
        let mut release = Self::default();
        for (number, line) in (1_u32..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Reading::Unreadable(Cause::malformed(number, "no KEY=VALUE"));
            };
            let field = match key {
                "ID" => &mut release.id,
                "ID_LIKE" => &mut release.id_like,
                "VERSION_ID" => &mut release.version_id,
                "PRETTY_NAME" => &mut release.pretty_name,
                _ => continue,
            };
            let Some(value) = unquote(value) else {
                return Reading::Unreadable(Cause::malformed(
                    number,
                    format!("{key} is badly quoted"),
                ));
            };
            *field = Some(value);
        }
        Reading::Known(release)
    }

    /// Whether this is Debian or made from it, as Ubuntu is.
    pub fn is_debian_family(&self) -> bool {
        self.names().any(|name| matches!(name, "debian" | "ubuntu"))
    }

    /// Its own id and those of the systems that it is like.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let like = self.id_like.as_deref().unwrap_or_default().split_ascii_whitespace();
        self.id.as_deref().into_iter().chain(like)
    }
}

/// The value without its quotes; `None` where a quote is not closed or something follows it.
fn unquote(value: &str) -> Option<String> {
    let mut rest = value.chars();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            rest.next();
            let plain = quoted(&mut rest, quote)?;
            rest.next().is_none().then_some(plain)
        }
        _ => bare(rest),
    }
}

/// Up to the closing quote. In double quotes a backslash hides some characters behind it, in single
/// quotes none.
fn quoted(rest: &mut Chars<'_>, quote: char) -> Option<String> {
    let mut plain = String::new();
    loop {
        match rest.next()? {
            '\\' if quote == '"' => match rest.next()? {
                hidden @ ('"' | '\\' | '$' | '`') => plain.push(hidden),
                other => plain.extend(['\\', other]),
            },
            end if end == quote => return Some(plain),
            other => plain.push(other),
        }
    }
}

/// One word.
fn bare(mut rest: Chars<'_>) -> Option<String> {
    let mut plain = String::new();
    while let Some(character) = rest.next() {
        match character {
            '\\' => plain.push(rest.next()?),
            '"' | '\'' => return None,
            space if space.is_whitespace() => return None,
            other => plain.push(other),
        }
    }
    Some(plain)
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "os.id",
        kind: Kind::Text,
        doc: "The distribution's short name, as `ubuntu`; `linux` where os-release gives none.",
        needs: Needs::OS,
        read: |facts| {
            // The default is os-release's own.
            field(facts, |release| Some(release.id.clone().unwrap_or_else(|| "linux".to_owned())))
        },
    },
    Fact {
        name: "os.version-id",
        kind: Kind::Text,
        doc: "The distribution's version, as `26.04`; absent on rolling ones.",
        needs: Needs::OS,
        read: |facts| field(facts, |release| release.version_id.clone()),
    },
    Fact {
        name: "os.name",
        kind: Kind::Text,
        doc: "The distribution's name and version for people.",
        needs: Needs::OS,
        read: |facts| field(facts, |release| release.pretty_name.clone()),
    },
    Fact {
        name: "os.family",
        kind: Kind::Text,
        doc: "`debian` for Debian and what is made from it, `other` for the rest.",
        needs: Needs::OS,
        read: |facts| {
            field(facts, |release| {
                Some(if release.is_debian_family() { "debian" } else { "other" }.to_owned())
            })
        },
    },
    Fact {
        name: "host.name",
        kind: Kind::Text,
        doc: "What the host calls itself.",
        needs: Needs::OS,
        read: |facts| match &facts.os {
            Some(os) => {
                Evidence::new(os.host_name.clone().map(Value::Text), Source::file(HOST_NAME))
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "kernel.release",
        kind: Kind::Version,
        doc: "The running kernel's release, as `6.17.0-8-generic`.",
        needs: Needs::OS,
        read: |facts| match &facts.os {
            Some(os) => {
                let reading = os.kernel.as_ref().and_then(|release| {
                    Version::parse(release).map_or_else(
                        |error| Reading::Unreadable(Cause::malformed(1, error.to_string())),
                        |version| Reading::Known(Value::Version(version)),
                    )
                });
                Evidence::new(reading, Source::file(KERNEL))
            }
            None => Evidence::not_gathered(),
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

fn field(facts: &Facts, pick: impl FnOnce(&OsRelease) -> Option<String>) -> Evidence {
    match &facts.os {
        Some(os) => {
            let reading = os.release.as_ref().and_then(|release| {
                pick(release).map_or(Reading::Absent, |text| Reading::Known(Value::Text(text)))
            });
            Evidence::new(reading, Source::file(os.release_path))
        }
        None => Evidence::not_gathered(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    fn parse(text: &str) -> OsRelease {
        OsRelease::parse(text).into_known().unwrap()
    }

    #[test]
    fn quotes_are_taken_off_and_dollars_stay() {
        let release = parse(
            "# a comment\nPRETTY_NAME=\"Ubuntu \\\"R\\\" $HOME 26.04\"\nID='ubuntu'\nID_LIKE=debian\n\
             VERSION_ID=26.04\n\nHOME_URL=\"https://example.org/\n",
        );
        assert_eq!(release.pretty_name.as_deref(), Some("Ubuntu \"R\" $HOME 26.04"));
        assert_eq!(release.id.as_deref(), Some("ubuntu"));
        assert_eq!(release.version_id.as_deref(), Some("26.04"));
        assert!(release.is_debian_family());
        assert!(!parse("ID=fedora\nID_LIKE=\"rhel centos\"").is_debian_family());
    }

    #[test]
    fn the_last_line_counts_and_line_ends_do_not() {
        assert_eq!(parse("ID=a\r\nID=b\r\n").id.as_deref(), Some("b"));
        assert_eq!(parse("ID=\n").id.as_deref(), Some(""));
    }

    #[test]
    fn bad_quoting_is_no_value() {
        for text in ["ID=\"ubuntu", "ID='a'b", "ID=a b", "ID=a\"b\"", "ID=\\", "ID=\"\\", "ubuntu"]
        {
            assert_eq!(OsRelease::parse(text).cause().and_then(Cause::line), Some(1), "{text:?}");
        }
    }

    #[test]
    fn the_vendors_file_stands_in_for_a_missing_one_only() {
        let host = tree(&[
            ("usr/lib/os-release", "ID=rhcos\n"),
            ("proc/sys/kernel/osrelease", "6.17.0-8-generic\n"),
        ]);
        let all = facts(host.path(), Needs::OS);
        let id = value(&all, "os.id");
        assert_eq!(id.reading, Reading::Known(Value::Text("rhcos".to_owned())));
        assert_eq!(id.source, Some(Source::file("/usr/lib/os-release")));
        assert!(value(&all, "os.version-id").reading.is_absent());
        let release = value(&all, "kernel.release").reading.into_known().unwrap();
        assert_eq!(release.to_string(), "6.17.0-8-generic");

        let broken = tree(&[("etc/os-release", "ID=\"\n"), ("usr/lib/os-release", "ID=rhcos\n")]);
        let all = facts(broken.path(), Needs::OS);
        assert!(value(&all, "os.id").reading.cause().is_some());
        assert!(value(&all, "kernel.release").reading.cause().is_some());
    }

    /// The shell is the format's reference.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the oracle is another program")]
    fn values_are_those_that_a_shell_sees() {
        for text in [
            "ID=\"a\\\"b\\\\c\\`\\x\"",
            "ID='a\\b$c'",
            "ID=a\\ b",
            "ID=\"a'b\"",
            "ID=''",
            "ID=plain-1.2",
        ] {
            let script = format!("{text}\nprintf %s \"$ID\"");
            let Ok(output) = std::process::Command::new("sh").args(["-c", &script]).output() else {
                println!("left out: no sh");
                return;
            };
            let expected = String::from_utf8(output.stdout).unwrap();
            assert_eq!(parse(text).id, Some(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(ID=)?[\"'\\\\a $\n=]{0,12}") {
            let _ = OsRelease::parse(&text);
        }
    }
}
