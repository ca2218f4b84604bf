//! systemd's quoting: what is quoted is read back as it was, in units and in environment files.
#![no_main]

use std::collections::BTreeMap;

use ccgpu_node::format::systemd_unit::{command, environment, environment_file, settings, words};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    unit(text);
    quoted_again(text);
    file_again(text);
});

fn unit(text: &str) {
    let lines = text.lines().count();
    let mut known: BTreeMap<String, String> = environment_file(text).into_iter().collect();
    let mut last = 0;
    for setting in settings(text) {
        assert!(setting.line > last && setting.line as usize <= lines, "{setting:?}");
        last = setting.line;
        assert!(!setting.key.contains(['=', '\n']) && !setting.value.contains('\n'), "{setting:?}");
        known.extend(environment(&setting.value));
        if let Some(command) = command(&setting.value, &known) {
            assert!(!command.program.is_empty(), "{setting:?}");
        }
    }
}

/// Words between double quotes, with what has a meaning there behind a backslash.
fn quoted_again(text: &str) {
    let plain: Vec<&str> = text.split('|').collect();
    let quoted: Vec<String> = plain.iter().map(|word| quoted(word, &['\\', '"'])).collect();
    let line = quoted.join(" ");
    assert_eq!(words(&line).as_deref(), Some(&plain.map_to_owned()[..]), "{line:?}");
    // Single quotes keep all but backslashes and themselves.
    if !text.contains(['\'', '\\']) {
        assert_eq!(words(&format!("'{text}'")), Some(vec![text.to_owned()]));
    }
    // Without a `$` or a `%` nothing is expanded.
    if !text.contains(['$', '%']) {
        let parsed = command(&format!("/bin/x {line}"), &BTreeMap::new());
        assert_eq!(parsed.map(|command| command.arguments), Some(plain.map_to_owned()));
    }
}

fn file_again(text: &str) {
    let line = format!("A=1\nNAME={}\nB=2\n", quoted(text, &['\\', '"', '$', '`']));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = [pair("A", "1"), pair("NAME", text), pair("B", "2")];
    assert_eq!(environment_file(&line), wanted, "{line:?}");
}

fn quoted(text: &str, special: &[char]) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if special.contains(&c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

trait MapToOwned {
    fn map_to_owned(&self) -> Vec<String>;
}

impl MapToOwned for Vec<&str> {
    fn map_to_owned(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}
