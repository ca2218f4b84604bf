use super::*;
use crate::rules::testing::{judged, report, rule};

fn host(rules: &[(&str, &str)]) -> Report {
    let text: String = rules.iter().map(|(id, fact)| rule(id, &expects(fact))).collect();
    report(judged(&text))
}

fn expects(fact: &str) -> String {
    format!("stage = \"host\"\ngroup = \"iommu\"\nexpect = [{fact}]\n")
}

const GOOD: &str = r#"{ fact = "bool.true", equals = true }"#;
const BAD: &str = r#"{ fact = "bool.true", equals = false }"#;

fn said(changes: &Changes<'_>) -> Vec<(String, Option<Status>, Status)> {
    let said =
        |each: &Transition<'_>| (each.result.rule.id.to_string(), each.from, each.result.status);
    changes.rules.iter().map(said).collect()
}

#[test]
fn the_first_report_tells_its_verdict_and_what_does_not_pass() {
    let report = host(&[("one", GOOD), ("two", BAD)]);
    let changes = changes(None, &report);
    assert_eq!((changes.is_verdict_new, changes.verdict_before), (true, None));
    assert_eq!(said(&changes), [("two".to_owned(), None, Status::Fail)]);
    assert_eq!(changes.count(), 0);
}

#[test]
fn only_what_is_otherwise_is_told_and_only_once() {
    let before = Standing::of(&host(&[("one", GOOD), ("two", BAD), ("three", GOOD)]));
    let now = host(&[("one", BAD), ("two", GOOD), ("three", GOOD)]);
    let changes = changes(Some(&before), &now);
    assert!(!changes.is_verdict_new);
    let wanted = [
        ("one".to_owned(), Some(Status::Pass), Status::Fail),
        ("two".to_owned(), Some(Status::Fail), Status::Pass),
    ];
    assert_eq!(said(&changes), wanted);
    assert_eq!(changes.count(), 2);
    let again = super::changes(Some(&Standing::of(&now)), &now);
    assert!(!again.is_verdict_new && again.rules.is_empty());
}

#[test]
fn rules_that_come_and_go_with_a_reload_are_no_transitions() {
    let before = Standing::of(&host(&[("gone", BAD), ("stays", GOOD)]));
    let now = host(&[("stays", GOOD), ("new", BAD), ("fine", GOOD)]);
    let changes = changes(Some(&before), &now);
    assert_eq!(said(&changes), [("new".to_owned(), None, Status::Fail)]);
    assert_eq!(changes.count(), 0);
    let better = host(&[("stays", GOOD)]);
    let changes = super::changes(Some(&before), &better);
    assert_eq!((changes.is_verdict_new, changes.verdict_before), (true, Some(Verdict::NotReady)));
}
