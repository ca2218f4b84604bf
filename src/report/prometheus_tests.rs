//! The oracle is a parser of the text format, written from its specification: it accepts nothing that
//! Prometheus would not.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rules::testing::{judged, report, rule};

type Labels = BTreeMap<String, String>;

/// One line of a sample; `None` where the text is not in the format.
fn parse(line: &str) -> Option<(String, Labels, f64)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if label.is_empty() || !label.chars().all(fits) {
                return None;
            }
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\n') => return None,
                    (_, '\\') => value.push(match chars.next()?.1 {
                        '\\' => '\\',
                        '"' => '"',
                        'n' => '\n',
                        _ => return None,
                    }),
                    (_, c) => value.push(c),
                }
            };
            if labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = after.get(end..)?;
            match rest.split_at_checked(1)? {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => return None,
            }
        }
    }
    // One value and nothing behind it: a timestamp would make the collector refuse the file.
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    Some((name.to_owned(), labels, value))
}

fn text(report: &Report) -> String {
    let mut out = Vec::new();
    let measured = Measured { at: 1_764_000_000, took: Duration::from_micros(3_210) };
    render(report, measured, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn samples(text: &str) -> Vec<(String, Labels, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| parse(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

#[test]
fn exactly_one_state_of_each_thing_holds() {
    let results = judged(
        &(rule("good", "expect = [{ fact = \"bool.true\", equals = true }]")
            + &rule("bad", "expect = [{ fact = \"bool.false\", equals = true }]")),
    );
    let text = text(&report(results));
    let samples = samples(&text);
    let holding = |name: &str| -> Vec<Labels> {
        let of = samples.iter().filter(|sample| sample.0 == name && sample.2 > 0.5);
        of.map(|sample| sample.1.clone()).collect()
    };
    let [verdict] = &holding("ccgpu_node_verdict")[..] else { panic!("{text}") };
    assert_eq!(verdict["verdict"], "not-ready");
    let [good, bad] = &holding("ccgpu_node_rule_status")[..] else { panic!("{text}") };
    assert_eq!((&*good["rule"], &*good["status"]), ("good", "pass"));
    assert_eq!((&*bad["rule"], &*bad["status"]), ("bad", "fail"));
    assert_eq!((&*bad["severity"], &*bad["group"]), ("required", "site"));
    assert!(text.contains("\nccgpu_node_check_timestamp_seconds 1764000000\n"), "{text}");
    assert!(text.contains("\nccgpu_node_check_duration_seconds 0.003210\n"), "{text}");
}

#[test]
fn a_label_is_cut_at_its_length_and_not_within_a_character() {
    for letter in ["x", "é", "日", "😀", "\x1b"] {
        let value = capped(&letter.repeat(10_000));
        assert!(value.len() <= LONGEST && value.len() > LONGEST - 10, "{letter}: {}", value.len());
        assert!(value.ends_with("..."));
    }
}

proptest! {
    #[test]
    fn any_label_survives_the_round_trip(value in any::<String>()) {
        let mut text = String::new();
        sample(&mut text, "m", &[("a", &value), ("b", "x")], "1");
        let line = text.strip_suffix('\n').unwrap();
        let (_, labels, _) = parse(line).ok_or_else(|| TestCaseError::fail(line.to_owned()))?;
        prop_assert_eq!(&labels["a"], &capped(&value));
        prop_assert_eq!(&labels["b"], "x");
        if value.len() <= LONGEST && !value.contains(crate::report::visible::is_treacherous) {
            prop_assert_eq!(&labels["a"], &value);
        }
    }

    #[test]
    fn any_host_gives_a_text_in_the_format(name in any::<String>(), os in any::<String>()) {
        let mut report = report(Vec::new());
        report.header.host = name;
        report.header.os = Some(os);
        let text = text(&report);
        prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            prop_assert!(parse(line).is_some(), "{}", line);
        }
    }

    /// Escaping alone loses nothing, line breaks and all.
    #[test]
    fn escaping_is_undone_by_the_parser(value in any::<String>()) {
        let line = format!("m{{a=\"{}\"}} 1", escaped(&value));
        prop_assert_eq!(&parse(&line).unwrap().1["a"], &value);
    }
}
