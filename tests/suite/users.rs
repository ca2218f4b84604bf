//! The same host in the eyes of root, of an ordinary user, and of a user who is root in a namespace alone:
//! one may not be told what another sees, and never the opposite of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::fixture;

/// Who else looks, and how. Both see the files of others only as the world does.
const OTHERS: [(&str, &[&str]); 2] = [
    (
        "a user",
        &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"],
    ),
    (
        "root of a namespace",
        &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "unshare",
            "--user",
            "--map-root-user",
        ],
    ),
];

/// What a report of the host says of each rule; `None` where it cannot be looked at in this way here.
fn judged(program: &Path, before: &[&str], host: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut words = before.to_vec();
    let program = program.to_str().unwrap();
    words.extend([program, "check", "--format", "json"]);
    words.extend(host);
    let output = Command::new(words[0]).args(&words[1..]).output().ok()?;
    let report: Value = serde_json::from_slice(&output.stdout).ok()?;
    let rules = report["rules"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Some(rules.map(|rule| (text(&rule["id"]), text(&rule["status"]))).collect())
}

#[test]
fn nobody_is_told_the_opposite_of_what_root_sees() {
    if !nix::unistd::geteuid().is_root() {
        return println!("left out: not root");
    }
    let directory = tempfile::tempdir().unwrap();
    // Others cannot reach a program below root's home.
    let program = directory.path().join("ccgpu-node");
    std::fs::copy(env!("CARGO_BIN_EXE_ccgpu-node"), &program).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    let mut hosts = vec![Vec::new()];
    for name in
        ["h200x8-snp", "hgx-b200x8-tdx", "h100-single-tdx", "acs-off-since-boot", "gate-false"]
    {
        let tree = directory.path().join(name);
        let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/generate.py");
        let unpacked = Command::new("python3")
            .arg(generator)
            .arg("--unpack")
            .arg(fixture(name))
            .arg(&tree)
            .status();
        assert!(unpacked.unwrap().success(), "{name}");
        hosts.push(vec!["--root".to_owned(), tree.to_str().unwrap().to_owned()]);
    }
    for host in &hosts {
        let host: Vec<&str> = host.iter().map(String::as_str).collect();
        let own = judged(&program, &[], &host).unwrap();
        assert!(own.values().any(|status| status == "pass"), "{host:?}: {own:?}");
        for (who, before) in OTHERS {
            let Some(theirs) = judged(&program, before, &host) else {
                println!("left out: {who}, {host:?}");
                continue;
            };
            for (rule, status) in &theirs {
                let of_root = own.get(rule).map_or("not judged", String::as_str);
                let opposite = matches!(
                    (of_root, status.as_str()),
                    ("pass", "fail") | ("fail", "pass") | ("unknown", "pass" | "fail")
                );
                assert!(!opposite, "{rule} of {host:?}: {of_root} for root, {status} for {who}");
            }
        }
    }
}
