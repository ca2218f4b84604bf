//! Which kubelet counts, seen from a mount namespace of one's own, as a sandbox or a container has it.

use std::process::{Command, Stdio};

use crate::program::{command, has};

/// What the program says of the kubelet, in a machine whose first process has one beside it. `look` is how the
/// program is started there, in a mount namespace of its own; `None` where no such machine can be made.
fn kubelet_seen_by(look: &str) -> Option<String> {
    if !has("unshare") {
        return None;
    }
    let place = tempfile::tempdir().unwrap();
    let script = format!(
        "cp /bin/sleep \"$PLACE/kubelet\" && mkdir \"$PLACE/other\" || exit 99
        \"$PLACE/kubelet\" 600 &
        until [ \"$(cat /proc/$!/comm)\" = kubelet ]; do :; done
        unshare --mount sh -c '{look}' || exit 99
        kill $!"
    );
    let output = Command::new("unshare")
        .args([
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
            &script,
        ])
        .env("PLACE", place.path())
        .env("PROGRAM", command().get_program())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    if output.status.code() == Some(99) || said.is_empty() {
        println!("left out: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(said)
}

#[test]
fn a_namespace_of_ones_own_over_the_same_files_is_no_other_machine() {
    let Some(said) = kubelet_seen_by("\"$PROGRAM\" facts --only kubelet.config-path") else {
        return;
    };
    assert!(!said.contains("mount namespace"), "{said}");
}

#[test]
fn a_kubelet_beside_other_files_is_not_taken_for_theirs() {
    let look = "cd \"$PLACE/other\" && mount -t tmpfs none . && cd . && cd \"$PLACE/other\" \
        && for top in bin lib lib64 usr proc dev sys; do \
        [ ! -e /$top ] || { mkdir $top && mount --rbind /$top $top; } || exit 99; done \
        && mkdir program && cp \"$PROGRAM\" program/ \
        && chroot . /program/ccgpu-node facts --only kubelet.config-path";
    let Some(said) = kubelet_seen_by(look) else { return };
    assert!(said.contains("mount namespace"), "{said}");
}
