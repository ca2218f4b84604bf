//! A capture answers as the host did, and holds nobody's secrets.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::program::{assert_same, command, fixture, fixtures, has, outcome, report, run};

/// The judged part of a JSON report: all but the words about where the facts came from.
fn judged(mut report: Value) -> Value {
    report["host"].take();
    report
}

fn replay(capture: &str, more: &[&str]) -> Value {
    let mut child = command()
        .args(["check", "--format", "json", "--host", "-"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(capture.as_bytes()).unwrap();
    serde_json::from_str(&outcome(child.wait_with_output().unwrap()).stdout).unwrap()
}

#[test]
fn every_fixture_captured_again_gives_the_same_verdicts() {
    for name in fixtures() {
        let path = fixture(&name).display().to_string();
        let capture = run(&["capture", "--host", &path]);
        assert_eq!(capture.code, 0, "{name}: {}", capture.stderr);
        for stage in ["host", "operator"] {
            let before = judged(report(&["--host", &path, "--stage", stage]));
            let after = judged(replay(&capture.stdout, &["--stage", stage]));
            assert_same(&after, &before, &format!("{name} at stage {stage}"));
        }
    }
}

#[test]
fn this_machine_captured_gives_the_same_verdicts() {
    let capture = run(&["capture"]);
    assert_eq!(capture.code, 0, "{}", capture.stderr);
    assert_same(&judged(replay(&capture.stdout, &[])), &judged(report(&[])), "replayed, live");
}

#[test]
fn this_machine_captured_by_an_ordinary_user_gives_the_same_verdicts() {
    if !nix::unistd::geteuid().is_root() || !has("setpriv") {
        println!("left out: only root can become somebody else");
        return;
    }
    // The build directory may be closed to others, so the program is copied to where all can run it.
    let open = tempfile::tempdir_in("/tmp").unwrap();
    let program = open.path().join("ccgpu-node");
    std::fs::copy(env!("CARGO_BIN_EXE_ccgpu-node"), &program).unwrap();
    for path in [open.path(), &program] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let as_nobody = |arguments: &[&str]| {
        let output = std::process::Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(&program)
            .args(arguments)
            .output()
            .unwrap();
        outcome(output)
    };
    let capture = as_nobody(&["capture"]);
    assert_eq!(capture.code, 0, "{}", capture.stderr);
    let live: Value =
        serde_json::from_str(&as_nobody(&["check", "--format", "json"]).stdout).unwrap();
    assert_same(&judged(replay(&capture.stdout, &[])), &judged(live), "replayed, live");
}

#[test]
fn no_secret_leaves_the_machine() {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("proc/cmdline", "quiet root=UUID=s3cret ip=s3cret iommu=pt -- --token s3cret\n");
    write("proc/sys/kernel/hostname", "s3cret\n");
    write("usr/sbin/update-grub", "");
    write(
        "etc/default/grub",
        "# s3cret-looking comments stay out of values\nGRUB_CMDLINE_LINUX=\"luks=s3cret iommu=pt\"\nGRUB_PASSWORD=s3cret\n".replace("# s3cret-looking", "#").as_str(),
    );
    write(
        "boot/grub/grub.cfg",
        "password_pbkdf2 root s3cret\nmenuentry 'a' {\n linux /vmlinuz root=s3cret iommu=pt\n}\n",
    );
    write(
        "var/lib/kubelet/config.yaml",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodURLHeader:\n  Authorization: [\"Bearer s3cret\"]\n# s3cret\nclusterDomain: s3cret.example\n",
    );
    write("proc/1/comm", "systemd\n");
    write("proc/77/comm", "kubelet\n");
    write(
        "proc/77/cmdline",
        "/usr/bin/kubelet\0--config=/var/lib/kubelet/config.yaml\0--node-ip=s3cret\0",
    );
    let tree = tree.path().display().to_string();
    let capture = run(&["capture", "--root", &tree]);
    assert_eq!(capture.code, 0, "{}", capture.stderr);
    assert!(!capture.stdout.contains("s3cret"), "{}", capture.stdout);
    for kept in ["iommu=pt", "KubeletConfiguration", "--config=/var/lib/kubelet/config.yaml"] {
        assert!(capture.stdout.contains(kept), "{kept} is gone from {}", capture.stdout);
    }
    assert_same(
        &judged(replay(&capture.stdout, &[])),
        &judged(report(&["--root", &tree])),
        "replayed, tree",
    );
}

#[test]
fn a_file_that_is_no_capture_is_named() {
    let outcome = run(&["check", "--host", "Cargo.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("not a captured host"), "{}", outcome.stderr);
    assert!(!Path::new("/nowhere").exists());
    let outcome = run(&["check", "--host", "/nowhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("no such file"), "{}", outcome.stderr);
}
