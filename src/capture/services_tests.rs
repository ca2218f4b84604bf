use super::*;

fn redacted(name: &str, code: Option<i32>, text: &str, classes: &str) -> String {
    let mut archive = Archive::default();
    archive.record_answer(
        RUNTIME_CLASSES.to_owned(),
        Output { code: Some(200), stdout: classes.into() },
    );
    archive.record_answer(name.to_owned(), Output { code, stdout: text.into() });
    redact(&mut archive);
    String::from_utf8(archive.answer(name).unwrap().stdout.clone()).unwrap()
}

#[test]
fn of_a_node_only_what_facts_read_is_shown() {
    let classes = r#"{"items": [{"metadata": {"name": "c", "annotations": {"x": "s3cret"}, "labels": {"x": "s3cret"}},
        "handler": "kata", "scheduling": {"nodeSelector": {"site.example/pool": "gpu"}}, "overhead": {"s3cret": 1}}]}"#;
    let text = redacted(
        NODE,
        Some(200),
        r#"{"kind": "Node", "metadata": {"name": "s3cret", "uid": "s3cret", "annotations": {"a": "s3cret"},
            "labels": {"kubernetes.io/hostname": "s3cret", "nvidia.com/cc.mode": "on", "site.example/pool": "cpu"}},
            "spec": {"podCIDR": "s3cret", "providerID": "s3cret", "taints": [{"key": "k", "effect": "NoSchedule"}]},
            "status": {"addresses": [{"address": "s3cret"}], "images": [{"names": ["s3cret"]}],
            "allocatable": {"nvidia.com/pgpu": "8", "s3cret": "1"}}}"#,
        classes,
    );
    assert!(!text.contains("s3cret"), "{text}");
    for kept in ["nvidia.com/cc.mode", "site.example/pool", "cpu", "nvidia.com/pgpu", "NoSchedule"]
    {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    let text = redacted(RUNTIME_CLASSES, Some(200), classes, classes);
    assert!(!text.contains("s3cret") && text.contains("site.example/pool"), "{text}");
}

#[test]
fn of_pods_only_those_with_gpus_are_shown_and_not_by_name() {
    let text = redacted(
        POD_RESOURCES,
        Some(0),
        r#"{"pods": [
            {"namespace": "s3cret", "name": "s3cret", "devices": [{"resource": "s3cret/nic", "ids": ["s3cret"]}]},
            {"namespace": "s3cret", "name": "s3cret", "devices": [
                {"resource": "nvidia.com/pgpu", "ids": ["3"]}, {"resource": "s3cret/nic", "ids": ["1"]}]}],
            "offered": [{"resource": "nvidia.com/pgpu", "ids": ["3", "4"]}, {"resource": "s3cret/nic", "ids": ["1"]}],
            "get": {"unclear": "s3cret"}}"#,
        "",
    );
    assert!(!text.contains("s3cret"), "{text}");
    let told: PodResources = serde_json::from_str(&text).unwrap();
    assert_eq!((told.pods.len(), told.pods[0].name.as_str()), (1, "pod-1"));
    assert_eq!(told.offered.unwrap()[0].ids, ["3", "4"]);
}

#[test]
fn what_is_no_such_answer_is_not_shown() {
    for (code, text) in [
        (Some(200), "s3cret"),
        (Some(200), r#"{"metadata": {}, "s3cret": 1}"#),
        (Some(403), r#"{"message": "s3cret"}"#),
        (None, "https://s3cret.example:6443 does not answer"),
    ] {
        assert!(!redacted(NODE, code, text, "s3cret").contains("s3cret"), "{text}");
    }
    assert_eq!(redacted(POD_RESOURCES, None, "", ""), "");
}
