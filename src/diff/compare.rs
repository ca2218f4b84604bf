//! Holds two sides against each other.

use std::collections::BTreeSet;

use super::error::DiffError;
use super::side::{Facets, Key, RuleSeen, Seen, Side};
use crate::facts::{catalogue, volatile};
use crate::report::Status;

/// What differs, and what could not be compared.
#[derive(Debug)]
pub struct Difference<'s> {
    pub a: &'s Side,
    pub b: &'s Side,
    /// In the order of B's report.
    pub rules: Vec<RuleChange<'s>>,
    pub members: Vec<MemberChange<'s>>,
    /// The host's, by name; then members', by member.
    pub facts: Vec<FactChange<'s>>,
    pub not_compared: NotCompared<'s>,
}

/// A rule that both judged, differently.
#[derive(Debug, Clone, Copy)]
pub struct RuleChange<'s> {
    pub before: &'s RuleSeen,
    pub after: &'s RuleSeen,
}

/// Members that only one of the two has.
#[derive(Debug)]
pub struct MemberChange<'s> {
    /// What one of them is called: "GPU".
    pub item: &'static str,
    pub collection: &'static str,
    pub only_a: Vec<&'s str>,
    pub only_b: Vec<&'s str>,
}

/// A fact that both know, differently.
#[derive(Debug)]
pub struct FactChange<'s> {
    pub subject: Option<&'s str>,
    /// Where the member was found first.
    pub collection: Option<&'static str>,
    pub fact: &'s str,
    pub before: &'s Seen,
    pub after: &'s Seen,
    /// Why it changes by itself.
    pub volatile: Option<&'static str>,
}

/// What one side does not know, so that nothing is said of it.
#[derive(Debug, Default)]
pub struct NotCompared<'s> {
    pub rules_of_a: Vec<&'s str>,
    pub rules_of_b: Vec<&'s str>,
    /// Facts that only one side holds, because the other is a report whose rules did not look at them.
    pub facts: usize,
    /// Facts that could be told on neither side, for whichever reasons.
    pub untold: usize,
    /// Volatile facts that differ and were left out.
    pub volatile: usize,
}

impl Difference<'_> {
    /// Whether nothing that both have differs.
    pub fn is_none(&self) -> bool {
        let Self { a, b, rules, members, facts, .. } = self;
        rules.is_empty()
            && members.is_empty()
            && facts.is_empty()
            && (a.stage, a.tee, a.verdict) == (b.stage, b.tee, b.verdict)
    }
}

impl FactChange<'_> {
    /// Whether one of the two could not tell it: that is no word about how it is there.
    pub fn is_one_sided(&self) -> bool {
        matches!((self.before, self.after), (Seen::Unreadable(_), _) | (_, Seen::Unreadable(_)))
    }
}

impl RuleChange<'_> {
    /// Whether it is worse in B.
    pub fn is_worse(&self) -> bool {
        badness(self.after.status) > badness(self.before.status)
    }

    pub fn is_better(&self) -> bool {
        badness(self.after.status) < badness(self.before.status)
    }
}

fn badness(status: Status) -> u8 {
    match status {
        Status::Pass | Status::NotApplicable => 0,
        Status::Blocked => 1,
        Status::Unknown => 2,
        Status::Fail => 3,
    }
}

/// Compares two sides; with `all`, also facts that change by themselves.
pub fn compare<'s>(a: &'s Side, b: &'s Side, all: bool) -> Result<Difference<'s>, DiffError> {
    let mut not_compared = NotCompared {
        rules_of_a: only_in(a, b),
        rules_of_b: only_in(b, a),
        ..NotCompared::default()
    };
    let common = b.rules.iter().filter_map(|after| Some((a.rule(&after.id)?, after)));
    let rules: Vec<RuleChange<'s>> = common
        .clone()
        .map(|(before, after)| RuleChange { before, after })
        .filter(|it| it.before.status != it.after.status || it.before.severity != it.after.severity)
        .collect();
    let mut facts = Vec::new();
    let mut compared = common.count();
    for (key, before) in &a.facts {
        let Some(after) = b.facts.get(key) else {
            not_compared.facts += usize::from(!b.is_whole());
            continue;
        };
        compared += 1;
        fact(key, before, after, &mut facts, &mut not_compared);
    }
    if !a.is_whole() {
        not_compared.facts += b.facts.keys().filter(|key| !a.facts.contains_key(*key)).count();
    }
    if compared == 0 {
        return Err(DiffError::NothingInCommon { a: a.name.clone(), b: b.name.clone() });
    }
    if !all {
        let before = facts.len();
        facts.retain(|change| change.volatile.is_none());
        not_compared.volatile = before - facts.len();
    }
    Ok(Difference { rules, members: members(a, b), facts, not_compared, a, b })
}

fn only_in<'s>(one: &'s Side, other: &Side) -> Vec<&'s str> {
    let own = one.rules.iter().filter(|rule| other.rule(&rule.id).is_none());
    own.map(|rule| &*rule.id).collect()
}

/// Adds each way in which a fact differs. A member that is something else on the other side was told as
/// that; its facts are not compared.
fn fact<'s>(
    key: &'s Key,
    before: &'s Facets,
    after: &'s Facets,
    changes: &mut Vec<FactChange<'s>>,
    not_compared: &mut NotCompared<'_>,
) {
    let (subject, name) = key;
    let mut pairs: Vec<(Option<&'static str>, &Seen, &Seen)> = Vec::new();
    for (collection, seen) in &before.0 {
        let theirs = after.0.iter().filter(|(other, _)| other == collection);
        pairs.extend(theirs.map(|(_, theirs)| (*collection, seen, theirs)));
    }
    if pairs.is_empty() && (before.is_reported() || after.is_reported()) {
        // Only what all collections say alike can be held against one who does not tell the collection.
        let (Some(seen), Some(theirs)) = (before.only(), after.only()) else {
            not_compared.facts += 1;
            return;
        };
        let collection = before.0.iter().chain(&after.0).find_map(|(name, _)| *name);
        pairs.push((collection, seen, theirs));
    }
    let mut untold = false;
    let start = changes.len();
    for (collection, before, after) in pairs {
        if let (Seen::Unreadable(_), Seen::Unreadable(_)) = (before, after) {
            untold = true;
            continue;
        }
        let known = |change: &FactChange<'_>| change.before == before && change.after == after;
        if before != after && !changes.iter().skip(start).any(known) {
            changes.push(FactChange {
                subject: subject.as_deref(),
                collection,
                fact: name,
                before,
                after,
                volatile: volatile::why(name),
            });
        }
    }
    not_compared.untold += usize::from(untold && changes.len() == start);
}

fn members<'s>(a: &'s Side, b: &'s Side) -> Vec<MemberChange<'s>> {
    let (Some(of_a), Some(of_b)) = (&a.members, &b.members) else { return Vec::new() };
    let mut changes = Vec::new();
    for collection in catalogue::collections() {
        let (one, other) = (of_a.get(collection.name), of_b.get(collection.name));
        let (only_a, only_b) = (own(one, other), own(other, one));
        if !only_a.is_empty() || !only_b.is_empty() {
            let (item, collection) = (collection.item, collection.name);
            changes.push(MemberChange { item, collection, only_a, only_b });
        }
    }
    changes
}

fn own<'s>(one: Option<&'s BTreeSet<String>>, other: Option<&BTreeSet<String>>) -> Vec<&'s str> {
    let there = |label: &&String| other.is_some_and(|other| other.contains(*label));
    one.into_iter().flatten().filter(|label| !there(label)).map(String::as_str).collect()
}
