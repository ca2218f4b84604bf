use super::*;

fn shown(path: &str, text: &str) -> String {
    String::from_utf8(redacted(path, text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_file_on_no_list_loses_its_content() {
    assert_eq!(redacted("/etc/shadow", b"root:x"), None);
}

#[test]
fn what_init_is_told_is_left_out() {
    assert_eq!(
        shown("/proc/cmdline", "quiet root=/dev/x iommu=pt -- --token abc\n"),
        "quiet root=redacted iommu=pt -- redacted\n"
    );
}

#[test]
fn a_boot_menu_keeps_its_entries_and_loses_its_password() {
    let menu = "set default=\"0\"\npassword_pbkdf2 root grub.pbkdf2.x\nmenuentry 'Ubuntu' {\n\tlinux /vmlinuz root=UUID=1 iommu=pt\n}\n";
    assert_eq!(
        shown("/boot/grub/grub.cfg", menu),
        "set default=\"0\"\n# left out\nmenuentry 'Ubuntu' {\n\tlinux /vmlinuz root=redacted iommu=pt\n}\n"
    );
}

#[test]
fn a_kubelet_configuration_keeps_its_shape() {
    let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodURLHeader:\n  Authorization:\n  - \"Bearer abc\"\nclusterDNS:\n- 10.96.0.10\nfeatureGates:\n  NodeSwap: true # why\nclusterDomain: corp.example\nmaxPods: 110\nstreamingConnectionIdleTimeout: 4h0m0s\n";
    assert_eq!(
        shown("/var/lib/kubelet/config.yaml", text),
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodURLHeader:\n  Authorization:\n  - redacted\nclusterDNS:\n- 10.96.0.10\nfeatureGates:\n  NodeSwap: true\nclusterDomain: redacted\nmaxPods: 110\nstreamingConnectionIdleTimeout: 4h0m0s\n"
    );
    let text = r#"{"kind": "KubeletConfiguration", "staticPodURLHeader": {"A": ["Bearer \"abc"]}, "maxPods": 58, "featureGates": {"X": true}}"#;
    assert_eq!(
        shown("/etc/kubernetes/kubelet/config.json", text),
        r#"{"kind": "KubeletConfiguration", "staticPodURLHeader": {"A": ["redacted"]}, "maxPods": 58, "featureGates": {"X": true}}"#
    );
}

#[test]
fn flags_that_no_fact_reads_are_masked() {
    assert_eq!(
        shown("/proc/12/cmdline", "/usr/bin/kubelet\0--config=/x\0--token=abc\0"),
        "/usr/bin/kubelet\0--config=/x\0--token=redacted\0"
    );
    assert_eq!(
        shown("/proc/12/cmdline", "kubelet\0--token\0abc\0--config\0/x\0--v\0two\0"),
        "kubelet\0--token\0redacted\0--config\0/x\0--v\0two\0"
    );
    assert_eq!(
        shown(
            "/var/lib/kubelet/kubeadm-flags.env",
            "KUBELET_KUBEADM_ARGS=\"--node-ip=10.0.0.1 --feature-gates=A=true\"\n"
        ),
        "KUBELET_KUBEADM_ARGS=\"--node-ip=redacted --feature-gates=A=true\"\n"
    );
}

#[test]
fn interrupts_keep_their_chips_and_swaps_their_kinds() {
    let text = "      CPU0\n 9:  1  IR-IO-APIC  9-fasteoi  mine\nNMI:  0  mine\n";
    let kept = shown("/proc/interrupts", text);
    assert_eq!(kept.len(), text.len());
    let words: Vec<&str> = kept.split_whitespace().collect();
    assert_eq!(words, ["CPU0", "9:", "1", "IR-IO-APIC", "NMI:"]);
    let head = "Filename Type Size Used Priority\n";
    assert_eq!(
        shown(
            "/proc/swaps",
            &format!("{head}/home/me/swap file 1 0 -2\n/dev/dm-1 partition 1 0 -3\n")
        ),
        format!("{head}redacted file 1 0 -2\n/dev/dm-1 partition 1 0 -3\n")
    );
}

#[test]
fn a_log_keeps_its_known_sentences_and_no_reasons() {
    let line = |message: &str| {
        format!("2026-01-01T00:00:00Z stderr F 2026 - k8s-cc-manager - INFO - {message}\n")
    };
    let text = line("Initialized CC Manager for node: secret-node")
        + &line("Setting CC mode to 'on' on 8 GPU(s)")
        + &line("Fatal error: 10.0.0.1 refused")
        + "traceback of secrets\n";
    let kept = shown("/var/log/pods/a_cc-manager_b/cc-manager/0.log", &text);
    assert_eq!(
        kept,
        "2026-01-01T00:00:00Z stderr F 0 - k8s-cc-manager - 0 - \n\
         2026-01-01T00:00:00Z stderr F 0 - k8s-cc-manager - 0 - Setting CC mode to 'on' on 8 GPU(s)\n\
         2026-01-01T00:00:00Z stderr F 0 - k8s-cc-manager - 0 - Fatal error\n\n"
    );
}

#[test]
fn other_pods_are_not_told_of() {
    let mut archive = Archive::parse(
        b"ccgpu-host 1\n-- dir /var/log/pods\n-- exists /var/log/pods/secret_app_1\n\
          -- exists /var/log/pods/gpu-operator_nvidia-cc-manager-x_2\n",
    )
    .unwrap();
    redact(&mut archive);
    let paths: Vec<&str> = archive.entries().map(|(path, _)| path).collect();
    assert!(paths.iter().any(|path| path.contains("cc-manager")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("secret")), "{paths:?}");
}

#[test]
fn other_processes_are_not_told_of() {
    let mut archive = Archive::parse(
        b"ccgpu-host 1\n-- dir /proc\n-- file /proc/1/comm\nsystemd\n-- file /proc/2/comm\nkubelet\n-- file /proc/3/comm\nmine\n",
    )
    .unwrap();
    redact(&mut archive);
    let text = archive.to_text();
    assert!(!text.contains("mine") && text.contains("kubelet"), "{text}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_redacted_without_panic(text: String) {
        for path in ["/proc/cmdline", "/proc/interrupts", "/proc/swaps", "/boot/grub/grub.cfg", "/x.json", "/var/lib/dpkg/status"] {
            let _ = redacted(path, text.as_bytes());
        }
        let _ = yaml(&text);
        let _ = json(&text, KUBELET_KEYS);
        let _ = cdi(&text);
    }
}
