use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;

fn says(text: &str) -> Vec<Says> {
    parse(text.as_bytes()).into_iter().map(|directive| directive.says).collect()
}

fn blacklist(module: &str) -> Says {
    Says::Blacklist { module: module.to_owned() }
}

#[test]
fn every_directive_that_decides_about_a_driver_is_understood() {
    let text = "# NVIDIA\n\
                blacklist nouveau\n\
                \toptions nouveau\tmodeset=0  runpm=0\n\
                options vfio-pci ids=10de:2335,\\\n\
                10de:22a3\n\
                install nvidia-drm /bin/false\n\
                softdep nvidia pre: vfio-pci drm post: nvidia-uvm\n\
                alias pci:v000010DEd*sv*sd*bc03sc*i* vfio-pci\n\
                remove nvidia /sbin/rmmod nvidia\n";
    let found = parse(text.as_bytes());
    let lines: Vec<u32> = found.iter().map(|directive| directive.line).collect();
    assert_eq!(lines, [2, 3, 4, 6, 7, 8]);
    let owned = |text: &str| text.to_owned();
    assert_eq!(
        says(text),
        [
            blacklist("nouveau"),
            Says::Options { module: owned("nouveau"), text: owned("modeset=0  runpm=0") },
            Says::Options { module: owned("vfio_pci"), text: owned("ids=10de:2335,10de:22a3") },
            Says::Install { module: owned("nvidia_drm"), command: owned("/bin/false") },
            Says::Softdep {
                module: owned("nvidia"),
                before: vec![owned("vfio_pci"), owned("drm")]
            },
            Says::Alias {
                pattern: owned("pci:v000010DEd*sv*sd*bc03sc*i*"),
                module: owned("vfio_pci")
            },
        ]
    );
}

#[test]
fn dos_line_ends_deny_another_module() {
    assert_eq!(says("blacklist nouveau\r\n"), [blacklist("nouveau\r")]);
}

#[test]
fn what_kmod_leaves_out_is_left_out() {
    for text in ["", "\n\n", "blacklist", " # blacklist nouveau", "alias x", "alias x[ y", "\\"] {
        assert_eq!(says(text), [], "{text:?}");
    }
    // Only a `#` at the very start of a line makes a comment, and none behind a directive.
    assert_eq!(says("blacklist nouveau # not here"), [blacklist("nouveau")]);
}

#[test]
fn only_commands_that_can_do_nothing_load_nothing() {
    for command in ["/bin/false", "/usr/bin/true", "/bin/true x", ":", "exit 0"] {
        assert!(loads_nothing(command), "{command}");
    }
    for command in [
        "/sbin/modprobe --ignore-install nouveau",
        "/bin/false || modprobe -i nouveau",
        "true; insmod x",
        "/opt/false-friend",
        "",
    ] {
        assert!(!loads_nothing(command), "{command}");
    }
}

/// What the real modprobe makes of a file: the lines of its directives, blanks closed up.
#[expect(clippy::disallowed_methods, reason = "the oracle is the real modprobe")]
fn real(root: &Path, text: &str) -> Option<Vec<String>> {
    std::fs::create_dir_all(root.join("lib/modules/1.0")).unwrap();
    let file = root.join("own.conf");
    std::fs::write(&file, text).unwrap();
    let program =
        ["/sbin/modprobe", "/usr/sbin/modprobe"].into_iter().find(|it| Path::new(it).exists())?;
    let output = Command::new(program)
        .args([
            "-d",
            &root.display().to_string(),
            "-S",
            "1.0",
            "-C",
            &file.display().to_string(),
            "-c",
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(output.split('\n').map(closed_up).filter(|line| compared(line)).collect())
}

/// Options are printed with those of the running kernel's own command line, and softdeps without blanks.
fn compared(line: &str) -> bool {
    ["blacklist ", "install ", "alias "].iter().any(|start| line.starts_with(start))
}

fn closed_up(line: &str) -> String {
    let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn own(text: &str) -> Vec<String> {
    let line = |says: Says| match says {
        Says::Blacklist { module } => format!("blacklist {module}"),
        Says::Install { module, command } => format!("install {module} {command}"),
        Says::Alias { pattern, module } => format!("alias {pattern} {module}"),
        Says::Options { .. } | Says::Softdep { .. } => String::new(),
    };
    says(text)
        .into_iter()
        .map(line)
        .map(|line| closed_up(&line))
        .filter(|it| compared(it))
        .collect()
}

#[test]
fn the_real_modprobe_agrees() {
    let root = tempfile::tempdir().unwrap();
    let word = "(nou-veau|nvidia_drm|vfio-pci|[a-c]-|x\\[0-9\\]|y\\[|z\\]|#|off|/bin/false)";
    let line = format!(
        "(#| |\t)?(blacklist|install|alias|options|softdep|odd)([ \t]{{1,2}}{word}){{0,4}} ?(\\\\\n|\r\n|\n|\\\\q)"
    );
    let strategy = proptest::collection::vec(line.as_str(), 0..8);
    let mut runner = TestRunner::deterministic();
    let mut compared = 0;
    for _ in 0..150 {
        let text = strategy.new_tree(&mut runner).unwrap().current().concat() + "\n";
        let Some(mut real) = real(root.path(), &text) else {
            println!("left out: there is no modprobe");
            return;
        };
        let mut own = own(&text);
        // It prints one kind after the other.
        real.sort();
        own.sort();
        assert_eq!(own, real, "{text:?}");
        compared += own.len();
    }
    assert!(compared > 50, "{compared}");
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let lines = u32::try_from(text.split(|byte| *byte == b'\n').count()).unwrap();
        for directive in parse(&text) {
            prop_assert!((1..=lines).contains(&directive.line));
        }
    }

    #[test]
    fn a_denied_module_is_found_wherever_it_stands(before in "([a-z ]{0,10}\n){0,3}", after in "([a-z ]{0,10}\n){0,3}") {
        let text = format!("{before}blacklist nouveau\n{after}");
        prop_assert!(says(&text).contains(&blacklist("nouveau")));
    }
}
