//! The whole program: any captured host is read, judged and shown, and what is shown is harmless.
#![no_main]

use ccgpu_node::facts::Needs;
use ccgpu_node::host::Archive;
use ccgpu_node_fuzz::{facts_as_json, facts_of, judge_and_show};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(archive) = Archive::parse(text) else { return };
    let facts = facts_of(archive, Needs::ALL);
    judge_and_show(&facts, text.last().copied().unwrap_or_default());
    facts_as_json(&facts);
});
