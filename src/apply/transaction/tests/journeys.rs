//! Plans carried out and taken back, refused, and stopped on the way.

use super::*;
use crate::apply::journal::record::{FileRecord, Prepare, Record, StepKindRecord, StepRecord};
use crate::apply::journal::{State, Transaction, claim, keep_before};
use crate::apply::replace::{Content, Refusal, ReplaceError};
use crate::apply::testing::{attributes, everything, host_files, on_disk, quick, succeeds};
use crate::plan::Action;

const GRUB: &str = "/etc/default/grub";
const DROP_IN: &str = "/etc/default/grub.d/99-ccgpu-node.cfg";

fn two_files() -> Plan {
    plan([
        write(GRUB, Some(b"old grub"), Some(b"new grub")),
        write(DROP_IN, None, Some(b"drop-in")),
    ])
}

#[test]
fn a_rollback_gives_back_bytes_mode_owner_attributes_and_absence() {
    let host = Host::new(on_disk());
    host.set("/etc/gone.conf", Some(b"to go"));
    let grub = host.path(GRUB);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&grub, None, Some(1001)).unwrap();
        succeeds("setfacl", &["-m", "u:1000:r"], &grub);
        succeeds("setfattr", &["-n", "user.note", "-v", "kept"], &grub);
        succeeds("setfattr", &["-n", "user.note", "-v", "kept"], &host.path("/etc/gone.conf"));
    }
    let (files, grub_was) = (host_files(host.root()), attributes(&grub));
    let gone_was = attributes(&host.path("/etc/gone.conf"));
    let mut plan = two_files();
    plan.steps.push(write("/etc/gone.conf", Some(b"to go"), None));
    let applied = host.apply(&plan).unwrap();
    assert_eq!((applied.number, applied.pending), (1, None));
    assert_eq!(host.get(GRUB).unwrap(), b"new grub");
    assert_eq!(host.get(DROP_IN).unwrap(), b"drop-in");
    assert_eq!(host.get("/etc/gone.conf"), None);
    assert_eq!(attributes(&grub), grub_was);
    let [entry] = &host.history()[..] else { panic!() };
    assert_eq!((entry.number, &entry.state, entry.steps.len()), (1, &State::Committed, 3));
    let rolled_back = host.rollback(None).unwrap();
    assert_eq!(rolled_back.restored, ["/etc/gone.conf", DROP_IN, GRUB]);
    assert_eq!(host_files(host.root()), files);
    assert_eq!(attributes(&grub), grub_was);
    assert_eq!(attributes(&host.path("/etc/gone.conf")), gone_was);
    assert!(matches!(host.rollback(None), Err(RollbackError::Nothing)));
    assert!(matches!(host.rollback(Some(1)), Err(RollbackError::NotPossible { .. })));
    assert!(matches!(host.rollback(Some(7)), Err(RollbackError::Unknown { number: 7 })));
}

#[test]
fn a_directory_that_others_use_by_now_stays() {
    let host = Host::new(quick());
    host.apply(&two_files()).unwrap();
    host.set("/etc/default/grub.d/theirs.cfg", Some(b"theirs"));
    host.rollback(None).unwrap();
    assert_eq!(host.get(DROP_IN), None);
    assert_eq!(host.get("/etc/default/grub.d/theirs.cfg").unwrap(), b"theirs");
}

#[test]
fn a_failed_verification_takes_everything_back() {
    let host = Host::new(quick());
    let files = host_files(host.root());
    let mut seen = Vec::new();
    let mut verify = || {
        seen.push(fs::read(host.path(GRUB)).unwrap());
        Verification::Failed { why: "still not".to_owned() }
    };
    let error =
        host.apply_with(&two_files(), &offline(), &Interrupt::default(), &mut verify).unwrap_err();
    assert!(matches!(error, ApplyError::RolledBack { number: 1, .. }), "{error:?}");
    assert_eq!(seen, [b"new grub"]);
    assert_eq!(host_files(host.root()), files);
    assert!(matches!(host.history()[0].state, State::RolledBack { .. }));
    assert_eq!(host.recover(&offline()), Recovery::default());
}

#[test]
fn a_signal_before_the_first_step_leaves_no_trace() {
    let host = Host::new(quick());
    let files = host_files(host.root());
    let interrupt = Interrupt::default();
    interrupt.raise();
    let mut verify = || Verification::Holds;
    let error = host.apply_with(&two_files(), &offline(), &interrupt, &mut verify).unwrap_err();
    assert!(matches!(error, ApplyError::Refused(Failure::Interrupted)), "{error:?}");
    assert_eq!(host_files(host.root()), files);
    assert!(host.history().is_empty());
}

#[test]
fn what_is_not_as_planned_is_refused_before_the_first_write() {
    let host = Host::new(quick());
    host.set("/etc/other", Some(b"other"));
    fs::hard_link(host.path("/etc/other"), host.path("/etc/second")).unwrap();
    let first = || write(GRUB, Some(b"old grub"), Some(b"new grub"));
    let files = host_files(host.root());
    for (second, wanted) in [
        (write("/etc/other", Some(b"other"), Some(b"new")), Refusal::HardLinked(2)),
        (write("/etc/none", Some(b"was"), Some(b"new")), Refusal::Vanished),
        (write("/etc/default", Some(b"was"), None), Refusal::NotRegular("a directory")),
    ] {
        match host.apply(&plan([first(), second])) {
            Err(ApplyError::Refused(Failure::Replace(ReplaceError::Refused { why, .. }))) => {
                assert_eq!(why, wanted);
            }
            other => panic!("{other:?}"),
        }
    }
    let stale = write(GRUB, Some(b"older grub"), Some(b"new grub"));
    let appeared = write(GRUB, None, Some(b"new grub"));
    for wrong in [plan([stale]), plan([appeared]), plan([first(), first()]), Plan::default()] {
        assert!(matches!(host.apply(&wrong), Err(ApplyError::Refused(_))));
    }
    let action = Step {
        rules: Vec::new(),
        kind: StepKind::Act(Action::RestartKubelet { unit: "kubelet".to_owned() }),
    };
    let refused = host.apply(&plan([first(), action]));
    assert!(matches!(refused, Err(ApplyError::Refused(Failure::NotRunning))), "{refused:?}");
    assert_eq!(host_files(host.root()), files);
    assert!(host.history().is_empty());
}

#[test]
fn a_file_that_changes_under_way_stays_as_somebody_else_left_it() {
    let host = Host::new(quick());
    // The second file cannot be written: its directory is a file by then.
    let steps = [
        write(GRUB, Some(b"old grub"), Some(b"new grub")),
        write("/etc/default/grub.d/a.cfg", None, Some(b"drop-in")),
        write("/etc/third", None, Some(b"third")),
    ];
    // As close to "in between" as can be had without a second process: a name in the way that the
    // preparation does not see, because the link to it dangles.
    std::os::unix::fs::symlink("nowhere", host.path("/etc/default/grub.d")).unwrap();
    let files = host_files(host.root());
    let error = host.apply(&plan(steps)).unwrap_err();
    assert!(matches!(error, ApplyError::RolledBack { .. }), "{error:?}");
    assert_eq!(host_files(host.root()), files);
}

#[test]
fn a_program_that_fails_takes_the_files_back() {
    let host = Host::new(quick());
    let files = host_files(host.root());
    let unit = "ccgpu-node-no-such-unit.service".to_owned();
    let restart = Step { rules: Vec::new(), kind: StepKind::Act(Action::RestartKubelet { unit }) };
    let mut plan = two_files();
    plan.steps.push(restart);
    let mut verify = || Verification::Holds;
    let now = booted("one", "");
    let error = host.apply_with(&plan, &now, &Interrupt::default(), &mut verify).unwrap_err();
    // It does not start with the old files either, so there is no third try.
    assert!(matches!(error, ApplyError::NeedsPerson { number: 1, .. }), "{error:?}");
    assert_eq!(host_files(host.root()), files);
    assert!(matches!(host.history()[0].state, State::Manual { .. }));
    assert_eq!(host.recover(&now), Recovery::default());
}

#[test]
fn a_foreign_edit_stops_a_rollback_and_is_named() {
    let host = Host::new(quick());
    host.apply(&two_files()).unwrap();
    host.set(DROP_IN, Some(b"theirs"));
    let before = everything(host.root());
    match host.rollback(None) {
        Err(RollbackError::ForeignEdit { path }) => assert_eq!(path, DROP_IN),
        other => panic!("{other:?}"),
    }
    assert_eq!(everything(host.root()), before);
    // What is as it was already is left alone, and the rest goes back.
    host.set(DROP_IN, None);
    assert_eq!(host.rollback(None).unwrap().restored, [GRUB]);
}

#[test]
fn a_transaction_that_a_later_one_builds_on_stays_until_that_is_gone() {
    let host = Host::new(quick());
    host.apply(&two_files()).unwrap();
    host.apply(&plan([write("/etc/unrelated", None, Some(b"new"))])).unwrap();
    host.apply(&plan([write(GRUB, Some(b"new grub"), Some(b"newer grub"))])).unwrap();
    match host.rollback(Some(1)) {
        Err(RollbackError::BuiltUpon { later: 3, path }) => assert_eq!(path, GRUB),
        other => panic!("{other:?}"),
    }
    assert_eq!(host.rollback(None).unwrap().number, 3);
    assert_eq!(host.rollback(Some(1)).unwrap().number, 1);
    assert_eq!(host.get(GRUB).unwrap(), b"old grub");
    assert_eq!(host.get("/etc/unrelated").unwrap(), b"new");
    assert_eq!(host.rollback(None).unwrap().number, 2);
}

/// The clock of a machine may be set to anything between two runs, or during one.
#[test]
fn a_clock_that_jumps_decides_nothing() {
    const YEAR: u64 = 365 * 86_400;
    let host = Host::new(quick());
    let at = |wall| Occasion { wall, boot: None };
    let mut verify = || Verification::Holds;
    let first = plan([write(GRUB, Some(b"old grub"), Some(b"new grub"))]);
    let second = plan([write(GRUB, Some(b"new grub"), Some(b"newer grub"))]);
    let third = plan([write(GRUB, Some(b"newer grub"), Some(b"newest grub"))]);
    for (plan, wall) in [(&first, 57 * YEAR), (&second, 0), (&third, u64::MAX)] {
        host.apply_with(plan, &at(wall), &Interrupt::default(), &mut verify).unwrap();
    }
    assert_eq!(host.recover(&at(YEAR)), Recovery::default());
    let numbers: Vec<u32> = host.history().iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    for number in [3, 2, 1] {
        assert_eq!(host.rollback(None).unwrap().number, number);
    }
    assert_eq!(host.history().len(), 3);
}

#[test]
fn nothing_is_begun_while_something_is_unfinished() {
    let host = Host::new(quick());
    host.apply(&two_files()).unwrap();
    let journal = host.path("/var/lib/ccgpu-node/transactions/000001/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&journal, lines[..lines.len() - 1].concat()).unwrap();
    let more = plan([write("/etc/more", None, Some(b"more"))]);
    let error = host.apply(&more).unwrap_err();
    assert!(matches!(error, ApplyError::Refused(Failure::Unfinished { number: 1 })), "{error:?}");
    let recovery = host.recover(&offline());
    assert_eq!(recovery.transactions, [Recovered::Finished { number: 1, pending: false }]);
    host.apply(&more).unwrap();
}

/// A journal as an earlier run left it, of a step of this kind on one file after a written one.
fn left_behind(host: &Host, kind: StepKindRecord, second: Vec<FileRecord>, records: &[Record]) {
    let number = claim(&host.tree).unwrap();
    keep_before(&host.tree, number, 1, b"old grub").unwrap();
    keep_before(&host.tree, number, 2, b"old entry").unwrap();
    let written = file(1, GRUB, b"old grub", Some(b"new grub"));
    let step = |kind, files| StepRecord { rules: Vec::new(), kind, files };
    let steps = vec![step(StepKindRecord::Write, vec![written]), step(kind, second)];
    let prepare = Prepare {
        plan: Digest::of(b"plan").to_string(),
        program: "0.1.0".to_owned(),
        boot: Some("one".to_owned()),
        wall: 0,
        steps,
        directories: Vec::new(),
    };
    let mut transaction = Transaction::begin(&host.tree, number, prepare).unwrap();
    for record in [Record::Intent, Record::Started { step: 0 }, Record::Done { step: 0 }] {
        transaction.append(&record).unwrap();
    }
    for record in records {
        transaction.append(record).unwrap();
    }
}

fn file(image: u32, path: &str, before: &[u8], after: Option<&[u8]>) -> FileRecord {
    FileRecord {
        image,
        path: path.to_owned(),
        real: path.to_owned(),
        before: Content::of(Some(before)),
        after: after.map(|after| Content::of(Some(after))),
        metadata: None,
    }
}

fn words() -> (Vec<String>, Vec<String>) {
    (vec!["intel_iommu=on".to_owned()], vec!["iommu=pt".to_owned()])
}

/// A transaction that waits for a boot, as a machine with a boot menu leaves it.
fn pending(host: &Host) {
    host.set(GRUB, Some(b"new grub"));
    let (add, remove) = words();
    let word = Record::PendingReboot { boot: "one".to_owned(), add, remove };
    let (add, remove) = words();
    let done = [Record::Started { step: 1 }, Record::Done { step: 1 }, Record::Verified, word];
    left_behind(host, StepKindRecord::BootMenu { add, remove }, Vec::new(), &done);
}

const ENTRY: &str = "/boot/loader/entries/6.17.conf";

#[test]
fn entries_that_a_killed_program_left_half_written_are_put_back_and_kept() {
    let host = Host::new(quick());
    host.set(GRUB, Some(b"new grub"));
    host.set(ENTRY, Some(b"old ent"));
    let (add, remove) = words();
    let kind = StepKindRecord::LoaderEntries { add, remove };
    let second = vec![file(2, ENTRY, b"old entry", None)];
    left_behind(&host, kind, second, &[Record::Started { step: 1 }]);
    let recovery = host.recover(&booted("one", ""));
    assert!(matches!(recovery.transactions[..], [Recovered::RolledBack { .. }]), "{recovery:?}");
    assert_eq!(host.get(ENTRY).unwrap(), b"old entry");
    assert_eq!(host.get(GRUB).unwrap(), b"old grub");
    let found = "/var/lib/ccgpu-node/transactions/000001/found/2";
    assert_eq!(host.get(found).unwrap(), b"old ent");
    assert_eq!(host.recover(&booted("one", "")), Recovery::default());
}

#[test]
fn a_menu_that_a_killed_generator_left_beside_is_swept() {
    let host = Host::new(quick());
    host.set(GRUB, Some(b"new grub"));
    host.set("/boot/grub/grub.cfg", Some(b"old menu"));
    for name in [".ccgpu-node.cfg", ".ccgpu-node.cfg.new", "custom.cfg"] {
        host.set(&format!("/boot/grub/{name}"), Some(b"old me"));
    }
    let (add, remove) = words();
    let menu = vec![file(2, "/boot/grub/grub.cfg", b"old menu", None)];
    let kind = StepKindRecord::BootMenu { add, remove };
    left_behind(&host, kind, menu, &[Record::Started { step: 1 }]);
    let recovery = host.recover(&offline());
    assert!(matches!(recovery.transactions[..], [Recovered::RolledBack { .. }]), "{recovery:?}");
    let mut left: Vec<_> = fs::read_dir(host.path("/boot/grub"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["custom.cfg", "grub.cfg"]);
}

#[test]
fn a_file_whose_step_has_not_begun_or_is_known_is_nobodys_to_put_back() {
    let (add, remove) = words();
    let entries = || StepKindRecord::LoaderEntries { add: add.clone(), remove: remove.clone() };
    let menu = || StepKindRecord::BootMenu { add: add.clone(), remove: remove.clone() };
    let generated = vec![file(2, ENTRY, b"old entry", Some(b"new entry"))];
    let known =
        [Record::Started { step: 1 }, Record::Generated { step: 1, files: generated.clone() }];
    for (kind, records, content, put_back) in [
        (entries(), &known[..0], b"old entri", false),
        (menu(), &known[..1], b"old entri", false),
        (entries(), &known[..], b"old entri", false),
        (entries(), &known[..], b"new entry", true),
        (menu(), &known[..], b"new entry", true),
        (menu(), &known[..1], b"old entry", true),
    ] {
        let host = Host::new(quick());
        host.set(GRUB, Some(b"new grub"));
        host.set(ENTRY, Some(content));
        left_behind(&host, kind.clone(), vec![file(2, ENTRY, b"old entry", None)], records);
        let recovery = host.recover(&offline());
        let transactions = &recovery.transactions[..];
        if put_back {
            assert!(
                matches!(transactions, [Recovered::RolledBack { .. }]),
                "{kind:?} {recovery:?}"
            );
            assert_eq!(host.get(ENTRY).unwrap(), b"old entry");
            assert_eq!(host.get(GRUB).unwrap(), b"old grub");
        } else {
            assert!(matches!(transactions, [Recovered::Manual { .. }]), "{kind:?} {recovery:?}");
            assert_eq!(host.get(ENTRY).unwrap(), content);
            assert_eq!(host.get(GRUB).unwrap(), b"new grub");
        }
    }
}

#[test]
fn an_initramfs_is_not_left_behind_by_a_tree_that_runs_nothing() {
    let host = Host::new(quick());
    host.set(GRUB, Some(b"new grub"));
    let tool = crate::apply::journal::record::Tool::Dracut;
    let kind = StepKindRecord::Initramfs { tool };
    left_behind(&host, kind, Vec::new(), &[Record::Started { step: 1 }]);
    let before = host_files(host.root());
    let recovery = host.recover(&offline());
    assert!(matches!(recovery.transactions[..], [Recovered::Postponed { .. }]), "{recovery:?}");
    assert_eq!(host_files(host.root()), before);
}

#[test]
fn a_unit_is_not_restarted_while_another_boot_comes_up() {
    let host = Host::new(quick());
    host.set(GRUB, Some(b"new grub"));
    let unit = "ccgpu-node-no-such-unit.service".to_owned();
    let kind = StepKindRecord::Kubelet { unit: unit.clone() };
    left_behind(&host, kind, Vec::new(), &[Record::Started { step: 1 }]);
    let recovery = host.recover(&booted("two", ""));
    let [Recovered::RolledBack { restart, reboot: false, .. }] = &recovery.transactions[..] else {
        panic!("{recovery:?}");
    };
    assert_eq!(restart, &[unit]);
    assert_eq!(host.get(GRUB).unwrap(), b"old grub");
}

#[test]
fn the_next_boot_proves_a_change_or_that_it_had_no_effect() {
    let shown = "quiet intel-iommu=on";
    for (arguments, confirmed) in
        [(shown, true), ("quiet", false), ("intel_iommu=on iommu=pt", false), ("", false)]
    {
        let host = Host::new(quick());
        fs::create_dir(host.path("/run")).unwrap();
        pending(&host);
        // In the boot that it waits in nothing is known yet, but that a reboot is wanted.
        assert_eq!(host.recover(&booted("one", arguments)), Recovery::default());
        assert!(host.get("/run/reboot-required").is_some());
        let recovery = host.recover(&booted("two", arguments));
        let why = "another file decides".to_owned();
        let wanted = if confirmed {
            Recovered::Confirmed { number: 1 }
        } else {
            Recovered::Ineffective { number: 1, why }
        };
        assert_eq!(recovery.transactions, [wanted], "{arguments}");
        assert!(host.get("/run/reboot-required").is_none());
        let before = everything(host.root());
        assert_eq!(host.recover(&booted("three", "")), Recovery::default());
        assert_eq!(everything(host.root()), before);
    }
}

#[test]
fn taking_back_what_was_booted_waits_for_a_boot_too() {
    let host = Host::new(quick());
    fs::create_dir(host.path("/run")).unwrap();
    pending(&host);
    host.recover(&booted("two", "intel_iommu=on"));
    let lock = Lock::take(&host.tree).unwrap();
    let now = booted("two", "intel_iommu=on");
    let rolled_back = rollback(&host.tree, &lock, &now, None).unwrap();
    drop(lock);
    assert!(rolled_back.reboot);
    assert_eq!(host.get(GRUB).unwrap(), b"old grub");
    assert!(host.get("/run/reboot-required").is_some());
    let entry = host.history().remove(0);
    assert!(matches!(entry.state, State::PendingReboot { .. }) && entry.taken_back, "{entry:?}");
    assert!(matches!(host.rollback(None), Err(RollbackError::Nothing)));
    let recovery = host.recover(&booted("three", "iommu=pt"));
    assert_eq!(recovery.transactions, [Recovered::Confirmed { number: 1 }]);
    assert!(matches!(host.history()[0].state, State::RolledBack { .. }));
    assert!(host.get("/run/reboot-required").is_none());
}

#[test]
fn taking_back_what_was_never_booted_needs_no_boot() {
    let host = Host::new(quick());
    fs::create_dir(host.path("/run")).unwrap();
    pending(&host);
    let now = booted("one", "quiet");
    host.recover(&now);
    let lock = Lock::take(&host.tree).unwrap();
    assert!(!rollback(&host.tree, &lock, &now, None).unwrap().reboot);
    assert!(host.get("/run/reboot-required").is_none());
}
