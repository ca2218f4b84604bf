//! Who forbids a restart of the kubelet or a change of the boot files right now.
//!
//! Only looks. Whether to go on all the same is a person's word; what cannot be told forbids as well.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::locks;
use crate::host::pod_resources::{self, Pod};
use crate::host::{Cause, Reading, Root};
use crate::report::visible;

/// One reason not to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Busy {
    /// A process has a VFIO device open: most likely a virtual machine that a GPU is given to.
    VfioOpen {
        pid: u32,
        name: String,
        device: String,
    },
    /// The kubelet has given a GPU to this pod.
    GpuPod {
        namespace: String,
        pod: String,
        resource: String,
    },
    /// `pid` is `None` where the holder does not show.
    PackageManager {
        name: String,
        pid: Option<u32>,
        lock: String,
    },
    Kubeadm {
        pid: u32,
    },
    /// What could not be told, and why.
    CannotTell(String),
    /// Whether a GPU is in use could not be told, and why.
    CannotTellUse(String),
}

impl Busy {
    /// Whether it is about a GPU in use, which only a restart of the kubelet disturbs.
    pub fn is_use(&self) -> bool {
        match self {
            Self::VfioOpen { .. } | Self::GpuPod { .. } | Self::CannotTellUse(_) => true,
            Self::PackageManager { .. } | Self::Kubeadm { .. } | Self::CannotTell(_) => false,
        }
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VfioOpen { pid, name, device } => {
                write!(out, "{} (process {pid}) has {} open", visible(name), visible(device))
            }
            Self::GpuPod { namespace, pod, resource } => {
                let (namespace, pod) = (visible(namespace), visible(pod));
                write!(out, "the pod {namespace}/{pod} holds {}", visible(resource))
            }
            Self::PackageManager { name, pid: Some(pid), lock } => {
                write!(out, "{} (process {pid}) holds {}", visible(name), visible(lock))
            }
            Self::PackageManager { name, pid: None, lock } => {
                write!(out, "{} holds {}", visible(name), visible(lock))
            }
            Self::Kubeadm { pid } => write!(out, "kubeadm (process {pid}) runs"),
            Self::CannotTell(what) | Self::CannotTellUse(what) => {
                write!(out, "cannot tell {}", visible(what))
            }
        }
    }
}

/// Looks at the running machine. `kubelet_root` is the kubelet's `--root-dir`, `/var/lib/kubelet` as a rule.
/// A root that is not the running machine has nobody at work: nothing.
pub fn look(root: &Root, kubelet_root: &str) -> Vec<Busy> {
    if !root.is_live() {
        return Vec::new();
    }
    let mut all = processes(root);
    let socket = Path::new(kubelet_root).join("pod-resources/kubelet.sock");
    all.extend(pods(pod_resources::list(&socket)));
    all.extend(locks::look(root, Path::new("/")));
    all
}

/// What the kubelet tells of its devices.
fn pods(listed: Reading<Vec<Pod>>) -> Vec<Busy> {
    match listed {
        Reading::Known(pods) => pods.into_iter().flat_map(of_pod).collect(),
        Reading::Absent => Vec::new(),
        Reading::Unreadable(cause) => {
            vec![Busy::CannotTellUse(format!("which pods hold GPUs: {cause}"))]
        }
    }
}

/// NVIDIA's devices of a pod, each resource once.
fn of_pod(pod: Pod) -> impl Iterator<Item = Busy> {
    let resources: BTreeSet<String> = pod
        .devices
        .into_iter()
        .filter(pod_resources::Device::is_nvidia)
        .map(|device| device.resource)
        .collect();
    resources.into_iter().map(move |resource| Busy::GpuPod {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        resource,
    })
}

/// One walk over the processes.
fn processes(root: &Root) -> Vec<Busy> {
    let names = match root.list("/proc") {
        Reading::Known(names) => names,
        Reading::Absent => return vec![Busy::CannotTell("which processes run: no /proc".into())],
        Reading::Unreadable(cause) => {
            return vec![Busy::CannotTell(format!("which processes run: {cause}"))];
        }
    };
    let mut pids: Vec<u32> = names.iter().filter_map(|entry| entry.name.parse().ok()).collect();
    pids.sort_unstable();
    let mut found = Vec::new();
    let (mut unnamed, mut hidden) = (Hidden::default(), Hidden::default());
    if pids.first() != Some(&1) {
        // The first process is always there; where it does not show, others do not either.
        unnamed.add(Cause::Permission);
        hidden.add(Cause::Permission);
    }
    for pid in pids {
        match root.read_attribute(&format!("/proc/{pid}/comm")) {
            Reading::Known(name) if name == "kubeadm" => found.push(Busy::Kubeadm { pid }),
            Reading::Known(_) | Reading::Absent => {}
            Reading::Unreadable(cause) => unnamed.add(cause),
        }
        match vfio_files(root, pid) {
            Ok(devices) => found.extend(devices.into_iter().map(|device| {
                let name = process_name(root, pid).unwrap_or_else(|| "a process".to_owned());
                Busy::VfioOpen { pid, name, device }
            })),
            Err(cause) => hidden.add(cause),
        }
    }
    found.extend(unnamed.told("are").map(Busy::CannotTell));
    found.extend(hidden.told("have open").map(Busy::CannotTellUse));
    found
}

/// Processes that could not be looked at. Their number says more than a line for each.
#[derive(Default)]
struct Hidden {
    count: usize,
    first: Option<Cause>,
}

impl Hidden {
    fn add(&mut self, cause: Cause) {
        // ESRCH: the process ended between two looks.
        if cause != Cause::Os(nix::errno::Errno::ESRCH as i32) {
            self.count += 1;
            self.first.get_or_insert(cause);
        }
    }

    /// `what 3 of the processes have open: permission denied`
    fn told(self, verb: &str) -> Option<String> {
        let (count, cause) = (self.count, self.first?);
        Some(format!("what {count} of the processes {verb}: {cause}"))
    }
}

/// The VFIO devices that a process has open: the groups and containers below `/dev/vfio`, and devices that
/// were handed over without a path.
fn vfio_files(root: &Root, pid: u32) -> Result<BTreeSet<String>, Cause> {
    let directory = format!("/proc/{pid}/fd");
    let names = match root.list(&directory) {
        Reading::Known(names) => names,
        Reading::Absent => return Ok(BTreeSet::new()),
        Reading::Unreadable(cause) => return Err(cause),
    };
    let mut devices = BTreeSet::new();
    for entry in names {
        match root.link(&format!("{directory}/{}", entry.name)) {
            Reading::Known(target) if is_vfio(&target) => {
                devices.insert(target);
            }
            // Closed between two looks, the link is gone or no longer one.
            Reading::Known(_) | Reading::Absent | Reading::Unreadable(Cause::NotAFile(_)) => {}
            Reading::Unreadable(cause) => return Err(cause),
        }
    }
    Ok(devices)
}

fn is_vfio(target: &str) -> bool {
    target.starts_with("/dev/vfio/") || target.starts_with("anon_inode:[vfio-device")
}

/// What a process calls itself, where it is there.
pub(super) fn process_name(root: &Root, pid: u32) -> Option<String> {
    root.read_attribute(&format!("/proc/{pid}/comm")).into_known()
}

#[cfg(test)]
#[path = "busy_tests.rs"]
mod tests;
