//! A rule, checked: every name in it exists and every comparison is of like with like.

use std::sync::Arc;

use super::fix::{Edit, Fix};
use super::test::{Operator, Test};
use super::words::{Group, Severity, Stage, Tee};
use crate::facts::catalogue::Collection;
use crate::facts::{Needs, Value};
use crate::format::duration::GoDuration;

/// What is required of a host, why, and what to do when it is not so.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Kebab-case; it names the thing that is judged.
    pub id: Box<str>,
    /// What is wrong when the rule fails.
    pub title: String,
    /// What is right when it passes.
    pub good: Option<String>,
    /// As the site has it.
    pub severity: Severity,
    pub stage: Stage,
    /// The rule is about these only.
    pub tees: Vec<Tee>,
    pub group: Group,
    pub why: String,
    /// The error that a user meets later if this is ignored.
    pub symptom: Option<String>,
    pub docs: Vec<String>,
    /// Rules without which this one would only repeat their failure; they stand before it.
    pub needs: Vec<Box<str>>,
    /// The rule is not about this host unless all of these hold.
    pub applies: Vec<Arc<Test>>,
    pub each: Option<Each>,
    /// The first whose conditions hold is judged.
    pub cases: Vec<Case>,
    /// The first whose conditions hold is what `fix` does.
    pub fixes: Vec<Fix>,
    pub advice: Vec<Advice>,
    /// What a person does so that a failure goes away by itself.
    pub resolved_by: Option<Resolution>,
    /// The version of the program, or of a site's rules, that had it first; not every site counts.
    pub since: Option<String>,
    /// What changed about it since, in the order in which it is written.
    pub changed: Vec<Revision>,
    /// The key of the site's configuration whose value takes the place of the rule's durations.
    pub setting: Option<Setting>,
    /// What the site has set there, and where.
    pub bound: Option<Bound>,
    pub origin: Origin,
    pub overridden: Option<Override>,
}

/// The members of a collection that a rule is about.
#[derive(Debug, Clone)]
pub struct Each {
    pub collection: &'static Collection,
    /// All must hold of a member.
    pub filter: Vec<Arc<Test>>,
}

/// What is expected under which conditions.
#[derive(Debug, Clone)]
pub struct Case {
    pub when: Vec<Arc<Test>>,
    pub expect: Vec<Arc<Test>>,
}

/// What a person must do.
#[derive(Debug, Clone)]
pub struct Advice {
    pub when: Vec<Arc<Test>>,
    pub text: String,
    pub command: Option<String>,
}

/// What one version changed about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    pub version: String,
    pub what: String,
}

/// What makes a failure go away without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Reboot,
}

impl super::words::Word for Resolution {
    const ALL: &'static [Self] = &[Self::Reboot];

    fn word(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
        }
    }
}

super::words::words! {
    /// A key of `[check]` in the configuration of a site, by which it sets the durations of rules.
    Setting {
        /// The time that a guest has to pull an image and start a container.
        ImagePullBudget = "image-pull-budget",
    }
}

/// A duration that a site wants in the place of the built-in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub value: GoDuration,
    /// The file and line that set it.
    pub by: String,
}

/// Where a rule or an override is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub file: Arc<str>,
    pub line: u32,
}

/// What a site changed about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub disabled: bool,
    /// What the severity was, where it was changed.
    pub instead_of: Option<Severity>,
    pub reason: String,
    pub origin: Origin,
}

impl Rule {
    pub fn is_disabled(&self) -> bool {
        self.overridden.as_ref().is_some_and(|change| change.disabled)
    }

    /// The rule with a site's value where it asks for a duration, and where a fix sets one.
    #[must_use]
    pub(super) fn bound_by(&self, bound: Bound) -> Self {
        let mut rule = self.clone();
        let value = || Value::Duration(bound.value);
        for test in rule.cases.iter_mut().flat_map(|case| &mut case.expect) {
            let operator = match &test.operator {
                Operator::AtLeast(Value::Duration(_)) => Operator::AtLeast(value()),
                Operator::Below(Value::Duration(_)) => Operator::Below(value()),
                _ => continue,
            };
            *test = Arc::new(Test { fact: test.fact, operator, absent: test.absent });
        }
        for edit in rule.fixes.iter_mut().flat_map(|fix| &mut fix.edits) {
            if let Edit::RaiseKubeletTimeout(time) | Edit::RaiseCreateContainerTimeout(time) = edit
            {
                *time = bound.value;
            }
        }
        rule.bound = Some(bound);
        rule
    }

    /// All that is compared to judge the rule and to choose its fix and its advice.
    pub fn tests(&self) -> impl Iterator<Item = &Arc<Test>> {
        let cases = self.cases.iter().flat_map(|case| case.when.iter().chain(&case.expect));
        let filter = self.each.iter().flat_map(|each| &each.filter);
        let advice = self.advice.iter().flat_map(|advice| &advice.when);
        let fixes = self.fixes.iter().flat_map(|fix| &fix.when);
        self.applies.iter().chain(filter).chain(cases).chain(fixes).chain(advice)
    }

    /// The sources that must be read to judge the rule.
    pub fn reads(&self) -> Needs {
        let collection = self.each.as_ref().map_or(Needs::NONE, |each| each.collection.needs);
        let of_tests = self.tests().fold(collection, |needs, test| needs.and(test.fact.needs()));
        let edits = self.fixes.iter().flat_map(|fix| &fix.edits);
        edits.map(Edit::boot_needs).fold(of_tests, Needs::and)
    }

    /// What must be read besides, to plan its fixes.
    pub fn fixes_read(&self) -> Needs {
        let edits = self.fixes.iter().flat_map(|fix| &fix.edits);
        edits.map(Edit::needs).fold(Needs::NONE, Needs::and)
    }
}
