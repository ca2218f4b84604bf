//! One file of a made-up host replaced by the input: the private parsers of each source, and what becomes
//! of their facts in a report.
//!
//! The first byte chooses the host, the stage and the TEE; the rest of the first line is the file's path.
#![no_main]

use std::sync::LazyLock;

use ccgpu_node::facts::Needs;
use ccgpu_node::host::{Archive, Node};
use ccgpu_node_fuzz::{facts_as_json, facts_of, judge_and_show};
use libfuzzer_sys::{Corpus, fuzz_target};

static HOSTS: LazyLock<[Archive; 2]> = LazyLock::new(|| {
    [
        include_str!("../../fixtures/h100-single-tdx.host"),
        include_str!("../../fixtures/h200-single-snp-rhel-bls.host"),
    ]
    .map(|text| Archive::parse(text.as_bytes()).expect("a fixture is a host"))
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Corpus::Reject };
    let (head, content) = (&input[..end], &input[end + 1..]);
    let Some((choice, path)) = head.split_first() else { return Corpus::Reject };
    let Ok(path) = std::str::from_utf8(path) else { return Corpus::Reject };
    let host = &HOSTS[usize::from(choice >> 5 & 1)];
    if !path.starts_with('/') || path.ends_with('/') || path.contains("//") || path.contains("/.") {
        return Corpus::Reject;
    }
    let mut archive = host.clone();
    archive.insert(path, Node::File(content.to_vec()).into());
    let facts = facts_of(archive, Needs::ALL);
    judge_and_show(&facts, *choice);
    facts_as_json(&facts);
    Corpus::Keep
});
