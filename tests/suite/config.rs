//! The configuration as the program finds it: on a machine whose `/etc` is another one for each run.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Outcome, command, fixture, outcome, run};

/// Runs the program on this machine with these files in `/etc/ccgpu-node`, and nothing else in `/etc`;
/// `None` where no file system may be mounted.
fn with_site(files: &[(&str, &str)], arguments: &[&str]) -> Option<Outcome> {
    let site = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = site.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let script = "mount -t tmpfs none /etc && cp -r \"$0\" /etc/ccgpu-node || exit 77\nexec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .arg(site.path())
        .arg(env!("CARGO_BIN_EXE_ccgpu-node"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()
        .map(outcome);
    let made =
        output.filter(|outcome| outcome.code != 77 && !outcome.stderr.starts_with("unshare: "));
    if made.is_none() {
        println!("left out: no file system can be mounted");
    }
    made
}

const NARROW: (&str, &str) = (
    "config.toml",
    "[check]\nstage = \"host\"\ntee = \"none\"\nonly = [\"kubelet\", \"platform\"]\n",
);

/// The file and line that set an expectation are named; an option takes the place of its key alone.
#[test]
fn what_a_site_expects_is_judged_by_where_it_is_written() {
    let site = [("config.toml", "[check.expect]\nnvswitches = 4\ngpus = 8\n")];
    let note = |arguments: &[&str]| -> Option<String> {
        let all =
            [&["check", "--format", "json", "--only", "nvswitches-expected"], arguments].concat();
        let report = with_site(&site, &all)?.stdout;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        Some(report["rules"][0]["findings"][0]["note"].as_str().unwrap_or_default().to_owned())
    };
    let Some(told) = note(&[]) else { return };
    assert!(told.starts_with("4 expected by /etc/ccgpu-node/config.toml:2; found"), "{told}");
    for (option, by) in
        [("nvswitches=6", "6 expected by --expect"), ("gpus=1", "4 expected by /etc")]
    {
        let told = note(&["--expect", option]).unwrap();
        assert!(told.starts_with(by), "{told}");
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_the_configuration_asks_for_is_done_and_said() {
    let drop_in = (
        "config.d/10.toml",
        "[check]\nskip = [\"kubelet\"]\nassume = [\"kubelet.version=1.34.2\"]\n",
    );
    let site = [NARROW, drop_in];
    let Some(human) = with_site(&site, &["check"]) else { return };
    let said = words(&human.stdout);
    for part in [
        "stage host (set in /etc/ccgpu-node/config.toml:2)",
        "tee none (set in /etc/ccgpu-node/config.toml:3)",
        "left out by only in /etc/ccgpu-node/config.toml:4 and skip in /etc/ccgpu-node/config.d/10.toml:2",
        "this is not the whole answer",
    ] {
        assert!(said.contains(part), "{part}: {}", human.stdout);
    }
    let json = with_site(&site, &["check", "--format", "json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["left_out"].as_u64().unwrap() > 0, "{json}");
    assert_eq!(json["stage"]["why"], "set in /etc/ccgpu-node/config.toml:2");
    let groups = json["rules"].as_array().unwrap().iter().map(|rule| &rule["group"]);
    assert!(groups.clone().all(|group| group == "platform") && groups.count() > 0, "{json}");
    let markdown = with_site(&site, &["check", "--format", "markdown"]).unwrap().stdout;
    // Markdown gives a dot a meaning, so it is written as a number there.
    assert!(markdown.contains("left out by <code>only in /etc/ccgpu-node/config"), "{markdown}");

    // What is typed counts before what is written.
    let typed = ["check", "--stage", "operator", "--only", "iommu"];
    let said = words(&with_site(&[NARROW], &typed).unwrap().stdout);
    assert!(said.contains("stage operator (asked for)"), "{said}");
    assert!(said.contains("left out by --only or --skip"), "{said}");
    // Mending goes by the same choice.
    let fix = with_site(&[NARROW], &["fix", "--dry-run", "--format", "json"]).unwrap();
    assert_ne!(fix.code, 2, "{}", fix.stderr);
}

#[test]
fn another_host_is_judged_as_if_there_were_no_configuration() {
    let host = fixture("grub-overridden-by-cloud-dropin").display().to_string();
    let broken = ("config.d/10.toml", "[chek]\n");
    let plain = run(&["check", "--host", &host, "-v"]);
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path().display().to_string();
    for files in [&[NARROW][..], &[NARROW, broken]] {
        let Some(judged) = with_site(files, &["check", "--host", &host, "-v"]) else { return };
        assert_eq!((judged.code, &judged.stdout), (plain.code, &plain.stdout), "{}", judged.stderr);
        let offline = with_site(files, &["check", "--root", &tree]).unwrap();
        assert_eq!(offline.stdout, run(&["check", "--root", &tree]).stdout, "{}", offline.stderr);
    }
}

#[test]
fn a_wrong_configuration_is_no_verdict_and_all_of_it_is_told() {
    let site = [
        ("config.toml", "[check]\nstage = \"hots\"\n"),
        ("config.d/10.toml", "[remediate]\nrules = [\"gpu-*\"]\nmode = \"on\"\n"),
    ];
    for arguments in [
        &["check"][..],
        &["check", "--format", "npd"],
        &["fix", "--dry-run"],
        &["config"],
        &["rules", "list"],
    ] {
        let Some(outcome) = with_site(&site, arguments) else { return };
        assert_eq!((outcome.code, &*outcome.stdout), (2, ""), "{arguments:?}");
        for part in ["config.toml:2:9: ", "did you mean `host`?", "config.d/10.toml:3:8: "] {
            assert!(outcome.stderr.contains(part), "{arguments:?}: {}", outcome.stderr);
        }
    }
    let lint = with_site(&site, &["config", "lint"]).unwrap();
    assert_eq!((lint.code, &*lint.stderr), (2, ""));
    assert!(lint.stdout.contains("     2 | stage = \"hots\"\n"), "{}", lint.stdout);
    assert!(lint.stdout.ends_with("2 problems\n"), "{}", lint.stdout);
    // Names of rules are looked at once all else is right.
    let names = with_site(&site[1..], &["config", "lint"]).unwrap().stdout;
    assert!(names.ends_with("1 problem\n"), "{names}");
    let fixed = ("config.d/20.toml", "[remediate]\nmode = \"plan\"\n");
    let names = with_site(
        &[("config.d/10.toml", "[remediate]\nrules = [\"gpu-*\"]\n"), fixed],
        &["config"],
    );
    let said = names.unwrap();
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("config.d/10.toml:2:10: `rules` has `gpu-*`"), "{}", said.stderr);
}

/// Somebody else's parser reads the same from what is printed as was written.
#[test]
fn the_printed_configuration_is_toml_with_its_sources() {
    let text = "[check]\nskip = [\"tee\", \"gpu-*\"]\n[daemon]\ninterval = \"90s\"\n[publish.nfd]\nenabled = true\n";
    let Some(printed) = with_site(&[("config.toml", text)], &["config"]) else { return };
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert!(
        printed.stdout.contains("interval = \"1m30s\" # /etc/ccgpu-node/config.toml:4\n"),
        "{}",
        printed.stdout
    );
    assert!(printed.stdout.contains("settle = \"30ms\" # default\n"), "{}", printed.stdout);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("printed.toml");
    std::fs::write(&path, &printed.stdout).unwrap();
    let script =
        "import json, sys, tomllib; print(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))))";
    let output = Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("No module named 'tomllib'") {
        return println!("left out: this Python has no tomllib");
    }
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        read["check"],
        serde_json::json!({
            "skip": ["tee", "gpu-*"], "only": [], "rules": [], "assume": [], "cluster": false, "expect": {}
        })
    );
    assert_eq!(read["publish"]["nfd"]["enabled"], true);
    assert_eq!(read["publish"]["textfile"]["directory"], "/var/lib/prometheus/node-exporter");
    assert_eq!(
        read["remediate"],
        serde_json::json!({ "mode": "off", "rules": [], "observations": 3, "over": "5m" })
    );
    // And it says the same when it is put in the place of what it was printed from.
    let again = with_site(&[("config.toml", &printed.stdout)], &["config"]).unwrap().stdout;
    let values = |text: &str| {
        let lines =
            text.lines().map(|line| line.split(" # ").next().unwrap_or_default().to_owned());
        lines.filter(|line| !line.starts_with('#')).collect::<Vec<_>>()
    };
    assert_eq!(values(&again), values(&printed.stdout));
}

#[test]
fn files_are_checked_before_they_are_installed() {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml");
    let installed = installed.display().to_string();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let site = file("site.toml", "[remediate]\nrules = [\"site-mitigations\"]\n");
    let rules = file(
        "rules.toml",
        "schema = 1\n[[rule]]\nid = \"site-mitigations\"\ntitle = \"t\"\nseverity = \"info\"\nwhy = \"w\"\n\
         expect = [{ fact = \"cmdline.tokens\", contains-none = [\"mitigations=off\"] }]\n\
         fix = [{ safety = \"safe\", edits = [{ remove-kernel-argument = \"mitigations=off\" }] }]\n",
    );
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let fifo = fifo.display().to_string();
    for (arguments, code, says) in [
        (&[&*installed][..], 0, "ok    "),
        (&[&installed, &site], 2, "there is no such rule"),
        (&[&installed, &site, "--rules", &rules], 0, "decides 1 key"),
        (&[&installed, &fifo], 2, "a FIFO where a regular file is expected"),
        (&["/nowhere.toml"], 2, "/nowhere.toml: no such file"),
    ] {
        let outcome = run(&[&["config", "lint"], arguments].concat());
        assert_eq!(outcome.code, code, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        assert!(
            words(&outcome.stdout).contains(words(says).as_str()),
            "{arguments:?}: {}",
            outcome.stdout
        );
    }
    let schema = command().args(["config", "schema"]).output().map(outcome).unwrap();
    assert_eq!(schema.stdout, include_str!("../../schemas/config-v1.json"));
}
