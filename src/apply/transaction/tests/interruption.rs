//! Every place at which a transaction can be interrupted, times everything that its files may hold then.

use super::*;
use crate::apply::journal::State;
use crate::apply::testing::{everything, host_files, quick};

/// What one file was, is to be, and is neither.
struct File {
    path: &'static str,
    before: Option<&'static [u8]>,
    after: Option<&'static [u8]>,
}

const CHANGED: File =
    File { path: "/etc/default/grub", before: Some(b"old grub"), after: Some(b"new grub") };
const CREATED: File =
    File { path: "/etc/modprobe.d/ccgpu.conf", before: None, after: Some(b"blacklist nouveau") };
const REMOVED: File = File { path: "/etc/old.conf", before: Some(b"old"), after: None };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Before,
    After,
    Foreign,
}

impl File {
    fn content(&self, holds: Holds) -> Option<&'static [u8]> {
        match holds {
            Holds::Before => self.before,
            Holds::After => self.after,
            Holds::Foreign => Some(b"somebody else"),
        }
    }
}

/// A host on which the plan for both files was carried out and taken back again, with its journal.
fn carried_out(files: [&File; 2]) -> (Host, Vec<u8>) {
    let host = Host::new(quick());
    for file in files {
        host.set(file.path, file.before);
    }
    let steps = files.map(|file| write(file.path, file.before, file.after));
    host.apply(&plan(steps)).unwrap();
    host.rollback(None).unwrap();
    let journal = host.get(JOURNAL).unwrap();
    (host, journal)
}

const JOURNAL: &str = "/var/lib/ccgpu-node/transactions/000001/journal";

/// How many lines of the journal say what; see `carried_out`.
const INTENT: usize = 2;
const VERIFIED: usize = 7;
const COMMITTED: usize = 8;
const ROLLED_BACK: usize = 10;

/// What must come of it, said another way than the program says it.
fn expected(lines: usize, holds: [Holds; 2]) -> &'static str {
    match lines {
        0..INTENT => "discarded",
        COMMITTED | ROLLED_BACK => "nothing",
        VERIFIED if holds == [Holds::After; 2] => "finished",
        _ if holds.contains(&Holds::Foreign) => "manual",
        _ => "rolled back",
    }
}

fn came_of_it(recovery: &Recovery) -> &'static str {
    match recovery.transactions.as_slice() {
        [] => "nothing",
        [Recovered::Discarded { .. }] => "discarded",
        [Recovered::RolledBack { .. }] => "rolled back",
        [Recovered::Finished { pending: false, .. }] => "finished",
        [Recovered::Manual { .. }] => "manual",
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_any_interruption_all_is_before_or_after_or_left_for_a_person() {
    let mut cases = 0;
    for files in [[&CHANGED, &CREATED], [&REMOVED, &CHANGED], [&CREATED, &REMOVED]] {
        let (host, journal) = carried_out(files);
        let ends: Vec<usize> = std::iter::once(0)
            .chain(
                journal
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'\n')
                    .map(|(at, _)| at + 1),
            )
            .collect();
        assert_eq!(ends.len(), ROLLED_BACK + 1, "{}", String::from_utf8_lossy(&journal));
        let kept = host.path("/var/lib/ccgpu-node/transactions");
        let saved = host.path("/saved");
        copy(&kept, &saved);
        for (lines, end) in ends.iter().enumerate() {
            for one in [Holds::Before, Holds::After, Holds::Foreign] {
                for two in [Holds::Before, Holds::After, Holds::Foreign] {
                    fs::remove_dir_all(&kept).unwrap();
                    copy(&saved, &kept);
                    let _ = fs::remove_dir_all(host.path("/etc/modprobe.d"));
                    host.set(files[0].path, files[0].content(one));
                    host.set(files[1].path, files[1].content(two));
                    // A whole line and a torn one after it come to the same.
                    let torn = if lines % 2 == 0 { *end } else { (end + 9).min(journal.len()) };
                    fs::write(host.path(JOURNAL), &journal[..torn]).unwrap();
                    check(&host, files, [one, two], expected(lines, [one, two]));
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 3 * 11 * 9);
}

fn check(host: &Host, files: [&File; 2], holds: [Holds; 2], wanted: &str) {
    let found = host_files(host.root());
    let about = format!("{wanted}: {} {} {holds:?}", files[0].path, files[1].path);
    let recovery = host.recover(&offline());
    assert_eq!(came_of_it(&recovery), wanted, "{about}: {recovery:?}");
    for (file, holds) in files.iter().zip(holds) {
        let holds = if wanted == "rolled back" { Holds::Before } else { holds };
        let content = host.get(file.path);
        assert_eq!(content.as_deref(), file.content(holds), "{about}: {}", file.path);
    }
    if wanted != "rolled back" {
        assert_eq!(host_files(host.root()), found, "{about}");
    }
    // The second time nothing is written, to no file and no directory.
    let before = everything(host.root());
    assert_eq!(host.recover(&offline()), Recovery::default(), "{about}");
    assert_eq!(everything(host.root()), before, "{about}");
}

#[test]
fn a_journal_torn_at_any_byte_is_taken_back_whole() {
    let files = [&CHANGED, &REMOVED];
    let (host, journal) = carried_out(files);
    let kept = host.path("/var/lib/ccgpu-node/transactions");
    let saved = host.path("/saved");
    copy(&kept, &saved);
    let ends = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
    for length in 0..=journal.len() {
        fs::remove_dir_all(&kept).unwrap();
        copy(&saved, &kept);
        let lines = ends.iter().filter(|end| **end <= length).count();
        // As far as the steps can have come by then: the second is not begun before its record.
        let holds = [lines > INTENT, lines > INTENT + 2]
            .map(|begun| if begun { Holds::After } else { Holds::Before });
        for (file, holds) in files.iter().zip(holds) {
            host.set(file.path, file.content(holds));
        }
        fs::write(host.path(JOURNAL), &journal[..length]).unwrap();
        let recovery = host.recover(&offline());
        assert_eq!(came_of_it(&recovery), expected(lines, holds), "{length}");
        assert_eq!(host.recover(&offline()), Recovery::default(), "{length}");
    }
}

#[test]
fn a_damaged_journal_is_left_for_a_person_and_said_each_time() {
    let (host, mut journal) = carried_out([&CHANGED, &CREATED]);
    journal[30] ^= 1;
    fs::write(host.path(JOURNAL), &journal).unwrap();
    let before = everything(host.root());
    for _ in 0..2 {
        let recovery = host.recover(&offline());
        assert!(matches!(recovery.transactions[..], [Recovered::Manual { number: 1, .. }]));
    }
    assert_eq!(everything(host.root()), before);
    assert!(matches!(host.history()[0].state, State::Manual { .. }));
    assert!(matches!(host.rollback(None), Err(RollbackError::Failed(_))));
}

#[test]
fn what_an_interrupted_exchange_left_is_swept() {
    let (host, journal) = carried_out([&CHANGED, &CREATED]);
    let ends = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let end = ends.map(|(at, _)| at + 1).nth(INTENT).unwrap();
    fs::write(host.path(JOURNAL), &journal[..end]).unwrap();
    let left = host.path("/etc/default/.ccgpu-node.000001-1.tmp");
    fs::write(&left, "new gr").unwrap();
    assert_eq!(came_of_it(&host.recover(&offline())), "rolled back");
    assert!(!left.exists());
    // The work of somebody else, which came out at the last moment, is in no other place.
    fs::write(host.path(JOURNAL), &journal[..end]).unwrap();
    host.set(CHANGED.path, CHANGED.after);
    fs::write(&left, "somebody else").unwrap();
    assert_eq!(came_of_it(&host.recover(&offline())), "manual");
    assert_eq!(fs::read(&left).unwrap(), b"somebody else");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
