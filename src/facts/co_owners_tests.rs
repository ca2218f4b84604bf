use proptest::prelude::*;

use super::super::catalogue;
use super::super::testing::tree;
use super::*;

const BOOTCMDLINE: &str = "# This file can be used for GRUB_CMDLINE_LINUX.\n\
    TUNED_BOOT_CMDLINE=\"skew_tick=1 iommu=pt amd_iommu=off pci=disable_acs_redir=pci:0:0\"\n\
    TUNED_BOOT_INITRD_ADD=\"\"\n";

fn facts_of(files: &[(&str, &str)]) -> Facts {
    let host = tree(files);
    let root = Root::directory(host.path()).unwrap();
    Facts { co_owners: Some(gather(&root)), ..Facts::default() }
}

fn list(facts: &Facts, name: &str) -> Vec<String> {
    match (catalogue::fact(name).unwrap().read)(facts).reading {
        Reading::Known(Value::Set(members)) => members.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_tuned_writes_is_named_with_its_profile_and_its_place() {
    let facts = facts_of(&[
        ("etc/tuned/bootcmdline", BOOTCMDLINE),
        ("etc/tuned/active_profile", "nvidia-h100-performance\n"),
    ]);
    let by = "TuneD's profile nvidia-h100-performance, /etc/tuned/bootcmdline:2";
    assert_eq!(list(&facts, "co-owner.passthrough"), [format!("iommu=pt ({by})")]);
    assert_eq!(
        list(&facts, "co-owner.harmful-amd"),
        [format!("amd_iommu=off ({by})"), format!("pci=disable_acs_redir=pci:0:0 ({by})")]
    );
    assert_eq!(
        list(&facts, "co-owner.harmful-intel"),
        [format!("pci=disable_acs_redir=pci:0:0 ({by})")]
    );
    assert_eq!(list(&facts, "co-owner.arguments").len(), 3);
}

#[test]
fn only_files_that_nodewright_names_so_are_its_own() {
    let text = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=off\"\n";
    let facts = facts_of(&[
        ("etc/default/grub.d/999-dgx-tuning.cfg", text),
        ("etc/default/grub.d/99_tuned.cfg", "GRUB_CMDLINE_LINUX=iommu.passthrough=1\n"),
        ("etc/default/grub.d/50-cloudimg-settings.cfg", text),
        ("etc/default/grub.d/999-dgx-tuning.cfg.bak", text),
    ]);
    assert_eq!(
        list(&facts, "co-owner.arguments"),
        [
            "intel_iommu=off (NodeWright, /etc/default/grub.d/999-dgx-tuning.cfg:1)",
            "iommu.passthrough=1 (NodeWright, /etc/default/grub.d/99_tuned.cfg:1)",
        ]
    );
}

#[test]
fn a_host_without_them_has_nobody_else_who_writes() {
    assert!(list(&facts_of(&[("etc/hostname", "")]), "co-owner.arguments").is_empty());
}

#[test]
fn a_text_that_only_running_would_tell_is_not_guessed() {
    let facts = facts_of(&[("etc/tuned/bootcmdline", "TUNED_BOOT_CMDLINE=\"$(cat /x)\"\n")]);
    let fact = catalogue::fact("co-owner.arguments").unwrap();
    assert!((fact.read)(&facts).reading.cause().is_some());
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = words("/x", &text, &["TUNED_BOOT_CMDLINE"], "TuneD");
    }

    #[test]
    fn plain_words_come_back_as_they_are(words in proptest::collection::vec("[a-z_]{1,6}(=[a-z0-9,.:]{0,6})?", 0..5)) {
        let text = format!("TUNED_BOOT_CMDLINE=\"{}\"\n", words.join(" "));
        let found = super::words("/x", text.as_bytes(), &["TUNED_BOOT_CMDLINE"], "TuneD").unwrap();
        let found: Vec<String> = found.into_iter().map(|each| each.argument).collect();
        prop_assert_eq!(found, words);
    }
}
