//! Distributions that write the kubelet's configuration themselves, and where each takes it from.

/// Where to change the configuration instead; `None` where its file is the place.
pub(super) fn place(layout: &str) -> Option<&'static str> {
    Some(match layout {
        "eks" => {
            "nodeadm writes this file at every boot: set the values in the NodeConfig of the node \
             group's user data, under spec.kubelet.config"
        }
        "aks" => {
            "AKS writes this file: set the values with `az aks nodepool add --kubelet-config`, as far as \
             it offers them"
        }
        "gke" => {
            "GKE writes this file at every boot: set the values with `gcloud container node-pools update \
             --system-config-from-file`, as far as it offers them"
        }
        "openshift" => {
            "the Machine Config Operator owns this file, and a change makes the node degraded: set the \
             timeout with a KubeletConfig resource and gates with the FeatureGate resource"
        }
        "talos" => {
            "Talos writes this file from its machine configuration: set the values under \
             machine.kubelet.extraConfig and apply it with `talosctl apply-config`"
        }
        "k3s" => {
            "k3s writes its kubelet's configuration at every start: add a file of your own to \
             /var/lib/rancher/k3s/agent/etc/kubelet.conf.d, or kubelet-arg lines to \
             /etc/rancher/k3s/config.yaml, and restart k3s"
        }
        "rke2" => {
            "rke2 writes its kubelet's configuration at every start: add a file of your own to \
             /var/lib/rancher/rke2/agent/etc/kubelet.conf.d, or kubelet-arg lines to \
             /etc/rancher/rke2/config.yaml, and restart rke2-agent or rke2-server"
        }
        "microk8s" => {
            "microk8s configures its kubelet by flags: change them in \
             /var/snap/microk8s/current/args/kubelet and run `snap restart microk8s.daemon-kubelite`"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn managed_hosts_have_another_place_and_plain_ones_do_not() {
        let managed = ["eks", "aks", "gke", "openshift", "talos", "k3s", "rke2", "microk8s"];
        for layout in managed {
            assert!(place(layout).is_some(), "{layout}");
        }
        for layout in ["kubeadm", "kubespray", "kops", "unknown"] {
            assert_eq!(place(layout), None, "{layout}");
        }
    }
}
