//! What several targets do with a host: gather, judge, render, and look at what came out.

use std::sync::LazyLock;

use ccgpu_node::facts::{Assumptions, Facts, Needs, Reading, Value, catalogue, gather};
use ccgpu_node::host::{Archive, Root, Run};
use ccgpu_node::report::human::{self, Look};
use ccgpu_node::report::{Header, HostOrigin, Report, facts_json, json};
use ccgpu_node::rules::{Catalogue, Filter, Platform, RuleSet, Stage, Tee, judge};

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::built_in(&Catalogue::built_in()).expect("the built-in rules load"));

/// All facts of a captured host.
pub fn facts_of(archive: Archive, needs: Needs) -> Facts {
    let root = Root::archive(archive);
    let run = Run::on(&root);
    gather(&root, &run, needs, Assumptions::default())
}

/// Judges a host by the built-in rules at every stage that `choice` may mean, and checks what a terminal
/// would get to see.
pub fn judge_and_show(facts: &Facts, choice: u8) {
    let stage =
        [Stage::Host, Stage::Kata, Stage::Operator, Stage::Workload][usize::from(choice & 3)];
    let tee = [None, Some(Tee::Snp), Some(Tee::Tdx), Some(Tee::None)][usize::from(choice >> 2 & 3)];
    let platform = Platform { stage, tee };
    let chosen =
        RULES.choose(&Filter::default(), platform).expect("there are rules of every stage");
    let results = judge(&chosen, facts);
    let report = Report::new(header(facts, platform), chosen.scope, results);
    let look = Look { colour: false, width: usize::from(choice) * 2, verbose: choice & 0x10 != 0 };
    let human = shown(|out| human::render(&report, look, out));
    assert!(!human.is_empty());
    let report_json = shown(|out| json::render(&report, out));
    let _: serde_json::Value = serde_json::from_str(&report_json).expect("the report is JSON");
}

/// All facts as JSON.
pub fn facts_as_json(facts: &Facts) -> String {
    let text = shown(|out| facts_json::render(facts, |_| true, out));
    let _: serde_json::Value = serde_json::from_str(&text).expect("the facts are JSON");
    text
}

/// What is written for people or programs: text of which a terminal obeys nothing.
pub fn shown(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory can be written to");
    let text = String::from_utf8(out).expect("what is shown is UTF-8");
    if let Some(c) = text.chars().find(|c| is_obeyed(*c)) {
        let line = text.lines().find(|line| line.contains(c));
        panic!("a terminal would obey or hide {c:?} in {line:?}");
    }
    text
}

fn is_obeyed(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn header(facts: &Facts, platform: Platform) -> Header {
    let text = |name: &str| match catalogue::fact(name).map(|fact| (fact.read)(facts).reading) {
        Some(Reading::Known(Value::Text(text))) => Some(text),
        _ => None,
    };
    Header {
        host: text("host.name").unwrap_or_default(),
        os: text("os.name"),
        kernel: text("kernel.release"),
        cpu: text("cpu.model"),
        virtualization: None,
        gpus: None,
        platform,
        stage_why: String::new(),
        tee_why: String::new(),
        assumed: Vec::new(),
        origin: HostOrigin::Capture("fuzzed".to_owned()),
    }
}
