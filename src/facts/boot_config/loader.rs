//! Which boot loader keeps the kernel's arguments on a host, told from files alone.

use crate::format::cmdline::Cmdline;
use crate::format::grub_cfg::{GrubCfg, GrubCfgError};
use crate::host::{Cause, DEFAULT_CAP, Reading, Root, Source};

use super::defaults::{DEFAULTS, KERNEL_CMDLINE};

const GRUB_CFGS: [&str; 2] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const LOADER_INFO: &str =
    "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// Where systemd-boot and GRUB find entries, by what distributions mount where.
const ENTRIES: [&str; 3] =
    ["/boot/loader/entries", "/efi/loader/entries", "/boot/efi/loader/entries"];

/// Who keeps the kernel's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    /// GRUB, with the arguments in grub.cfg.
    Grub,
    /// GRUB, with the arguments in `/boot/loader/entries`.
    GrubBls,
    SystemdBoot,
    /// `proxmox-boot-tool`, which copies kernels to partitions that are not mounted.
    ProxmoxBoot,
    /// ostree and bootc: arguments belong to deployments.
    Ostree,
    /// Nothing that this program knows.
    NoneFound,
}

impl Loader {
    /// The fact's text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grub => "grub",
            Self::GrubBls => "grub-bls",
            Self::SystemdBoot => "systemd-boot",
            Self::ProxmoxBoot => "proxmox-boot",
            Self::Ostree => "ostree",
            Self::NoneFound => "none-found",
        }
    }
}

/// What was seen on the way, each file read once.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) loader: Reading<Loader>,
    /// What tells the loader, or where one looked last.
    pub(super) source: Source,
    pub(super) grub_cfg: Reading<GrubCfg>,
    pub(super) grub_cfg_path: &'static str,
    /// The names in the directory of entries, as far as they end in `.conf`.
    pub(super) entries: Reading<Vec<String>>,
    pub(super) entries_path: &'static str,
}

pub(super) fn detect(root: &Root, booted: &Reading<Cmdline>) -> Seen {
    let (grub_cfg, grub_cfg_path) = read_grub_cfg(root);
    let (entries, entries_path) = list_entries(root);
    let mut seen = Seen {
        loader: Reading::Known(Loader::NoneFound),
        source: Source::file(grub_cfg_path),
        grub_cfg,
        grub_cfg_path,
        entries,
        entries_path,
    };
    let mut doubt = None;
    let mut exists = |path: &'static str| match root.stat(path) {
        Reading::Known(_) => true,
        Reading::Absent => false,
        Reading::Unreadable(cause) => {
            doubt.get_or_insert((cause, path));
            false
        }
    };
    // An image that is not running has no /run, but its command line names the deployment.
    let deployed = booted.known().is_some_and(|line| line.last("ostree").is_some());
    let found = if deployed || exists("/run/ostree-booted") {
        Some((Loader::Ostree, "/run/ostree-booted"))
    } else if exists("/etc/kernel/proxmox-boot-uuids") {
        Some((Loader::ProxmoxBoot, "/etc/kernel/proxmox-boot-uuids"))
    } else if booted_by_systemd(root) {
        Some((Loader::SystemdBoot, LOADER_INFO))
    } else if exists(grub_cfg_path) || exists(DEFAULTS) {
        Some(grub(root, &seen))
    } else if seen.entries.known().is_some_and(|names| !names.is_empty()) {
        Some((Loader::SystemdBoot, entries_path))
    } else if exists(KERNEL_CMDLINE) {
        Some((Loader::SystemdBoot, KERNEL_CMDLINE))
    } else {
        None
    };
    match (found, doubt) {
        (Some((loader, path)), _) => {
            seen.loader = Reading::Known(loader);
            seen.source = Source::file(path);
        }
        // What could not be looked at may be the loader's.
        (None, Some((cause, path))) => {
            seen.loader = Reading::Unreadable(cause);
            seen.source = Source::file(path);
        }
        (None, None) => {
            let looked = [
                (seen.grub_cfg.cause().cloned(), grub_cfg_path),
                (seen.entries.cause().cloned(), entries_path),
            ];
            if let Some((Some(cause), path)) = looked.into_iter().find(|(cause, _)| cause.is_some())
            {
                seen.loader = Reading::Unreadable(cause);
                seen.source = Source::file(path);
            }
        }
    }
    seen
}

fn read_grub_cfg(root: &Root) -> (Reading<GrubCfg>, &'static str) {
    let [first, _] = GRUB_CFGS;
    let mut best = (Reading::Absent, first);
    for path in GRUB_CFGS {
        let reading = root.read(path, DEFAULT_CAP).and_then(|bytes| match GrubCfg::parse(&bytes) {
            Ok(config) => Reading::Known(config),
            Err(error) => Reading::Unreadable(malformed(&error)),
        });
        match reading {
            // A capture without a word about one path may still hold the other.
            Reading::Unreadable(Cause::NotCaptured) if best.0.is_absent() => best = (reading, path),
            Reading::Unreadable(Cause::NotCaptured) | Reading::Absent => {}
            Reading::Known(_) | Reading::Unreadable(_) => return (reading, path),
        }
    }
    best
}

pub(super) fn malformed(error: &GrubCfgError) -> Cause {
    Cause::malformed(error.line(), error.to_string())
}

fn list_entries(root: &Root) -> (Reading<Vec<String>>, &'static str) {
    let mut last = (Reading::Absent, ENTRIES[0]);
    for path in ENTRIES {
        let names = root.list(path).map(|entries| {
            let names = entries.into_iter().map(|entry| entry.name);
            names.filter(|name| name.as_bytes().ends_with(b".conf")).collect::<Vec<_>>()
        });
        match names {
            Reading::Known(names) if !names.is_empty() => return (Reading::Known(names), path),
            Reading::Unreadable(cause) if last.0.is_absent() => {
                last = (Reading::Unreadable(cause), path);
            }
            Reading::Known(_) | Reading::Absent | Reading::Unreadable(_) => {}
        }
    }
    last
}

/// GRUB with or without loader entries. Where grub.cfg may not be read, its source text tells.
fn grub(root: &Root, seen: &Seen) -> (Loader, &'static str) {
    let uses_bls = match &seen.grub_cfg {
        Reading::Known(config) => config.uses_bls,
        Reading::Absent | Reading::Unreadable(_) => {
            root.read_text(DEFAULTS).known().is_some_and(|text| asks_for_bls(text))
        }
    };
    let path = if seen.grub_cfg.is_absent() { DEFAULTS } else { seen.grub_cfg_path };
    (if uses_bls { Loader::GrubBls } else { Loader::Grub }, path)
}

fn asks_for_bls(defaults: &str) -> bool {
    let value = defaults
        .lines()
        .filter_map(|line| line.trim().strip_prefix("GRUB_ENABLE_BLSCFG="))
        .next_back();
    value.is_some_and(|value| value.trim_matches(['"', '\'']).starts_with("true"))
}

/// Whether the loader's own note to the system names systemd-boot: 4 bytes of attributes, then UTF-16.
fn booted_by_systemd(root: &Root) -> bool {
    root.read(LOADER_INFO, 4096).known().is_some_and(|bytes| {
        let text: String = bytes.iter().skip(4).step_by(2).map(|&byte| char::from(byte)).collect();
        text.starts_with("systemd-boot")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_entries_are_asked_for_by_the_last_assignment() {
        assert!(asks_for_bls("GRUB_TIMEOUT=5\nGRUB_ENABLE_BLSCFG=true\n"));
        assert!(asks_for_bls("GRUB_ENABLE_BLSCFG=\"true\" # yes\n"));
        assert!(!asks_for_bls("GRUB_ENABLE_BLSCFG=true\nGRUB_ENABLE_BLSCFG=false\n"));
        assert!(!asks_for_bls("#GRUB_ENABLE_BLSCFG=true\n"));
    }
}
