//! Usage: what is refused, how, and with which exit code.

use ccgpu_node::host::Root;

use crate::fixtures::unpack;
use crate::program::{fixture, run};

#[test]
fn usage_errors_exit_with_2_and_print_no_report() {
    for arguments in [
        &["check", "--root", "/nowhere/at/all"][..],
        &["check", "--only", "gpu-presnt"],
        &["check", "--skip", "no-such-rule"],
        &["check", "--assume", "kubelet.version"],
        &["check", "--assume", "kubelet.versoin=1.34"],
        &["check", "--assume", "kubelet.version=new"],
        &["check", "--expect", "gpus"],
        &["check", "--expect", "gpu=8"],
        &["check", "--expect", "gpus=many"],
        &["check", "--expect", "gpus=8", "--expect", "gpus=9"],
        &["fix", "--automatic", "--expect", "gpus=8"],
        &["check", "--rules", "/nowhere.toml"],
        &["check", "--stage", "moon"],
        &["check", "--root", "/", "--host", "-"],
        &["rules", "show", "gpu-presnt"],
        &["frobnicate"],
    ] {
        let outcome = run(arguments);
        assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(!outcome.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_host_that_lacks_what_its_site_expects_is_not_ready() {
    let host = fixture("h100x8-nvswitch4-snp").display().to_string();
    let check = |expectations: &[&str]| {
        let options = expectations.iter().flat_map(|each| ["--expect", each]);
        run(&["check", "--host", host.as_str()].into_iter().chain(options).collect::<Vec<_>>())
    };
    assert_eq!(check(&["gpus=8", "nvswitches=4", "gpu-model=h100"]).code, 0);
    let outcome = check(&["gpus=9"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    let said = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["FAIL gpus-expected", "9 expected by --expect; found: 0000:23:00.0 H100 SXM5 80GB"]
    {
        assert!(said.contains(part), "{part}: {}", outcome.stdout);
    }
    for wrong in ["nvswitches=3", "gpu-model=H200"] {
        assert_eq!(check(&[wrong]).code, 1, "{wrong}");
    }
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let outcome = run(&["check", "--only", "gpu-presnt"]);
    assert!(outcome.stderr.contains("gpu-present"), "{}", outcome.stderr);
    let outcome = run(&["check", "--assume", "kubelet.versoin=1.34"]);
    assert!(outcome.stderr.contains("kubelet.version"), "{}", outcome.stderr);
}

#[test]
fn an_empty_selection_never_passes() {
    let path = fixture("h100x8-nvswitch4-snp").display().to_string();
    let outcome = run(&["check", "--host", &path, "--only", "kubelet", "--skip", "kubelet"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stdout);
}

#[test]
fn every_rule_is_listed_and_shown() {
    let list = run(&["rules", "list"]);
    assert_eq!(list.code, 0);
    assert!(list.stdout.contains("gpu-present"), "{}", list.stdout);
    let show = run(&["rules", "show", "gpu-present"]);
    assert_eq!(show.code, 0);
    assert!(show.stdout.contains("pci.gpu-count"), "{}", show.stdout);
}

#[test]
fn completions_and_the_manual_are_generated() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run(&["completions", shell]);
        assert!(outcome.code == 0 && outcome.stdout.contains("ccgpu-node"), "{shell}");
    }
    assert!(run(&["man"]).stdout.contains(".TH"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    assert_eq!(run(&["man", "--output-dir", path]).code, 0);
    for page in ["ccgpu-node.1", "ccgpu-node-check.1", "ccgpu-node-rules-lint.1"] {
        let text = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    let missing = run(&["man", "--output-dir", &format!("{path}/missing")]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("cannot write the manual pages into"), "{}", missing.stderr);
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::io::Read as _;
    let mut child = crate::program::command()
        .args(["rules", "schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn what_is_vouched_for_is_told_in_every_output() {
    let tree = tempfile::tempdir().unwrap();
    let config = tree.path().join("var/lib/kubelet/config.yaml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(
        &config,
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
    )
    .unwrap();
    let tree = tree.path().to_str().unwrap();
    // The rule is not about the version, and goes by it all the same.
    let arguments = ["--root", tree, "--assume", "kubelet.version=1.34.2", "--only"];
    let rule = "kubelet-pod-resources-get";
    let human = run(&[&["check"][..], &arguments, &[rule]].concat());
    assert!(human.stdout.contains("kubelet.version is 1.34.2: not read"), "{}", human.stdout);
    let report = crate::program::report(&[&arguments[..], &[rule]].concat());
    assert_eq!(report["host"]["assumed"][0]["fact"], "kubelet.version");
    assert_eq!(report["rules"][0]["status"], "pass");
    let facts = run(&["facts", "--root", tree, "--assume", "kubelet.version=1.34.2"]);
    let facts: serde_json::Value = serde_json::from_str(&facts.stdout).unwrap();
    assert_eq!(facts["facts"]["kubelet.version"]["assumed"], true);
}

/// What the README shows is what the program prints.
#[test]
fn the_report_in_the_readme_is_current() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```console\n$ ccgpu-node ").unwrap();
    let (command, rest) = rest.split_once('\n').unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let arguments: Vec<&str> = command.split(' ').collect();
    assert_eq!(run(&arguments).stdout, shown);
}

/// So is its plan.
#[test]
fn the_plan_in_the_readme_is_current() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("$ ccgpu-node fix --root /mnt/image --dry-run\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let host = Root::captured(&fixture("grub-overridden-by-cloud-dropin")).unwrap();
    let tree = tempfile::tempdir().unwrap();
    if !unpack(host.as_archive().unwrap(), tree.path()) {
        println!("left out: device nodes may not be made here");
        return;
    }
    let path = tree.path().to_str().unwrap();
    let outcome = run(&["fix", "--root", path, "--dry-run"]);
    assert_eq!(outcome.stdout.replace(path, "/mnt/image"), shown);
}

#[test]
fn a_plan_for_programs_is_as_its_schema_says() {
    let schema = include_str!("../../schemas/fix-v1.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in ["grub-overridden-by-cloud-dropin", "nouveau-bound", "kubelet-flag-beats-file"] {
        let host = Root::captured(&fixture(name)).unwrap();
        let tree = tempfile::tempdir().unwrap();
        if !unpack(host.as_archive().unwrap(), tree.path()) {
            println!("left out: device nodes may not be made here");
            return;
        }
        let path = tree.path().to_str().unwrap();
        let assume = "kubelet.version=1.33.4";
        for last in ["--dry-run", "--yes", "--yes"] {
            let outcome =
                run(&["fix", "--root", path, "--assume", assume, "--format", "json", last]);
            let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&plan).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}

/// The rule file in the README loads.
#[test]
fn the_rule_in_the_readme_is_valid() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (rule, _) = rest.split_once("```").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rule).unwrap();
    let outcome = run(&["rules", "lint", file.path().to_str().unwrap()]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
}
