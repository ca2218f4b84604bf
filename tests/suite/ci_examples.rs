//! The examples for CI systems: their shell steps are run as those systems run them, with the real program on
//! recorded hosts in the place of the lab's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ccgpu_node::host::Archive;
use serde_json::Value;

use crate::fixtures::unpack;
use crate::program::{fixture, run};

const GOOD: &str = "h200x8-snp";
const BAD: &str = "no-iommufd";
const WORSE: &str = "iommu-off-by-argument";

/// A file of YAML, read by somebody else's parser; `None` where that is missing.
fn yaml(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name);
    let script =
        "import json, sys, yaml; print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))";
    let output = Command::new("/usr/bin/python3").args(["-c", script]).arg(&path).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named 'yaml'") {
        println!("left out: python3-yaml is not installed");
        return None;
    }
    assert!(output.status.success(), "{}: {said}", path.display());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A machine of the lab: a checkout of the project, a program that looks at a recorded host, and a test.
struct Lab {
    directory: tempfile::TempDir,
    /// Whether the tree that `wait` looks at could be made, and there is a `wait`.
    waits: bool,
}

impl Lab {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree = directory.path().join("tree");
        let archive = Archive::load(&fixture(GOOD)).unwrap();
        let waits = run(&["wait", "--help"]).code == 0 && unpack(&archive, &tree);
        if !waits {
            println!("left out: there is no `wait`, or device nodes may not be made");
        }
        let lab = Self { directory, waits };
        for name in ["bin", "checkout/ci/hosts"] {
            std::fs::create_dir_all(lab.path(name)).unwrap();
        }
        let program = env!("CARGO_BIN_EXE_ccgpu-node");
        let (host, tree) = (lab.path("host"), tree.display());
        let wait = if waits {
            // A tree cannot be asked for its kubelet's version, and nobody waits a quarter of an hour in a test.
            format!(
                "set -- $(echo \"$@\" | sed s/15m/60s/); exec {program} wait --root {tree} \
                 --assume kubelet.version=1.34.2 \"$@\""
            )
        } else {
            "exit 0".to_owned()
        };
        lab.program(
            "bin/ccgpu-node",
            &format!(
                "command=$1; shift\ncase $command in\n\
             check) exec {program} check --host \"$(cat {})\" \"$@\" ;;\n\
             wait) {wait} ;;\n*) echo \"unexpected: $command\" >&2; exit 99 ;;\nesac",
                host.display()
            ),
        );
        lab.program("bin/sudo", "exec \"$@\"");
        lab.program("checkout/ci/test-passthrough.sh", "echo tested; touch tested");
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// From now on the machine is this one.
    fn becomes(&self, name: &str) {
        std::fs::write(self.path("host"), fixture(name).display().to_string()).unwrap();
    }

    /// The test makes another machine of it.
    fn test_ruins_it(&self, name: &str) {
        let (host, path) = (self.path("host"), fixture(name));
        let script = format!("printf %s {} > {}; touch tested", path.display(), host.display());
        self.program("checkout/ci/test-passthrough.sh", &script);
    }

    /// What is known of the machine goes into the checkout, with the command that the example's head gives.
    fn is_known(&self, text: &str, name: &str) {
        let line = text.lines().find_map(|line| line.strip_prefix("#     sudo ")).unwrap();
        let (command, _) = line.rsplit_once('/').unwrap();
        let (code, said) = self.shell(&format!("{command}/{name}.json"), &[]);
        assert!(code < 2, "{code}: {said}");
    }

    /// A script as both systems run it, in the checkout.
    fn shell(&self, script: &str, variables: &[(String, String)]) -> (i32, String) {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("GITHUB_STEP_SUMMARY", self.path("summary.md"))
            .envs(variables.iter().cloned())
            .current_dir(self.path("checkout"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// How a job ended: the first step that failed, and its code.
type Ended = Option<(String, i32)>;

fn variables(of: &Value) -> Vec<(String, String)> {
    let value = |text: &Value| {
        let text = text.as_str().unwrap();
        text.replace("${{ runner.name }}", "lab-1").replace("$CI_RUNNER_ID", "lab-1")
    };
    of.as_object().unwrap().iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// Runs the steps of the workflow by the rules of GitHub: after a failure only those whose condition asks
/// for it.
fn github(lab: &Lab) -> Option<Ended> {
    let workflow = yaml("github-workflow.yml")?;
    let job = &workflow["jobs"]["passthrough"];
    assert_eq!(job["defaults"]["run"]["shell"], "bash");
    let variables = variables(&job["env"]);
    let (mut failed, mut judged) = (None, false);
    for step in job["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else { continue };
        let runs = match step["if"].as_str() {
            None => failed.is_none(),
            Some("${{ always() }}") => true,
            Some("${{ !cancelled() && steps.before.outcome == 'success' }}") => judged,
            Some(other) => panic!("the test does not know the condition {other}"),
        };
        if !runs {
            continue;
        }
        assert!(!script.contains("${{"), "an expression in a script is an injection: {script}");
        let (code, said) = lab.shell(script, &variables);
        println!("{}: {code}\n{said}", step["name"]);
        judged |= step["id"] == "before" && code == 0;
        if code != 0 && failed.is_none() {
            failed = Some((step["name"].as_str().unwrap().to_owned(), code));
        }
    }
    Some(failed)
}

/// Runs the job by the rules of GitLab: all lines of both sections in one shell; what comes after in one
/// of its own, whose code does not count.
fn gitlab(lab: &Lab) -> Option<Ended> {
    let pipeline = yaml("gitlab-ci.yml")?;
    let job = &pipeline["passthrough"];
    let lines = |section: &str| {
        let lines = job[section].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    let variables = variables(&job["variables"]);
    let script = [lines("before_script"), lines("script")].join("\n");
    let (code, said) = lab.shell(&script, &variables);
    println!("{code}\n{said}");
    let (after, said) = lab.shell(&lines("after_script"), &variables);
    assert_eq!(after, 0, "{said}");
    Some((code != 0).then(|| ("script".to_owned(), code)))
}

fn is_tested(lab: &Lab) -> bool {
    let tested = lab.path("checkout/tested").exists();
    let _ = std::fs::remove_file(lab.path("checkout/tested"));
    tested
}

type Run = fn(&Lab) -> Option<Ended>;
const SYSTEMS: [(&str, Run, &str); 2] = [
    ("github", github, include_str!("../../examples/ci/github-workflow.yml")),
    ("gitlab", gitlab, include_str!("../../examples/ci/gitlab-ci.yml")),
];

#[test]
fn a_fit_host_is_tested_and_its_reports_are_kept() {
    for (system, job, _) in SYSTEMS {
        let lab = Lab::new();
        lab.becomes(GOOD);
        let Some(ended) = job(&lab) else { return };
        assert_eq!(ended, None, "{system}");
        assert!(is_tested(&lab), "{system}");
        for report in ["before.json", "host.xml", "host-after.xml"] {
            assert!(
                !lab.read(&format!("checkout/host-reports/{report}")).is_empty(),
                "{system}: {report}"
            );
        }
        let summary = lab.read("summary.md") + &lab.read("checkout/host-reports/host.md");
        assert!(summary.contains("### "), "{system}: {summary}");
        println!("{system} waited: {}", lab.waits);
    }
}

#[test]
fn an_unfit_host_is_not_tested_unless_its_failures_are_known() {
    for (system, job, text) in SYSTEMS {
        let lab = Lab::new();
        lab.becomes(BAD);
        let Some(ended) = job(&lab) else { return };
        assert_eq!(ended.map(|(_, code)| code), Some(1), "{system}");
        assert!(!is_tested(&lab), "{system}");
        assert!(lab.read("checkout/host-reports/host.xml").contains("<failure"), "{system}");
        let summary = lab.read("summary.md") + &lab.read("checkout/host-reports/host.md");
        assert!(summary.contains("iommufd"), "{system}: {summary}");

        lab.is_known(text, "lab-1");
        assert_eq!(job(&lab), Some(None), "{system}");
        assert!(is_tested(&lab), "{system}");
    }
}

#[test]
fn a_test_that_leaves_the_host_worse_has_failed() {
    for (system, job, _) in SYSTEMS {
        let lab = Lab::new();
        lab.becomes(GOOD);
        lab.test_ruins_it(WORSE);
        let Some(ended) = job(&lab) else { return };
        assert_eq!(ended.map(|(_, code)| code), Some(1), "{system}");
        assert!(is_tested(&lab), "{system}");
        assert!(lab.read("checkout/host-reports/host-after.xml").contains("<failure"), "{system}");
    }
}

/// A broken program or file is never taken for a verdict.
#[test]
fn an_error_fails_the_job() {
    for (system, job, _) in SYSTEMS {
        let lab = Lab::new();
        lab.becomes(GOOD);
        std::fs::write(lab.path("checkout/ci/hosts/lab-1.json"), "{").unwrap();
        let Some(ended) = job(&lab) else { return };
        assert_eq!(ended.map(|(_, code)| code), Some(2), "{system}");
        assert!(!is_tested(&lab), "{system}");
    }
}
