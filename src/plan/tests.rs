//! What is planned for recorded hosts, by the built-in rules.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Action, Allowed, ArgumentChange, Fate, Plan, Proposal, StepKind, propose, sources};
use crate::facts::{Assumptions, Needs, Value, gather};
use crate::host::{Root, Run};
use crate::report::{Header, HostOrigin, Report, Scope};
use crate::rules::{Catalogue, Filter, Platform, RuleSet, Stage, Tee, judge};

/// The plan for a recorded host whose kubelet has this version.
fn planned(fixture: &str, tee: Tee, version: &str, allowed: Allowed<'_>) -> Proposal {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let root = Root::captured(&path.join(format!("{fixture}.host"))).unwrap();
    let version = Value::parse(version, crate::facts::Kind::Version).unwrap();
    let assumed = Assumptions::from([("kubelet.version", version)]);
    let facts = gather(&root, &Run::on(&root), Needs::ALL, assumed);
    let platform = Platform { stage: Stage::Kata, tee: Some(tee) };
    let rules = RuleSet::with_site(&Catalogue::built_in(), &[]).unwrap();
    let chosen = rules.choose(&Filter::default(), platform).unwrap();
    let header = Header {
        host: fixture.to_owned(),
        os: None,
        kernel: None,
        cpu: None,
        virtualization: None,
        gpus: None,
        platform,
        stage_why: String::new(),
        tee_why: String::new(),
        assumed: Vec::new(),
        origin: HostOrigin::Live,
    };
    let report = Report::new(header, Scope::default(), judge(&chosen, &facts));
    propose(&report, &facts, &sources::read(&root, &facts), allowed)
}

fn commands(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::Act(action) => Some(action.command()),
            StepKind::Write(_) => None,
        })
        .collect()
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.kind {
            StepKind::Write(change) => Some(change.path.as_str()),
            StepKind::Act(_) => None,
        })
        .collect()
}

fn fate<'p>(proposal: &'p Proposal, rule: &str) -> &'p Fate {
    &proposal.fates.iter().find(|(each, _)| &*each.id == rule).unwrap().1
}

#[test]
fn a_boot_menu_follows_its_text() {
    let proposal = planned("iommu-off-in-kernel", Tee::Tdx, "1.34.2", Allowed::Safe);
    assert_eq!(paths(&proposal.plan), ["/etc/default/grub"]);
    assert_eq!(commands(&proposal.plan), ["grub-mkconfig -o /boot/grub/grub.cfg"]);
    assert_eq!(fate(&proposal, "iommu-active"), &Fate::Planned);
    assert!(proposal.plan.needs_reboot() && !proposal.plan.restarts_kubelet());
}

#[test]
fn what_was_written_and_never_generated_may_come_into_the_menu() {
    let proposal = planned("grub-not-generated", Tee::Tdx, "1.34.2", Allowed::Safe);
    let [step] = proposal.plan.steps.as_slice() else { panic!("{:?}", proposal.plan) };
    let StepKind::Act(Action::GenerateBootMenu(menu)) = &step.kind else { panic!("{step:?}") };
    let add = vec!["intel_iommu=on".to_owned()];
    assert_eq!(menu.change, ArgumentChange { add, remove: Vec::new() });
}

#[test]
fn the_kubelet_comes_last_and_is_restarted_once() {
    let proposal = planned("gates-missing-on-1.33", Tee::Snp, "1.33.4", Allowed::Safe);
    assert_eq!(paths(&proposal.plan), ["/var/lib/kubelet/config.yaml"]);
    assert_eq!(commands(&proposal.plan), ["systemctl restart kubelet.service"]);
    assert!(!proposal.plan.needs_reboot() && proposal.plan.restarts_kubelet());
}

#[test]
fn a_kubelet_that_runs_with_an_old_configuration_is_only_restarted() {
    let proposal = planned("kubelet-not-restarted", Tee::Snp, "1.34.2", Allowed::Safe);
    assert_eq!(paths(&proposal.plan), Vec::<&str>::new());
    assert_eq!(commands(&proposal.plan), ["systemctl restart kubelet.service"]);
}

#[test]
fn what_may_stop_something_waits_for_consent() {
    let proposal = planned("nouveau-bound", Tee::Snp, "1.34.2", Allowed::Safe);
    assert_eq!(fate(&proposal, "gpu-host-driver"), &Fate::Withheld);
    assert!(proposal.plan.is_empty());
    let proposal = planned("nouveau-bound", Tee::Snp, "1.34.2", Allowed::All);
    assert_eq!(paths(&proposal.plan), ["/etc/modprobe.d/ccgpu-node.conf"]);
    assert_eq!(commands(&proposal.plan), ["update-initramfs -u -k all"]);
}

#[test]
fn a_flag_that_beats_the_file_is_named() {
    let proposal = planned("kubelet-flag-beats-file", Tee::Snp, "1.34.2", Allowed::Safe);
    let refused: Vec<String> = proposal
        .fates
        .iter()
        .filter_map(|(_, fate)| match fate {
            Fate::Refused(refusal) => Some(refusal.why.to_string()),
            _ => None,
        })
        .collect();
    let [why] = refused.as_slice() else { panic!("{:?}", proposal.fates) };
    assert!(why.contains("--runtime-request-timeout"), "{why}");
    assert!(proposal.plan.is_empty());
}

#[test]
fn the_hash_of_a_plan_is_that_of_what_it_does() {
    let hash = |fixture| planned(fixture, Tee::Tdx, "1.34.2", Allowed::Safe).plan.digest();
    assert_eq!(hash("iommu-off-in-kernel"), hash("iommu-off-in-kernel"));
    assert_ne!(hash("iommu-off-in-kernel"), hash("grub-not-generated"));
    assert_eq!(Plan::default().digest().to_string(), crate::plan::Digest::of(b"").to_string());
}

#[test]
fn programs_are_left_out_for_a_tree_that_does_not_run() {
    let (plan, left) =
        planned("iommu-off-in-kernel", Tee::Tdx, "1.34.2", Allowed::Safe).plan.files_only();
    assert_eq!(paths(&plan), ["/etc/default/grub"]);
    assert_eq!(commands(&plan), Vec::<String>::new());
    assert_eq!(left, ["grub-mkconfig -o /boot/grub/grub.cfg"]);
}

/// A fix that no recorded host calls for is one that nobody has seen work.
#[test]
#[expect(clippy::disallowed_methods, reason = "lists the source tree, not a host")]
fn every_built_in_fix_is_planned_for_some_recorded_host() {
    let rules = RuleSet::with_site(&Catalogue::built_in(), &[]).unwrap();
    let mut left: BTreeSet<&str> =
        rules.rules().iter().filter(|rule| !rule.fixes.is_empty()).map(|rule| &*rule.id).collect();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".host") else { continue };
        for tee in [Tee::Snp, Tee::Tdx] {
            for (rule, fate) in planned(name, tee, "1.33.4", Allowed::All).fates {
                if fate == Fate::Planned {
                    left.remove(&*rule.id);
                }
            }
        }
    }
    assert_eq!(left, BTreeSet::new());
}
