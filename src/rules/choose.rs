//! Which rules are judged: those of the stage, narrowed by `--only` and `--skip`.
//!
//! A rule that a chosen one needs is judged even if it was left out, because what it would say decides
//! whether the chosen one can be judged; it is only not shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::problem::Hint;
use super::rule::Rule;
use super::set::RuleSet;
use super::words::{Group, Stage, Tee, Word};
use crate::facts::Needs;
use crate::report::Scope;

/// What the host is judged as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    pub stage: Stage,
    /// `None` where it cannot be told: what concerns only some of them is then unknown.
    pub tee: Option<Tee>,
}

/// Names of rules, names of groups, or globs over the names of rules (`kubelet-*`).
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// All rules, if empty.
    pub only: Vec<String>,
    pub skip: Vec<String>,
}

impl Filter {
    /// Whether a rule is not to be judged.
    pub fn leaves_out(&self, rule: &Rule) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, rule));
        !self.only.is_empty() && !any(&self.only) || any(&self.skip)
    }
}

/// Why nothing can be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("{option} {pattern}: no rule or group has this name{hint}")]
    Unknown { option: &'static str, pattern: String, hint: String },
    #[error("no rule is left to judge at stage {0}: a host is never ready by default")]
    EmptySelection(Stage),
}

/// The rules to judge, from cause to effect.
#[derive(Debug)]
pub struct Chosen {
    pub(super) steps: Vec<Step>,
    pub platform: Platform,
    /// What is not judged, for the report.
    pub scope: Scope,
}

/// One rule to judge, and which of the steps before it it needs.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) rule: Arc<Rule>,
    pub(super) shown: bool,
    pub(super) needs: Vec<usize>,
}

impl RuleSet {
    /// Chooses the rules for a platform. A pattern that matches no rule at all is an error, and so is
    /// a choice of no rule: nothing judged must never look like nothing wrong.
    pub fn choose(&self, filter: &Filter, platform: Platform) -> Result<Chosen, FilterError> {
        for (option, patterns) in [("--only", &filter.only), ("--skip", &filter.skip)] {
            patterns.iter().try_for_each(|pattern| self.check(option, pattern))?;
        }
        let shown: Vec<bool> = self
            .rules()
            .iter()
            .map(|rule| {
                !rule.is_disabled() && rule.stage <= platform.stage && !filter.leaves_out(rule)
            })
            .collect();
        if !shown.contains(&true) {
            return Err(FilterError::EmptySelection(platform.stage));
        }
        let of_stage = || self.rules().iter().filter(|rule| rule.stage <= platform.stage);
        let disabled: Vec<Arc<Rule>> =
            of_stage().filter(|rule| rule.is_disabled()).cloned().collect();
        let judged = shown.iter().filter(|shown| **shown).count();
        let left_out = of_stage().count() - disabled.len() - judged;
        let scope = Scope { left_out, disabled, ..Scope::default() };
        Ok(Chosen { steps: self.steps(&shown), platform, scope })
    }

    fn check(&self, option: &'static str, pattern: &str) -> Result<(), FilterError> {
        match self.unknown_pattern(pattern) {
            None => Ok(()),
            Some(hint) => Err(FilterError::Unknown { option, pattern: pattern.to_owned(), hint }),
        }
    }

    /// What a pattern that matches no rule and no group probably means, as the end of a message.
    pub(crate) fn unknown_pattern(&self, pattern: &str) -> Option<String> {
        if Group::from_word(pattern).is_some() || self.rules().iter().any(|r| matches(pattern, r)) {
            return None;
        }
        let valid = self.rules().iter().map(|rule| &*rule.id);
        let valid = valid.chain(Group::ALL.iter().map(|group| group.word()));
        Some(Hint::nearest(pattern, valid).without_list().to_string())
    }

    /// The shown rules and all that they need. A disabled rule is needed by nobody.
    fn steps(&self, shown: &[bool]) -> Vec<Step> {
        let mut judged: HashSet<&str> = HashSet::new();
        for (rule, shown) in self.rules().iter().zip(shown).rev() {
            if *shown || (judged.contains(&*rule.id) && !rule.is_disabled()) {
                judged.insert(&rule.id);
                judged.extend(rule.needs.iter().map(|id| &**id));
            }
        }
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut steps = Vec::with_capacity(judged.len());
        for (rule, shown) in self.rules().iter().zip(shown) {
            if !judged.contains(&*rule.id) || rule.is_disabled() {
                continue;
            }
            places.insert(&rule.id, steps.len());
            let needs = rule.needs.iter().filter_map(|id| places.get(&**id).copied()).collect();
            steps.push(Step { rule: Arc::clone(rule), shown: *shown, needs });
        }
        steps
    }
}

impl Chosen {
    /// What must be read to judge them.
    pub fn needs(&self) -> Needs {
        self.steps
            .iter()
            .filter(|step| concerns(&step.rule, self.platform.tee) != Some(false))
            .fold(Needs::NONE, |needs, step| needs.and(step.rule.reads()))
    }

    /// What must be read besides, to plan the fixes of the shown ones.
    pub fn fixes_need(&self) -> Needs {
        let shown = self.steps.iter().filter(|step| step.shown);
        shown.fold(Needs::OS, |needs, step| needs.and(step.rule.fixes_read()))
    }
}

/// Whether a rule is about hosts of a TEE; `None` where the TEE would decide and is not known.
pub(super) fn concerns(rule: &Rule, tee: Option<Tee>) -> Option<bool> {
    match tee {
        Some(tee) => Some(rule.tees.contains(&tee)),
        None => (rule.tees.len() == Tee::ALL.len()).then_some(true),
    }
}

fn matches(pattern: &str, rule: &Rule) -> bool {
    pattern == rule.group.word() || glob(pattern, &rule.id)
}

/// Whether a text matches a pattern in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_glob_matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("iommu", "iommu", true),
            ("iommu", "iommu-active", false),
            ("iommu-*", "iommu-active", true),
            ("*-active", "iommu-active", true),
            ("*", "", true),
            ("*mm*act*", "iommu-active", true),
            ("*mm*mm*", "iommu-active", false),
            ("a*a", "a", false),
            ("a**b", "ab", true),
            ("", "iommu", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
