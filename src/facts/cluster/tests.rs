use super::*;
use crate::facts::catalogue::{self, Evidence};
use crate::facts::{Facts, Value};
use crate::host::{Archive, NODE, RUNTIME_CLASSES, Root};

const OF_NODE: &str = r#"{"kind": "Node", "apiVersion": "v1",
    "metadata": {"name": "gpu-1", "labels": {
        "kubernetes.io/os": "linux",
        "nvidia.com/gpu.workload.config": "vm-passthrough",
        "nvidia.com/cc.ready.state": "",
        "nvidia.com/cc.mode.state": "failed",
        "amd.feature.node.kubernetes.io/snp": "true"}},
    "spec": {"taints": [
        {"key": "gpu", "value": "yes", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "soft", "effect": "PreferNoSchedule"}]},
    "status": {"allocatable": {"cpu": "128", "nvidia.com/pgpu": "8", "nvidia.com/GH100_NVSWITCH": "4"}}}"#;

const CLASSES: &str = r#"{"kind": "RuntimeClassList", "items": [
    {"metadata": {"name": "plain"}, "handler": "runc"},
    {"metadata": {"name": "kata-qemu-nvidia-gpu-snp"}, "handler": "kata-qemu-nvidia-gpu-snp", "scheduling": {
        "nodeSelector": {"nvidia.com/cc.ready.state": "true", "amd.feature.node.kubernetes.io/snp": "true",
            "katacontainers.io/kata-runtime": "true", "site.example/pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]}},
    {"metadata": {"name": "kata-qemu-nvidia-gpu-tdx"}, "handler": "kata-qemu-nvidia-gpu-tdx", "scheduling": {
        "tolerations": [{"operator": "Exists"}]}}]}"#;

fn gathered(answers: &[(&str, Option<i32>, &str)]) -> Facts {
    let mut archive = Archive::default();
    for (name, code, text) in answers {
        let output = Output { code: *code, stdout: text.as_bytes().to_vec() };
        archive.record_answer((*name).to_owned(), output);
    }
    let run = Run::on(&Root::archive(archive));
    Facts { cluster: Some(gather(&run, None, None)), ..Facts::default() }
}

fn both(node: &str, classes: &str) -> Facts {
    gathered(&[(NODE, Some(200), node), (RUNTIME_CLASSES, Some(200), classes)])
}

fn value(facts: &Facts, name: &str) -> Evidence {
    (catalogue::fact(name).unwrap().read)(facts)
}

fn of_class(facts: &Facts, index: usize, name: &str) -> Evidence {
    let collection = catalogue::collection("cluster.runtime-classes").unwrap();
    let fact = collection.facts.iter().find(|fact| fact.name == name).unwrap();
    (fact.read)(facts, index)
}

fn texts(members: &[&str]) -> Reading<Value> {
    Reading::Known(Value::Set(members.iter().map(|member| (*member).to_owned()).collect()))
}

fn text(text: &str) -> Reading<Value> {
    Reading::Known(Value::Text(text.to_owned()))
}

#[test]
fn a_node_is_told_by_its_labels_taints_and_resources() {
    let facts = both(OF_NODE, CLASSES);
    assert_eq!(value(&facts, "cluster.asked").reading, Reading::Known(Value::Bool(true)));
    assert_eq!(value(&facts, "cluster.node").reading, text("gpu-1"));
    assert_eq!(value(&facts, "cluster.workload-config").reading, text("vm-passthrough"));
    // A label without a value is another thing than no label.
    assert_eq!(value(&facts, "cluster.cc-ready-state").reading, text(""));
    assert!(value(&facts, "cluster.cc-mode").reading.is_absent());
    assert_eq!(
        value(&facts, "cluster.allocatable-gpus").reading,
        Reading::Known(Value::Integer(8))
    );
    assert_eq!(
        value(&facts, "cluster.allocatable-nvswitches").reading,
        Reading::Known(Value::Integer(4))
    );
    assert_eq!(
        value(&facts, "cluster.taints").reading,
        texts(&[
            "gpu=yes:NoSchedule",
            "node.kubernetes.io/unschedulable:NoSchedule",
            "soft:PreferNoSchedule"
        ])
    );
    let Reading::Known(Value::Set(labels)) = value(&facts, "cluster.labels").reading else {
        panic!()
    };
    assert!(!labels.contains("kubernetes.io/os=linux") && labels.len() == 4, "{labels:?}");
}

#[test]
fn each_missing_label_is_told_with_who_sets_it() {
    let facts = both(OF_NODE, CLASSES);
    assert_eq!(of_class(&facts, 0, "missing-labels").reading, texts(&[]));
    let missing = of_class(&facts, 1, "missing-labels");
    assert_eq!(
        missing.reading,
        texts(&[
            "katacontainers.io/kata-runtime=true",
            "nvidia.com/cc.ready.state=true",
            "site.example/pool=gpu"
        ])
    );
    assert_eq!(
        missing.note.as_deref(),
        Some(
            "kata-deploy sets katacontainers.io/kata-runtime; nvidia.com/cc.ready.state is \"\", and \
             the GPU Operator sets it; an administrator sets site.example/pool"
        )
    );
}

#[test]
fn a_taint_keeps_away_who_does_not_tolerate_it() {
    let facts = both(OF_NODE, CLASSES);
    let unschedulable = "node.kubernetes.io/unschedulable:NoSchedule";
    let untolerated = |index| of_class(&facts, index, "untolerated-taints").reading;
    assert_eq!(untolerated(0), texts(&["gpu=yes:NoSchedule", unschedulable]));
    assert_eq!(untolerated(1), texts(&[unschedulable]));
    assert_eq!(untolerated(2), texts(&[]));
}

#[test]
fn where_the_api_server_was_not_asked_nothing_is_known_and_nothing_in_doubt() {
    let facts = gathered(&[]);
    assert_eq!(value(&facts, "cluster.asked").reading, Reading::Known(Value::Bool(false)));
    for fact in FACTS {
        let predicted = fact.name == "cluster.predicted-missing";
        let reading = (fact.read)(&facts).reading;
        assert!(reading.is_absent() || fact.name == "cluster.asked" || predicted, "{}", fact.name);
    }
    let selection = (catalogue::collection("cluster.runtime-classes").unwrap().select)(&facts);
    assert!(selection.subjects.is_empty() && selection.doubt.is_none());
}

#[test]
fn a_refusal_or_a_broken_answer_is_no_answer_and_a_missing_node_is_absent() {
    for (code, body, why) in [
        (Some(401), "", "the API server does not accept the credentials (401 Unauthorized)"),
        (Some(403), "{}", "these credentials may not read this node (403 Forbidden)"),
        (Some(503), "", "the API server answers with the status 503"),
        (None, "no route to host\n", "no route to host"),
    ] {
        let facts = gathered(&[(NODE, code, body), (RUNTIME_CLASSES, Some(200), CLASSES)]);
        let reading = value(&facts, "cluster.node").reading;
        assert_eq!(reading.cause().map(ToString::to_string).as_deref(), Some(why));
    }
    for body in ["", "{", "[]", "null", "{\"metadata\": {\"labels\": {}}}", "<html>"] {
        let facts = gathered(&[(NODE, Some(200), body)]);
        assert!(value(&facts, "cluster.labels").reading.cause().is_some(), "{body}");
    }
    let gone = gathered(&[(NODE, Some(404), "{}"), (RUNTIME_CLASSES, Some(500), "")]);
    assert!(value(&gone, "cluster.node").reading.is_absent());
    assert!(
        (catalogue::collection("cluster.runtime-classes").unwrap().select)(&gone).doubt.is_some()
    );
}

#[test]
fn a_number_of_devices_that_is_none_is_not_taken_for_nothing() {
    let node = OF_NODE.replace("\"8\"", "\"8k\"");
    let reading = value(&both(&node, CLASSES), "cluster.allocatable-gpus").reading;
    assert!(reading.cause().is_some_and(|cause| cause.to_string().contains("8k")));
}
