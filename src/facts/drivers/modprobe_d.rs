//! What the directories of `modprobe.d` say together, by kmod's precedence.
//!
//! A file in an earlier directory hides those of the same name in later ones, also when it is empty or a
//! link to `/dev/null`; what is left is read in the order of the files' names.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Cause, Reading, Source};
use crate::format::cmdline::Cmdline;
use crate::format::modprobe::{self, Says, loads_nothing};
use crate::host::{DEFAULT_CAP, Root};

/// From the one that counts most.
const DIRECTORIES: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];
const LOADED_AT_BOOT: &str = "/etc/modules-load.d";

/// A directive and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub says: Says,
    pub at: Source,
}

/// A file that an initramfs holds a copy of, and that speaks of a driver that may take a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub path: String,
    /// Seconds since the epoch; `None` where that is not known.
    pub modified: Option<i64>,
}

#[derive(Debug)]
pub struct Modprobe {
    /// All directives, in the order in which kmod reads them.
    pub said: Reading<Vec<Said>>,
    pub copied: Vec<Copied>,
}

impl Modprobe {
    pub(super) fn unread(cause: Cause) -> Self {
        Self { said: Reading::Unreadable(cause), copied: Vec::new() }
    }
}

/// Debian's initramfs has no copy of `modules-load.d`, that of dracut has.
pub(super) fn read(root: &Root, debian_like: bool) -> Modprobe {
    let files = match files(root) {
        Ok(files) => files,
        Err(cause) => return Modprobe::unread(cause),
    };
    let (mut said, mut copied) = (Vec::new(), Vec::new());
    for path in files.values() {
        let directives = match root.read_with(path, DEFAULT_CAP, modprobe::parse) {
            Reading::Known(directives) => directives,
            // A link to nowhere says nothing, nor does one to /dev/null.
            Reading::Absent => continue,
            Reading::Unreadable(Cause::NotAFile(_)) if is_masked(root, path) => continue,
            Reading::Unreadable(cause) => return Modprobe::unread(cause),
        };
        if directives.iter().any(|directive| concerns_gpus(&directive.says)) {
            copied.push(self::copied(root, path));
        }
        said.extend(directives.into_iter().map(|directive| Said {
            says: directive.says,
            at: Source::line(path.clone(), directive.line),
        }));
    }
    if !debian_like {
        copied.extend(loaded_at_boot(root));
    }
    Modprobe { said: Reading::Known(said), copied }
}

/// The path of each file that counts, by its name.
fn files(root: &Root) -> Result<BTreeMap<String, String>, Cause> {
    let mut files = BTreeMap::new();
    for directory in DIRECTORIES {
        let entries = match root.list(directory) {
            Reading::Known(entries) => entries,
            Reading::Absent => continue,
            Reading::Unreadable(cause) => return Err(cause),
        };
        for entry in entries {
            if entry.name.as_bytes().ends_with(b".conf") && !entry.name.starts_with('.') {
                let path = format!("{directory}/{}", entry.name);
                files.entry(entry.name).or_insert(path);
            }
        }
    }
    Ok(files)
}

/// Whether a file was put out of effect the way that administrators mask a package's.
fn is_masked(root: &Root, path: &str) -> bool {
    matches!(root.link(path), Reading::Known(target) if target == "/dev/null")
}

fn copied(root: &Root, path: &str) -> Copied {
    let modified = root.stat(path).known().and_then(|stat| stat.modified);
    Copied { path: path.to_owned(), modified }
}

fn loaded_at_boot(root: &Root) -> Vec<Copied> {
    let names = root.list(LOADED_AT_BOOT).into_known().unwrap_or_default();
    let paths = names.iter().filter(|entry| entry.name.as_bytes().ends_with(b".conf"));
    let speaks_of_vfio = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.lines().any(|line| line.trim().replace('-', "_").starts_with("vfio"))
    };
    paths
        .map(|entry| format!("{LOADED_AT_BOOT}/{}", entry.name))
        .filter(|path| root.read_with(path, DEFAULT_CAP, speaks_of_vfio) == Reading::Known(true))
        .map(|path| copied(root, &path))
        .collect()
}

/// Whether a directive is about a driver that may take a GPU, or about one that shall.
fn concerns_gpus(says: &Says) -> bool {
    let of_gpu = |name: &str| {
        ["nvidia", "nouveau", "nova", "vfio"].iter().any(|start| name.starts_with(start))
            && !name.starts_with("nvidiafb")
    };
    match says {
        Says::Alias { pattern, module } => of_gpu(module) || pattern.starts_with("pci:v000010DE"),
        Says::Blacklist { module }
        | Says::Install { module, .. }
        | Says::Options { module, .. }
        | Says::Softdep { module, .. } => of_gpu(module),
    }
}

/// What follows from the directives.
impl Modprobe {
    fn all(&self) -> impl Iterator<Item = &Said> {
        self.said.known().into_iter().flatten()
    }

    /// Where a module is kept from being loaded for a device.
    pub fn denial(&self, module: &str) -> Option<&Source> {
        self.all().find_map(|said| match &said.says {
            Says::Blacklist { module: denied } if denied == module => Some(&said.at),
            // Of several commands for one module kmod runs the first.
            Says::Install { module: denied, command } if denied == module => {
                loads_nothing(command).then_some(&said.at)
            }
            _ => None,
        })
    }

    /// Modules that are denied, each with where.
    pub fn denied(&self) -> BTreeSet<&str> {
        let named = self.all().filter_map(|said| match &said.says {
            Says::Blacklist { module } | Says::Install { module, .. } => Some(module.as_str()),
            _ => None,
        });
        named.filter(|module| self.denial(module).is_some()).collect()
    }

    /// The modules that the configuration names a device by, which outweigh the kernel's own aliases.
    pub fn aliases(&self, device: &str) -> BTreeSet<String> {
        let fits =
            |pattern: &str| crate::format::fnmatch::matches(pattern.as_bytes(), device.as_bytes());
        self.all()
            .filter_map(|said| match &said.says {
                Says::Alias { pattern, module } if fits(pattern) => Some(module.clone()),
                _ => None,
            })
            .collect()
    }

    /// Every value of a module's parameter, in order.
    pub fn parameters<'a>(
        &'a self,
        wanted: &'a str,
        key: &'a str,
    ) -> impl Iterator<Item = (Option<String>, &'a Source)> {
        self.all()
            .filter_map(move |said| match &said.says {
                Says::Options { module, text } if module == wanted => {
                    Some((Cmdline::parse(text.as_bytes()), &said.at))
                }
                _ => None,
            })
            .flat_map(move |(options, at)| {
                let values: Vec<Option<String>> =
                    options.all(key).map(|param| param.value.map(str::to_owned)).collect();
                values.into_iter().map(move |value| (value, at))
            })
    }

    /// Whether `vfio-pci` is loaded before a module.
    pub fn loads_vfio_before(&self, wanted: &str) -> bool {
        self.all().any(|said| match &said.says {
            Says::Softdep { module, before } => {
                module == wanted && before.iter().any(|name| name == "vfio_pci")
            }
            _ => false,
        })
    }

    /// Whether any module is given an option.
    pub fn has_options(&self) -> bool {
        self.all().any(|said| matches!(said.says, Says::Options { .. }))
    }

    /// Options of modules that are built into a kernel, which take theirs from its command line only.
    pub fn options_without_effect(&self, built_in: &BTreeSet<String>) -> BTreeSet<String> {
        self.all()
            .filter_map(|said| match &said.says {
                Says::Options { module, text } if built_in.contains(module) => {
                    Some(format!("{}: options {module} {text}", said.at))
                }
                _ => None,
            })
            .collect()
    }
}
