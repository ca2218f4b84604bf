//! Real machines of others, which lie beside the project where they are at hand.

use std::path::{Path, PathBuf};

use crate::program::{report, rules_with, run, shared, unpack};

/// Unpacks every recorded host, and gives the directories that hold a `sys`.
fn trees(shared: &Path, into: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in ["hosts", "hosts/hwloc", "hosts/ghw"] {
        for entry in std::fs::read_dir(shared.join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains(".tar.") {
                let target = into.join(name.split(".tar").next().unwrap());
                std::fs::create_dir_all(&target).unwrap();
                unpack(&entry.path(), &target);
                collect(&target, &name, 0, &mut found);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

/// The tops of host trees: directories that hold `sys`.
fn collect(directory: &Path, name: &str, depth: u32, found: &mut Vec<(String, PathBuf)>) {
    if directory.join("sys").is_dir() {
        found.push((name.to_owned(), directory.to_owned()));
    } else if depth < 3 {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                collect(&entry.path(), name, depth + 1, found);
            }
        }
    }
}

#[test]
fn no_recorded_host_is_taken_for_a_ready_one() {
    let Some(shared) = shared() else { return };
    let scratch = tempfile::tempdir().unwrap();
    for (name, tree) in trees(&shared, scratch.path()) {
        let path = tree.display().to_string();
        let outcome = run(&["check", "--root", &path]);
        assert!(matches!(outcome.code, 1 | 3), "{name}: exit {}\n{}", outcome.code, outcome.stdout);
        assert_eq!(outcome.stderr, "", "{name}");
        let facts = run(&["facts", "--root", &path]);
        assert_eq!(facts.code, 0, "{name}: {}", facts.stderr);
    }
}

#[test]
fn the_guest_with_a_gpu_is_told_its_faults() {
    let Some(shared) = shared() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let (_, tree) = trees(&shared, scratch.path())
        .into_iter()
        .find(|(name, _)| name.starts_with("h200-guest"))
        .unwrap();
    let report = report(&["--root", tree.to_str().unwrap()]);
    let failed = rules_with(&report, "fail");
    for rule in ["bare-metal", "nvidia-driver-loaded"] {
        assert!(failed.iter().any(|id| id == rule), "{rule} is not among {failed:?}");
    }
    assert!(failed.iter().any(|id| id.starts_with("iommu-")), "{failed:?}");
}

#[test]
fn hosts_without_a_gpu_are_told_so() {
    let Some(shared) = shared() else { return };
    let scratch = tempfile::tempdir().unwrap();
    for (name, tree) in trees(&shared, scratch.path()) {
        if name.starts_with("dell-r820") || name.starts_with("32em64t") {
            let failed = rules_with(&report(&["--root", tree.to_str().unwrap()]), "fail");
            assert!(failed.iter().any(|id| id == "gpu-present"), "{name}: {failed:?}");
        }
    }
}
