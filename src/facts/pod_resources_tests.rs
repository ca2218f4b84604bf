use super::*;
use crate::facts::catalogue;
use crate::host::{Archive, Output, POD_RESOURCES, Root};

/// What a captured kubelet said: the form of a capture is the form of the answer.
fn facts(code: Option<i32>, text: &str) -> Facts {
    let mut archive = Archive::default();
    archive.record_answer(POD_RESOURCES.to_owned(), Output { code, stdout: text.into() });
    of_root(&Root::archive(archive))
}

fn of_root(root: &Root) -> Facts {
    let pod_resources = Some(gather(&Run::on(root), None));
    Facts { pod_resources, ..Facts::default() }
}

fn value(facts: &Facts, name: &str) -> Evidence {
    (catalogue::fact(name).unwrap().read)(facts)
}

fn texts(members: &[&str]) -> Reading<Value> {
    Reading::Known(set(members.iter().map(|member| (*member).to_owned())))
}

const BUSY: &str = r#"{
    "pods": [{"namespace": "ai", "name": "llm-0", "devices": [
        {"resource": "nvidia.com/pgpu", "ids": ["12"]}, {"resource": "acme.example/nic", "ids": ["1"]}]}],
    "offered": [{"resource": "nvidia.com/pgpu", "ids": ["12"]}, {"resource": "nvidia.com/pgpu", "ids": ["13"]},
        {"resource": "nvidia.com/nvswitch", "ids": ["20"]}, {"resource": "acme.example/nic", "ids": ["1", "2"]}],
    "get": "answered"}"#;

#[test]
fn what_pods_hold_and_what_is_offered_is_told() {
    let facts = facts(Some(0), BUSY);
    assert_eq!(value(&facts, "pod-resources.served").reading, Reading::Known(Value::Bool(true)));
    assert_eq!(value(&facts, "pod-resources.get").reading, Reading::Known(Value::Bool(true)));
    assert_eq!(value(&facts, "pod-resources.held").reading, texts(&["nvidia.com/pgpu=12"]));
    assert_eq!(value(&facts, "pod-resources.gpu-pods").reading, texts(&["ai/llm-0"]));
    let offered = value(&facts, "pod-resources.offered");
    assert_eq!(offered.reading, texts(&["nvidia.com/nvswitch", "nvidia.com/pgpu"]));
    assert_eq!(offered.note.as_deref(), Some("2 x nvidia.com/pgpu, 1 x nvidia.com/nvswitch"));
    assert_eq!(offered.source, Some(Source::file("/var/lib/kubelet/pod-resources/kubelet.sock")));
    let pods = facts.pod_resources.unwrap();
    assert_eq!(pods.free("nvidia.com/pgpu"), Reading::Known(1));
    assert_eq!(pods.free("nvidia.com/other"), Reading::Known(0));
}

#[test]
fn only_known_words_prove_that_get_is_off_or_on() {
    for (said, expected) in [
        ("\"answered\"", Some(true)),
        ("\"disabled\"", Some(false)),
        ("\"unimplemented\"", Some(false)),
        ("{\"unclear\": \"it is full\"}", None),
    ] {
        let text = format!("{{\"pods\": [], \"offered\": [], \"get\": {said}}}");
        let reading = value(&facts(Some(0), &text), "pod-resources.get").reading;
        match expected {
            Some(on) => assert_eq!(reading, Reading::Known(Value::Bool(on))),
            None => assert_eq!(reading.cause(), Some(&Cause::NoAnswer("it is full".to_owned()))),
        }
    }
}

#[test]
fn a_socket_that_nobody_serves_is_known_and_one_that_nobody_could_ask_is_absent() {
    let nobody = facts(None, "");
    assert_eq!(value(&nobody, "pod-resources.served").reading, Reading::Known(Value::Bool(false)));
    assert!(value(&nobody, "pod-resources.get").reading.is_absent());
    let directory = tempfile::tempdir().unwrap();
    for root in [Root::archive(Archive::default()), Root::directory(directory.path()).unwrap()] {
        for fact in FACTS {
            assert!((fact.read)(&of_root(&root)).reading.is_absent(), "{}", fact.name);
        }
    }
}

#[test]
fn an_answer_that_did_not_come_or_is_broken_is_no_answer() {
    for (code, text) in [(None, "permission denied\n"), (Some(0), "{"), (Some(0), "{\"pods\": 1}")]
    {
        for fact in FACTS {
            assert!((fact.read)(&facts(code, text)).reading.cause().is_some(), "{}", fact.name);
        }
    }
}
