//! Whether somebody is at work on the host whom a change would disturb. `--allow-busy` goes on all the
//! same; that is for the callers.

use super::CommandError;
use super::site::Site;
use crate::apply::actions::busy::{Busy, look};
use crate::facts::{Assumptions, Needs, gather};

/// Where the kubelet keeps its own where it is not told otherwise.
const KUBELET: &str = "/var/lib/kubelet";

/// An error that names whoever is in the way. GPUs in use only are where the kubelet restarts: with that,
/// pods that hold them may end. Nobody works on a tree that is not the running machine.
pub(super) fn nobody_is_in_the_way(
    site: &Site<'_>,
    restarts_kubelet: bool,
) -> Result<(), CommandError> {
    if site.is_offline() {
        return Ok(());
    }
    let facts = gather(&site.opened.root, &site.opened.run, Needs::KUBELET, Assumptions::default());
    let start = facts.kubelet.as_ref().and_then(|kubelet| kubelet.start.known());
    let directory = start.and_then(|start| start.root_dir.as_deref()).unwrap_or(KUBELET);
    match in_the_way(&look(&site.opened.root, directory), restarts_kubelet) {
        all if all.is_empty() => Ok(()),
        all => Err(CommandError::Busy(all)),
    }
}

/// Those that count, in words.
fn in_the_way(busy: &[Busy], restarts_kubelet: bool) -> Vec<String> {
    let counts = |busy: &&Busy| restarts_kubelet || !busy.is_use();
    busy.iter().filter(counts).map(Busy::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_in_use_only_forbids_a_restart_of_the_kubelet() {
        let vfio = Busy::VfioOpen {
            pid: 20,
            name: "qemu-system-x86".to_owned(),
            device: "/dev/vfio/44".to_owned(),
        };
        let pod = Busy::GpuPod {
            namespace: "prod".to_owned(),
            pod: "llm-0".to_owned(),
            resource: "nvidia.com/pgpu".to_owned(),
        };
        let hidden = Busy::CannotTellUse("what 1 of the processes have open".to_owned());
        let unnamed = Busy::CannotTell("who runs".to_owned());
        let all = [vfio, pod, Busy::Kubeadm { pid: 7 }, hidden, unnamed];
        assert_eq!(in_the_way(&all, false), ["kubeadm (process 7) runs", "cannot tell who runs"]);
        assert_eq!(in_the_way(&all, true).len(), 5);
        assert!(in_the_way(&[], true).is_empty());
    }
}
