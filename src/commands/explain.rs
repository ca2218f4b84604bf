//! `explain`: one rule on a host, or one fact, with all that was read for it.

use std::sync::Arc;

use super::configuration::Policy;
use super::host::{self, Opened, nearest};
use super::judgement::Wanted;
use super::{CommandError, header, output, platform};
use crate::cli::{self, TextFormat};
use crate::exit::Exit;
use crate::facts::catalogue::{self, Fact};
use crate::facts::{Reading, gather};
use crate::host::Terminal;
use crate::report::RuleResult;
use crate::report::explanation::{Explanation, FactExplanation, Related, json, text};
use crate::report::human::Look;
use crate::rules::{Filter, Platform, Rule, RuleSet, Stage, judge, looks};

pub(super) fn run(arguments: &cli::Explain, terminal: Terminal) -> Result<Exit, CommandError> {
    let running = arguments.host.root.is_none() && arguments.host.host.is_none();
    let selection = arguments.judged.selection();
    let Policy { rules, wanted } = Policy::of(running, &selection, &arguments.host.assume)?;
    let wanted = wanted.with_cluster(&arguments.cluster, arguments.host.host.as_deref())?;
    let id = &arguments.id;
    let rule = rules.get(id);
    let fact = catalogue::fact(id);
    if rule.is_none() && fact.is_none() {
        let ids = rules.rules().iter().map(|rule| &*rule.id);
        let near = nearest(id, ids.chain(catalogue::facts().map(|fact| fact.name)));
        let near =
            if near.is_empty() { "; `ccgpu-node rules list` lists the rules" } else { &near };
        return Err(CommandError::Usage(format!("there is no rule and no fact {id}{near}")));
    }
    let opened = host::open(arguments.host.root.as_deref(), arguments.host.host.as_deref())?
        .allowing(arguments.probing)
        .asking_cluster(wanted.cluster.clone());
    let verbose = arguments.verbose;
    let look = Look { colour: terminal.colour, width: terminal.width.into(), verbose };
    match (rule, fact) {
        (Some(rule), _) => {
            let explanation = explain(&opened, &rules, &wanted, rule);
            output::write(|out| match arguments.format {
                TextFormat::Text => text::render(&explanation, look, out),
                TextFormat::Json => json::render(&explanation, out),
            })
        }
        (None, Some(fact)) => {
            let explanation = explain_fact(&opened, &rules, &wanted, fact);
            output::write(|out| match arguments.format {
                TextFormat::Text => text::render_fact(&explanation, look, out),
                TextFormat::Json => json::render_fact(&explanation, out),
            })
        }
        (None, None) => Ok(Exit::Usage),
    }
}

/// Judges the rule with all before and behind it, so that what it waits for and what waits for it is told.
fn explain(opened: &Opened, rules: &RuleSet, wanted: &Wanted, rule: &Arc<Rule>) -> Explanation {
    let causes = rules.causes(&rule.id);
    let consequences = rules.consequences(&rule.id);
    let all = causes.iter().chain(&consequences).copied().chain([rule]);
    let only: Vec<String> = all.map(|each| each.id.to_string()).collect();
    let filter = Filter { only, skip: Vec::new() };
    let widest = Platform { stage: Stage::Workload, tee: wanted.tee };
    let needs = match rules.choose(&filter, widest) {
        Ok(chosen) => chosen.needs(),
        // All of them are disabled.
        Err(_) => crate::facts::Needs::NONE,
    };
    let needs = needs.and(Explanation::needs(rule)).and(platform::NEEDS).and(header::NEEDS);
    let facts = gather(&opened.root, &opened.run, needs, wanted.assumed.clone());

    let mut chosen = platform::choose(wanted, &facts);
    let before = (rule.stage > chosen.platform.stage).then_some(chosen.platform.stage);
    chosen.platform.stage = chosen.platform.stage.max(rule.stage);
    let mut results: Vec<RuleResult> = match rules.choose(&filter, chosen.platform) {
        Ok(judged) => judge(&judged, &facts),
        Err(_) => Vec::new(),
    };
    let mut take = |id: &str| {
        let place = results.iter().position(|result| &*result.rule.id == id)?;
        Some(results.remove(place))
    };
    let result = take(&rule.id);
    let stage = chosen.platform.stage;
    let causes = causes.into_iter().map(|each| Related {
        result: take(&each.id),
        direct: rule.needs.contains(&each.id),
        rule: Arc::clone(each),
    });
    let causes: Vec<Related> = causes.collect();
    let consequences = consequences.into_iter().filter(|each| each.stage <= stage);
    let consequences = consequences.map(|each| Related {
        result: take(&each.id),
        direct: each.needs.contains(&rule.id),
        rule: Arc::clone(each),
    });
    let consequences: Vec<Related> = consequences.collect();
    Explanation {
        header: header::header(&facts, chosen, wanted, opened.origin.clone()),
        looks: looks(rule, &facts),
        rule: Arc::clone(rule),
        left_out_by: wanted.leaves_out(rule),
        result,
        before,
        causes,
        consequences,
    }
}

fn explain_fact<'r>(
    opened: &Opened,
    rules: &'r RuleSet,
    wanted: &Wanted,
    fact: &'static Fact,
) -> FactExplanation<'r> {
    let needs = fact.needs.and(header::NEEDS);
    let facts = gather(&opened.root, &opened.run, needs, wanted.assumed.clone());
    let evidence = (fact.read)(&facts);
    let assumed = match &evidence.reading {
        Reading::Unreadable(_) => facts.assumed.get(fact.name).cloned(),
        Reading::Known(_) | Reading::Absent => None,
    };
    let asks = |rule: &&Arc<Rule>| {
        rule.tests().any(|test| test.fact.is_of_host() && test.fact.name() == fact.name)
    };
    FactExplanation {
        host: match platform::reading(&facts, "host.name") {
            Reading::Known(name) => name.to_string(),
            Reading::Absent | Reading::Unreadable(_) => header::UNNAMED.to_owned(),
        },
        fact,
        evidence,
        assumed,
        rules: rules.rules().iter().filter(asks).collect(),
    }
}
