use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::matches;

fn is(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes())
}

#[test]
fn the_whole_text_must_fit() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false),
        ("?", "", false),
        ("??", "ab", true),
        ("[ab]c", "bc", true),
        ("[!ab]c", "bc", false),
        ("[a-c]", "b", true),
        ("[a-]", "-", true),
        ("[]]", "]", true),
        ("[", "[", true),
        ("[a", "[a", true),
        ("\\*", "*", true),
        ("\\*", "a", false),
    ] {
        assert_eq!(is(pattern, text), expected, "{pattern:?} {text:?}");
    }
}

#[test]
fn an_alias_of_the_kernel_fits_the_device_it_is_for() {
    let h200 = "pci:v000010DEd00002335sv000010DEsd000018BEbc03sc02i00";
    assert!(is("pci:v000010DEd*sv*sd*bc03sc02i00*", h200));
    assert!(is("pci:v000010DEd*sv*sd*bc03sc*i*", h200));
    assert!(!is("pci:v000010DEd*sv*sd*bc03sc00i00*", h200));
    assert!(!is("pci:v00001022d*sv*sd*bc*sc*i*", h200));
}

#[test]
fn many_stars_take_no_time_to_speak_of() {
    assert!(!is(&"*a".repeat(2000), &"a".repeat(1999)));
}

/// What Python's `fnmatch` says, which has no escapes and takes only `!` for "none of".
#[expect(clippy::disallowed_methods, reason = "the oracle is another program")]
fn python(pairs: &[(String, String)]) -> Option<Vec<bool>> {
    let script = "import sys, fnmatch\n\
                  for line in sys.stdin.read().split('\\n')[:-1]:\n\
                  \x20   pattern, text = line.split('\\t')\n\
                  \x20   print(int(fnmatch.fnmatchcase(text, pattern)))";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    for (pattern, text) in pairs {
        writeln!(input, "{pattern}\t{text}").ok()?;
    }
    drop(input);
    let output = child.wait_with_output().ok()?;
    Some(output.stdout.split(|byte| *byte == b'\n').map(|line| line == b"1").collect())
}

#[test]
fn another_reader_of_patterns_agrees() {
    let strategy = ("([ab*?]|\\[!?[a-c]{1,2}\\]|\\[a-c\\]){0,6}", "[a-d]{0,6}");
    let mut runner = TestRunner::deterministic();
    let pairs: Vec<(String, String)> =
        (0..3000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let Some(answers) = python(&pairs) else {
        println!("left out: there is no python3");
        return;
    };
    let mut fitting = 0;
    for ((pattern, text), answer) in pairs.iter().zip(answers) {
        assert_eq!(is(pattern, text), answer, "{pattern:?} {text:?}");
        fitting += usize::from(answer);
    }
    assert!(fitting > 100, "{fitting}");
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(
        pattern in proptest::collection::vec(any::<u8>(), 0..40),
        text in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        matches(&pattern, &text);
    }

    #[test]
    fn a_star_takes_anything(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(matches(b"*", &text));
        prop_assert!(matches(b"**", &text));
    }
}
