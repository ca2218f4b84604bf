#![expect(clippy::disallowed_methods, reason = "tests write the hosts that they read")]

use super::super::{Ask, read, wanted as wanted_of};
use super::*;
use crate::facts::{Assumptions, Needs, Value, gather};
use crate::format::version::Version;
use crate::host::{Root, Run};

const MAIN: &str = "/var/lib/kubelet/config.yaml";
const DIR: &str = "/etc/kubernetes/kubelet.conf.d";
const CONFIG: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

/// A host in a directory, with a kubelet that its unit starts.
struct Host {
    folder: tempfile::TempDir,
    version: &'static str,
}

impl Host {
    fn new(flags: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), version: "1.33.4" }.unit(flags).config("")
    }

    fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    fn file(self, path: &str, text: &str) -> Self {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
        self
    }

    fn unit(self, flags: &str) -> Self {
        let text = format!("[Service]\nExecStart=/usr/bin/kubelet --config={MAIN} {flags}\n");
        self.file("/usr/lib/systemd/system/kubelet.service", &text)
    }

    fn config(self, rest: &str) -> Self {
        self.file(MAIN, &format!("{CONFIG}{rest}"))
    }

    fn drop_in(self, name: &str, rest: &str) -> Self {
        self.file(&format!("{DIR}/{name}"), &format!("{CONFIG}{rest}"))
    }

    fn kubelet(&self) -> (Root, Kubelet) {
        let root = Root::directory(self.folder.path()).unwrap();
        let version = Value::Version(Version::parse(self.version).unwrap());
        let assumed = Assumptions::from([("kubelet.version", version)]);
        let needs = Needs::KUBELET.and(Needs::KUBELET_VERSION);
        let kubelet = gather(&root, &Run::on(&root), needs, assumed).kubelet.unwrap();
        (root, kubelet)
    }

    fn changes(&self, wanted: &Wanted) -> Result<Vec<FileChange>, Refused> {
        let (root, kubelet) = self.kubelet();
        changes(&kubelet, &read(&root, &kubelet)?, wanted)
    }

    /// Carries the changes out and finds that nothing is left to do.
    fn changed(&self, wanted: &Wanted) -> Vec<(String, String)> {
        let changes = self.changes(wanted).unwrap();
        let mut done = Vec::new();
        for change in changes {
            let place = self.folder.path().join(change.path.trim_start_matches('/'));
            assert_eq!(std::fs::read(&place).ok(), change.before, "{}", change.path);
            let after = change.after.unwrap();
            std::fs::write(place, &after).unwrap();
            done.push((change.path, String::from_utf8(after).unwrap()));
        }
        assert_eq!(self.changes(wanted), Ok(Vec::new()), "a second time");
        done
    }

    #[track_caller]
    fn refuses(&self, wanted: &Wanted, expected: &str) {
        assert_eq!(self.changes(wanted).unwrap_err().to_string(), expected);
    }
}

fn gate(name: &str, value: Option<bool>) -> Wanted {
    Wanted { gates: [(name.to_owned(), value)].into(), ..Wanted::default() }
}

fn timeout() -> Wanted {
    Wanted { runtime_request_timeout: Some("20m".to_owned()), ..Wanted::default() }
}

fn all() -> Wanted {
    Wanted { runtime_request_timeout: Some("20m".to_owned()), ..gate("New", Some(true)) }
}

fn with_directory() -> Host {
    Host::new(&format!("--config-dir={DIR}/")).drop_in("00-base.conf", "maxPods: 9\n")
}

#[test]
fn without_drop_ins_the_main_file_is_edited() {
    let changed = Host::new("").config("maxPods: 1\n").changed(&all());
    let text =
        format!("{CONFIG}maxPods: 1\nfeatureGates:\n  New: true\nruntimeRequestTimeout: 20m\n");
    assert_eq!(changed, [(MAIN.to_owned(), text)]);
    assert!(Host::new("").changed(&Wanted::default()).is_empty());
}

#[test]
fn with_drop_ins_our_own_is_written_and_kept() {
    let host = with_directory();
    let path = format!("{DIR}/50-ccgpu-node.conf");
    let before = host.changes(&all()).unwrap();
    assert_eq!((before[0].before.as_ref(), before[0].new_mode), (None, 0o600));
    let text = format!("{HEAD}featureGates:\n  New: true\nruntimeRequestTimeout: 20m\n");
    assert_eq!(host.changed(&all()), [(path.clone(), text.clone())]);
    let more = host.changed(&gate("More", Some(true)));
    let expected = text.replace("New: true\n", "New: true\n  More: true\n");
    assert_eq!(more, [(path.clone(), expected)]);
    let fewer = host.changed(&gate("More", None));
    assert_eq!(fewer, [(path, text)]);
}

#[test]
fn what_a_file_says_already_is_not_written_again() {
    let host = with_directory()
        .config("featureGates:\n  New: true\n")
        .drop_in("90-last.conf", "runtimeRequestTimeout: 20m0s\n");
    assert_eq!(host.changes(&all()), Ok(Vec::new()));
}

#[test]
fn a_later_drop_in_that_would_win_is_named() {
    let own = format!("{DIR}/90-last.conf");
    for (rest, why) in [
        (
            "featureGates:\n  New: false\n",
            "4: this drop-in is read after ours and sets New: change it here",
        ),
        (
            "featureGates:\n  New: null\n",
            "4: this drop-in is read after ours and sets New: change it here",
        ),
        (
            "featureGates: null\n",
            "3: this drop-in is read after ours and takes all feature gates away: change it here",
        ),
        (
            "runtimeRequestTimeout: 1m\n",
            "3: this drop-in is read after ours and sets runtimeRequestTimeout: change it here",
        ),
    ] {
        with_directory().drop_in("90-last.conf", rest).refuses(&all(), &format!("{own}:{why}"));
        // One that is read before ours loses.
        assert_eq!(with_directory().drop_in("10-first.conf", rest).changed(&all()).len(), 1);
    }
    with_directory()
        .drop_in("60/a.conf", "runtimeRequestTimeout: 1m\n")
        .refuses(&timeout(), &format!("{DIR}/60/a.conf:3: this drop-in is read after ours and sets runtimeRequestTimeout: change it here"));
}

#[test]
fn a_gate_is_taken_out_where_it_stands() {
    let gone = gate("Old", None);
    let changed = with_directory().config("featureGates:\n  Old: false\n").changed(&gone);
    assert_eq!(changed, [(MAIN.to_owned(), format!("{CONFIG}featureGates: {{}}\n"))]);
    with_directory().drop_in("10-first.conf", "featureGates:\n  Old: true\n").refuses(
        &gone,
        &format!(
            "{DIR}/10-first.conf:4: this drop-in sets Old, and it is not ours: take it out here"
        ),
    );
    assert_eq!(with_directory().changes(&gone), Ok(Vec::new()));
}

#[test]
fn a_flag_that_would_win_is_named_with_its_place() {
    Host::new("--runtime-request-timeout=15m").refuses(
        &timeout(),
        "/usr/lib/systemd/system/kubelet.service:2: the flag --runtime-request-timeout sets 15m0s, not 20m, \
         and flags beat every file: change the flag and restart the kubelet",
    );
    Host::new("$ARGS")
        .file(
            "/usr/lib/systemd/system/kubelet.service.d/10.conf",
            "[Service]\nEnvironmentFile=-/etc/default/kubelet\n",
        )
        .file(
            "/etc/default/kubelet",
            "# --feature-gates\nARGS=--feature-gates=New=false,Same=true\n",
        )
        .refuses(
            &all(),
            "/etc/default/kubelet:2: the flag --feature-gates sets New to false, \
             and flags beat every file: change the flag and restart the kubelet",
        );
    let host = Host::new("--feature-gates=New=true --runtime-request-timeout=1200s");
    assert_eq!(host.changes(&all()), Ok(Vec::new()));
    assert!(host.changes(&gate("New", None)).is_err());
}

#[test]
fn kubeadm_s_own_settings_of_the_node_follow_from_1_34_on() {
    let instance = "/var/lib/kubelet/instance-config.yaml";
    let host = || Host::new("").file(instance, &format!("{CONFIG}featureGates:\n  Old: true\n"));
    let paths = |host: &Host, wanted: &Wanted| -> Vec<String> {
        host.changed(wanted).into_iter().map(|(path, _)| path).collect()
    };
    assert_eq!(paths(&host(), &all()), [MAIN]);
    assert_eq!(paths(&host().version("1.34.0"), &all()), [MAIN, instance]);
    let both = host().version("1.34.0").config("featureGates:\n  Old: true\n");
    assert_eq!(paths(&both, &gate("Old", None)), [MAIN, instance]);
    let broken = host().version("1.36.1").file(instance, "a: 1\n");
    broken.refuses(&all(), &format!("{instance}: kind is missing"));
}

#[test]
fn a_managed_host_is_left_to_its_owner() {
    let eks = Host::new("").unit("--config=/etc/kubernetes/kubelet/config.json");
    let eks = eks.file("/etc/kubernetes/kubelet/config.json", "{}");
    assert!(eks.changes(&all()).unwrap_err().to_string().contains("nodeadm"));
    let k3s = Host { folder: tempfile::tempdir().unwrap(), version: "1.34.1" }
        .file("/var/lib/rancher/k3s/agent/etc/kubelet.conf.d/00-k3s-defaults.conf", CONFIG);
    assert!(k3s.changes(&all()).unwrap_err().to_string().contains("kubelet-arg"));
    let nothing = Host { folder: tempfile::tempdir().unwrap(), version: "1.34.1" };
    assert!(nothing.changes(&all()).unwrap_err().why.contains("no kubelet"));
}

#[test]
fn doubt_about_a_file_keeps_all_from_being_changed() {
    let broken = with_directory().drop_in("10-first.conf", "featureGates:\n  A: \"true\"\n");
    assert!(broken.changes(&all()).is_err());
    assert!(with_directory().file(&format!("{DIR}/a.conf"), "").changes(&all()).is_err());
    // Before 1.30 the directory needs a variable that nothing here shows.
    let old = with_directory().version("1.29.3").changes(&all()).unwrap_err();
    assert!(old.why.contains("KUBELET_CONFIG_DROPIN_DIR_ALPHA"), "{old}");
    let host = with_directory();
    std::fs::remove_file(host.folder.path().join(MAIN.trim_start_matches('/'))).unwrap();
    assert_eq!(host.changes(&all()).unwrap_err().path, MAIN);
    let linked = Host::new("--config-dir=/etc/link").drop_in("a.conf", "");
    std::os::unix::fs::symlink(DIR, linked.folder.path().join("etc/link")).unwrap();
    assert!(linked.changes(&all()).unwrap_err().why.contains("symbolic link"));
}

#[test]
fn what_a_host_needs_is_written_and_then_so() {
    let ask = Ask {
        pod_resources_get: true,
        runtime_class_in_image_cri: true,
        timeout_at_least: Some(GoDuration::from_minutes(20)),
        drop_refused_gates: true,
    };
    for (version, rest, expected) in [
        (
            "1.33.4",
            "",
            "featureGates:\n  KubeletPodResourcesGet: true\n  RuntimeClassInImageCriApi: true\nruntimeRequestTimeout: 20m\n",
        ),
        (
            "1.34.2",
            "",
            "featureGates:\n  RuntimeClassInImageCriApi: true\nruntimeRequestTimeout: 20m\n",
        ),
        (
            "1.35.1",
            "featureGates:\n  KubeletPodResourcesGet: false\nruntimeRequestTimeout: 30m\n",
            "featureGates:\n  RuntimeClassInImageCriApi: true\nruntimeRequestTimeout: 30m\n",
        ),
        (
            "1.36.3",
            "featureGates:\n  KubeletPodResourcesGet: true\n",
            "featureGates:\n  KubeletPodResourcesGet: true\n  RuntimeClassInImageCriApi: true\nruntimeRequestTimeout: 20m\n",
        ),
    ] {
        let host = Host::new("").config(rest).version(version);
        let (_, kubelet) = host.kubelet();
        let changed = host.changed(&wanted_of(&kubelet, &ask).unwrap());
        assert_eq!(changed, [(MAIN.to_owned(), format!("{CONFIG}{expected}"))], "{version}");
        let (_, kubelet) = host.kubelet();
        assert!(wanted_of(&kubelet, &ask).unwrap().is_empty(), "{version}: asked again");
        assert_eq!(kubelet.pod_resources_get.reading, Reading::Known(true), "{version}");
    }
}

#[test]
fn the_unit_to_restart_is_found() {
    let host = Host::new("");
    let (root, kubelet) = host.kubelet();
    assert_eq!(read(&root, &kubelet).unwrap().unit.as_deref(), Some("kubelet.service"));
}
