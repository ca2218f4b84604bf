//! Captures: the text form is read back as it was, what a recording holds tells the same facts, and
//! redaction leaves a host that can be read.
#![no_main]

use ccgpu_node::capture::capture;
use ccgpu_node::facts::{Assumptions, Needs, gather};
use ccgpu_node::host::{Archive, Root, Run};
use ccgpu_node_fuzz::facts_as_json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(archive) = Archive::parse(text) else { return };
    read_back(&archive);
    recorded(&archive);
    let notes = vec!["made by a fuzzer".to_owned()];
    let captured = capture(Root::archive(archive), None, notes);
    read_back(&captured);
});

fn read_back(archive: &Archive) {
    let text = archive.to_text();
    match Archive::parse(text.as_bytes()) {
        Ok(again) => assert_eq!(again.to_text(), text),
        Err(error) => panic!("{error}: {text}"),
    }
}

/// A recording tells what the host told.
fn recorded(archive: &Archive) {
    let root = Root::archive(archive.clone()).recording();
    let run = Run::on(&root);
    let facts = gather(&root, &run, Needs::ALL, Assumptions::default());
    let mut recording = root.recorded();
    for (command, output) in run.answers() {
        recording.record_answer(command.to_owned(), output);
    }
    let text = recording.to_text();
    let recording = Archive::parse(text.as_bytes()).expect("what is written can be read");
    let root = Root::archive(recording);
    let again = gather(&root, &Run::on(&root), Needs::ALL, Assumptions::default());
    assert_eq!(facts_as_json(&facts), facts_as_json(&again), "{text}");
}
