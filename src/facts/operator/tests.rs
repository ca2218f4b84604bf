//! What is read of the operator's traces.

use super::super::testing::tree;
use super::validations::{Validation, Validations};
use super::*;
use crate::facts::Cause;

fn validations(boot: Reading<i64>, times: &[Reading<i64>]) -> Validations {
    let file = |(number, modified): (usize, &Reading<i64>)| Validation {
        name: number.to_string(),
        modified: modified.clone(),
    };
    Validations {
        files: Reading::Known(times.iter().enumerate().map(file).collect()),
        workload_type: Reading::Absent,
        boot_time: boot,
    }
}

#[test]
fn a_file_is_stale_when_it_is_from_before_the_boot() {
    let known = Reading::Known;
    let all = validations(known(1000), &[known(100), known(1001), known(i64::MIN), known(950)]);
    assert_eq!(all.stale(), Reading::Known(vec!["0", "2"]));
}

#[test]
fn a_time_that_is_unknown_makes_the_answer_unknown_unless_another_file_is_stale() {
    let unknown = || Reading::Unreadable(Cause::NotCaptured);
    let known = Reading::Known;
    assert!(validations(known(1000), &[known(1001), unknown()]).stale().cause().is_some());
    assert_eq!(validations(known(1000), &[known(1), unknown()]).stale(), Reading::Known(vec!["0"]));
    assert!(validations(unknown(), &[known(1)]).stale().cause().is_some());
    assert!(validations(Reading::Absent, &[known(1)]).stale().cause().is_some());
    assert_eq!(validations(unknown(), &[]).stale(), Reading::Known(Vec::new()));
}

#[test]
fn only_sockets_of_plugins_for_guests_count() {
    let host = tree(&[
        ("var/lib/kubelet/device-plugins/sandbox-pgpu.sock", "a file"),
        ("var/lib/kubelet/device-plugins/kubelet.sock", ""),
    ]);
    let directory = host.path().join("var/lib/kubelet/device-plugins");
    drop(std::os::unix::net::UnixListener::bind(directory.join("sandbox-nvswitch.sock")).unwrap());
    let root = Root::directory(host.path()).unwrap();
    let files = gather_files(&root);
    assert_eq!(files.sockets.names, Reading::Known(vec!["sandbox-nvswitch.sock".to_owned()]));
    assert!(files.validations.files.is_absent());
    assert_eq!(files.validations.has("vfio-pci-ready"), Reading::Known(false));
}
