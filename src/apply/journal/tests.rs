//! The text of a journal: torn, damaged, reordered.

use super::lines::{self, End, Lines};
use super::record::{FileRecord, MetadataRecord, Prepare, Record, StepKindRecord, StepRecord};
use super::story::Story;
use super::*;
use crate::apply::replace::Content;

fn step(kind: StepKindRecord) -> StepRecord {
    let metadata = MetadataRecord {
        mode: 0o640,
        uid: 0,
        gid: 7,
        xattrs: [("user.note".to_owned(), "00ff".to_owned())].into(),
    };
    let file = FileRecord {
        image: 1,
        path: "/etc/default/grub".to_owned(),
        real: "/etc/default/grub".to_owned(),
        before: Content::of(Some(b"before")),
        after: Some(Content::of(Some(b"after"))),
        metadata: Some(metadata),
    };
    StepRecord { rules: vec!["iommu-argument".to_owned()], kind, files: vec![file] }
}

pub(in crate::apply) fn prepare(steps: Vec<StepRecord>) -> Record {
    Record::Prepare(Prepare {
        plan: Digest::of(b"plan").to_string(),
        program: "0.1.0".to_owned(),
        boot: Some("one".to_owned()),
        wall: 1_700_000_000,
        steps,
        directories: vec!["/etc/default".to_owned()],
    })
}

fn whole() -> Vec<Record> {
    let words = || (vec!["intel_iommu=on".to_owned()], vec!["iommu=pt".to_owned()]);
    let (add, remove) = words();
    let menu = StepKindRecord::BootMenu { add, remove };
    let steps = vec![step(StepKindRecord::Write), step(menu)];
    let generated = steps[1].files.clone();
    let (add, remove) = words();
    vec![
        prepare(steps),
        Record::Intent,
        Record::Started { step: 0 },
        Record::Done { step: 0 },
        Record::Started { step: 1 },
        Record::Generated { step: 1, files: generated },
        Record::Done { step: 1 },
        Record::Verified,
        Record::PendingReboot { boot: "one".to_owned(), add, remove },
        Record::Confirmed { boot: "two".to_owned() },
        Record::Undoing { why: "asked for".to_owned() },
        Record::RolledBack,
    ]
}

/// The text of these records, and where each line ends.
fn text(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let (mut text, mut ends, mut end) = (Vec::new(), Vec::new(), End::default());
    for record in records {
        let (line, next) = lines::line(record, &end).unwrap();
        text.extend(line);
        ends.push(text.len());
        end = next;
    }
    (text, ends)
}

#[test]
fn a_journal_torn_at_any_byte_says_what_its_whole_lines_say() {
    let records = whole();
    let (text, ends) = text(&records);
    for length in 0..=text.len() {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let lines = lines::parse(&text[..length]).unwrap();
        assert_eq!(lines.records, records[..whole], "{length}");
        assert_eq!(lines.torn, length != whole.checked_sub(1).map_or(0, |last| ends[last]));
        // Blocks that never reached the disk read as zeros.
        let mut zeros = text[..length].to_vec();
        zeros.resize(text.len().max(length + 1), 0);
        assert_eq!(lines::parse(&zeros).unwrap().records, records[..whole], "{length}");
        Story::of(&lines.records).unwrap();
    }
}

#[test]
fn any_other_byte_in_a_whole_line_is_damage() {
    let (text, ends) = text(&whole());
    for at in 0..text.len() {
        let mut damaged = text.clone();
        damaged[at] ^= 1;
        match lines::parse(&damaged) {
            Err(damage) => assert!(damage.at <= at),
            // The newline of the last line: a torn line, which says nothing.
            Ok(lines) => assert!(at + 1 == text.len() && lines.records.len() + 1 == ends.len()),
        }
    }
}

#[test]
fn a_line_that_is_missing_or_out_of_its_place_is_damage() {
    let (text, ends) = text(&whole());
    for pair in ends.windows(2) {
        let without = [&text[..pair[0]], &text[pair[1]..]].concat();
        let last = pair[1] == text.len();
        assert_eq!(lines::parse(&without).is_err(), !last);
        let twice = [&text[..pair[1]], &text[pair[0]..]].concat();
        assert!(lines::parse(&twice).is_err());
    }
}

#[test]
fn the_text_of_a_journal_stays_as_it_is() {
    let kept = include_bytes!("example.journal");
    assert_eq!(lines::parse(kept).unwrap().records, whole());
    let (text, _) = text(&whole());
    assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(kept));
}

#[test]
fn states_follow_from_the_records() {
    let records = whole();
    let state = |count: usize| Story::of(&records[..count]).unwrap().unwrap().state();
    assert_eq!(state(1), State::Prepared);
    for count in [2, 3, 5, 8, 11] {
        assert_eq!(state(count), State::Interrupted, "{count}");
    }
    assert!(matches!(state(9), State::PendingReboot { boot_id, .. } if boot_id == "one"));
    assert_eq!(state(10), State::Confirmed);
    assert_eq!(state(12), State::RolledBack { why: "asked for".to_owned() });
    assert_eq!(Story::of(&[]), Ok(None));
}

#[test]
fn records_that_cannot_follow_are_no_story() {
    let records = whole();
    let mut checked = 0;
    for count in 1..=records.len() {
        for next in &records {
            let mut story = records[..count].to_vec();
            story.push(next.clone());
            let expected = records.get(count) == Some(next);
            let again = matches!(next, Record::Undoing { .. }) && (2..12).contains(&count);
            let confirmed = matches!(next, Record::Confirmed { .. }) && count == 9;
            let pending = matches!(next, Record::PendingReboot { .. }) && matches!(count, 8 | 11);
            let done = matches!(next, Record::Done { step: 1 }) && count == 5;
            if !(expected || again || confirmed || pending || done) {
                assert!(Story::of(&story).is_err(), "{count} {next:?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn metadata_reads_back() {
    let StepRecord { files, .. } = step(StepKindRecord::Write);
    let record = files[0].metadata.clone().unwrap();
    let metadata = record.metadata().unwrap();
    assert_eq!(MetadataRecord::of(&metadata), record);
    for wrong in ["0", "zz", "+1", "0g"] {
        let xattrs = [("user.note".to_owned(), wrong.to_owned())].into();
        assert_eq!(MetadataRecord { xattrs, ..record.clone() }.metadata(), None, "{wrong}");
    }
}

#[test]
fn an_empty_journal_is_one_that_says_nothing() {
    assert_eq!(lines::parse(b"").unwrap(), Lines::default());
}
