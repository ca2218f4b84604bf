use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::plan::kubelet::oracle;

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
        &root.replace("}", ", featureGates: {New: true}, runtimeRequestTimeout: 20m}"),
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

/// Configurations in many spellings.
fn configuration() -> impl Strategy<Value = String> {
    let gate = ("[A-D]", prop::sample::select(vec!["true", "false", "yes", "off", "on # why"]));
    let other = prop::sample::select(vec![
        "maxPods: 110",
        "clusterDNS:\n- 10.0.0.10",
        "# featureGates: no",
        "",
        "authentication:\n  anonymous:\n    enabled: false",
        "failSwapOn: false # swap",
        "runtimeRequestTimeout: 2m0s",
        "staticPodURLHeader:\n    A:\n    - \"A: true\"",
    ]);
    let gates = prop::collection::btree_map(gate.0, gate.1, 1..4);
    let section = (gates, 0..4_u8);
    (
        prop::collection::vec(other, 0..5),
        prop::option::of(section),
        0..5_usize,
        prop::bool::ANY,
        prop::bool::ANY,
    )
        .prop_map(|(mut others, section, place, crlf, newline)| {
            let section = section.map(|(gates, form)| {
                let pairs = |lead: &str| -> String {
                    gates.iter().map(|(name, value)| format!("\n{lead}{name}: {value}")).collect()
                };
                let flow: Vec<String> = gates
                    .iter()
                    .map(|(name, value)| {
                        let value = value.split(' ').next().unwrap_or_default();
                        format!("{name}: {value}")
                    })
                    .collect();
                match form {
                    0 => format!("featureGates:{}", pairs("  ")),
                    1 => format!("featureGates: # gates{}", pairs("    ")),
                    2 => format!("featureGates: {{{}}}", flow.join(", ")),
                    _ => format!("featureGates: {{\n  {}\n}}", flow.join(",\n  ")),
                }
            });
            if let Some(section) = section {
                others.insert(place.min(others.len()), Box::leak(section.into_boxed_str()));
            }
            let mut text = format!("{HEAD}{}", others.join("\n"));
            if newline {
                text.push('\n');
            }
            if crlf { text.replace('\n', "\r\n") } else { text }
        })
}

fn anything_wanted() -> impl Strategy<Value = Wanted> {
    let gates = prop::collection::btree_map("[A-F]", prop::option::of(prop::bool::ANY), 0..4);
    let timeout = prop::option::of(prop::sample::select(vec!["20m".to_owned(), "2m".to_owned()]));
    (gates, timeout).prop_map(|(gates, runtime_request_timeout)| Wanted {
        gates,
        runtime_request_timeout,
        ..Wanted::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_edit_gives_what_is_wanted_and_a_second_one_nothing(text in configuration(), wanted in anything_wanted()) {
        let admitted = Role::Main.decode(text.as_bytes());
        match edited(&text, &wanted) {
            Ok(after) => {
                let decoded = Role::Main.decode(after.as_bytes()).unwrap();
                for (name, value) in &wanted.gates {
                    prop_assert_eq!(decoded.gates.get(name).and_then(|set| set.value), *value);
                }
                prop_assert_eq!(edited(&after, &wanted), Ok(after.clone()));
                prop_assert_eq!(text.contains('\r'), after.contains('\r'));
                prop_assert_eq!(text.ends_with('\n'), after.ends_with('\n'));
            }
            // Keys that stand twice come from the generator; all else is plain enough to be edited.
            Err(doubt) => prop_assert!(admitted.is_err() || doubt.why.contains("twice"), "{doubt:?}"),
        }
    }

    #[test]
    fn a_gate_that_comes_and_goes_leaves_no_trace(text in configuration(), on in prop::bool::ANY) {
        let Ok(after) = edited(&text, &gates([("Visitor", Some(on))])) else { return Ok(()) };
        if Role::Main.decode(text.as_bytes()).is_ok_and(|decoded| !decoded.gates.is_empty()) {
            prop_assert_eq!(edited(&after, &gates([("Visitor", None)])), Ok(text));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..60), json in prop::bool::ANY) {
        let head = if json { &JSON[..JSON.len() - 3] } else { HEAD };
        let mut text = head.as_bytes().to_vec();
        text.extend_from_slice(if json { b"," } else { b"" });
        text.extend_from_slice(&noise);
        text.extend_from_slice(if json { b"}" } else { b"" });
        let _ = edit(&text, &both(), Role::Main);
        let _ = edit(&noise, &both(), Role::DropIn);
    }
}

/// Real configurations, one file each, where they are at hand.
#[expect(clippy::disallowed_methods, reason = "the files of a directory beside the project")]
fn real_files() -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("CCGPU_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        std::path::PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(shared.join("kubelet-configs")) else {
        println!("left out: {} is not there", shared.display());
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// What is asked of each file: what a host needs, and what else can happen to a gate.
fn questions() -> Vec<Wanted> {
    vec![
        Wanted {
            runtime_request_timeout: Some("20m".to_owned()),
            ..gates([
                ("KubeletPodResourcesGet", Some(true)),
                ("RuntimeClassInImageCriApi", Some(true)),
            ])
        },
        gates([("NodeSwap", Some(false)), ("New", Some(false))]),
        gates([("NodeSwap", None)]),
        gates([("NodeSwap", None), ("KubeletTracing", None), ("New", Some(true))]),
        timeout("1h30m"),
    ]
}

#[test]
fn another_parser_agrees_about_real_files() {
    let mut cases = Vec::new();
    for (name, text) in real_files() {
        cases.extend(questions().into_iter().map(|wanted| (name.clone(), text.clone(), wanted)));
    }
    let Some(tally) = oracle::judge(&cases) else { return };
    let files: BTreeMap<&str, &str> =
        tally.refused.iter().map(|(name, doubt)| (name.as_str(), doubt.why.as_str())).collect();
    println!("{} edits, {} refused:", tally.edited, tally.refused.len());
    for (name, why) in &files {
        let times = tally.refused.iter().filter(|(other, _)| other == name).count();
        println!("{name}: {times} of {}: {why}", questions().len());
    }
}

#[test]
fn another_parser_agrees_about_random_files() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut cases = Vec::new();
    for _ in 0..600 {
        let case = (configuration(), anything_wanted()).new_tree(&mut runner).unwrap().current();
        cases.push((case.0.clone(), case.0.into_bytes(), case.1));
    }
    for _ in 0..400 {
        let (json, wanted) = (json(), anything_wanted()).new_tree(&mut runner).unwrap().current();
        cases.push((json.clone(), json.into_bytes(), wanted));
    }
    if let Some(tally) = oracle::judge(&cases) {
        println!("{} edits, {} refused", tally.edited, tally.refused.len());
        assert!(tally.edited > 600);
    }
}

/// Configurations in JSON, wide or tight.
fn json() -> impl Strategy<Value = String> {
    let gates = prop::collection::btree_map("[A-D]", prop::bool::ANY, 0..4);
    let others = prop::collection::btree_map("[a-d]{1,3}", 0..9_u8, 0..3);
    (prop::option::of(gates), others, prop::bool::ANY, prop::option::of(Just("2m0s"))).prop_map(
        |(gates, others, wide, timeout)| {
            let mut value = serde_json::json!({
                "kind": "KubeletConfiguration",
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
            });
            let root = value.as_object_mut().unwrap();
            for (name, number) in others {
                root.insert(name, number.into());
            }
            if let Some(gates) = gates {
                root.insert(GATES.to_owned(), serde_json::json!(gates));
            }
            if let Some(timeout) = timeout {
                root.insert(TIMEOUT.to_owned(), timeout.into());
            }
            if wide { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() }
        },
    )
}

proptest! {
    #[test]
    fn json_is_edited_whatever_it_holds(text in json(), wanted in anything_wanted()) {
        let after = edited(&text, &wanted).map_err(|doubt| TestCaseError::fail(doubt.why))?;
        let value: serde_json::Value = serde_json::from_str(&after).unwrap();
        for (name, wanted) in &wanted.gates {
            let now = value.get(GATES).and_then(|gates| gates.get(name)).and_then(serde_json::Value::as_bool);
            prop_assert_eq!(now, *wanted);
        }
        prop_assert_eq!(edited(&after, &wanted), Ok(after.clone()));
    }
}
