//! `--output` and `--baseline`, as a CI job uses them.

use std::path::Path;

use crate::program::{fixture, report, run};

fn host(name: &str) -> String {
    fixture(name).display().to_string()
}

/// Writes a report of a fixture, to be compared with.
fn baseline(directory: &Path, name: &str) -> String {
    let path = directory.join(format!("{name}.json")).display().to_string();
    run(&["check", "--host", &host(name), "--format", "json", "--output", &path]);
    path
}

#[test]
fn a_file_holds_what_standard_output_would_and_no_colour() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report").display().to_string();
    let host = host("no-iommufd");
    for format in ["human", "json", "junit", "markdown", "npd"] {
        let plain = run(&["check", "--host", &host, "--format", format]);
        let filed = run(&[
            "--color", "always", "check", "--host", &host, "--format", format, "--output", &path,
        ]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), plain.stdout, "{format}");
        assert_eq!((filed.code, filed.stdout.as_str()), (plain.code, ""), "{format}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = fifo.display().to_string();
    let host = host("no-iommufd");
    for path in [&*fifo, "/dev/stdout", "/dev/full", "/nowhere/at/all", "/", "/etc"] {
        let outcome = run(&["check", "--host", &host, "--output", path]);
        assert_eq!((outcome.code, &*outcome.stdout), (2, ""), "{path}");
        assert!(outcome.stderr.contains(path), "{path}: {}", outcome.stderr);
    }
}

/// A full disk leaves what was there, and nothing beside it.
#[test]
fn a_report_that_does_not_fit_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report");
    std::fs::write(&path, "old").unwrap();
    // A limit on the size of files stands for a full disk.
    let script = "ulimit -f 1; trap '' XFSZ; exec \"$0\" \"$@\"";
    let output = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ccgpu-node"), "check", "--format", "json"])
        .args(["--host", &host("no-iommufd"), "--output"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&path.display().to_string()), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn what_is_known_does_not_fail_the_gate_and_every_format_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let then = baseline(directory.path(), "no-iommufd");
    let host = host("no-iommufd");
    let arguments = ["check", "--host", &host, "--baseline", &then, "--format"];
    let shown = |format: &str| run(&[&arguments[..], &[format]].concat());
    for format in ["human", "json", "junit", "markdown", "npd", "prometheus"] {
        let outcome = shown(format);
        assert_eq!(outcome.code, 0, "{format}: {}{}", outcome.stdout, outcome.stderr);
    }
    let human = shown("human").stdout;
    assert!(human.contains("KNOWN  iommufd: "), "{human}");
    assert!(human.contains("NOT READY: "), "{human}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&human).contains("exit code 0"), "{human}");
    let line = "1 known failure not counted";
    assert!(words(&human).contains(line), "{human}");
    let json: serde_json::Value = serde_json::from_str(&shown("json").stdout).unwrap();
    assert_eq!((&json["verdict"], &json["exit_code"]), (&"not-ready".into(), &0.into()));
    assert_eq!(json["baseline"]["known_failures"], 1);
    assert_eq!(json["baseline"]["same_host"], true);
    let schema = serde_json::from_str(include_str!("../../schemas/report-v1.json")).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&json));
    let junit = shown("junit").stdout;
    assert!(junit.contains(line) && junit.contains("message=\"known: "), "{junit}");
    let markdown = shown("markdown").stdout;
    assert!(markdown.contains(line) && markdown.contains("| known | "), "{markdown}");
    assert_eq!(shown("npd").stdout, "no worse than the baseline; 1 known failures\n");
    // A metric says what is so.
    assert!(shown("prometheus").stdout.contains("ccgpu_node_verdict{verdict=\"not-ready\"} 1"));
}

#[test]
fn what_got_worse_fails_the_gate_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let then = baseline(directory.path(), "h100x8-nvswitch4-snp");
    let host = host("no-iommufd");
    // One of the two has to be judged as the other.
    let judged = report(&["--host", &host]);
    let stage = judged["stage"]["value"].as_str().unwrap();
    let path = directory.path().join("then.json").display().to_string();
    let good = self::host("h100x8-nvswitch4-snp");
    let tee = judged["tee"]["value"].as_str().unwrap();
    run(&[
        "check", "--host", &good, "--stage", stage, "--tee", tee, "--format", "json", "--output",
        &path,
    ]);
    let outcome = run(&["check", "--host", &host, "--baseline", &path]);
    assert_eq!(outcome.code, 1, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("worse: iommufd passed then"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("0 known failures not"), "{}", outcome.stdout);
    drop(then);
}

#[test]
fn an_unfit_baseline_is_a_usage_error_that_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let good = baseline(directory.path(), "no-iommufd");
    let text = std::fs::read_to_string(&good).unwrap();
    let bad = directory.path().join("bad.json").display().to_string();
    let host = host("no-iommufd");
    let refused = |text: &str, more: &[&str], says: &str| {
        std::fs::write(&bad, text).unwrap();
        let outcome = run(&[&["check", "--host", &host, "--baseline", &bad], more].concat());
        assert_eq!((outcome.code, &*outcome.stdout), (2, ""), "{says}");
        let named = outcome.stderr.contains(&bad) && outcome.stderr.contains(says);
        assert!(named, "{says}: {}", outcome.stderr);
    };
    refused(&text[..text.len() / 2], &[], "whole JSON");
    refused("", &[], "whole JSON");
    refused("{\"format\": \"other\", \"version\": 1}", &[], "no report");
    refused(&text.replace("\"version\": 1,", "\"version\": 7,"), &[], "version 7");
    refused(&text, &["--tee", "none"], "it was judged for TEE");
    refused(&text, &["--stage", "host"], "it was judged for stage");
    for path in ["/nowhere.json", "/dev/zero", "/etc"] {
        let outcome = run(&["check", "--host", &host, "--baseline", path]);
        assert_eq!(outcome.code, 2, "{path}");
        assert!(outcome.stderr.contains(path), "{}", outcome.stderr);
    }
}
