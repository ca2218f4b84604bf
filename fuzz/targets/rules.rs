//! Rule files: any text is refused with places that exist in it, or gives rules that can be shown and
//! judged.
#![no_main]

use std::sync::LazyLock;

use ccgpu_node::facts::{Facts, Needs};
use ccgpu_node::host::Archive;
use ccgpu_node::report::human::Look;
use ccgpu_node::report::rules as show;
use ccgpu_node::rules::{Catalogue, Filter, Platform, RuleFile, RuleSet, Stage, judge};
use ccgpu_node_fuzz::{facts_of, shown};
use libfuzzer_sys::fuzz_target;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

thread_local! {
    static FACTS: Facts = {
        let host = include_bytes!("../../fixtures/h100-single-tdx.host");
        facts_of(Archive::parse(host).expect("a fixture is a host"), Needs::ALL)
    };
}

fuzz_target!(|text: &str| {
    let files = [RuleFile { name: "site.toml", text }];
    let alone = RuleSet::of(&CATALOGUE, &files);
    let look = Look { colour: false, width: 80, verbose: true };
    shown(|out| show::lint(&files, alone.as_ref(), look, out));
    match &alone {
        Ok(rules) => judged(rules, look),
        Err(error) => {
            assert!(!error.problems.is_empty());
            let lines = text.split('\n').count();
            for problem in &error.problems {
                assert!(problem.line >= 1 && problem.line as usize <= lines, "{problem}");
                assert!(problem.column >= 1, "{problem}");
            }
        }
    }
});

fn judged(rules: &RuleSet, look: Look) {
    shown(|out| show::list(rules, look, out));
    for rule in rules.rules() {
        shown(|out| show::show(rules, rule, look, out));
    }
    let platform = Platform { stage: Stage::Workload, tee: None };
    if let Ok(chosen) = rules.choose(&Filter::default(), platform) {
        FACTS.with(|facts| {
            let results = judge(&chosen, facts);
            assert!(results.len() <= rules.rules().len());
        });
    }
}
