//! A clock that jumps by a year. Only a machine of its own can have its clock set, so QEMU makes one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::furnish::{unpack, write};
use crate::world::binary;

/// A kernel of this machine, and what else it takes; `None` where something is missing.
fn kernel() -> Option<PathBuf> {
    for tool in ["qemu-system-x86_64", "busybox", "cpio", "gzip", "ldd", "strip"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            println!("left out: {tool} is not installed");
            return None;
        }
    }
    let kernels = std::fs::read_dir("/boot").into_iter().flatten().flatten();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("vmlinuz-");
    let kernel = kernels.map(|entry| entry.path()).find(name);
    if kernel.is_none() {
        println!("left out: no kernel is installed");
    }
    kernel
}

/// The program with the libraries that it needs, as far as it needs any.
fn install(root: &Path) {
    let program = root.join("bin/ccgpu-node");
    let run = |command: &mut Command| {
        let output = command.stderr(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(run(Command::new("strip").arg("-o").arg(&program).arg(binary())).0);
    let (_, libraries) = run(Command::new("ldd").arg(binary()));
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(&library[1..]);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(library, place).unwrap();
    }
}

/// What the machine says before it switches itself off.
fn runs(kernel: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    unpack("h100-single-tdx", &root.join("host"));
    for name in ["bin", "dev", "proc", "run", "sys"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    install(&root);
    let nfd = "[publish.nfd]\nenabled = true\ndirectory = \"/features\"\n";
    let config = format!("{nfd}[publish.textfile]\nenabled = false\n");
    write(&root.join("etc/ccgpu-node/config.toml"), &config, 0o644);
    write(&root.join("init"), include_str!("clock.sh"), 0o755);
    let archive = directory.path().join("initramfs");
    let script = "cd \"$1\" && find . | cpio -o -H newc --quiet | gzip -1 >\"$2\"";
    let made = Command::new("sh").args(["-c", script, "sh"]).args([&root, &archive]).status();
    assert!(made.unwrap().success());
    let serial = directory.path().join("serial");
    // Without KVM, and on a machine that does other things as well.
    let ended = Command::new("timeout")
        .args(["480", "qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-display", "none"])
        .args(["-nodefaults", "-no-reboot", "-append", "console=ttyS0 quiet panic=-1"])
        .arg("-serial")
        .arg(format!("file:{}", serial.display()))
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(&archive)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    let said = String::from_utf8_lossy(&std::fs::read(serial).unwrap()).into_owned();
    assert!(ended.success(), "{ended}: {said}");
    said
}

#[test]
fn a_clock_that_jumps_by_a_year_is_followed_at_once_both_ways() {
    let Some(kernel) = kernel() else { return };
    let said = runs(&kernel);
    let years: Vec<Vec<&str>> = said
        .lines()
        .filter_map(|line| Some(line.trim_end().split_once("@ year ")?.1))
        .map(|line| line.split(' ').collect())
        .collect();
    let [first, ahead, back] = years.as_slice() else { panic!("{said}") };
    for (words, year) in [(first, "2026"), (ahead, "2027"), (back, "2025")] {
        let ["at", made, "until", end, "status", code] = words[1..] else { panic!("{said}") };
        let made: jiff::Timestamp = made.parse().unwrap_or_else(|_| panic!("{words:?}: {said}"));
        let end: jiff::Timestamp = end.parse().unwrap_or_else(|_| panic!("{words:?}: {said}"));
        assert!(made.to_string().starts_with(&format!("{year}-05-05T05:")), "{words:?}");
        // Two intervals and a minute.
        let held = end.as_second() - made.as_second();
        assert!((1200..=1500).contains(&held), "{words:?}: {held} s");
        // As fresh as before: its age is counted by a clock that nobody sets.
        assert_eq!(code, first[first.len() - 1], "{words:?}: {said}");
    }
    // Labels end by themselves, so that a restart takes nothing down.
    assert!(said.contains("@ ended 0 features 1"), "{said}");
    // One report more for each jump changes nothing that a log would have to say.
    assert_eq!(said.matches("verdict:").count(), 1, "{said}");
}
