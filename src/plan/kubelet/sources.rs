//! The files that decide what a kubelet takes for its configuration, read through the host's root.
//!
//! Reads and judges nothing, but that a file which cannot be read keeps all others from being changed.

use super::Refused;
use crate::facts::kubelet::{Kubelet, Start, Stop, drop_ins};
use crate::host::{Cause, DEFAULT_CAP, Reading, Root};

/// kubeadm lays this over the configuration whenever it writes it anew.
const INSTANCE: &str = "/var/lib/kubelet/instance-config.yaml";

/// Where flags of the kubelet are kept by one distribution or another.
const FLAG_FILES: [&str; 8] = [
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
    "/etc/kubernetes/kubelet.env",
    "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/usr/lib/systemd/system/kubelet.service",
    "/etc/systemd/system/kubelet.service",
];

const UNIT: &str = "kubelet.service";
const UNIT_DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A file as it was read. The path is absolute inside the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub path: String,
    pub text: Vec<u8>,
}

/// What was read for [`super::changes`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Files {
    /// The file given by `--config`.
    pub main: Option<SourceFile>,
    /// Those of `--config-dir`, in the order in which the kubelet reads them.
    pub drop_ins: Vec<SourceFile>,
    /// kubeadm's `instance-config.yaml`.
    pub instance: Option<SourceFile>,
    /// Files in which flags may stand, only to be named.
    pub flags: Vec<SourceFile>,
    /// The systemd unit to restart, `kubelet.service`; `None` where none is found.
    pub unit: Option<String>,
}

/// Reads what decides the configuration of this kubelet.
pub fn read(root: &Root, kubelet: &Kubelet) -> Result<Files, Refused> {
    let Reading::Known(start) = &kubelet.start else {
        // There is nothing to read, and why is for `changes` to say.
        return Ok(Files::default());
    };
    let mut files = Files::default();
    if let Some(path) = &start.config {
        let Some(file) = file(root, path)? else {
            return Err(refused(path, "the kubelet is told to read this file, but it is missing"));
        };
        files.main = Some(file);
    }
    if let Reading::Known(directory) = &start.config_dir {
        files.drop_ins = in_directory(root, directory)?;
    }
    files.instance = file(root, INSTANCE)?;
    files.flags = FLAG_FILES
        .iter()
        .filter_map(|path| {
            let text = root.read(path, DEFAULT_CAP).into_known()?;
            Some(SourceFile { path: (*path).to_owned(), text })
        })
        .collect();
    files.unit = unit(root, start);
    Ok(files)
}

fn refused(path: &str, why: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), line: None, why: why.into() }
}

fn unreadable(path: &str, cause: &Cause) -> Refused {
    Refused { path: path.to_owned(), line: cause.line(), why: cause.to_string() }
}

fn file(root: &Root, path: &str) -> Result<Option<SourceFile>, Refused> {
    match root.read(path, DEFAULT_CAP) {
        Reading::Known(text) => Ok(Some(SourceFile { path: path.to_owned(), text })),
        Reading::Absent => Ok(None),
        Reading::Unreadable(cause) => Err(unreadable(path, &cause)),
    }
}

fn in_directory(root: &Root, directory: &str) -> Result<Vec<SourceFile>, Refused> {
    if let Reading::Known(_) = root.link(directory.trim_end_matches('/')) {
        let why = "--config-dir is a symbolic link, which the kubelet does not follow";
        return Err(refused(directory, why));
    }
    let paths = drop_ins(root, directory).map_err(|stop| {
        let (Stop::Fails(cause, source) | Stop::CannotTell(cause, source)) = stop;
        unreadable(&source.path, &cause)
    })?;
    paths
        .iter()
        .map(|path| {
            let gone = || refused(path, "the kubelet reads this drop-in, but it leads nowhere");
            file(root, path)?.ok_or_else(gone)
        })
        .collect()
}

/// The unit of the process, as its control group names it; else the unit of that name.
fn unit(root: &Root, start: &Start) -> Option<String> {
    if let Some(pid) = start.pid
        && let Reading::Known(groups) = root.read_text(&format!("/proc/{pid}/cgroup"))
        && let Some(unit) = unit_in(&groups)
    {
        return Some(unit.to_owned());
    }
    UNIT_DIRECTORIES
        .iter()
        .any(|directory| matches!(root.stat(&format!("{directory}/{UNIT}")), Reading::Known(_)))
        .then(|| UNIT.to_owned())
}

/// The service that a control group belongs to: `0::/system.slice/kubelet.service`.
fn unit_in(groups: &str) -> Option<&str> {
    groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .flat_map(|path| path.split('/').rev())
        .find(|name| {
            name.ends_with(".service")
                && name.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@')
                })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_names_the_unit() {
        for (groups, unit) in [
            ("0::/system.slice/kubelet.service\n", Some("kubelet.service")),
            ("12:cpu:/\n1:name=systemd:/system.slice/kubelet.service\n", Some("kubelet.service")),
            ("0::/system.slice/kubelet.service/inner\n", Some("kubelet.service")),
            ("0::/user.slice\n", None),
            ("0::/a;b.service\n", None),
            ("", None),
        ] {
            assert_eq!(unit_in(groups), unit, "{groups:?}");
        }
    }
}
