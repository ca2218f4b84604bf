//! Processes of a made-up machine, and pods as the kubelet would list them.

use std::os::unix::fs::symlink;

use super::super::testing::Stubs;
use super::*;
use crate::host::pod_resources::Device;

/// Processes by number and name, each with what it has open.
fn machine(processes: &[(u32, &str, &[&str])]) -> (Stubs, Root) {
    let stubs = Stubs::new();
    stubs.write("root/proc/version", "Linux");
    for (pid, name, open) in processes {
        stubs.write(&format!("root/proc/{pid}/comm"), format!("{name}\n"));
        for (number, target) in open.iter().enumerate() {
            stubs.write(&format!("root/proc/{pid}/fd/.keep"), "");
            symlink(target, stubs.path(&format!("root/proc/{pid}/fd/{number}"))).unwrap();
        }
    }
    let root = Root::directory(&stubs.directory().join("root")).unwrap();
    (stubs, root)
}

fn said(processes: &[(u32, &str, &[&str])]) -> Vec<String> {
    let (_keep, root) = machine(processes);
    super::processes(&root).iter().map(ToString::to_string).collect()
}

#[test]
fn virtual_machines_are_seen_by_the_devices_they_have_open() {
    assert_eq!(said(&[(1, "init", &["/dev/null", "socket:[12]"]), (9, "kubelet", &[])]), [""; 0]);
    assert_eq!(
        said(&[
            (1, "init", &["/dev/vfiox", "/dev/kvm"]),
            (20, "qemu-system-x86", &["/dev/vfio/vfio", "/dev/vfio/44", "/dev/vfio/44"]),
            (21, "qemu\x1b[2J", &["/dev/vfio/devices/vfio0"]),
            (22, "handed over", &["anon_inode:[vfio-device]"]),
        ]),
        [
            "qemu-system-x86 (process 20) has /dev/vfio/44 open",
            "qemu-system-x86 (process 20) has /dev/vfio/vfio open",
            "qemu\\x1b[2J (process 21) has /dev/vfio/devices/vfio0 open",
            "handed over (process 22) has anon_inode:[vfio-device] open",
        ]
    );
}

#[test]
fn kubeadm_is_seen_by_its_name() {
    let found = said(&[(1, "init", &[]), (7, "kubeadm", &[]), (8, "kubeadm-not", &[])]);
    assert_eq!(found, ["kubeadm (process 7) runs"]);
}

#[test]
fn what_does_not_show_cannot_be_told() {
    let hidden = "cannot tell what 1 of the processes have open: permission denied";
    let unnamed = "cannot tell what 1 of the processes are: permission denied";
    assert_eq!(said(&[(2, "only one", &[])]), [unnamed, hidden]);
    let (stubs, root) = machine(&[(1, "init", &[]), (2, "odd", &[])]);
    // Something else in the place of a directory.
    stubs.write("root/proc/2/fd", "");
    let found: Vec<String> = super::processes(&root).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["cannot tell what 1 of the processes have open: not a directory"]);
    let root = Root::directory(&stubs.directory().join("bin")).unwrap();
    let found: Vec<String> = super::processes(&root).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["cannot tell which processes run: no /proc"]);
}

#[test]
fn a_tree_of_files_is_never_busy() {
    let (_keep, root) = machine(&[(1, "kubeadm", &["/dev/vfio/1"])]);
    assert_eq!(look(&root, "/var/lib/kubelet"), []);
}

#[test]
fn pods_with_gpus_are_named() {
    let device = |resource: &str, id: &str| Device {
        resource: resource.to_owned(),
        ids: vec![id.to_owned()],
    };
    let pod = |name: &str, devices: Vec<Device>| Pod {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        devices,
    };
    let listed = Reading::Known(vec![
        pod("two", vec![device("nvidia.com/pgpu", "0"), device("nvidia.com/pgpu", "1")]),
        pod("nic", vec![device("intel.com/sriov", "0"), device("nvidia.company/x", "1")]),
        pod("claim", vec![device("gpu.nvidia.com", "gpu-0")]),
        pod("cdi\u{202e}", vec![device("example.com", "nvidia.com/gpu=0")]),
    ]);
    let found: Vec<String> = pods(listed).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "the pod ns/two holds nvidia.com/pgpu",
            "the pod ns/claim holds gpu.nvidia.com",
            "the pod ns/cdi\\u{202e} holds example.com",
        ]
    );
    assert_eq!(pods(Reading::Absent), []);
    let silent = Reading::Unreadable(Cause::NoAnswer("no answer".to_owned()));
    assert!(matches!(pods(silent).as_slice(), [Busy::CannotTellUse(_)]));
}
