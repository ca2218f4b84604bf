use super::*;

#[test]
fn a_kubelet_that_cannot_be_looked_at_is_not_guessed() {
    let elsewhere = Host::new()
        .config("")
        .file("/proc/1/comm", "systemd\n")
        .link("/proc/self/ns/mnt", NAMESPACE)
        .file("/proc/77/comm", "kubelet\n")
        .file("/proc/77/cmdline", "kubelet\0--config=/var/lib/kubelet/config.yaml\0")
        .link("/proc/77/ns/mnt", "mnt:[4026532000]");
    let inside = Host::new().config("").process("k3s-server", &["/usr/local/bin/k3s server"]);
    for (host, layout) in [(elsewhere, "unreadable"), (inside, "k3s")] {
        let facts = host.facts(Some("1.33.0"));
        assert_eq!(value(&facts, "kubelet.running"), "true");
        assert_eq!(value(&facts, "kubelet.layout"), layout);
        for name in ["config-verdict", "runtime-request-timeout", "pod-resources-get", "gates-on"] {
            assert_eq!(value(&facts, &format!("kubelet.{name}")), "unreadable", "{name}");
        }
        assert_eq!(value(&facts, "kubelet.version"), "unreadable");
    }
}

#[test]
fn a_process_of_another_user_is_never_taken_for_the_kubelet() {
    let host = || {
        let host = Host::new()
            .config("runtimeRequestTimeout: 15m\n")
            .kubelet(&["--config=/var/lib/kubelet/config.yaml"]);
        host.file("/proc/812/status", "Name:\tkubelet\nUid:\t0\t0\t0\t0\n")
    };
    assert_eq!(value(&host().facts(Some("1.34.0")), "kubelet.runtime-request-timeout"), "15m0s");
    // Started from a set-user-id program, and plainly somebody else's.
    for users in ["1000\t0\t0\t0", "1000\t1000\t1000\t1000", ""] {
        let status = format!("Name:\tkubelet\nUid:\t{users}\n").replace("Uid:\t\n", "");
        let facts = host().file("/proc/812/status", &status).facts(Some("1.34.0"));
        assert_eq!(value(&facts, "kubelet.running"), "true");
        assert_eq!(value(&facts, "kubelet.runtime-request-timeout"), "unreadable", "{users:?}");
    }
    // Beside the kubelet it counts for nothing.
    let both = host()
        .file("/proc/900/comm", "kubelet\n")
        .file("/proc/900/cmdline", "kubelet\0--config=/tmp/mine\0")
        .file("/proc/900/status", "Uid:\t1000\t1000\t1000\t1000\n")
        .link("/proc/900/ns/mnt", NAMESPACE);
    assert_eq!(value(&both.facts(Some("1.34.0")), "kubelet.runtime-request-timeout"), "15m0s");
}

#[test]
fn a_process_that_hides_its_name_may_be_the_kubelet() {
    let text = "ccgpu-host 1\n-- complete /\n-- file /proc/1/comm\nsystemd\n\
                -- unreadable /proc/812/comm permission\n";
    let root = Root::archive(crate::host::Archive::parse(text.as_bytes()).unwrap());
    let kubelet = gather(&root, &Run::on(&root), Needs::ALL, &Assumptions::new());
    assert!(kubelet.running.reading.cause().is_some());
}
