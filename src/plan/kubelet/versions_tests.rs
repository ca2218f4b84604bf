use super::*;
use crate::facts::{Assumptions, Needs, Value, gather};
use crate::host::{Archive, Root, Run};

/// A kubelet of which there is no more than its configuration.
fn kubelet(version: Option<&str>, rest: &str) -> Kubelet {
    let text = format!(
        "ccgpu-host 1\n-- complete /\n-- file /var/lib/kubelet/config.yaml\n\
         apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n{rest}"
    );
    let root = Root::archive(Archive::parse(text.as_bytes()).unwrap());
    let mut assumed = Assumptions::new();
    if let Some(version) = version {
        assumed.insert("kubelet.version", Value::Version(Version::parse(version).unwrap()));
    }
    let needs = Needs::KUBELET.and(Needs::KUBELET_VERSION);
    gather(&root, &Run::on(&root), needs, assumed).kubelet.unwrap()
}

const GET: Ask = Ask {
    pod_resources_get: true,
    runtime_class_in_image_cri: false,
    timeout_at_least: None,
    drop_refused_gates: false,
};
const CLASS: Ask = Ask { pod_resources_get: false, runtime_class_in_image_cri: true, ..GET };
const DROP: Ask = Ask { pod_resources_get: false, drop_refused_gates: true, ..GET };

/// `name=value` of each gate, `name-` of one that goes, `?` behind an unproven one; or why not.
fn gates(version: Option<&str>, rest: &str, ask: &Ask) -> Result<String, String> {
    let wanted = wanted(&kubelet(version, rest), ask).map_err(|refused| refused.why)?;
    let gates = wanted.gates.iter().map(|(name, value)| {
        let doubt = if wanted.unproven.contains(name) { "?" } else { "" };
        match value {
            Some(value) => format!("{name}={value}{doubt}"),
            None => format!("{name}-{doubt}"),
        }
    });
    Ok(gates.collect::<Vec<_>>().join(" "))
}

#[test]
fn pod_resources_get_is_written_only_where_it_is_off_by_default() {
    let is = |version, rest, expected: &str| {
        assert_eq!(gates(Some(version), rest, &GET).as_deref(), Ok(expected), "{version} {rest}");
    };
    let section = |value| format!("featureGates:\n  KubeletPodResourcesGet: {value}\n");
    let (on, off) = (section("true"), section("false"));
    for version in ["1.27.0", "1.28.15", "1.33.9"] {
        is(version, "", "KubeletPodResourcesGet=true");
        is(version, &off, "KubeletPodResourcesGet=true");
        is(version, &on, "");
    }
    for version in ["1.34.0", "1.35.2", "1.36.3", "1.37.0", "1.40.0"] {
        is(version, "", "");
        is(version, &off, "KubeletPodResourcesGet-");
        is(version, &on, "");
    }
    is("1.33.0", "featureGates: {AllAlpha: true}\n", "");
    is("1.36.0", "featureGates: {AllBeta: false}\n", "");
    let why = gates(Some("1.35.0"), "featureGates: {AllBeta: false}\n", &GET).unwrap_err();
    assert!(why.contains("take AllBeta out"), "{why}");
    for version in ["1.26.4", "2.0.0"] {
        assert!(gates(Some(version), "", &GET).is_err(), "{version}");
    }
    assert!(gates(None, "", &GET).unwrap_err().contains("version"));
}

#[test]
fn a_gate_that_the_kubelet_does_not_know_is_not_written() {
    let why = gates(Some("1.28.15"), "", &CLASS).unwrap_err();
    assert_eq!(
        why,
        "feature gate RuntimeClassInImageCriApi: unknown to kubelet 1.28: not before 1.29"
    );
    for version in ["1.29.0", "1.33.1", "1.34.5", "1.36.3"] {
        let told = gates(Some(version), "", &CLASS);
        assert_eq!(told.as_deref(), Ok("RuntimeClassInImageCriApi=true"), "{version}");
    }
    let told = gates(Some("1.37.0"), "", &CLASS);
    assert_eq!(told.as_deref(), Ok("RuntimeClassInImageCriApi=true?"));
    assert!(gates(None, "", &CLASS).is_err());
}

#[test]
fn gates_that_stop_the_kubelet_are_dropped() {
    let rest = "featureGates:\n  DynamicKubeletConfig: true\n  NodeSwap: false\n  Mine: true\n";
    assert_eq!(
        gates(Some("1.36.3"), rest, &DROP).as_deref(),
        Ok("DynamicKubeletConfig- NodeSwap-")
    );
    assert_eq!(gates(Some("1.33.0"), rest, &DROP).as_deref(), Ok("DynamicKubeletConfig-"));
    assert!(gates(None, rest, &DROP).is_err());
    assert!(gates(Some("1.33.0"), "featureGates: some\n", &DROP).is_err());
}

#[test]
fn a_timeout_is_raised_and_never_lowered() {
    let timeout = |rest: &str, minutes| {
        let least = Some(GoDuration::from_minutes(minutes));
        let ask = Ask { pod_resources_get: false, timeout_at_least: least, ..GET };
        wanted(&kubelet(Some("1.34.0"), rest), &ask)
            .map(|wanted| wanted.runtime_request_timeout)
            .map_err(|refused| refused.why)
    };
    let line = |value| format!("runtimeRequestTimeout: {value}\n");
    assert_eq!(timeout("", 20), Ok(Some("20m".to_owned())));
    assert_eq!(timeout(&line("0s"), 20), Ok(Some("20m".to_owned())));
    assert_eq!(timeout(&line("19m59s"), 90), Ok(Some("1h30m".to_owned())));
    assert_eq!(timeout(&line("1m"), 120), Ok(Some("2h".to_owned())));
    assert_eq!(timeout(&line("20m"), 20), Ok(None));
    assert_eq!(timeout(&line("1h"), 20), Ok(None));
    assert!(timeout(&line("20"), 20).is_err());
}
