//! Which distribution a kubelet's files look like, and where each keeps its configuration.
//!
//! The same path means different things to different distributions, so a file counts only when it says
//! that it is a `KubeletConfiguration`.

use crate::host::{Cause, DEFAULT_CAP, Reading, Root, Source};

/// Paths of the configuration and whose they are, the usual one first.
const PATHS: &[(&str, &str)] = &[
    ("/var/lib/kubelet/config.yaml", "kubeadm"),
    ("/etc/kubernetes/kubelet-config.yaml", "kubespray"),
    ("/var/lib/kubelet/kubelet.conf", "kops"),
    ("/etc/kubernetes/kubelet/config.json", "eks"),
    ("/etc/kubernetes/kubelet/kubelet-config.json", "eks"),
    ("/etc/default/kubeletconfig.json", "aks"),
    ("/home/kubernetes/kubelet-config.yaml", "gke"),
    ("/etc/kubernetes/kubelet.conf", "openshift"),
    ("/etc/kubernetes/kubelet.yaml", "talos"),
];

/// Directories that only one distribution uses.
const PREFIXES: &[(&str, &str)] = &[
    ("/var/lib/rancher/rke2/", "rke2"),
    ("/var/lib/rancher/k3s/", "k3s"),
    ("/var/snap/microk8s/", "microk8s"),
    ("/snap/microk8s/", "microk8s"),
    ("/etc/openshift/", "openshift"),
    ("/etc/eks/", "eks"),
];

pub(super) const UNKNOWN: &str = "unknown";

/// The distribution that one of these paths betrays.
pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> &'static str {
    paths
        .into_iter()
        .find_map(|path| {
            PATHS.iter().find_map(|(known, layout)| (*known == path).then_some(*layout)).or_else(
                || {
                    PREFIXES
                        .iter()
                        .find_map(|(prefix, layout)| path.starts_with(prefix).then_some(*layout))
                },
            )
        })
        .unwrap_or(UNKNOWN)
}

/// Distributions that start the kubelet themselves, by a file of theirs, where there is no kubelet's unit.
pub(super) fn without_unit(root: &Root) -> Option<(&'static str, Source)> {
    const SIGNS: &[(&str, &str)] = &[
        ("/var/snap/microk8s/current/args/kubelet", "microk8s"),
        ("/var/lib/rancher/rke2/agent/etc/kubelet.conf.d", "rke2"),
        ("/var/lib/rancher/k3s/agent/etc/kubelet.conf.d", "k3s"),
    ];
    SIGNS.iter().find_map(|(path, layout)| {
        matches!(root.stat(path), Reading::Known(_)).then(|| (*layout, Source::file(*path)))
    })
}

/// A configuration at one of the known paths, for where nothing says how the kubelet is started.
pub(super) fn known_file(root: &Root) -> Result<Option<&'static str>, (Cause, Source)> {
    const MARK: &[u8] = b"KubeletConfiguration";
    for (path, _) in PATHS {
        match root.read(path, DEFAULT_CAP) {
            Reading::Known(text) if text.windows(MARK.len()).any(|part| part == MARK) => {
                return Ok(Some(path));
            }
            Reading::Known(_) | Reading::Absent => {}
            Reading::Unreadable(cause) => return Err((cause, Source::file(*path))),
        }
    }
    Ok(None)
}
