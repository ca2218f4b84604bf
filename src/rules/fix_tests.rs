//! Which fixes the loader takes, and which of them fits a host.

use super::set::{RuleFile, RuleSet};
use super::testing::{catalogue, judged, rule};

const FAIL: &str = "expect = [{ fact = \"bool.false\", equals = true }]";

/// The edits of one fix in words, or what is wrong with it.
fn read(edits: &str) -> Result<Vec<String>, String> {
    let fix = format!("{FAIL}\nfix = [{{ safety = \"safe\", edits = [{edits}] }}]");
    let text = format!("schema = 1\n{}", rule("r", &fix));
    let rules = RuleSet::of(&catalogue(), &[RuleFile { name: "site.toml", text: &text }])
        .map_err(|error| error.problems.iter().map(|it| it.message.clone()).collect::<String>())?;
    let rule = rules.get("r").unwrap();
    Ok(rule.fixes[0].edits.iter().map(ToString::to_string).collect())
}

#[test]
fn every_edit_is_read() {
    for (edit, words) in [
        ("add-kernel-argument = \"intel_iommu=on\"", "add the kernel argument intel_iommu=on"),
        ("remove-kernel-argument = \"iommu=pt\"", "remove the kernel argument iommu=pt"),
        (
            "remove-kernel-arguments = \"set.modules\"",
            "remove the kernel arguments that set.modules lists",
        ),
        ("generate-boot-menu = true", "generate the boot menu"),
        (
            "enable-kubelet-gate = \"KubeletPodResourcesGet\"",
            "turn on the kubelet's feature gate KubeletPodResourcesGet",
        ),
        (
            "drop-refused-kubelet-gates = true",
            "take out the feature gates that this kubelet refuses",
        ),
        ("raise-kubelet-timeout = \"20m\"", "set the kubelet's runtimeRequestTimeout to 20m0s"),
        (
            "raise-create-container-timeout = \"20m\"",
            "set the Kata shim's create_container_timeout to 20m0s",
        ),
        ("restart-kubelet = true", "restart the kubelet and watch it"),
        ("deny-modules = [\"nouveau\", \"nvidia\"]", "keep from loading: nouveau, nvidia"),
        ("load-modules = [\"vfio-pci\"]", "load at boot: vfio-pci"),
    ] {
        assert_eq!(read(&format!("{{ {edit} }}")), Ok(vec![words.to_owned()]), "{edit}");
    }
}

#[test]
fn what_is_no_edit_is_named() {
    for (edit, problem) in [
        ("{}", "an edit has exactly one key"),
        ("{ generate-boot-menu = true, restart-kubelet = true }", "an edit has exactly one key"),
        ("\"generate-boot-menu\"", "an edit is a table, not a text"),
        ("{ generate-boot-menu = false }", "`generate-boot-menu` is true, or left out"),
        (
            "{ add-kernel-argument = \"a b\" }",
            "`add-kernel-argument`: `a b` is not a plain kernel argument",
        ),
        (
            "{ add-kernel-argument = \"$(reboot)\" }",
            "`add-kernel-argument`: `$(reboot)` is not a plain kernel argument",
        ),
        (
            "{ add-kernel-argument = \"--\" }",
            "`add-kernel-argument`: `--` is not a plain kernel argument",
        ),
        ("{ deny-modules = [\"../x\"] }", "`deny-modules`: `../x` is not a module's name"),
        ("{ raise-kubelet-timeout = \"20\" }", "`20` is no duration, like 20m"),
        (
            "{ remove-kernel-arguments = \"bool.true\" }",
            "`remove-kernel-arguments` takes a set of arguments; bool.true is a bool",
        ),
    ] {
        assert_eq!(read(edit), Err(problem.to_owned()), "{edit}");
    }
    let misspelt = read("{ add-kernel-argumet = \"a\" }").unwrap_err();
    assert!(misspelt.contains("add-kernel-argument"), "{misspelt}");
    let misspelt = read("{ enable-kubelet-gate = \"KubeletPodResourceGet\" }").unwrap_err();
    assert!(misspelt.contains("KubeletPodResourcesGet"), "{misspelt}");
}

#[test]
fn a_fix_says_how_safe_it_is_and_what_it_does() {
    for (fix, missing) in [
        ("{ edits = [{ restart-kubelet = true }] }", "safety"),
        ("{ safety = \"safe\" }", "edits"),
        ("{ safety = \"safe\", edits = [] }", "edits"),
        ("{ safety = \"maybe\", edits = [{ restart-kubelet = true }] }", "safety"),
    ] {
        let text = format!("schema = 1\n{}", rule("r", &format!("{FAIL}\nfix = [{fix}]")));
        let loaded = RuleSet::of(&catalogue(), &[RuleFile { name: "site.toml", text: &text }]);
        assert!(loaded.unwrap_err().to_string().contains(missing), "{fix}");
    }
}

#[test]
fn only_a_fix_whose_conditions_certainly_hold_is_one() {
    let chosen = |conditions: &[&str]| {
        let all: Vec<String> = conditions
            .iter()
            .map(|fact| {
                format!(
                    "{{ when = [{{ fact = \"bool.{fact}\", equals = true }}], safety = \"safe\", \
                     edits = [{{ restart-kubelet = true }}] }}"
                )
            })
            .collect();
        judged(&rule("r", &format!("{FAIL}\nfix = [{}]", all.join(", "))))[0].fix
    };
    assert_eq!(chosen(&["true", "true"]), Some(0));
    assert_eq!(chosen(&["false", "true"]), Some(1));
    assert_eq!(chosen(&["unreadable", "true"]), Some(1));
    assert_eq!(chosen(&["unreadable", "absent"]), None);
}

#[test]
fn what_passes_or_cannot_be_told_has_no_fix() {
    let fix = "fix = [{ safety = \"safe\", edits = [{ restart-kubelet = true }] }]";
    for expect in ["bool.true", "bool.unreadable"] {
        let expect = format!("expect = [{{ fact = \"{expect}\", equals = true }}]");
        assert_eq!(judged(&rule("r", &format!("{expect}\n{fix}")))[0].fix, None);
    }
}
