use super::super::gates::{self, Outcome};
use super::*;
use crate::format::version::Version;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

fn with_head(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

/// The verdict of a kubelet of this version on a file by itself, in the words of the fact.
fn verdict(text: &[u8], version: &str) -> &'static str {
    let version = Version::parse(version).unwrap();
    match main_file(text) {
        Err(_) => "fails",
        Ok(decoded) => {
            let refused = decoded.gates.iter().any(|(name, gate)| {
                let outcome = gates::outcome(name, gate.value == Some(true), Some(&version));
                assert!(!matches!(outcome, Outcome::CannotTell(_)), "{name}");
                matches!(outcome, Outcome::Unknown(_) | Outcome::Locked(_))
            });
            match decoded.lenient {
                _ if refused => "fails",
                Some(_) => "lenient",
                None => "strict",
            }
        }
    }
}

/// What a real kubelet 1.36.3 said of each layout.
#[test]
fn every_layout_gets_the_verdict_of_a_real_kubelet() {
    for (rest, expected) in [
        ("featureGates: {RotateKubeletServerCertificate: true, NodeSwap: false} # keep\n", "fails"),
        ("featureGates: {}\nmaxPods: 110\n", "strict"),
        ("featureGates:\nmaxPods: 110\n", "strict"),
        ("featureGates: ~\n", "strict"),
        ("featureGates:\n  # none yet\nmaxPods: 110\n", "strict"),
        ("featureGates:\n  RotateKubeletServerCertificate: \"true\"\n", "fails"),
        ("featureGates:\n  KubeletPodResourcesGet: false # was off\n", "fails"),
        ("featureGates:\n  KubeletTracing: true\nfeatureGates:\n  NodeSwap: true\n", "lenient"),
        ("featureGates:\n  NodeSwap: true\n  NodeSwap: false\n", "fails"),
        ("featureGates:\n  NodeSwap: false\n  NodeSwap: true\n", "lenient"),
        ("x-on: &on true\nfeatureGates:\n  NodeSwap: *on\n", "lenient"),
        ("featureGates:\n\tNodeSwap: true\n", "fails"),
        ("featureGates:\n  NodeSwap: true\t# tab\nmaxPods:\t110\n", "strict"),
        ("featureGates: {\n  NodeSwap: true,\n  KubeletTracing: true\n}\n", "strict"),
        ("featureGates :\n  NodeSwap : true\nruntimeRequestTimeout : 2m\n", "strict"),
        ("base: &b\n  NodeSwap: true\nfeatureGates:\n  <<: *b\n  KubeletTracing: on\n", "lenient"),
        ("featureGates: NodeSwap=true\n", "fails"),
        ("staticPodURLHeader:\n  featureGates:\n  - \"runtimeRequestTimeout: 1s\"\n", "strict"),
        ("---\nkind: KubeProxyConfiguration\n", "strict"),
        ("FeatureGates:\n  Nonsense: true\n", "lenient"),
        ("authentication:\n  webhook:\n    enabled: true\n    cache: 1s\n", "lenient"),
        ("maxPods: \"110\"\n", "fails"),
        ("maxPods: 110.0\n", "strict"),
        ("maxPods: 5000000000\n", "fails"),
        ("cgroupDriver: yes\n", "fails"),
        ("kubeReserved: {cpu: 1}\n", "fails"),
        ("kubeReserved: {cpu: 100m}\n", "strict"),
        ("clusterDNS: 10.96.0.10\n", "fails"),
        ("clusterDNS:\n- 10.96.0.10\n", "strict"),
        ("syncFrequency: null\n", "fails"),
        ("cpuCFSQuotaPeriod: null\n", "strict"),
        ("logging: {flushFrequency: 0, verbosity: 2}\n", "strict"),
        ("logging: {flushFrequency: 5s, verbosity: -1}\n", "fails"),
    ] {
        assert_eq!(verdict(with_head(rest).as_bytes(), "1.36.3"), expected, "{rest}");
    }
    for (text, expected) in [
        ("", "fails"),
        ("\n", "fails"),
        ("# nothing\n", "fails"),
        ("- 1\n", "fails"),
        ("apiVersion: v1\nkind: ConfigMap\n---\nkind: KubeletConfiguration\n", "fails"),
        ("kind: KubeletConfiguration\n", "fails"),
        ("kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1\n", "fails"),
        ("Kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n", "lenient"),
        ("{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration}\n", "fails"),
        (
            "{\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\",\"kind\":\"KubeletConfiguration\"}",
            "strict",
        ),
    ] {
        assert_eq!(verdict(text.as_bytes(), "1.36.3"), expected, "{text}");
    }
}

fn gates(decoded: &Decoded) -> Vec<(&str, Option<bool>, u32)> {
    decoded.gates.iter().map(|(name, gate)| (name.as_str(), gate.value, gate.line)).collect()
}

#[test]
fn gates_have_their_last_value_and_its_line() {
    let text = with_head("featureGates:\n  A: yes\n  B: off\n  C:\n  D: null\n  A: no\n");
    let decoded = main_file(text.as_bytes()).unwrap();
    assert_eq!(
        gates(&decoded),
        [
            ("A", Some(false), 8),
            ("B", Some(false), 5),
            ("C", Some(false), 6),
            ("D", Some(false), 7)
        ]
    );
    assert_eq!(decoded.lenient.unwrap().line, 8);
}

#[test]
fn the_last_section_drops_the_one_before_it() {
    let text = with_head("featureGates:\n  A: true\nfeatureGates:\n  B: true\n");
    assert_eq!(gates(&main_file(text.as_bytes()).unwrap()), [("B", Some(true), 6)]);
}

#[test]
fn maps_that_stand_twice_in_json_are_merged() {
    let text = "{\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\",\"kind\":\"KubeletConfiguration\",\n\
                \"featureGates\":{\"A\":true},\n\"featureGates\":{\"B\":true}}";
    let decoded = main_file(text.as_bytes()).unwrap();
    assert_eq!(gates(&decoded), [("A", Some(true), 2), ("B", Some(true), 3)]);
    assert!(decoded.lenient.is_some());
    let text = text.replace("{\"B\":true}", "null");
    assert_eq!(gates(&main_file(text.as_bytes()).unwrap()), []);
}

#[test]
fn merged_and_aliased_gates_count() {
    let text = with_head("base: &b {A: true, B: true}\nfeatureGates:\n  <<: *b\n  B: false\n");
    let decoded = main_file(text.as_bytes()).unwrap();
    assert_eq!(gates(&decoded), [("A", Some(true), 3), ("B", Some(false), 6)]);
}

#[test]
fn durations_are_those_that_the_kubelet_takes() {
    let timeout = |value: &str| {
        let text = with_head(&format!("runtimeRequestTimeout: {value}\n"));
        main_file(text.as_bytes())
            .map(|decoded| decoded.timeout.unwrap().value.unwrap().to_string())
    };
    for (value, expected) in
        [("20m", "20m0s"), ("'20m'", "20m0s"), ("\"0\"", "0s"), ("0s", "0s"), ("-5m", "-5m0s")]
    {
        assert_eq!(timeout(value), Ok(expected.to_owned()), "{value}");
    }
    for value in ["20", "0", "\"20\"", "20min", "\"\"", "", "~", "2562048h", "[20m]"] {
        assert_eq!(timeout(value).map_err(|cause| cause.line()), Err(Some(3)), "{value}");
    }
}

#[test]
fn a_drop_in_is_stricter() {
    for (text, good) in [
        (with_head("runtimeRequestTimeout: 20m\n"), true),
        (with_head("unknownField: 1\n"), true),
        (with_head("featureGates: {A: \"true\"}\n"), false),
        (with_head("runtimeRequestTimeout: 20\n"), false),
        (with_head("maxPods: 1\nmaxPods: 1\n"), false),
        ("runtimeRequestTimeout: 20m\n".to_owned(), false),
        (String::new(), false),
        (
            "{\"kind\":\"KubeletConfiguration\",\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\"}"
                .to_owned(),
            true,
        ),
    ] {
        assert_eq!(drop_in(text.as_bytes()).is_ok(), good, "{text}");
    }
}

#[test]
fn null_in_a_drop_in_takes_away() {
    let decoded =
        drop_in(with_head("featureGates: {A: null}\nruntimeRequestTimeout:\n").as_bytes()).unwrap();
    assert_eq!(gates(&decoded), [("A", None, 3)]);
    assert_eq!(decoded.timeout, Some(Setting { value: None, line: 4 }));
    let decoded = drop_in(with_head("featureGates:\n").as_bytes()).unwrap();
    assert_eq!(decoded.gates_taken_away, Some(3));
}

/// The corpus that a real kubelet 1.36.3 judged, where it is at hand.
#[test]
#[expect(clippy::disallowed_methods, reason = "the corpus is no host")]
fn the_corpus_gets_the_verdicts_of_a_real_kubelet() {
    let shared = std::env::var("CCGPU_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let Ok(directory) = std::fs::read_dir(format!("{shared}/kubelet-configs")) else {
        println!("left out: no corpus of kubelet configurations");
        return;
    };
    let fails = ["s01", "s06", "s07", "s09", "s11", "s14", "s21", "s29", "s30", "s31"];
    let lenient = ["s08", "s13", "s28"];
    let mut count = 0;
    for entry in directory {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = match name.get(..3) {
            Some(id) if fails.contains(&id) => "fails",
            Some(id) if lenient.contains(&id) => "lenient",
            _ => "strict",
        };
        assert_eq!(verdict(&std::fs::read(&path).unwrap(), "1.36.3"), expected, "{name}");
        count += 1;
    }
    assert_eq!(count, 32);
}
