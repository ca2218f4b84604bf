//! The rule set: what all files together say, checked against each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::builtin;
use super::catalogue::Catalogue;
use super::document;
use super::load::{self, Change, Content, Draft, Patterns};
use super::problem::{Hint, LoadError, Problem, Problems, SHOWN};
use super::rule::{Bound, Origin, Override, Rule, Setting};
use super::words::Stage;

/// A rule file of a site: its name, for messages, and its text.
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'t> {
    pub name: &'t str,
    pub text: &'t str,
}

/// The version of the program that a built-in rule is from where its file names none.
const FIRST_VERSION: &str = "0.1.0";

/// Every rule, from cause to effect: a rule never needs one that stands after it.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
}

impl RuleSet {
    /// The rules that are part of the program.
    pub fn built_in(catalogue: &Catalogue) -> Result<Self, LoadError> {
        Self::with_site(catalogue, &[])
    }

    /// The rules that are part of the program, then those of a site, with its overrides.
    pub fn with_site(catalogue: &Catalogue, files: &[RuleFile<'_>]) -> Result<Self, LoadError> {
        let mut assembly = Assembly::default();
        for (name, root) in builtin::FILES {
            let problems = Problems::of(name);
            let mut content = load::content(root, catalogue, Patterns::Trusted, &problems);
            for draft in &mut content.rules {
                draft.rule.since.get_or_insert_with(|| FIRST_VERSION.to_owned());
            }
            assembly.add(content, problems);
        }
        assembly.add_texts(catalogue, files);
        assembly.finish()
    }

    /// Only the rules of the given files.
    pub fn of(catalogue: &Catalogue, files: &[RuleFile<'_>]) -> Result<Self, LoadError> {
        let mut assembly = Assembly::default();
        assembly.add_texts(catalogue, files);
        assembly.finish()
    }

    /// Every rule in order, also those that a site disabled.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Whether any rule belongs to a stage itself, and not only to the stages before it.
    pub fn has_stage(&self, stage: Stage) -> bool {
        self.rules.iter().any(|rule| rule.stage == stage && !rule.is_disabled())
    }

    /// The same rules with what a site wants in the place of their durations.
    #[must_use]
    pub fn with_setting(self, setting: Setting, bound: &Bound) -> Self {
        let bind = |rule: Arc<Rule>| match rule.setting {
            Some(of_rule) if of_rule == setting => Arc::new(rule.bound_by(bound.clone())),
            _ => rule,
        };
        Self { rules: self.rules.into_iter().map(bind).collect() }
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }
}

/// A rule set in the making.
#[derive(Default)]
struct Assembly {
    rules: Vec<Draft>,
    changes: Vec<(Change, Arc<str>)>,
    problems: Vec<Problem>,
    /// Part of a file was not understood: a rule that seems not to exist may stand there.
    partial: bool,
}

impl Assembly {
    fn add_texts(&mut self, catalogue: &Catalogue, files: &[RuleFile<'_>]) {
        for file in files {
            let mut problems = Problems::of(file.name);
            let (root, errors) = document::parse(file.text);
            problems.partial = !errors.is_empty();
            for error in errors {
                problems.add(error.at, error.message);
            }
            let content = load::content(&root, catalogue, Patterns::Checked, &problems);
            self.add(content, problems);
        }
    }

    fn add(&mut self, content: Content, problems: Problems) {
        let file = Arc::clone(&problems.file);
        self.partial |= problems.partial;
        self.rules.extend(content.rules);
        let changes = content.overrides.into_iter();
        self.changes.extend(changes.map(|change| (change, Arc::clone(&file))));
        self.problems.extend(problems.into_list());
    }

    fn finish(mut self) -> Result<RuleSet, LoadError> {
        let places = self.places();
        self.check_needs(&places);
        self.apply_changes(&places);
        if self.problems.is_empty() {
            let rules = self.rules.into_iter().map(|draft| Arc::new(draft.rule)).collect();
            return Ok(RuleSet { rules });
        }
        self.problems.sort();
        self.problems.dedup();
        Err(LoadError { problems: self.problems })
    }

    /// Where each id stands in the order; a second rule of the same id is a problem.
    fn places(&mut self) -> HashMap<Box<str>, usize> {
        let mut places: HashMap<Box<str>, usize> = HashMap::with_capacity(self.rules.len());
        for (place, draft) in self.rules.iter().enumerate() {
            let id = &draft.rule.id;
            if let Some(first) = places.get(id) {
                let Origin { file, line } = &self.rules[*first].rule.origin;
                let message = format!("the id `{id}` is taken by the rule at {file}:{line}");
                self.problems.push(Problem::new(&draft.rule.origin.file, draft.id_at, &message));
            } else {
                places.insert(id.clone(), place);
            }
        }
        places
    }

    fn check_needs(&mut self, places: &HashMap<Box<str>, usize>) {
        for (place, draft) in self.rules.iter().enumerate() {
            for (needed, at) in draft.rule.needs.iter().zip(&draft.needs_at) {
                let message = match places.get(needed) {
                    None if self.partial => continue,
                    None => self.unknown_rule(needed),
                    // Whatever its order, a circle of needs holds such a step back.
                    Some(other) if *other == place => "a rule cannot need itself".to_owned(),
                    Some(other) if *other > place => {
                        format!("`{needed}` stands after this rule: put causes first")
                    }
                    Some(other) if self.rules[*other].rule.stage > draft.rule.stage => {
                        format!(
                            "`{needed}` belongs to the later stage {}",
                            self.rules[*other].rule.stage
                        )
                    }
                    Some(_) => continue,
                };
                self.problems.push(Problem::new(&draft.rule.origin.file, *at, &message));
            }
        }
    }

    fn apply_changes(&mut self, places: &HashMap<Box<str>, usize>) {
        for (change, file) in std::mem::take(&mut self.changes) {
            let origin = Origin { file: Arc::clone(&file), line: change.at.line };
            let Some(place) = places.get(change.rule.as_str()) else {
                if !self.partial {
                    let message = self.unknown_rule(&change.rule);
                    self.problems.push(Problem::new(&file, change.at, &message));
                }
                continue;
            };
            let rule = &mut self.rules[*place].rule;
            if let Some(Override { origin: Origin { file: first, line }, .. }) = &rule.overridden {
                let id = &change.rule;
                let message = format!("`{id}` is already overridden at {first}:{line}");
                self.problems.push(Problem::new(&file, change.at, &message));
                continue;
            }
            rule.overridden = Some(Override {
                disabled: change.disable,
                instead_of: change.severity.map(|_| rule.severity),
                reason: change.reason,
                origin,
            });
            rule.severity = change.severity.unwrap_or(rule.severity);
        }
    }

    fn unknown_rule(&self, id: &str) -> String {
        // Looking for near names takes long; problems that are not shown need none.
        let searched = if self.problems.len() < SHOWN { self.rules.as_slice() } else { &[] };
        let valid = searched.iter().map(|draft| &*draft.rule.id);
        format!("unknown rule `{id}`{}", Hint::nearest(id, valid).without_list())
    }
}
