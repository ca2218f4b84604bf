//! Random configurations and real ones, held against what the editor promises and what another parser
//! says.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Doubt, Wanted, oracle};
use super::{GATES, Role, TIMEOUT, edit};

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
const JSON: &[u8] =
    b"{\"kind\": \"KubeletConfiguration\", \"apiVersion\": \"kubelet.config.k8s.io/v1beta1\"";

fn gates<const N: usize>(gates: [(&str, Option<bool>); N]) -> Wanted {
    let gates = gates.map(|(name, value)| (name.to_owned(), value));
    Wanted { gates: BTreeMap::from(gates), ..Wanted::default() }
}

fn timeout(text: &str) -> Wanted {
    Wanted { runtime_request_timeout: Some(text.to_owned()), ..Wanted::default() }
}

fn edited(text: &str, wanted: &Wanted) -> Result<String, Doubt> {
    edit(text.as_bytes(), wanted, Role::Main).map(|after| String::from_utf8(after).unwrap())
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
                    let lines =
                        gates.iter().map(|(name, value)| format!("\n{lead}{name}: {value}"));
                    lines.collect::<Vec<_>>().concat()
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
                for line in text.lines().filter(|line| line.starts_with('#')) {
                    prop_assert!(after.lines().any(|other| other == line), "{line:?} is gone");
                }
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
        let mut text = if json { JSON } else { HEAD.as_bytes() }.to_vec();
        text.extend_from_slice(if json { b"," } else { b"" });
        text.extend_from_slice(&noise);
        text.extend_from_slice(if json { b"}" } else { b"" });
        let wanted = questions().swap_remove(0);
        let _ = edit(&text, &wanted, Role::Main);
        let _ = edit(&noise, &wanted, Role::DropIn);
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
