//! What one kernel has on disk: the aliases of its modules, what is built in, NVIDIA's modules, and its
//! initramfs.

use std::collections::BTreeSet;

use crate::facts::{Cause, Reading};
use crate::format::modules_alias;
use crate::host::Root;

/// How every device of NVIDIA begins to say what it is.
const NVIDIA: &[u8] = b"pci:v000010DE";

/// Aliases of a distribution's kernel have 1.5 MB.
const MOST_ALIASES: u64 = 32 << 20;
const MOST_BUILT_IN: u64 = 4 << 20;

/// Directories that are walked for NVIDIA's modules, below that of the kernel; the deepest that packages use
/// is `extra/nvidia/open`.
const PLACES: [&str; 4] = ["updates", "extra", "weak-updates", "kernel/drivers/video"];
const DEPTH: u32 = 3;
/// A tree with more names is not NVIDIA's, and not walked to its end.
const MOST_NAMES: usize = 4096;

/// NVIDIA's own modules; the kernel has others whose names begin so.
const NVIDIA_MODULES: [&str; 5] =
    ["nvidia", "nvidia_uvm", "nvidia_modeset", "nvidia_drm", "nvidia_peermem"];

#[derive(Debug)]
pub struct KernelModules {
    /// As `uname -r` prints it.
    pub release: String,
    /// The lines of `modules.alias` that may be about a device of NVIDIA.
    pub aliases: Reading<Vec<u8>>,
    /// The names of the modules that are built in, with `_` for `-`, as far as anybody asks.
    pub built_in: Reading<BTreeSet<String>>,
    /// Paths of NVIDIA's modules.
    pub nvidia: Reading<BTreeSet<String>>,
    /// `Absent` where there is none by any of the usual names.
    pub initramfs: Reading<Initramfs>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initramfs {
    pub path: String,
    /// Seconds since the epoch; `None` where that is not known.
    pub modified: Option<i64>,
}

impl KernelModules {
    pub(super) fn read(root: &Root, release: String) -> Self {
        let base = format!("/lib/modules/{release}");
        // The name comes from a file; a directory is not to be left by it.
        if release.is_empty() || release.contains('/') || release == ".." {
            let cause = Cause::malformed(None, format!("{release:?} is no kernel's release"));
            return Self::unreadable(release, &cause);
        }
        match root.stat(&base) {
            Reading::Known(_) => {}
            Reading::Absent => {
                return Self::unreadable(release, &Cause::NoAnswer(format!("there is no {base}")));
            }
            Reading::Unreadable(cause) => return Self::unreadable(release, &cause),
        }
        let keep = |line: &[u8]| modules_alias::may_match(line, NVIDIA);
        Self {
            aliases: root.read_lines(&format!("{base}/modules.alias"), MOST_ALIASES, keep),
            built_in: built_in(root, &format!("{base}/modules.builtin")),
            nvidia: nvidia(root, &base),
            initramfs: initramfs(root, &release),
            release,
        }
    }

    fn unreadable(release: String, cause: &Cause) -> Self {
        Self {
            aliases: Reading::Unreadable(cause.clone()),
            built_in: Reading::Unreadable(cause.clone()),
            nvidia: Reading::Unreadable(cause.clone()),
            initramfs: Reading::Unreadable(cause.clone()),
            release,
        }
    }

    pub(super) fn aliases_path(&self) -> String {
        format!("/lib/modules/{}/modules.alias", self.release)
    }
}

/// The modules whose options and denials anybody asks about.
fn matters(name: &str) -> bool {
    ["vfio", "iommufd", "kvm", "nouveau", "nova", "nvidia", "pci_stub"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// The name of the module in a file, as `nvidia_drm` for `nvidia-drm.ko.zst`.
pub(super) fn module_of(file: &str) -> Option<String> {
    let file = file.rsplit('/').next().unwrap_or(file);
    let stem = ["", ".xz", ".zst", ".gz"]
        .iter()
        .find_map(|end| file.strip_suffix(end)?.strip_suffix(".ko"))?;
    Some(stem.replace('-', "_"))
}

fn built_in(root: &Root, path: &str) -> Reading<BTreeSet<String>> {
    let module = |line: &[u8]| std::str::from_utf8(line).ok().and_then(module_of);
    let keep = |line: &[u8]| module(line).is_some_and(|name| matters(&name));
    root.read_lines(path, MOST_BUILT_IN, keep)
        .map(|text| text.split(|byte| *byte == b'\n').filter_map(module).collect())
}

fn nvidia(root: &Root, base: &str) -> Reading<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut names = 0;
    let mut walk: Vec<(String, u32)> =
        PLACES.iter().map(|place| (format!("{base}/{place}"), 0)).collect();
    // Ubuntu's prebuilt drivers stand in directories of their own, as kernel/nvidia-580-open.
    match root.list(&format!("{base}/kernel")) {
        Reading::Known(entries) => walk.extend(
            entries
                .iter()
                .filter(|entry| entry.name.starts_with("nvidia"))
                .map(|entry| (format!("{base}/kernel/{}", entry.name), 1)),
        ),
        Reading::Absent => {}
        Reading::Unreadable(cause) => return Reading::Unreadable(cause),
    }
    while let Some((directory, depth)) = walk.pop() {
        let entries = match root.list(&directory) {
            Reading::Known(entries) => entries,
            // Anything but a directory of this name holds no modules.
            Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => continue,
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        };
        names += entries.len();
        if names > MOST_NAMES {
            let what = format!("{base} has more than {MOST_NAMES} files where drivers are added");
            return Reading::Unreadable(Cause::NotDecidable { line: None, what });
        }
        for entry in entries {
            let path = format!("{directory}/{}", entry.name);
            match module_of(&entry.name) {
                Some(module) if NVIDIA_MODULES.contains(&&*module) => {
                    found.insert(path);
                }
                // Names with a dot are those of files: no directory of drivers has one.
                None if depth < DEPTH && !entry.name.contains('.') && !is_of_kernel(&directory) => {
                    walk.push((path, depth + 1));
                }
                Some(_) | None => {}
            }
        }
    }
    Reading::Known(found)
}

/// The kernel's own tree is not walked: what is added to it stands right there.
fn is_of_kernel(directory: &str) -> bool {
    directory.ends_with("/kernel/drivers/video")
}

/// Debian's name for it, that of dracut on Red Hat's systems, and SUSE's.
fn initramfs(root: &Root, release: &str) -> Reading<Initramfs> {
    let names = [
        format!("initrd.img-{release}"),
        format!("initramfs-{release}.img"),
        format!("initrd-{release}"),
    ];
    for name in names {
        let path = format!("/boot/{name}");
        match root.stat(&path) {
            Reading::Known(stat) => {
                return Reading::Known(Initramfs { path, modified: stat.modified });
            }
            Reading::Absent => {}
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        }
    }
    Reading::Absent
}
