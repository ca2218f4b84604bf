//! `topology` as its users run it, each format held against a program that reads it.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::program::{command, fixture, fixtures, has, outcome, run};

fn drawn(name: &str, format: &str) -> String {
    let host = fixture(name).display().to_string();
    let outcome = run(&["topology", "--host", &host, "--format", format]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{name}");
    outcome.stdout
}

/// What a program says of a text on its standard input: whether it takes it, and what it prints.
fn fed(program: &mut Command, text: &str) -> (bool, String) {
    let piped = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(complaints, "");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A host whose every name is against its readers.
fn hostile() -> tempfile::TempDir {
    const NAME: &str = "x\x1b[2J\"]; } \\l <script>&amp;]]> \u{202e}rtl \u{7}";
    let tree = tempfile::tempdir().unwrap();
    let device = tree.path().join("sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0");
    std::fs::create_dir_all(&device).unwrap();
    std::fs::create_dir_all(tree.path().join("sys/bus/pci/devices")).unwrap();
    std::fs::create_dir_all(tree.path().join("proc/sys/kernel")).unwrap();
    std::fs::write(tree.path().join("proc/sys/kernel/hostname"), NAME).unwrap();
    let target = "../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0";
    symlink(target, tree.path().join("sys/bus/pci/devices/0000:01:00.0")).unwrap();
    std::fs::write(device.join("uevent"), "PCI_CLASS=30200\nPCI_ID=10DE:2335\n").unwrap();
    symlink(format!("../{}", NAME.replace('/', "")), device.join("driver")).unwrap();
    std::fs::write(device.join("max_link_speed"), NAME).unwrap();
    std::fs::write(device.join("max_link_width"), "99999999999999999999").unwrap();
    std::fs::write(device.join("config"), [0xff; 7]).unwrap();
    tree
}

fn drawn_hostile(format: &str) -> String {
    let tree = hostile();
    let root = tree.path().display().to_string();
    let outcome = run(&["topology", "--root", &root, "--format", format]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!outcome.stdout.contains(raw), "{:?}", outcome.stdout);
    outcome.stdout
}

#[test]
fn every_picture_is_well_formed_xml() {
    if !has("xmllint") {
        return;
    }
    for name in fixtures() {
        let (taken, _) = fed(Command::new("xmllint").args(["--noout", "-"]), &drawn(&name, "svg"));
        assert!(taken, "{name}");
    }
    let (taken, _) = fed(Command::new("xmllint").args(["--noout", "-"]), &drawn_hostile("svg"));
    assert!(taken);
}

#[test]
fn graphviz_draws_every_function_and_group() {
    if Command::new("dot").arg("-V").output().is_err() {
        println!("left out: dot is not installed");
        return;
    }
    for name in ["acs-on-at-every-port", "switch-without-acs", "rtx-pro-6000-audio-snp", "no-gpus"]
    {
        let graph = drawn(name, "dot");
        let (taken, picture) = fed(Command::new("dot").arg("-Tsvg"), &graph);
        assert!(taken, "{name}");
        let nodes = picture.matches("class=\"node\"").count();
        let (_, plain) = fed(Command::new("dot").arg("-Tplain"), &graph);
        assert_eq!(plain.lines().filter(|line| line.starts_with("node ")).count(), nodes);
        let document: serde_json::Value = serde_json::from_str(&drawn(name, "json")).unwrap();
        let groups = document["groups"].as_array().unwrap().len();
        let complexes = document["complexes"].as_array().unwrap();
        let functions: usize = complexes.iter().map(count).sum();
        assert_eq!(nodes, functions + groups, "{name}");
    }
    let (taken, _) = fed(Command::new("dot").arg("-Tsvg"), &drawn_hostile("dot"));
    assert!(taken);
}

/// A root complex or function, and all below it.
fn count(node: &serde_json::Value) -> usize {
    1 + node["functions"].as_array().unwrap().iter().map(count).sum::<usize>()
}

#[test]
fn every_document_fits_the_committed_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/topology-v1.json");
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |name: &str, text: &str| {
        let document = serde_json::from_str(text).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    };
    for name in fixtures() {
        check(&name, &drawn(&name, "json"));
    }
    check("hostile", &drawn_hostile("json"));
}

#[test]
fn colour_and_lines_are_the_reader_s_choice() {
    let host = fixture("acs-off-on-switch").display().to_string();
    let shown = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut program = command();
        program.args(["topology", "--host", &host]).args(arguments);
        program.envs(variables.iter().copied());
        outcome(program.output().unwrap()).stdout
    };
    let plain = shown(&[], &[]);
    assert!(plain.is_ascii() && !plain.contains('\x1b'));
    assert!(shown(&[], &[("LANG", "en_GB.UTF-8")]).contains("└─"));
    assert!(shown(&[], &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).is_ascii());
    assert!(shown(&["--color", "always"], &[]).contains('\x1b'));
    assert!(!shown(&[], &[("NO_COLOR", "1")]).contains('\x1b'));
}

#[test]
fn one_device_can_be_asked_for() {
    let host = fixture("acs-on-at-every-port").display().to_string();
    let asked = |device: &str| run(&["topology", "--host", &host, device]);
    for device in ["0000:23:00.0", "23:00.0"] {
        let outcome = asked(device);
        assert_eq!(outcome.code, 0);
        assert!(
            outcome.stdout.contains("0000:23:00.0") && !outcome.stdout.contains("0000:24:00.0")
        );
    }
    assert!(asked("A3:00.0").stdout.contains("H100 NVSwitch"));
    for (device, wanted) in [("01:00.0", "no GPU, NVSwitch or bridge"), ("gpu", "no PCI address")] {
        let outcome = asked(device);
        assert_eq!(outcome.code, 2);
        assert!(outcome.stderr.contains(wanted), "{}", outcome.stderr);
    }
}

#[test]
fn hostile_names_are_shown_harmlessly() {
    let text = drawn_hostile("text");
    assert!(text.contains("\\x1b[2J"), "{text}");
    assert!(text.contains("0000:01:00.0"), "{text}");
}
