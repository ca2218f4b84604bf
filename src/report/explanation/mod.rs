//! A rule explained on a host, or a fact: what was looked at, what came of it, and what hangs on it. The
//! types are here; words for people are in [`text`], a stable form for programs is in [`json`].

pub mod json;
mod reason;
pub mod text;

use std::sync::Arc;

use super::{Header, RuleResult};
use crate::facts::catalogue::{Evidence, Fact};
use crate::facts::{Needs, Value};
use crate::rules::{Looks, Platform, Rule, Stage};
pub(super) use reason::reason;

/// A rule on a host.
#[derive(Debug)]
pub struct Explanation {
    pub header: Header,
    pub rule: Arc<Rule>,
    /// As it is judged at the rule's own stage or a later one; `None` for a disabled rule.
    pub result: Option<RuleResult>,
    /// The stage of the host, where the rule belongs to a later one and is not judged there.
    pub before: Option<Stage>,
    /// Who leaves the rule out of a `check` here.
    pub left_out_by: Option<String>,
    pub looks: Looks,
    /// What it depends on, in order.
    pub causes: Vec<Related>,
    /// What depends on it, in order.
    pub consequences: Vec<Related>,
}

/// A rule before or behind the explained one.
#[derive(Debug)]
pub struct Related {
    /// `None` where the rule is disabled.
    pub result: Option<RuleResult>,
    pub rule: Arc<Rule>,
    /// Whether nothing stands between the two.
    pub direct: bool,
}

impl Related {
    /// Whether it is not judged because of a rule.
    pub fn waits_for(&self, id: &str) -> bool {
        let roots = self.result.iter().flat_map(|result| &result.blocked_by);
        roots.into_iter().any(|root| &*root.id == id)
    }
}

/// A fact on a host.
#[derive(Debug)]
pub struct FactExplanation<'r> {
    pub host: String,
    pub fact: &'static Fact,
    pub evidence: Evidence,
    /// What the user vouches for, where that counts.
    pub assumed: Option<Value>,
    /// The rules that ask for it, in order.
    pub rules: Vec<&'r Arc<Rule>>,
}

impl Explanation {
    /// What the host is judged as; of a rule of a later stage, as if the host were at that.
    pub fn platform(&self) -> Platform {
        self.header.platform
    }

    /// All that must be read to explain a rule.
    pub fn needs(rule: &Rule) -> Needs {
        rule.reads().and(rule.fixes_read())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
