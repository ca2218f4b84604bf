//! Which container runtime there is, and where it keeps its configuration.

use super::Name;
use crate::facts::kata::exists;
use crate::facts::{Cause, Reading, Source, Told};
use crate::host::Root;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) name: Name,
    /// The main file, whether it exists or not.
    pub(super) config: &'static str,
}

struct Candidate {
    name: Name,
    config: &'static str,
    /// Besides the configuration, any of these proves that it is installed.
    signs: &'static [&'static str],
    socket: &'static str,
}

/// Those that come with a distribution of Kubernetes, before those that stand alone.
const CANDIDATES: [Candidate; 6] = [
    Candidate {
        name: Name::Containerd,
        config: "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        signs: &[],
        socket: "/run/k3s/containerd/containerd.sock",
    },
    Candidate {
        name: Name::Containerd,
        config: "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
        signs: &[],
        socket: "/run/k3s/containerd/containerd.sock",
    },
    Candidate {
        name: Name::Containerd,
        config: "/etc/k0s/containerd.toml",
        signs: &[],
        socket: "/run/k0s/containerd.sock",
    },
    Candidate {
        name: Name::Containerd,
        config: "/var/snap/microk8s/current/args/containerd.toml",
        signs: &[],
        socket: "/var/snap/microk8s/common/run/containerd.sock",
    },
    Candidate {
        name: Name::Containerd,
        config: CONTAINERD,
        signs: &["/usr/bin/containerd", "/usr/local/bin/containerd"],
        socket: "/run/containerd/containerd.sock",
    },
    Candidate {
        name: Name::Crio,
        config: CRIO,
        signs: &["/etc/crio/crio.conf.d", "/usr/bin/crio", "/usr/local/bin/crio"],
        socket: "/run/crio/crio.sock",
    },
];

pub(super) const CONTAINERD: &str = "/etc/containerd/config.toml";
pub(super) const CRIO: &str = "/etc/crio/crio.conf";

pub(super) fn detect(root: &Root) -> Told<Detected> {
    let mut doubt: Option<(Cause, Source)> = None;
    let mut there = |path: &str| match exists(root, path) {
        Reading::Known(there) => there,
        Reading::Absent => false,
        Reading::Unreadable(cause) => {
            doubt.get_or_insert((cause, Source::file(path)));
            false
        }
    };
    let installed: Vec<&Candidate> = CANDIDATES
        .iter()
        .filter(|candidate| {
            there(candidate.config) || candidate.signs.iter().any(|sign| there(sign))
        })
        .collect();
    let running: Vec<&Candidate> = match installed.as_slice() {
        [] | [_] => installed.clone(),
        several => several.iter().copied().filter(|each| there(each.socket)).collect(),
    };
    let known = |candidate: &Candidate| {
        let Candidate { name, config, .. } = *candidate;
        Told::known(Detected { name, config }, Source::file(config))
    };
    match (running.as_slice(), installed.as_slice(), doubt) {
        ([one], ..) => known(one),
        ([], [], Some((cause, source))) => Told::unreadable(cause, source),
        ([], [], None) => Told::new(Reading::Absent, Source::file(CONTAINERD))
            .with_note("neither containerd nor CRI-O is installed"),
        // One that Kubernetes' distribution brought serves the kubelet, whatever else is installed.
        ([first, ..], ..) if first.config != CONTAINERD && first.name == Name::Containerd => {
            known(first)
        }
        (_, several, _) => {
            let names: Vec<&str> = several.iter().map(|each| each.config).collect();
            let why =
                format!("more than one container runtime is configured: {}", names.join(", "));
            let source = several.first().map_or(CONTAINERD, |each| each.config);
            Told::unreadable(Cause::NoAnswer(why), Source::file(source))
        }
    }
}
