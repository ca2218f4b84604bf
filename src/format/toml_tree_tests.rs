//! What is read and merged, against Python's own TOML reader.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;

fn parse(text: &str) -> Table {
    Table::parse("/a", text).unwrap()
}

#[test]
fn a_value_knows_its_file_and_line() {
    let mut table = parse("[a]\nx = 1\n\n[a.b]\ny = \"é\"\nz = [1,\n 2]\n");
    table.lay_over(Table::parse("/b", "# first\na.b.y = true\n").unwrap());
    let x = table.at(&["a", "x"]).unwrap();
    assert_eq!((&*x.file, x.line, &x.value), ("/a", 2, &Value::Integer(1)));
    let y = table.at(&["a", "b", "y"]).unwrap();
    assert_eq!((&*y.file, y.line, &y.value), ("/b", 2, &Value::Bool(true)));
    let Value::Array(items) = &table.at(&["a", "b", "z"]).unwrap().value else { panic!() };
    assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [6, 7]);
}

#[test]
fn an_array_and_a_value_of_another_kind_replace_what_stood_there() {
    let mut table = parse("list = [1, 2]\n[was]\ntable = 1\n[stays]\na = 1\n");
    table.lay_over(parse("list = [3]\nwas = 2\nstays.b = 2\n"));
    assert!(matches!(&table.get("list").unwrap().value, Value::Array(items) if items.len() == 1));
    assert_eq!(table.get("was").unwrap().value, Value::Integer(2));
    assert!(table.at(&["stays", "a"]).is_some() && table.at(&["stays", "b"]).is_some());
    assert!(table.at(&["was", "table"]).is_none());
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    for (text, line) in [("a = 1\nb = \n", 2), ("[a]\n[a]\n", 2), ("a = 1\r\na = 2\r\n", 2)] {
        assert_eq!(Table::parse("/a", text).unwrap_err().line, line, "{text:?}");
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Table::parse("/a", &deep).is_err());
    let keys = format!("{}a = 1", "a.".repeat(100_000));
    let _ = Table::parse("/a", &keys);
}

/// A table as Python's `tomllib` and `json` would print it.
fn json(table: &Table) -> serde_json::Value {
    fn of(value: &Value) -> serde_json::Value {
        match value {
            Value::Text(text) => text.clone().into(),
            Value::Integer(number) => (*number).into(),
            Value::Bool(value) => (*value).into(),
            Value::Array(items) => items.iter().map(|item| of(&item.value)).collect(),
            Value::Table(table) => json(table),
            Value::Other(kind) => (*kind).into(),
        }
    }
    table.iter().map(|(key, item)| (key.to_owned(), of(&item.value))).collect()
}

const ORACLE: &str = r#"
import json, sys, tomllib
def merge(one, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(one.get(key), dict):
            merge(one[key], value)
        else:
            one[key] = value
for line in sys.stdin:
    merged = {}
    try:
        for text in json.loads(line):
            merge(merged, tomllib.loads(text))
        print(json.dumps(merged))
    except tomllib.TOMLDecodeError:
        print("null")
"#;

/// Merges each list of texts with Python; `None` where there is no Python with `tomllib`.
#[expect(clippy::disallowed_methods, reason = "asks a second reader, not a host")]
fn oracle(cases: &[Vec<String>]) -> Option<Vec<serde_json::Value>> {
    let mut child = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let lines: String =
        cases.iter().map(|texts| serde_json::to_string(texts).unwrap() + "\n").collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    if !output.status.success() {
        println!("left out: python3 has no tomllib");
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn a_thousand_stacks_of_files_merge_as_python_merges_them() {
    let key = || prop::sample::select(vec!["a", "b", "c", "\"d.e\"", "hypervisor"]);
    let value = prop::sample::select(vec![
        "1",
        "true",
        "\"x\"",
        "'y # z'",
        "[1, 2]",
        "[]",
        "{ a = 1 }",
        "0x10",
        "1_000",
        "\"\"\"\nm\"\"\"",
    ]);
    let line = (prop::collection::vec(key(), 1..3), value.prop_map(str::to_owned))
        .prop_map(|(keys, value)| format!("{} = {value}\n", keys.join(".")));
    let head =
        prop::collection::vec(key(), 1..3).prop_map(|keys| format!("[{}]\n", keys.join(".")));
    let file = prop::collection::vec(prop_oneof![3 => line, 1 => head], 0..6)
        .prop_map(|lines| lines.concat());
    let stack = prop::collection::vec(file, 1..4);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases: Vec<Vec<String>> =
        (0..1000).map(|_| stack.new_tree(&mut runner).unwrap().current()).collect();
    let Some(expected) = oracle(&cases) else { return };
    let mut merged_some = 0;
    for (texts, expected) in cases.iter().zip(expected) {
        let tables: Result<Vec<Table>, _> =
            texts.iter().map(|text| Table::parse("/a", text)).collect();
        let found = tables.map_or(serde_json::Value::Null, |tables| {
            let mut merged = Table::default();
            for table in tables {
                merged.lay_over(table);
            }
            json(&merged)
        });
        merged_some += usize::from(found.as_object().is_some_and(|found| !found.is_empty()));
        assert_eq!(found, expected, "{texts:#?}");
    }
    assert!(merged_some > 100, "only {merged_some} stacks had something to merge");
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic_and_lines_exist(text: String, later: String) {
        let lines = u32::try_from(text.lines().count().max(1)).unwrap() + 1;
        match Table::parse("/a", &text) {
            Ok(mut table) => {
                prop_assert!(table.iter().all(|(_, item)| item.line <= lines));
                if let Ok(later) = Table::parse("/b", &later) {
                    table.lay_over(later);
                }
            }
            Err(error) => prop_assert!(error.line <= lines),
        }
    }
}
