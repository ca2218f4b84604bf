//! Why a rule ended as it did, as a sentence about the host.

use super::Explanation;
use crate::report::human::evidence::{list, plural};
use crate::report::{Finding, Status};
use crate::rules::{Looks, Role, Rule, Tee};

/// The end of a sentence whose beginning is the rule: `fails`, `is not about this host: ...`.
pub(in crate::report) fn reason(explanation: &Explanation) -> String {
    let rule = &explanation.rule;
    let Some(result) = &explanation.result else {
        return "is disabled on this site, and is not judged".to_owned();
    };
    match result.status {
        Status::Pass => "passes".to_owned(),
        Status::Fail => "fails".to_owned(),
        Status::Unknown => {
            "cannot be judged, because something that decides cannot be told".to_owned()
        }
        Status::Blocked => {
            let roots: Vec<&str> = result.blocked_by.iter().map(|root| &*root.id).collect();
            format!("is not judged until {} passes", list(roots.iter(), usize::MAX))
        }
        Status::NotApplicable => {
            let tee = explanation.platform().tee;
            format!("is not about this host: {}", why_not(rule, tee, &explanation.looks))
        }
    }
}

/// What keeps the rule from being about the host.
fn why_not(rule: &Rule, tee: Option<Tee>, looks: &Looks) -> String {
    if let Some(tee) = tee.filter(|tee| !rule.tees.contains(tee)) {
        let only = list(rule.tees.iter(), usize::MAX);
        return format!("it is only for {only}, and the host is judged for {tee}");
    }
    let certainly_not = |it: &&Finding| matches!(it.outcome, Status::Fail | Status::NotApplicable);
    if let Some(finding) = looks.of(Role::Applies).find(certainly_not) {
        let wanted = finding.about.test().map(|test| test.operator.to_string()).unwrap_or_default();
        return format!("it is only about hosts whose {} is {wanted}", finding.about.name());
    }
    match (&rule.each, looks.members) {
        (Some(each), Some(0)) => format!("there is no {}", each.collection.item),
        (Some(each), Some(members)) if looks.judged == 0 => {
            let items = plural(each.collection.item);
            format!("none of the {members} {items} is one that it asks about")
        }
        _ if looks.without_case > 0 && looks.of(Role::Expects).next().is_none() => {
            "none of its cases is that of this host".to_owned()
        }
        _ => "what it would judge is not there".to_owned(),
    }
}
