use super::*;
use crate::facts::{Facts, Kind, Value};
use crate::report::visible::is_treacherous;
use crate::rules::testing::{SNP, judged, report, rule, rules};
use crate::rules::{Filter, Platform, judge};

fn shown(text: &str, look: Look) -> String {
    text_of(&report(judged(text)), look)
}

fn text_of(report: &Report, look: Look) -> String {
    let mut out = Vec::new();
    render(report, look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const PLAIN: Look = Look { colour: false, width: 80, verbose: false };
const VERBOSE: Look = Look { colour: false, width: 80, verbose: true };

const HOST: &str = include_str!("sample.toml");

#[test]
fn a_host_with_problems() {
    insta::assert_snapshot!(shown(HOST, PLAIN), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    NOW   iommu-active: In the firmware setup turn on AMD-Vi: Advanced, AMD CBS,
        NBIO Common Options, IOMMU. Then look again:
          $ dmesg | grep -e DMAR -e AMD-Vi --max-count=20 | tee /var/tmp/iommu-before-the-reboot.txt

    FAIL  iommu-active: the kernel does not use the IOMMU
        found     integer.five is 5, wanted at least 8
                    read from /sys/known
        why       VFIO can only assign a device through an IOMMU group. With none,
                  either the firmware hides the IOMMU (VT-d or AMD-Vi) or the kernel
                  was booted without it.
        leads to  vfio 0000:18:00.0: no iommu group found
        do        In the firmware setup turn on AMD-Vi: Advanced, AMD CBS, NBIO
                  Common Options, IOMMU. Then look again:
                  $ dmesg | grep -e DMAR -e AMD-Vi --max-count=20 | tee /var/tmp/iommu-before-the-reboot.txt
        blocks    iommu-groups, gpu-isolated: not judged until this passes

    FAIL  gpu-driver: a GPU is not held by vfio-pci
        found     driver is nvidia, wanted vfio-pci
                    7 GPUs: 0000:3c:00.0, 0000:4e:00.0, 0000:60:00.0, 0000:72:00.0,
                    0000:84:00.0 and 2 more
                    read from /sys/bus/pci/devices/2/driver and 6 more
                  0000:ba:00.0: driver is absent, wanted vfio-pci
                    read from /sys/bus/pci/devices/9/driver
                  2 other GPUs are as wanted
        why       A host driver that owns the GPU keeps vfio-pci from binding it and
                  resets its confidential mode.
        do        Let the GPU Operator's vfio-manager bind them; do not bind them by
                  hand.

    FAIL  host-modules: a host GPU driver is loaded
        found     set.modules has nvidia, nvidia_drm, wanted none of nouveau,
                  nvidia, nvidia_drm
                    read from /sys/known
        why       It would take the GPU.

    UNKNOWN  kubelet-timeout: cannot tell whether the kubelet gives up on a sandbox
        before it can start
        found     kubelet.timeout cannot be told: permission denied; wanted at least
                  20m0s
                    read from /etc/secret:3
        leads to  context deadline exceeded

    WARN  hugepages: no huge pages are set aside
        found     bool.absent is absent, wanted true
                    read from /sys/absent
        why       Guests start faster.

    NOT READY: 3 required rules fail, 1 could not be judged, 2 wait for others
      11 rules: 2 passed, 4 failed, 1 unknown, 2 waiting, 2 not about this host;
      exit code 1
      Some of it only root may read: run it again with sudo.
      -v shows all that was looked at.
    "#);
}

#[test]
fn a_host_with_problems_in_full() {
    insta::assert_snapshot!(shown(HOST, VERBOSE), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    NOW   iommu-active: In the firmware setup turn on AMD-Vi: Advanced, AMD CBS,
        NBIO Common Options, IOMMU. Then look again:
          $ dmesg | grep -e DMAR -e AMD-Vi --max-count=20 | tee /var/tmp/iommu-before-the-reboot.txt

    FAIL  iommu-active: the kernel does not use the IOMMU
        found     integer.five is 5, wanted at least 8
                    read from /sys/known
        why       VFIO can only assign a device through an IOMMU group. With none,
                  either the firmware hides the IOMMU (VT-d or AMD-Vi) or the kernel
                  was booted without it.
        leads to  vfio 0000:18:00.0: no iommu group found
        do        In the firmware setup turn on AMD-Vi: Advanced, AMD CBS, NBIO
                  Common Options, IOMMU. Then look again:
                  $ dmesg | grep -e DMAR -e AMD-Vi --max-count=20 | tee /var/tmp/iommu-before-the-reboot.txt
        blocks    not judged until this passes:
                  iommu-groups
                  gpu-isolated
        docs      https://docs.nvidia.com/datacenter/cloud-native/gpu-operator/latest/confidential-containers.html

    FAIL  gpu-driver: a GPU is not held by vfio-pci
        found     driver is nvidia, wanted vfio-pci
                    7 GPUs: 0000:3c:00.0, 0000:4e:00.0, 0000:60:00.0, 0000:72:00.0,
                    0000:84:00.0, 0000:96:00.0, 0000:a8:00.0
                    read from /sys/bus/pci/devices/2/driver,
                    /sys/bus/pci/devices/3/driver, /sys/bus/pci/devices/4/driver,
                    /sys/bus/pci/devices/5/driver, /sys/bus/pci/devices/6/driver,
                    /sys/bus/pci/devices/7/driver, /sys/bus/pci/devices/8/driver
                  0000:ba:00.0: driver is absent, wanted vfio-pci
                    read from /sys/bus/pci/devices/9/driver
                  2 other GPUs are as wanted
        why       A host driver that owns the GPU keeps vfio-pci from binding it and
                  resets its confidential mode.
        do        Let the GPU Operator's vfio-manager bind them; do not bind them by
                  hand.

    FAIL  host-modules: a host GPU driver is loaded
        found     set.modules has nvidia, nvidia_drm, wanted none of nouveau,
                  nvidia, nvidia_drm
                    read from /sys/known
        why       It would take the GPU.

    UNKNOWN  kubelet-timeout: cannot tell whether the kubelet gives up on a sandbox
        before it can start
        found     kubelet.timeout cannot be told: permission denied; wanted at least
                  20m0s
                    read from /etc/secret:3
        why       A confidential guest pulls its images inside the guest; two
                  minutes, the default, are too short.
        leads to  context deadline exceeded

    WARN  hugepages: no huge pages are set aside
        found     bool.absent is absent, wanted true
                    read from /sys/absent
        why       Guests start faster.

    PASS  kernel-version: the kernel is new enough (version.new is 1.34, set.modules
        has all wanted)
    PASS  two-gpus: as wanted (2 GPUs: driver is vfio-pci)

    N/A   no-gpus: not about this host (no GPU that it asks about)
    N/A   tdx-module: not about this host (only for tdx)

    NOT READY: 3 required rules fail, 1 could not be judged, 2 wait for others
      11 rules: 2 passed, 4 failed, 1 unknown, 2 waiting, 2 not about this host;
      exit code 1
      Some of it only root may read: run it again with sudo.
    "#);
}

#[test]
fn a_ready_host() {
    let text = rule(
        "kernel",
        "good = \"the kernel is new enough\"\nexpect = [{ fact = \"version.new\", at-least = \"1.30\" }]",
    );
    insta::assert_snapshot!(shown(&text, VERBOSE), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    PASS  kernel: the kernel is new enough (version.new is 1.34)

    READY for stage host: the 1 required rule about this host passes
      1 rule: 1 passed; exit code 0
    "#);
}

#[test]
fn a_host_that_is_ready_after_a_reboot() {
    let text = rule(
        "arguments",
        "resolved-by = \"reboot\"\nexpect = [{ fact = \"bool.false\", equals = true }]",
    ) + &rule(
        "leaf",
        "needs = [\"arguments\"]\nexpect = [{ fact = \"bool.true\", equals = true }]",
    );
    insta::assert_snapshot!(shown(&text, PLAIN), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    NOW   drain the node and reboot it

    FAIL  arguments: arguments is wrong
        found     bool.false is false, wanted true
                    read from /sys/known
        why       because
        do        A reboot puts this right.
        blocks    leaf: not judged until this passes

    READY AFTER A REBOOT: 1 required rule fails until then, 1 waits for another
      2 rules: 1 failed, 1 waiting; exit code 4
      -v shows all that was looked at.
    "#);
}

#[test]
fn a_host_that_cannot_be_judged() {
    let text = rule(
        "a",
        "for-each = \"gpus.partly-hidden\"\nexpect = [{ fact = \"driver\", equals = \"vfio-pci\" }]",
    ) + &rule(
        "b",
        "applies = [{ fact = \"bool.unreadable\", equals = true }]\nexpect = [{ fact = \"bool.true\", equals = true }]",
    ) + &rule(
        "c",
        "tee = [\"tdx\"]\nexpect = [{ fact = \"bool.true\", equals = true }]",
    );
    let platform = Platform { tee: None, ..SNP };
    let chosen = rules(&text).choose(&Filter::default(), platform).unwrap();
    let mut report = report(judge(&chosen, &Facts::default()));
    report.header.platform = platform;
    report.header.tee_why = "the CPU's flags cannot be read".to_owned();
    report.header.origin = HostOrigin::Directory("/mnt/image".to_owned());
    insta::assert_snapshot!(text_of(&report, PLAIN), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      not known (the CPU's flags cannot be read)
      read     from /mnt/image, not from this machine

    NOW   run it again as one who may read all of it

    UNKNOWN  a: cannot tell whether a is wrong
        found     which GPUs there are cannot be told: permission denied
                    read from /sys/bus/pci/devices
                  the 2 GPUs that were found are as wanted

    UNKNOWN  b: cannot tell whether b is wrong
        found     whether this is required depends on bool.unreadable, which cannot
                  be told: permission denied
                    read from /etc/secret:3

    UNKNOWN  c: cannot tell whether c is wrong
        found     tee cannot be told: the host does not show which it is for

    CANNOT TELL: 3 required rules could not be judged
      3 rules: 3 unknown; exit code 3
      Some files may not be read by this user: run it again as one who may.
      -v shows all that was looked at.
    "#);
}

#[test]
fn what_is_assumed_and_what_waits_for_a_hidden_rule_is_said() {
    let text = rule("root", "expect = [{ fact = \"bool.false\", equals = true }]")
        + &rule("leaf", "needs = [\"root\"]\nexpect = [{ fact = \"bool.true\", equals = true }]")
        + &rule("timeout", "expect = [{ fact = \"kubelet.timeout\", at-least = \"20m\" }]");
    let filter = Filter { only: Vec::new(), skip: vec!["root".to_owned()] };
    let chosen = rules(&text).choose(&filter, SNP).unwrap();
    let timeout = Value::parse("10m", Kind::Duration).unwrap();
    let facts = Facts { assumed: [("kubelet.timeout", timeout)].into(), ..Facts::default() };
    let mut report = report(judge(&chosen, &facts));
    report.scope = chosen.scope;
    insta::assert_snapshot!(text_of(&report, PLAIN), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    NOW   timeout: timeout is wrong

    FAIL  timeout: timeout is wrong
        found     kubelet.timeout is 10m0s (assumed, not read), wanted at least
                  20m0s
                    the host does not show it: permission denied
                    read from /etc/secret:3
        why       because

    WAIT  not judged because of root, which was left out but did not pass: leaf

    NOT READY: 1 required rule fails, 1 waits for another
      2 rules: 1 failed, 1 waiting; exit code 1
      1 rule was left out by --only or --skip: this is not the whole answer.
      This rests on what was assumed and not read: kubelet.timeout.
      -v shows all that was looked at.
    "#);
}

#[test]
fn a_narrowed_choice_is_not_called_the_whole_answer() {
    let pass = "expect = [{ fact = \"bool.true\", equals = true }]";
    let text = rule("a", pass)
        + &rule("b", pass)
        + &rule("c", pass)
        + "[[override]]\nrule = \"c\"\ndisable = true\nreason = \"no\"\n";
    let filter = Filter { only: vec!["a".to_owned()], skip: Vec::new() };
    let chosen = rules(&text).choose(&filter, SNP).unwrap();
    let mut report = report(judge(&chosen, &Facts::default()));
    report.scope = chosen.scope;
    insta::assert_snapshot!(text_of(&report, PLAIN), @r#"
    gpu-node-07
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     8 x NVIDIA H100 SXM5 80GB
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    READY for stage host: the 1 required rule among those chosen passes
      1 rule: 1 passed; exit code 0
      1 rule was left out by --only or --skip: this is not the whole answer.
      Disabled on this site: c.
      -v shows all that was looked at.
    "#);
}

#[test]
fn nothing_of_a_host_reaches_the_terminal_as_it_is() {
    let text = rule(
        "hostile",
        "expect = [{ fact = \"text.hostile\", equals = \"x\" }, { fact = \"text.empty\", equals = \"x\" }]",
    );
    let mut report = report(judged(&text));
    report.header.host = "evil\x1b]0;title\x07\u{202e}".to_owned();
    report.header.gpus = Some("\u{9b}31mred\r\n".to_owned());
    let text = text_of(&report, PLAIN);
    assert!(!text.replace('\n', "").contains(is_treacherous));
    insta::assert_snapshot!(text, @r#"
    evil\x1b]0;title\x07\u{202e}
      system   Ubuntu 24.04.3 LTS, kernel 6.8.0-60-generic, bare metal
      cpu      AMD EPYC 9654 96-Core Processor
      gpus     \x9b31mred\r\n
      stage    host (Kata Containers is not installed)
      tee      snp (the CPU has SEV-SNP)

    NOW   hostile: hostile is wrong

    FAIL  hostile: hostile is wrong
        found     text.hostile is a\x1b[31m\nb\u{202e}c, wanted x
                    read from /sys/known
                  text.empty is an empty text, wanted x
                    read from /sys/known
        why       because

    NOT READY: 1 required rule fails
      1 rule: 1 failed; exit code 1
      -v shows all that was looked at.
    "#);
}

#[test]
fn colours_come_only_where_asked_for_and_change_no_words() {
    let coloured = shown(HOST, Look { colour: true, ..VERBOSE });
    assert!(coloured.contains("\x1b[1m\x1b[31mFAIL\x1b[0m"));
    assert!(
        coloured.contains("driver is \x1b[1m\x1b[31mnvidia\x1b[0m, wanted \x1b[1mvfio-pci\x1b[0m")
    );
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, shown(HOST, VERBOSE));
}

#[test]
fn lines_fit_the_width_except_words_and_commands_that_cannot_be_broken() {
    for width in [40, 60, 80, 100] {
        let text = shown(HOST, Look { colour: false, width, verbose: false });
        for line in text.lines() {
            let is_command = line.trim_start().starts_with("$ ");
            let is_word = line.trim_start().split(' ').count() <= 2;
            assert!(line.len() <= width || is_command || is_word, "{width}: {line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}
