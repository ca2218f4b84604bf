//! The log: one entry for each change, in the journal's own form where that is asked for, and none else.

use std::time::Duration;

use crate::daemon::{Daemon, Start, break_kubelet, machine, mend_kubelet};
use crate::journal::{Entry, Journal};

const RULE: &str = "kubelet-runtime-request-timeout";

fn is_verdict(entry: &Entry) -> bool {
    entry.contains_key("MESSAGE_ID")
}

#[test]
fn each_transition_is_one_entry_of_the_journal() {
    let Some(world) = machine() else { return };
    let journal = Journal::of(&world);
    let mut daemon = Daemon::start(&world, &Start { journal: true, ..Start::default() });
    daemon.hears("READY=1");
    let first = journal.until(is_verdict);
    let [verdict] = first.as_slice() else { panic!("{first:#?}") };
    assert_eq!((&*verdict["TO"], &*verdict["PRIORITY"]), ("ready", "5"));
    assert!(!verdict.contains_key("FROM"));
    assert_eq!(verdict["MESSAGE_ID"].len(), 32);
    assert_eq!(verdict["SYSLOG_IDENTIFIER"], "ccgpu-node");

    break_kubelet(&world);
    let broken = journal.until(is_verdict);
    let [rule, .., worse] = broken.as_slice() else { panic!("{broken:#?}") };
    assert_eq!((&*rule["RULE"], &*rule["FROM"], &*rule["TO"]), (RULE, "pass", "fail"));
    assert_eq!((&*rule["SEVERITY"], &*rule["VERDICT"]), ("required", "not-ready"));
    assert!(rule["FINDING"].contains("/var/lib/kubelet/config.yaml"), "{rule:#?}");
    assert_eq!(rule["PRIORITY"], "4");
    assert_eq!((&*worse["FROM"], &*worse["TO"], &*worse["PRIORITY"]), ("ready", "not-ready", "4"));
    assert_eq!(worse["MESSAGE_ID"], verdict["MESSAGE_ID"]);

    mend_kubelet(&world);
    let mended = journal.until(is_verdict);
    let [rule, .., better] = mended.as_slice() else { panic!("{mended:#?}") };
    assert_eq!((&*rule["RULE"], &*rule["FROM"], &*rule["TO"]), (RULE, "fail", "pass"));
    assert_eq!((&*better["TO"], &*better["PRIORITY"]), ("ready", "5"));
    // A check that finds nothing new is not worth a word.
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    let reload = journal.until(|entry| entry["MESSAGE"].contains("read again"));
    assert_eq!(reload.len(), 1, "{reload:#?}");
    assert_eq!(journal.entry(Duration::from_secs(2)), None);
    assert_eq!(daemon.said(), "");
    daemon.stop();
}

#[test]
fn what_a_host_says_reaches_no_terminal_that_obeys_it() {
    let Some(world) = machine() else { return };
    let journal = Journal::of(&world);
    let mut daemon = Daemon::start(&world, &Start { journal: true, ..Start::default() });
    daemon.hears("READY=1");
    journal.until(is_verdict);
    let text = world.read(crate::daemon::KUBELET);
    let hostile = text.replace("20m0s", "\"\\e[2Jgone\\nREADY=1\"");
    assert_ne!(text, hostile);
    world.write(crate::daemon::KUBELET, &hostile);
    // The stand-in refuses an entry that has a control character.
    let entries = journal.until(is_verdict);
    assert!(entries.iter().any(|entry| entry.contains_key("FINDING")), "{entries:#?}");
    daemon.hears("STATUS=");
    daemon.stop();
}

#[test]
fn without_a_journal_it_is_lines_of_text() {
    let Some(world) = machine() else { return };
    let daemon = Daemon::ready(&world);
    break_kubelet(&world);
    crate::daemon::report_where(&world, |report| report["verdict"] == "not-ready");
    let said = daemon.said();
    let lines: Vec<&str> = said.lines().collect();
    let [_, rule, .., verdict] = lines.as_slice() else { panic!("{said}") };
    assert!(rule.trim_start().starts_with(&format!("WARN rule {RULE}: fail (was pass)")), "{said}");
    assert!(verdict.contains("verdict: not-ready"), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
    daemon.stop();
}
