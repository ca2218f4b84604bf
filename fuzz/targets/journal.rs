//! Journals of transactions: no bytes make the reader panic, what it takes reads the same again, and a
//! journal cut anywhere says no more than its whole lines.
#![no_main]

use ccgpu_node::apply::journal::lines::{End, line, parse};
use ccgpu_node::apply::journal::record::Record;
use ccgpu_node::apply::journal::story::Story;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(lines) = parse(bytes) {
        let whole = &bytes[..usize::try_from(lines.end.length).expect("it was in memory")];
        let again = parse(whole).expect("whole lines");
        assert!(!again.torn && again.records == lines.records && again.end == lines.end);
        assert_eq!(lines.torn, whole.len() != bytes.len());
        told(&lines.records);
    }
    // The checksum keeps a fuzzer out; what stands behind it is tried without.
    let records: Vec<Record> = bytes
        .split(|byte| *byte == b'\n')
        .map(|text| text.splitn(2, |byte| *byte == b' ').last().unwrap_or_default())
        .map_while(|json| serde_json::from_slice(json).ok())
        .collect();
    written(&records);
    told(&records);
});

/// Any number of first records makes a story as long as more of them do.
fn told(records: &[Record]) {
    let Ok(Some(story)) = Story::of(records) else { return };
    let _ = story.state();
    for step in 0..=story.prepare.steps.len() {
        let _ = story.files(step);
    }
    for count in 0..records.len() {
        assert!(Story::of(&records[..count]).is_ok());
    }
}

/// What is written is read as it was, and cut anywhere it is the lines before.
fn written(records: &[Record]) {
    let (mut text, mut end) = (Vec::new(), End::default());
    for (count, record) in records.iter().enumerate() {
        let (line, next) = line(record, &end).expect("a record that was read");
        let cut = [&text, &line[..line.len() / 2]].concat();
        assert_eq!(parse(&cut).expect("a torn line").records, records[..count]);
        text.extend(line);
        end = next;
    }
    let lines = parse(&text).expect("whole lines");
    assert!(lines.records == records && lines.end == end && !lines.torn);
}
