//! Where Kata Containers is installed: by kata-deploy, by NVIDIA's older kata-manager, or by a package.

use crate::facts::{Cause, Reading, Source, Told};
use crate::host::Root;

const OPT: &str = "/opt";

/// Where kata-manager keeps its artefacts.
const KATA_MANAGER: &str = "/opt/nvidia-gpu-operator/artifacts/runtimeclasses";

/// Shims of packages, and the directories in which such a shim looks for its configuration.
const PACKAGE_SHIMS: [&str; 2] =
    ["/usr/bin/containerd-shim-kata-v2", "/usr/local/bin/containerd-shim-kata-v2"];
pub(super) const PACKAGE_DIRECTORIES: [&str; 3] = [
    "/etc/kata-containers",
    "/usr/share/defaults/kata-containers",
    "/usr/share/kata-containers/defaults",
];

/// Who installed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    KataDeploy,
    KataManager,
    Package,
}

impl Layout {
    pub fn name(self) -> &'static str {
        match self {
            Self::KataDeploy => "kata-deploy",
            Self::KataManager => "kata-manager",
            Self::Package => "package",
        }
    }
}

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub layout: Layout,
    /// `/opt/kata`; of a package, its shim.
    pub path: String,
}

impl Place {
    /// The shims, the one that tells its version fastest first.
    pub(super) fn shims(&self) -> Vec<String> {
        match self.layout {
            Layout::KataDeploy => vec![rust_shim(&self.path), go_shim(&self.path)],
            Layout::KataManager => Vec::new(),
            Layout::Package => vec![self.path.clone()],
        }
    }
}

/// All installations, and whether there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    pub found: Told<bool>,
    pub all: Vec<Place>,
}

/// Looks for installations; the directory alone, which an uninstallation leaves behind, is none.
pub(in crate::facts) fn find(root: &Root) -> Places {
    let mut all = Vec::new();
    let mut doubt = None;
    let mut note = |reading: Reading<bool>, path: &str| match reading {
        Reading::Known(there) => there,
        Reading::Absent => false,
        Reading::Unreadable(cause) => {
            doubt.get_or_insert((cause, Source::file(path)));
            false
        }
    };
    let opt: Vec<String> = match root.list(OPT) {
        Reading::Known(entries) => entries.into_iter().map(|entry| entry.name).collect(),
        Reading::Absent => Vec::new(),
        Reading::Unreadable(cause) => {
            note(Reading::Unreadable(cause), OPT);
            Vec::new()
        }
    };
    for name in &opt {
        if name != "kata" && !name.starts_with("kata-") {
            continue;
        }
        let path = format!("{OPT}/{name}");
        let signs = [defaults(&path), go_shim(&path), rust_shim(&path)];
        if signs.iter().any(|sign| note(exists(root, sign), sign)) {
            all.push(Place { layout: Layout::KataDeploy, path });
        }
    }
    if opt.iter().any(|name| name == "nvidia-gpu-operator")
        && note(exists(root, KATA_MANAGER), KATA_MANAGER)
    {
        all.push(Place { layout: Layout::KataManager, path: KATA_MANAGER.to_owned() });
    }
    for shim in PACKAGE_SHIMS {
        // kata-deploy of old links its own shim into the search path.
        let own = matches!(root.link(shim), Reading::Known(target) if target.starts_with(OPT));
        if !own && note(exists(root, shim), shim) {
            all.push(Place { layout: Layout::Package, path: shim.to_owned() });
        }
    }
    let found = match (all.first(), doubt) {
        (Some(place), _) => Told::known(true, Source::file(place.path.as_str())),
        (None, Some((cause, source))) => Told::unreadable(cause, source),
        (None, None) => Told::known(false, Source::file("/opt/kata"))
            .with_note("neither a shim nor its configurations, here or of a package"),
    };
    Places { found, all }
}

/// The directory of the configurations that kata-deploy installs.
pub(super) fn defaults(place: &str) -> String {
    format!("{place}/share/defaults/kata-containers")
}

fn go_shim(place: &str) -> String {
    format!("{place}/bin/containerd-shim-kata-v2")
}

fn rust_shim(place: &str) -> String {
    format!("{place}/runtime-rs/bin/containerd-shim-kata-v2")
}

/// Whether there is anything at a path, links followed. A file in the place of a directory on the way
/// means that there is not.
pub(in crate::facts) fn exists(root: &Root, path: &str) -> Reading<bool> {
    match root.stat(path) {
        Reading::Known(_) => Reading::Known(true),
        Reading::Absent | Reading::Unreadable(Cause::NotADirectory) => Reading::Known(false),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}
