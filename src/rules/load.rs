//! From the tree of a rule file to rules. What can be told from one rule alone is checked here;
//! what takes all the rules (duplicates, needs, overrides) is checked in [`super::set`].

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::comparison::{Facet, Reader, Use};
use super::document::{Item, Position};
use super::fields::Fields;
use super::fix::{Edit, Fix};
use super::problem::Problems;
use super::rule::{Advice, Case, Each, Origin, Resolution, Revision, Rule, Setting};
use super::test::Test;
use super::words::{Group, Severity, Stage, Tee, Word};
use crate::format::version::Version;

pub(super) const FILE_KEYS: [&str; 3] = ["schema", "rule", "override"];
pub(super) const RULE_KEYS: [&str; 22] = [
    "id",
    "title",
    "good",
    "severity",
    "stage",
    "tee",
    "group",
    "why",
    "symptom",
    "docs",
    "needs",
    "applies",
    "for-each",
    "where",
    "expect",
    "case",
    "fix",
    "advice",
    "resolved-by",
    "since",
    "changed",
    "setting",
];
pub(super) const CASE_KEYS: [&str; 2] = ["when", "expect"];
pub(super) const FIX_KEYS: [&str; 3] = ["when", "safety", "edits"];
pub(super) const ADVICE_KEYS: [&str; 3] = ["when", "text", "command"];
pub(super) const REVISION_KEYS: [&str; 2] = ["version", "what"];
pub(super) const OVERRIDE_KEYS: [&str; 4] = ["rule", "severity", "disable", "reason"];

/// The version of the rule language.
pub(super) const SCHEMA: i64 = 1;

/// A rule whose references to other rules are still only names.
pub(super) struct Draft {
    pub(super) rule: Rule,
    pub(super) id_at: Position,
    pub(super) needs_at: Vec<Position>,
}

/// An override whose rule is still only a name.
pub(super) struct Change {
    pub(super) rule: String,
    pub(super) at: Position,
    pub(super) severity: Option<Severity>,
    pub(super) disable: bool,
    pub(super) reason: String,
}

/// What one file holds.
pub(super) struct Content {
    pub(super) rules: Vec<Draft>,
    pub(super) overrides: Vec<Change>,
}

/// Whether the patterns of a file are compiled now, or on trust when they are first used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patterns {
    Checked,
    Trusted,
}

/// Reads a whole file.
pub(super) fn content(
    root: &Item,
    catalogue: &Catalogue,
    patterns: Patterns,
    problems: &Problems,
) -> Content {
    let Some(file) = Fields::open(root, "a rule file", &FILE_KEYS, problems) else {
        return Content { rules: Vec::new(), overrides: Vec::new() };
    };
    check_schema(&file);
    let loader = Loader { catalogue, patterns, problems };
    Content {
        rules: file.array("rule").iter().filter_map(|item| loader.rule(item)).collect(),
        overrides: file.array("override").iter().filter_map(|item| loader.change(item)).collect(),
    }
}

fn check_schema(file: &Fields<'_>) {
    match file.get("schema") {
        None => file.missing("schema"),
        Some(item) if item.node == super::document::Node::Integer(SCHEMA) => {}
        Some(item) => {
            let message =
                format!("`schema` must be {SCHEMA}, the only one that this version knows");
            file.problems.add(item.at, message);
        }
    }
}

pub(super) struct Loader<'a> {
    pub(super) catalogue: &'a Catalogue,
    patterns: Patterns,
    pub(super) problems: &'a Problems,
}

impl Loader<'_> {
    fn rule(&self, item: &Item) -> Option<Draft> {
        let fields = Fields::open(item, "a rule", &RULE_KEYS, self.problems)?;
        let id = fields.required_text("id");
        let title = fields.required_text("title");
        let why = fields.required_text("why");
        let severity = fields.word("severity");
        if fields.get("severity").is_none() {
            fields.missing("severity");
        }
        let (each, facet) = self.each(&fields);
        let cases = self.cases(&fields, facet);
        let needs = fields.texts("needs");
        let tees = match fields.get("tee") {
            Some(_) => fields.words("tee"),
            None => Tee::ALL.to_vec(),
        };
        let rule = Rule {
            id: id.map_or("", |(id, _)| id).into(),
            title: title.map_or_else(String::new, |(title, _)| title.to_owned()),
            good: owned(fields.text("good")),
            severity: severity.unwrap_or(Severity::Required),
            stage: fields.word("stage").unwrap_or(Stage::Host),
            tees,
            group: fields.word("group").unwrap_or(Group::Site),
            why: why.map_or_else(String::new, |(why, _)| why.trim().to_owned()),
            symptom: owned(fields.text("symptom")),
            docs: fields.texts("docs").into_iter().map(|(text, _)| text.to_owned()).collect(),
            needs: needs.iter().map(|(id, _)| Box::from(*id)).collect(),
            applies: self.tests(&fields, "applies", Facet::Host, Use::Condition),
            each,
            cases,
            fixes: fields.array("fix").iter().filter_map(|item| self.fix(item)).collect(),
            advice: fields.array("advice").iter().filter_map(|item| self.advice(item)).collect(),
            resolved_by: fields.word::<Resolution>("resolved-by"),
            since: self.version(&fields, "since"),
            changed: fields.array("changed").iter().filter_map(|it| self.revision(it)).collect(),
            setting: fields.word::<Setting>("setting"),
            bound: None,
            origin: Origin { file: Arc::clone(&self.problems.file), line: fields.at.line },
            overridden: None,
        };
        let (id, id_at) = id?;
        self.check_id(id, id_at);
        Some(Draft { rule, id_at, needs_at: needs.into_iter().map(|(_, at)| at).collect() })
    }

    fn check_id(&self, id: &str, at: Position) {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !id.split('-').all(is_word) {
            self.problems.add(at, format!("the id `{id}` is not kebab-case, like `iommu-active`"));
        } else if Group::from_word(id).is_some() {
            self.problems.add(at, format!("the id `{id}` is the name of a group"));
        }
    }

    /// What the rule is about: the host, or each member of a collection.
    fn each(&self, fields: &Fields<'_>) -> (Option<Each>, Facet) {
        let Some((name, at)) = fields.text("for-each") else {
            if let Some(item) = fields.get("where") {
                self.problems.missing(item.at, "`where` without `for-each` selects from nothing");
            }
            return (None, Facet::Host);
        };
        let Some(collection) = self.catalogue.collection(name) else {
            let valid = self.catalogue.collections().map(|each| each.name);
            self.problems.unknown(at, "collection", name, valid);
            return (None, Facet::Unknown);
        };
        let facet = Facet::Member(collection);
        let filter = self.tests(fields, "where", facet, Use::Condition);
        (Some(Each { collection, filter }), facet)
    }

    fn cases(&self, fields: &Fields<'_>, facet: Facet) -> Vec<Case> {
        match (fields.get("expect"), fields.get("case")) {
            (None, None) => {
                fields.missing("expect");
                Vec::new()
            }
            (Some(_), Some(case)) => {
                let message = "a rule has either `expect` or `case`s, not both";
                self.problems.add(case.at, message);
                Vec::new()
            }
            (Some(_), None) => {
                let expect = self.tests(fields, "expect", facet, Use::Expectation);
                vec![Case { when: Vec::new(), expect }]
            }
            (None, Some(_)) => {
                fields.array("case").iter().filter_map(|item| self.case(item, facet)).collect()
            }
        }
    }

    fn case(&self, item: &Item, facet: Facet) -> Option<Case> {
        let fields = Fields::open(item, "a case", &CASE_KEYS, self.problems)?;
        if fields.get("expect").is_none() {
            fields.missing("expect");
        }
        Some(Case {
            when: self.tests(&fields, "when", facet.or_host(), Use::Condition),
            expect: self.tests(&fields, "expect", facet, Use::Expectation),
        })
    }

    fn fix(&self, item: &Item) -> Option<Fix> {
        let fields = Fields::open(item, "a fix", &FIX_KEYS, self.problems)?;
        for key in ["safety", "edits"] {
            if fields.get(key).is_none() {
                fields.missing(key);
            }
        }
        let when = self.tests(&fields, "when", Facet::Host, Use::Condition);
        let edits: Vec<Edit> =
            fields.array("edits").iter().filter_map(|item| self.edit(item)).collect();
        Some(Fix { when, safety: fields.word("safety")?, edits })
    }

    fn advice(&self, item: &Item) -> Option<Advice> {
        let fields = Fields::open(item, "advice", &ADVICE_KEYS, self.problems)?;
        let text = fields.required_text("text");
        let command = owned(fields.text("command"));
        let when = self.tests(&fields, "when", Facet::Host, Use::Condition);
        text.map(|(text, _)| Advice { when, text: text.trim().to_owned(), command })
    }

    fn revision(&self, item: &Item) -> Option<Revision> {
        let fields = Fields::open(item, "a change of a rule", &REVISION_KEYS, self.problems)?;
        let what = fields.required_text("what");
        if fields.get("version").is_none() {
            fields.missing("version");
        }
        let version = self.version(&fields, "version")?;
        what.map(|(what, _)| Revision { version, what: what.trim().to_owned() })
    }

    /// A version of whoever ships the rule.
    fn version(&self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let (text, at) = fields.text(key)?;
        if Version::parse(text).is_err() {
            self.problems.add(at, format!("`{key}` is a version like 0.1.0, not `{text}`"));
        }
        Some(text.to_owned())
    }

    fn change(&self, item: &Item) -> Option<Change> {
        let fields = Fields::open(item, "an override", &OVERRIDE_KEYS, self.problems)?;
        let rule = fields.required_text("rule");
        let reason = fields.required_text("reason");
        let severity = fields.word("severity");
        let disable = fields.flag("disable");
        match (fields.get("severity"), disable) {
            (Some(_), Some(true)) => {
                let message = "a disabled rule has no severity: give one of the two";
                self.problems.add(fields.at, message);
            }
            (None, None | Some(false)) if fields.get("disable").is_none() || disable.is_some() => {
                let message = "an override changes the `severity` or says `disable = true`";
                self.problems.missing(fields.at, message);
            }
            _ => {}
        }
        let (rule, at) = rule?;
        let reason = reason.map_or_else(String::new, |(reason, _)| reason.trim().to_owned());
        Some(Change { rule: rule.to_owned(), at, severity, disable: disable == Some(true), reason })
    }

    fn tests(&self, fields: &Fields<'_>, key: &str, facet: Facet, role: Use) -> Vec<Arc<Test>> {
        let reader = Reader {
            catalogue: self.catalogue,
            patterns: self.patterns,
            problems: self.problems,
            facet,
            role,
        };
        fields.array(key).iter().filter_map(|item| reader.test(item)).map(Arc::new).collect()
    }
}

fn owned(text: Option<(&str, Position)>) -> Option<String> {
    text.map(|(text, _)| text.trim().to_owned())
}
