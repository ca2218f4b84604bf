use std::collections::BTreeMap;

use super::*;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

fn gates<const N: usize>(gates: [(&str, Option<bool>); N]) -> Wanted {
    let gates = gates.map(|(name, value)| (name.to_owned(), value));
    Wanted { gates: BTreeMap::from(gates), ..Wanted::default() }
}

fn timeout(text: &str) -> Wanted {
    Wanted { runtime_request_timeout: Some(text.to_owned()), ..Wanted::default() }
}

/// `New: true` and twenty minutes.
fn both() -> Wanted {
    Wanted { runtime_request_timeout: Some("20m".to_owned()), ..gates([("New", Some(true))]) }
}

fn edited(text: &str, wanted: &Wanted) -> Result<String, Doubt> {
    edit(text.as_bytes(), wanted, Role::Main).map(|after| String::from_utf8(after).unwrap())
}

/// What follows the two lines that every configuration needs.
#[track_caller]
fn becomes(rest: &str, wanted: &Wanted, expected: &str) {
    let text = format!("{HEAD}{rest}");
    let after = edited(&text, wanted).unwrap_or_else(|doubt| panic!("{rest:?}: {doubt:?}"));
    assert_eq!(after.strip_prefix(HEAD), Some(expected), "{rest:?}");
    assert_eq!(edited(&after, wanted).as_deref(), Ok(after.as_str()), "a second edit of {rest:?}");
}

#[track_caller]
fn whole_becomes(text: &str, wanted: &Wanted, expected: &str) {
    let after = edited(text, wanted).unwrap_or_else(|doubt| panic!("{text:?}: {doubt:?}"));
    assert_eq!(after, expected, "{text:?}");
    assert_eq!(edited(&after, wanted).as_deref(), Ok(after.as_str()), "a second edit of {text:?}");
}

#[track_caller]
fn refuses(text: &str, wanted: &Wanted, line: Option<u32>, why: &str) {
    match edited(text, wanted) {
        Ok(after) => panic!("{text:?} became {after:?}"),
        Err(doubt) => assert_eq!((doubt.line, doubt.why.as_str()), (line, why), "{text:?}"),
    }
}

#[test]
fn a_missing_section_is_added_at_the_end() {
    becomes("", &both(), "featureGates:\n  New: true\nruntimeRequestTimeout: 20m\n");
    becomes(
        "a: 1\n# end\n",
        &both(),
        "a: 1\nfeatureGates:\n  New: true\nruntimeRequestTimeout: 20m\n# end\n",
    );
    becomes("a:\n- b\n- c\n", &timeout("20m"), "a:\n- b\n- c\nruntimeRequestTimeout: 20m\n");
    becomes("a: |\n  x\n\n", &timeout("20m"), "a: |\n  x\n\nruntimeRequestTimeout: 20m\n");
    becomes(
        "a:\n    b: 1\n",
        &both(),
        "a:\n    b: 1\nfeatureGates:\n    New: true\nruntimeRequestTimeout: 20m\n",
    );
    whole_becomes(
        &format!("---\n{HEAD}...\n# end\n"),
        &timeout("20m"),
        &format!("---\n{HEAD}runtimeRequestTimeout: 20m\n...\n# end\n"),
    );
}

#[test]
fn a_gate_joins_those_that_are_there() {
    let new = gates([("New", Some(true))]);
    for (rest, expected) in [
        ("featureGates:\n  A: true\nb: 1\n", "featureGates:\n  A: true\n  New: true\nb: 1\n"),
        ("featureGates:\n    A: no\n", "featureGates:\n    A: no\n    New: true\n"),
        (
            "featureGates: # c\n  A: true # d\n\n  B: on\n# e\nb: 1\n",
            "featureGates: # c\n  A: true # d\n\n  B: on\n  New: true\n# e\nb: 1\n",
        ),
        (
            "featureGates:\n  A: true\n  # trailing\n",
            "featureGates:\n  A: true\n  New: true\n  # trailing\n",
        ),
        (
            "featureGates:\n  # New: false\n  A: true",
            "featureGates:\n  # New: false\n  A: true\n  New: true",
        ),
        (
            "featureGates:\n  A: true\t# tab\nb:\t1\n",
            "featureGates:\n  A: true\t# tab\n  New: true\nb:\t1\n",
        ),
        ("\"featureGates\":\n  \"A\": true\n", "\"featureGates\":\n  \"A\": true\n  New: true\n"),
        ("featureGates :\n  A : true\n", "featureGates :\n  A : true\n  New: true\n"),
        (
            "x: &on true\nfeatureGates:\n  A: *on\n",
            "x: &on true\nfeatureGates:\n  A: *on\n  New: true\n",
        ),
        (
            "h:\n  featureGates:\n  - New\nfeatureGates:\n  A: true\n",
            "h:\n  featureGates:\n  - New\nfeatureGates:\n  A: true\n  New: true\n",
        ),
    ] {
        becomes(rest, &new, expected);
    }
    let text = format!("{HEAD}featureGates:\n  A: true\nb: 1").replace('\n', "\r\n");
    whole_becomes(&text, &new, &text.replace("true\r\n", "true\r\n  New: true\r\n"));
    let text = format!("{HEAD}# 指定\nfeatureGates:\n  A: true # é\n").replace('\n', "\n  ");
    whole_becomes(
        &format!("  {text}"),
        &new,
        &format!("  {}", text.replace("é\n", "é\n    New: true\n")),
    );
}

#[test]
fn a_section_that_says_nothing_is_filled() {
    let new = gates([("New", Some(true)), ("Old", Some(false))]);
    let filled = "featureGates:\n  New: true\n  Old: false\n";
    for rest in
        ["featureGates:\n", "featureGates: {}\n", "featureGates: null\n", "featureGates:   ~\n"]
    {
        becomes(rest, &new, filled);
    }
    becomes("featureGates:\n  # none yet\na: 1\n", &new, &format!("{filled}  # none yet\na: 1\n"));
    becomes(
        "featureGates: {} # none\na: 1\n",
        &new,
        "featureGates: # none\n  New: true\n  Old: false\na: 1\n",
    );
    becomes("featureGates: {}", &new, filled.trim_end());
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let new = gates([("New", Some(true))]);
    for (rest, expected) in [
        (
            "featureGates:\n  New: false # why\n  A: true\n",
            "featureGates:\n  New: true # why\n  A: true\n",
        ),
        ("featureGates:\n  New: off\n", "featureGates:\n  New: true\n"),
        ("featureGates:\n  New:\n  A: true\n", "featureGates:\n  New: true\n  A: true\n"),
        ("featureGates:\n  New: null\n", "featureGates:\n  New: true\n"),
        (
            "featureGates: {New: false, A: true}  # keep\n",
            "featureGates: {New: true, A: true}  # keep\n",
        ),
        ("featureGates:\n  'New' :   no", "featureGates:\n  'New' :   true"),
    ] {
        becomes(rest, &new, expected);
    }
    for (value, expected) in [
        ("2m0s # default", "20m # default"),
        ("0s", "20m"),
        ("'2m'", "'20m'"),
        ("\"2m\"", "\"20m\""),
    ] {
        let line = |value| format!("runtimeRequestTimeout: {value}\na: 1\n");
        becomes(&line(value), &timeout("20m"), &line(expected));
    }
}

#[test]
fn what_is_so_already_is_not_touched() {
    let wanted = Wanted {
        runtime_request_timeout: Some("20m".to_owned()),
        ..gates([("Lit", Some(true)), ("Dark", Some(false)), ("Gone", None)])
    };
    for rest in [
        "featureGates:\n  Lit: yes\n  Dark: n\nruntimeRequestTimeout: 1200s\n",
        "featureGates: {Lit: y, Dark: no}\nruntimeRequestTimeout: '20m0s'",
    ] {
        becomes(rest, &wanted, rest);
    }
    becomes("a: 1", &gates([("Gone", None)]), "a: 1");
    becomes("featureGates:\n", &gates([("Gone", None)]), "featureGates:\n");
}

#[test]
fn a_gate_goes_with_its_line_and_the_section_stays() {
    let gone = gates([("Old", None)]);
    for (rest, expected) in [
        (
            "featureGates:\n  A: true\n  Old: true # why\n  B: true\n",
            "featureGates:\n  A: true\n  B: true\n",
        ),
        ("featureGates:\n  A: true\n  Old: true", "featureGates:\n  A: true"),
        ("featureGates:\n  Old:\n  A: true\n", "featureGates:\n  A: true\n"),
        ("featureGates: # c\n  Old: true\na: 1\n", "featureGates: {} # c\na: 1\n"),
        ("featureGates:\n  Old: true", "featureGates: {}"),
        ("featureGates: {Old: true}\n", "featureGates: {}\n"),
        ("featureGates: {\n  Old: true # why\n}\n", "featureGates: {\n}\n"),
        ("featureGates: {Old: true\n}\n", "featureGates: {\n}\n"),
        ("featureGates: {Old: true, A: true}\n", "featureGates: {A: true}\n"),
        ("featureGates: {A: true, Old: true}\n", "featureGates: {A: true}\n"),
        ("featureGates: {A: true, Old: true,}\n", "featureGates: {A: true,}\n"),
        ("featureGates: {A: true, Old: true, B: true}\n", "featureGates: {A: true, B: true}\n"),
        (
            "featureGates: {\n  A: true, # a\n  Old: true\n}\n",
            "featureGates: {\n  A: true # a\n}\n",
        ),
        ("featureGates: {\n  Old: true, # a\n  A: true,\n}\n", "featureGates: {\n  A: true,\n}\n"),
        ("featureGates: {\n  A: true,\n  Old: true,\n}\n", "featureGates: {\n  A: true,\n}\n"),
    ] {
        becomes(rest, &gone, expected);
    }
}

#[test]
fn maps_between_brackets_stay_so() {
    let new = gates([("New", Some(true)), ("X", Some(true))]);
    for (rest, expected) in [
        (
            "featureGates: {A: true}  # keep\n",
            "featureGates: {A: true, New: true, X: true}  # keep\n",
        ),
        ("featureGates: { A: true }\n", "featureGates: { A: true, New: true, X: true }\n"),
        ("featureGates: { }\n", "featureGates: {New: true, X: true }\n"),
        ("featureGates: {A: true,}\n", "featureGates: {A: true, New: true, X: true,}\n"),
        (
            "featureGates: {\n  A: true,\n  B: true # b\n}\na: 1\n",
            "featureGates: {\n  A: true,\n  B: true, # b\n  New: true,\n  X: true\n}\na: 1\n",
        ),
        (
            "featureGates: {\n  A: true, # a, b\n}\n",
            "featureGates: {\n  A: true, # a, b\n  New: true,\n  X: true,\n}\n",
        ),
    ] {
        becomes(rest, &new, expected);
    }
    let root =
        "# not JSON\n{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration}\n";
    whole_becomes(
        root,
        &both(),
        &root.replace('}', ", featureGates: {New: true}, runtimeRequestTimeout: 20m}"),
    );
}

const JSON: &str = "{\n  \"kind\": \"KubeletConfiguration\",\n  \"apiVersion\": \"kubelet.config.k8s.io/v1beta1\"\n}\n";

#[test]
fn json_stays_strict_json() {
    whole_becomes(
        JSON,
        &both(),
        &JSON.replace(
            "v1beta1\"\n",
            "v1beta1\",\n  \"featureGates\": {\"New\": true},\n  \"runtimeRequestTimeout\": \"20m\"\n",
        ),
    );
    let tight =
        "{\"kind\":\"KubeletConfiguration\",\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\"}";
    whole_becomes(
        tight,
        &both(),
        &tight.replace('}', ",\"featureGates\":{\"New\":true},\"runtimeRequestTimeout\":\"20m\"}"),
    );
    let with =
        |section: &str| JSON.replace("{\n", &format!("{{\n\t\"featureGates\": {section},\n"));
    for (section, expected) in [
        ("{}", "{\"New\": true}"),
        ("null", "{\"New\": true}"),
        ("{\"A\": true}", "{\"A\": true, \"New\": true}"),
        ("{\"New\": false}", "{\"New\": true}"),
        ("{\n\t\t\"A\": true\n\t}", "{\n\t\t\"A\": true,\n\t\t\"New\": true\n\t}"),
        ("{\r\n\t\t\"A\": true\r\n\t}", "{\r\n\t\t\"A\": true,\r\n\t\t\"New\": true\r\n\t}"),
    ] {
        whole_becomes(&with(section), &gates([("New", Some(true))]), &with(expected));
    }
    for (section, expected) in [
        ("{\"Old\": true}", "{}"),
        ("{\n\t\t\"Old\": true\n\t}", "{\n\t}"),
        ("{\n\t\t\"A\": true,\n\t\t\"Old\": true\n\t}", "{\n\t\t\"A\": true\n\t}"),
        ("{\n\t\t\"Old\": true,\n\t\t\"A\": true\n\t}", "{\n\t\t\"A\": true\n\t}"),
        ("{\"A\": true, \"Old\": false}", "{\"A\": true}"),
    ] {
        whole_becomes(&with(section), &gates([("Old", None)]), &with(expected));
    }
}

#[test]
fn a_text_that_leaves_a_doubt_is_refused() {
    let head = |rest: &str| format!("{HEAD}{rest}");
    let anchor = "a map with an anchor or a tag, or an alias of one";
    let word = "the value has an anchor or a tag, or is no plain word";
    for (text, line, why) in [
        (String::new(), None, "the file is empty"),
        ("# nothing\n".into(), None, "kind is missing"),
        (
            "apiVersion: v1\nkind: Config\n".into(),
            Some(2),
            "kind is \"Config\", not KubeletConfiguration",
        ),
        (format!("\u{feff}{HEAD}"), Some(1), "a byte order mark"),
        (
            format!("{HEAD}---\na: 1\n"),
            None,
            "more than one document, of which the kubelet reads the first",
        ),
        (head("a: 1\rb: 2\n"), Some(3), "a line break that is neither LF nor CRLF"),
        (head("a: \"x\u{2028}y\"\n"), Some(3), "a line break that is neither LF nor CRLF"),
        (
            head("featureGates:\n  A: true\nfeatureGates:\n  B: true\n"),
            Some(5),
            "the key featureGates stands twice",
        ),
        (head("maxPods: 1\nmaxPods: 2\n"), Some(4), "the key maxPods stands twice"),
        (head("featureGates:\n  A: true\n  A: false\n"), Some(5), "the key A stands twice"),
        (head("featureGates: &g\n  A: true\n"), Some(3), anchor),
        (head("x: &g {A: true}\nfeatureGates: *g\n"), Some(4), anchor),
        (head("featureGates: !!map\n  A: true\n"), Some(3), anchor),
        (
            head("b: &b\n  A: true\nfeatureGates:\n  <<: *b\n"),
            Some(6),
            "another map is merged into this one with <<",
        ),
        (head("featureGates:\n  New: &n false\n"), Some(4), word),
        (head("x: &n false\nfeatureGates:\n  New: *n\n"), Some(5), word),
        (head("featureGates:\n  New: !!bool false\n"), Some(4), word),
        (
            head("featureGates:\n  !!str New: false\n"),
            Some(4),
            "the key New has an anchor or a tag",
        ),
        (
            head("featureGates:\n  New:\n    false\n"),
            Some(4),
            "the value does not stand on the line of its key",
        ),
        (head("featureGates: {New}\n"), Some(3), "a key without a value"),
        (
            head("featureGates:\n  ? A\n  : true\n"),
            Some(4),
            "the first key does not stand alone before its value",
        ),
        (
            head("featureGates:\n  New: false\t# tab\n"),
            Some(4),
            "a tab on a line that is to be changed",
        ),
    ] {
        refuses(&text, &gates([("New", Some(true))]), line, why);
    }
    for (rest, why) in [
        ("featureGates:\n  A: \"true\"\n", "featureGates.A must be a bool, not a string"),
        ("featureGates: some\n", "featureGates must be a map, not a string"),
    ] {
        let doubt = edited(&head(rest), &both()).unwrap_err();
        assert_eq!(doubt.why, why, "{rest:?}");
    }
    // A key that is no text, and is another one than it seems to be.
    refuses(
        &head("featureGates:\n  On: true\n"),
        &gates([("true", None)]),
        None,
        "the edit would not be clean: the feature gates are not the wanted ones",
    );
    assert!(edited(&head("featureGates:\n\tA: true\n"), &both()).is_err());
    for text in [&b"{\"kind\": \"\xff\"}"[..], b"# \xff\n", b"\xff\xfea\0"] {
        assert!(edit(text, &both(), Role::Main).is_err());
    }
    refuses(
        &head("featureGates: {A: true, # why\n  Old: true}\n"),
        &gates([("Old", None)]),
        Some(4),
        "a comment stands where the setting would be taken out",
    );
}

#[test]
fn only_names_and_durations_are_written() {
    // `On` would be read as the key true.
    for name in ["", "A B", "A: true\nB", "-", "é", "On"] {
        assert!(edited(HEAD, &gates([(name, Some(true))])).is_err(), "{name:?}");
    }
    for text in ["", "20", "20min", "1h 2m", "20m # x", "-5m"] {
        assert!(edited(HEAD, &timeout(text)).is_err(), "{text:?}");
    }
}

#[test]
fn a_drop_in_is_read_in_its_own_way() {
    let text = format!("{HEAD}featureGates:\n  New: null\nunknown: 1\n");
    let after = edit(text.as_bytes(), &both(), Role::DropIn).unwrap();
    let expected = text.replace("null", "true") + "runtimeRequestTimeout: 20m\n";
    assert_eq!(String::from_utf8(after).unwrap(), expected);
    let twice = format!("{HEAD}a: 1\na: 2\n");
    assert!(edit(twice.as_bytes(), &both(), Role::DropIn).is_err());
}
