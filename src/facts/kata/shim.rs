//! Which shims are configured, and which of them are for the GPUs of this host's CPU.

use std::collections::BTreeSet;

use super::place::{self, Layout, Places};
use crate::facts::{Cause, Facts, Reading, Value, catalogue};
use crate::host::Root;

/// More directories than any installation has.
const DIRECTORIES_LIMIT: usize = 1000;

/// What a shim is written in; the two read their configurations differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Go,
    Rust,
}

/// A shim, as its configuration's file is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shim {
    /// `qemu-nvidia-gpu-snp`; of a runtime of the site's own, its handler.
    pub name: String,
    /// The shim whose configuration it is: the name, but for a runtime of the site's own.
    pub base: String,
    pub language: Language,
}

impl Shim {
    /// By the name of its configuration's file and of the directory that this is in.
    pub fn of_file(directory: &str, file: &str) -> Option<Self> {
        let base = file.strip_prefix("configuration")?.strip_suffix(".toml")?;
        let base = base.strip_prefix('-').unwrap_or(base);
        let rust = directory.contains("/runtime-rs/") || base.ends_with("-runtime-rs");
        let language = if rust { Language::Rust } else { Language::Go };
        let own = directory.split_once("/custom-runtimes/").map(|(_, handler)| handler);
        let name = own.unwrap_or(if base.is_empty() { "default" } else { base });
        Some(Self { name: name.to_owned(), base: base.to_owned(), language })
    }

    pub fn is_for_nvidia_gpus(&self) -> bool {
        self.base.starts_with("qemu-nvidia-gpu") || self.name.contains("nvidia-gpu")
    }

    /// The trusted execution environment of its guests: `snp`, `tdx` or `none`.
    pub fn tee(&self) -> &'static str {
        let of = |name: &str| {
            let mut words = name.split('-');
            words.find_map(|word| match word {
                "snp" => Some("snp"),
                "tdx" => Some("tdx"),
                _ => None,
            })
        };
        of(&self.base).unwrap_or("none")
    }
}

/// A configuration's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigurationFile {
    pub(super) shim: Shim,
    pub(super) path: String,
}

/// All configurations of all installations, each file once, in the order of names.
pub(super) fn list(root: &Root, places: &Places) -> Reading<Vec<ConfigurationFile>> {
    match &places.found.reading {
        Reading::Known(true) => {}
        Reading::Known(false) | Reading::Absent => return Reading::Absent,
        Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
    }
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for directory in directories(places) {
        let found = if directory.holds_directories {
            below(root, &directory.path)
        } else {
            Reading::Known(vec![directory.path])
        };
        let here = match found {
            Reading::Known(here) => here,
            Reading::Absent => continue,
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        };
        for directory in here {
            match in_directory(root, &directory) {
                Reading::Known(found) => {
                    for file in found {
                        // Former paths are links to the present ones.
                        let real = root.resolve(&file.path).into_known();
                        if seen.insert(real.unwrap_or_else(|| file.path.clone())) {
                            files.push(file);
                        }
                    }
                }
                Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
    }
    files.sort_by(|one, other| (&one.shim.name, &one.path).cmp(&(&other.shim.name, &other.path)));
    Reading::Known(files)
}

struct Directory {
    path: String,
    /// Whether the files are one level further down.
    holds_directories: bool,
}

fn directories(places: &Places) -> Vec<Directory> {
    let flat = |path: String| Directory { path, holds_directories: false };
    let deep = |path: String| Directory { path, holds_directories: true };
    let mut all = Vec::new();
    for each in &places.all {
        match each.layout {
            Layout::KataDeploy => {
                let top = place::defaults(&each.path);
                all.push(deep(format!("{top}/runtimes")));
                all.push(deep(format!("{top}/runtime-rs/runtimes")));
                all.push(deep(format!("{top}/custom-runtimes")));
                all.push(flat(format!("{top}/runtime-rs")));
                all.push(flat(top));
            }
            Layout::KataManager => all.push(deep(each.path.clone())),
            Layout::Package => {
                all.extend(place::PACKAGE_DIRECTORIES.map(|path| flat(path.to_owned())));
            }
        }
    }
    all
}

fn below(root: &Root, top: &str) -> Reading<Vec<String>> {
    root.list(top).map(|entries| {
        let paths = entries.into_iter().map(|entry| format!("{top}/{}", entry.name));
        paths.take(DIRECTORIES_LIMIT).collect()
    })
}

fn in_directory(root: &Root, directory: &str) -> Reading<Vec<ConfigurationFile>> {
    root.list(directory).map(|entries| {
        entries
            .into_iter()
            .filter_map(|entry| {
                let shim = Shim::of_file(&format!("{directory}/"), &entry.name).map(|shim| {
                    Shim { name: shim.name.trim_end_matches('/').to_owned(), ..shim }
                })?;
                Some(ConfigurationFile { shim, path: format!("{directory}/{}", entry.name) })
            })
            .collect()
    })
}

/// The trusted execution environment of the CPU's vendor, whether it is switched on or not.
pub(crate) fn tee_of_cpu(facts: &Facts) -> Reading<&'static str> {
    const VENDOR: &str = "cpu.vendor";
    let read = catalogue::fact(VENDOR).map(|fact| (fact.read)(facts).reading);
    let vendor = match (read, facts.assumed.get(VENDOR)) {
        (Some(Reading::Known(vendor)), _) => vendor,
        (_, Some(vendor)) => vendor.clone(),
        (Some(Reading::Unreadable(cause)), None) => return Reading::Unreadable(cause),
        (Some(Reading::Absent) | None, None) => return Reading::Known("none"),
    };
    Reading::Known(match &vendor {
        Value::Text(vendor) if vendor == "AuthenticAMD" => "snp",
        Value::Text(vendor) if vendor == "GenuineIntel" => "tdx",
        _ => "none",
    })
}
