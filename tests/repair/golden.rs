//! What `fix --root` makes of every recorded host, kept as `golden/NAME.diff` to be read and reviewed; a
//! host without such a file is not changed at all.
//!
//! Where `--unsafe` makes more of it, that is in `golden/NAME.unsafe.diff`.
//!
//! `CCGPU_UPDATE_GOLDEN=1` writes the files instead of comparing with them.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::checker::{Oracle, Snapshot, State};
use crate::furnish::unpack;
use crate::world::binary;

/// Files that a repair may change, given a mode, a group and attributes that it must keep.
const ODD: [&str; 2] = ["etc/default/grub", "var/lib/kubelet/config.yaml"];

fn hosts() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".host").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// The version of the kubelet on a recorded host, which its tree alone cannot tell.
fn kubelet(host: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{host}.host"));
    let text = std::fs::read_to_string(path).unwrap();
    let version = text.lines().find_map(|line| line.strip_prefix("Kubernetes v"))?;
    Some(format!("kubelet.version={version}"))
}

/// Runs a command on a tree; its exit code and all that it said.
fn run(host: &str, tree: &Path, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(binary());
    command.args(words).args(["--yes", "--root"]).arg(tree).env_clear().stdin(Stdio::null());
    if let Some(version) = kubelet(host).filter(|_| words.contains(&"fix")) {
        command.args(["--assume", &version]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said.into_owned())
}

fn make_odd(tree: &Path) {
    for path in
        ODD.map(|path| tree.join(path)).iter().filter(|path| path.symlink_metadata().is_ok())
    {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
        if nix::unistd::geteuid().is_root() {
            chown(path, None, Some(4)).unwrap();
        }
        for words in
            [["setfattr", "-n", "user.note", "-v", "kept"].as_slice(), &["setfacl", "-m", "u:7:r"]]
        {
            let done = Command::new(words[0]).args(&words[1..]).arg(path).status();
            if !done.is_ok_and(|status| status.success()) {
                println!("left out: {words:?} does not work here");
            }
        }
    }
}

fn golden(host: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/repair/golden/{host}.diff"))
}

/// Compares with the golden file, or writes it.
fn compare(host: &str, diff: &str) -> Option<String> {
    let path = golden(host);
    if std::env::var_os("CCGPU_UPDATE_GOLDEN").is_some() {
        if diff.is_empty() {
            let _ = std::fs::remove_file(path);
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, diff).unwrap();
        }
        return None;
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    (wanted != diff).then(|| format!("{host}: is repaired differently now:\n{diff}"))
}

/// What repairing a host comes to.
struct Repair {
    diff: String,
    wrong: Vec<String>,
}

/// Repairs a host, once more, and takes it back.
fn repair(host: &str, fix: &[&str]) -> Repair {
    let mut wrong = Vec::new();
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path();
    unpack(host, tree);
    make_odd(tree);
    let before = Snapshot::of_all(tree);

    let (code, said) = run(host, tree, fix);
    let after = Snapshot::of_all(tree);
    let diff = before.diff(&after);
    let succeeded = matches!(code, 0 | 1 | 3 | 4 | 5);
    if !succeeded || (code == 5 && !diff.is_empty()) {
        wrong.push(format!("{host}: fix ended with {code}: {said}"));
    }
    if !after.temporary().is_empty() {
        wrong.push(format!("{host}: fix left {:?}", after.temporary()));
    }
    run(host, tree, fix);
    let again = Snapshot::of_all(tree);
    if !after.differences(&again).is_empty() {
        wrong.push(format!("{host}: a second fix changed {:?}", after.differences(&again)));
    }
    if !diff.is_empty() {
        let (code, said) = run(host, tree, &["rollback"]);
        let state = Oracle { before, after }.judge(&Snapshot::of_all(tree));
        if code != 0 || state != Ok(State::Before) {
            wrong.push(format!("{host}: rollback ended with {code}, {state:?}: {said}"));
        }
    }
    Repair { diff, wrong }
}

/// Repairs a host without and with what is unsafe; says what was wrong.
fn both(host: &str) -> Vec<String> {
    let safe = repair(host, &["fix"]);
    let all = repair(host, &["fix", "--unsafe"]);
    let more = if all.diff == safe.diff { "" } else { &all.diff };
    let compared = [compare(host, &safe.diff), compare(&format!("{host}.unsafe"), more)];
    safe.wrong.into_iter().chain(all.wrong).chain(compared.into_iter().flatten()).collect()
}

#[test]
fn every_recorded_host_is_repaired_as_its_golden_file_says_and_taken_back() {
    let wrong: Vec<String> = hosts().iter().flat_map(|host| both(host)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_golden_file_belongs_to_a_recorded_host() {
    let hosts = hosts();
    let directory = golden("x").parent().unwrap().to_owned();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let host = name.strip_suffix(".diff").unwrap_or(&name);
        let host = host.strip_suffix(".unsafe").unwrap_or(host);
        assert!(hosts.iter().any(|known| known == host), "{name}");
    }
}
