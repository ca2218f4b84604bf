#![expect(
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "tests take the time, and build long texts"
)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Document, YamlError> {
    Document::parse(text.as_bytes())
}

/// The document as Go would write it in JSON: the last setting of a key counts.
fn plain(document: &Document, node: NodeId) -> serde_json::Value {
    match document.value(node) {
        Value::Scalar(Scalar::Null) => serde_json::Value::Null,
        Value::Scalar(Scalar::Bool(value)) => (*value).into(),
        Value::Scalar(Scalar::Integer(value)) => i64::try_from(*value).unwrap().into(),
        Value::Scalar(Scalar::Float(value)) => (*value).into(),
        Value::Scalar(Scalar::Text(text)) => text.as_str().into(),
        Value::Scalar(Scalar::Merge) => "<<".into(),
        Value::Sequence(items) => items.iter().map(|item| plain(document, *item)).collect(),
        Value::Mapping => document
            .entries(node)
            .into_iter()
            .map(|entry| (entry.key.into_owned(), plain(document, entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn read(text: &str) -> String {
    let document = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    plain(&document, document.root()).to_string()
}

#[test]
fn scalars_have_the_types_of_yaml_1_1() {
    for (text, expected) in [
        ("yes", "true"),
        ("Y", "true"),
        ("On", "true"),
        ("tRue", r#""tRue""#),
        ("off", "false"),
        ("n", "false"),
        ("~", "null"),
        ("", "null"),
        ("Null", "null"),
        ("'yes'", r#""yes""#),
        ("\"true\"", r#""true""#),
        ("!!bool \"true\"", "true"),
        ("!!str true", r#""true""#),
        ("!!int \"7\"", "7"),
        ("!!float 3", "3"),
        ("!own true", r#""true""#),
        ("! true", r#""true""#),
        ("!", r#""""#),
        ("|-\n true", r#""true""#),
        ("12", "12"),
        ("-12", "-12"),
        ("0x10", "16"),
        ("0o17", "15"),
        ("017", "15"),
        ("08", "8"),
        ("0b101", "5"),
        ("1_200", "1200"),
        ("1_200s", r#""1_200s""#),
        ("1e3", "1000"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("110.0", "110"),
        ("++1", r#""++1""#),
        ("0x+1", r#""0x+1""#),
        ("infinity", r#""infinity""#),
        ("20m", r#""20m""#),
        ("2m0s", r#""2m0s""#),
        ("1:30", r#""1:30""#),
        ("2026-08-22", r#""2026-08-22""#),
        ("1e999", r#""1e999""#),
    ] {
        assert_eq!(read(&format!("key: {text}\n")), format!(r#"{{"key":{expected}}}"#), "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    for (text, line) in [
        ("a: .inf", 1),
        ("a:\n- !!int x", 2),
        ("a: !!bool \"maybe\"", 1),
        ("a: *gone", 1),
        ("a: &a [*a]", 1),
        ("? [1]\n: 2", 1),
        ("{~: 1, b: 2}: c", 1),
        ("\n~: 1", 2),
        ("<<: 3", 1),
        ("<<: [{a: 1}, 3]", 1),
        ("%YAML 1.2\n---\na: 1", 1),
        ("a: 1\n\tb: 2", 2),
        ("a: b: c", 1),
        ("a: [b?c]", 1),
        ("a: \"x\\", 1),
        ("{a: 1}", 1),
        ("{\"a\": 1,}", 1),
        ("{\"a\": 1} # end", 1),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line(), Some(line), "{text:?}: {error}");
    }
}

#[test]
fn the_layouts_that_the_kubelet_reads_are_read() {
    let gates = r#"{"gates":{"A":true},"pods":1}"#;
    for text in [
        "gates: {A: true}\npods: 1\n",
        "---\ngates:\n  A: yes\npods: 1\n...\n",
        "\u{feff}gates:\n  A: true\npods: 1",
        "%YAML 1.1\n---\ngates:\n  A: true\npods: 1\n",
        "gates:\r\n  A: true\r\npods: 1\r\n",
        "  gates:\n    A: true\n  pods: 1\n",
        "gates:\n  A: true\t# tab\npods:\t1\n",
        "\"gates\":\n  'A': on\npods : 1\n",
        "gates: {\n  A: true,\n}\npods: 1\n",
        "pods: 1\ngates: # none\n\n  # none\n  A: true",
        "gates: &gates\n  A: true\npods: 1\n---\nother: 2\n",
        "pods: 1\ngates: {A: true}\n--- {broken",
        "{\"gates\": {\"A\": true}, \"pods\": 1}",
        "# no JSON\n{gates: {A: true}, pods: 1}",
    ] {
        assert_eq!(read(text), gates, "{text:?}");
    }
}

#[test]
fn texts_that_the_parser_stumbles_over_do_not_reach_it() {
    for (text, line) in [
        ("a: [!!str, b]", 1),
        ("\na: [! , b]\nb: [!,b]", 3),
        ("a: 1\n\u{feff}b: 2\n", 2),
        ("a: {b:, c: 1}\n", 1),
        ("a: !!binary aGk=\n", 1),
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, YamlError::Unsupported { .. }), "{text:?}: {error}");
        assert_eq!(error.line(), Some(line), "{text:?}");
    }
    for (text, expected) in [
        ("a: |\n  x", r#"{"a":"x"}"#),
        ("a: |\n  x\n", r#"{"a":"x\n"}"#),
        ("a: |+\n  x\n\n  y", r#"{"a":"x\n\ny"}"#),
        ("a: >-\n  x\n  y", r#"{"a":"x y"}"#),
        ("a: |\n  x\n  ", r#"{"a":"x\n"}"#),
        ("a: |\n  x\nb: 1", r#"{"a":"x\n","b":1}"#),
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn other_encodings_are_read_by_their_mark() {
    let wide: Vec<u16> = "\u{feff}a: é😀\n".encode_utf16().collect();
    for bytes in [
        wide.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
        wide.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ] {
        let document = Document::parse(&bytes).unwrap();
        assert_eq!(plain(&document, document.root()).to_string(), "{\"a\":\"é😀\"}");
        assert!(Document::parse(&bytes[..bytes.len() - 1]).is_err());
    }
    let error = Document::parse(b"a: 1\nb: \xff\n").unwrap_err();
    assert_eq!(
        (error.line(), error.to_string().as_str()),
        (Some(2), "no valid YAML: invalid UTF-8")
    );
}

#[test]
fn merges_apply_in_their_place_and_the_first_of_a_list_wins() {
    let text = "
a: &a {x: 1, w: 1}
b: &b {x: 2, z: 2}
before: {<<: *a, x: 9}
after: {x: 9, <<: *a}
list: {<<: [*a, *b]}
deep: {<<: {<<: *a, w: 3}}
quoted: {\"<<\": 1}
";
    let value: serde_json::Value = serde_json::from_str(&read(text)).unwrap();
    assert_eq!(value["before"], serde_json::json!({"x": 9, "w": 1}));
    assert_eq!(value["after"], serde_json::json!({"x": 1, "w": 1}));
    assert_eq!(value["list"], serde_json::json!({"x": 1, "w": 1, "z": 2}));
    assert_eq!(value["deep"], serde_json::json!({"x": 1, "w": 3}));
    assert_eq!(value["quoted"], serde_json::json!({"<<": 1}));
}

#[test]
fn a_key_that_stands_twice_is_found_with_its_line() {
    for (text, expected) in [
        ("a: 1\nb: 2\na: 3\n", Some((3, "a"))),
        ("x:\n  y:\n  - {k: 1, k: 2}\n", Some((3, "k"))),
        ("{\"a\":\n {\"b\": 1,\n \"b\": 2}}", Some((3, "b"))),
        ("a: &a {x: 1}\nb: {<<: *a, x: 2}\n", Some((2, "x"))),
        ("a: {b: 1}\nb: {b: 1}\n", None),
    ] {
        let found = parse(text).unwrap().first_duplicate();
        let found = found.as_ref().map(|found| (found.line, found.key.as_str()));
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn json_strings_and_numbers_are_read_strictly() {
    assert_eq!(read(r#"{"a": "\u00e9\ud83d\ude00\n\/"}"#), "{\"a\":\"é😀\\n/\"}");
    assert_eq!(read(r#"{"a": "\ud83d"}"#), "{\"a\":\"\u{fffd}\"}");
    assert_eq!(read(" \n{\"a\": [1, -2, 1.5, {}, []]}\n"), r#"{"a":[1,-2,1.5,{},[]]}"#);
    for text in [
        "{",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":True}",
        "{'a':1}",
        "{\"a\":1}{",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{,}",
        "{\"a\":\"",
        "{\"a\":\"\\u12\"}",
        "{\"a\":[}",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

/// Every hostile text of a megabyte or so is answered at once, with room for a busy test machine.
fn answered_in_time(text: &str) -> Result<Document, YamlError> {
    let start = Instant::now();
    let answer = parse(text);
    if let Ok(document) = &answer {
        let _ = document.first_duplicate();
    }
    assert!(start.elapsed() < Duration::from_secs(3), "took {:?}", start.elapsed());
    answer
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let above = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("a{level}: &a{level} [{above}]\n"));
    }
    assert!(matches!(answered_in_time(&text), Err(YamlError::Aliasing { .. })));
    let mut merges = String::from("a0: &a0 {k: 1}\n");
    for level in 1..40 {
        let above = format!("*a{}, ", level - 1).repeat(9);
        merges.push_str(&format!("a{level}: &a{level} {{<<: [{above}]}}\n"));
    }
    assert!(matches!(answered_in_time(&merges), Err(YamlError::Aliasing { .. })));
}

#[test]
fn depth_is_bounded() {
    for text in [
        "[".repeat(1 << 20),
        "{".repeat(1 << 20),
        "a: {".repeat(1 << 18),
        "- ".repeat(1 << 19),
        "? ".repeat(1 << 19),
        format!("x{}", "{a: ".repeat(1 << 18)),
        "{\"a\":".repeat(200_000),
        format!("{{\"a\":{}", "[".repeat(1 << 20)),
        (0..1400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
    ] {
        let _ = answered_in_time(&text);
    }
    assert!(matches!(parse(&"[".repeat(1 << 20)), Err(YamlError::TooDeep { .. })));
}

#[test]
fn many_keys_take_little_time() {
    let yaml: String = (0..100_000).map(|key| format!("key{key}: 1\n")).collect();
    assert!(answered_in_time(&yaml).is_ok());
    let json: String = (0..70_000).map(|key| format!("\"key{key}\": 1,")).collect();
    assert!(answered_in_time(&format!("{{{json} \"end\": 1}}")).is_ok());
    let _ = answered_in_time(&"&a *a ".repeat(100_000));
    let _ = answered_in_time(&"!!a ".repeat(200_000));
    let _ = answered_in_time(&"'".repeat(1 << 20));
    let _ = answered_in_time(&"a: |\n".repeat(1 << 17));
    let _ = answered_in_time(&"#".repeat(1 << 20));
    let _ = answered_in_time(&"a b ".repeat(1 << 18));
    let _ = answered_in_time(&"%a\n".repeat(1 << 18));
    let _ = answered_in_time(&"%TAG !a! b\n".repeat(90_000));
    let tags: String = (0..60_000).map(|tag| format!("%TAG !{tag}! b\n")).collect();
    let _ = answered_in_time(&tags);
    let anchors: String = (0..60_000).map(|name| format!("- &a{name} 1\n")).collect();
    assert!(answered_in_time(&anchors).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn json_is_read_as_serde_json_reads_it(text in r#"\{("[ab]":)?[\[\]{},:"ab0-9.eE+ \\nu-]{0,24}\}?"#) {
        let own = parse(&text).ok().map(|document| plain_numbers(&document));
        let other = serde_json::from_str::<serde_json::Value>(&text).ok();
        prop_assert_eq!(own.is_some(), other.is_some(), "{}", text);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "([-?:,\\[\\]{}#&*!|>'\"%@`a-c0-9~< \t\n]|<<: |\\*a|&a |!!int |\r\n){0,60}") {
        if let Ok(document) = parse(&text) {
            let _ = document.first_duplicate();
            let _ = document.entries(document.root());
        }
    }
}

/// Walks every node, so that a tree that cannot be walked shows.
fn plain_numbers(document: &Document) -> usize {
    (0..document.nodes.len())
        .map(|index| document.entries(NodeId(u32::try_from(index).unwrap())).len())
        .sum()
}
#[test]
fn an_error_names_its_line_once() {
    for (text, expected) in [
        (
            "a:\n\tb: 1",
            "no valid YAML: found character that cannot start any token while scanning for the next \
             token (line 2 column 1)",
        ),
        ("a: b: c", "no valid YAML: mapping values are not allowed in this context"),
        ("\u{1}", "no valid YAML: control characters are not allowed (offset 0, value 1)"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }
}
