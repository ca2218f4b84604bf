//! Version 1 of an explanation for programs. These structs are the format and nothing else; the schema is
//! in `schemas/explain-v1.json`.

use std::io::{self, Write};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Explanation, FactExplanation, Related, reason};
use crate::facts::Reading;
use crate::report::json::{FindingV1, FixV1, FoundV1, SourceV1, write};
use crate::report::{HostOrigin, Status};
use crate::rules::{Fix, Group, Role, Safety, Severity, Stage, Tee, Test};

const FORMAT: &str = "ccgpu-node-explanation";
const VERSION: u32 = 1;

/// Writes the explanation of a rule as one JSON document, harmless to terminals.
pub fn render(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    write(&document(Subject::Rule(Box::new(RuleV1::of(explanation)))), out)
}

/// Writes the explanation of a fact in the same way.
pub fn render_fact(of: &FactExplanation<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(&document(Subject::Fact(FactV1::of(of))), out)
}

/// The JSON Schema of an explanation.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    settings.into_generator().into_root_schema_for::<DocumentV1<'static>>().to_value()
}

fn document(explains: Subject<'_>) -> DocumentV1<'_> {
    DocumentV1 { format: FORMAT, version: VERSION, explains }
}

/// A rule or a fact, explained on a host.
#[derive(Serialize, JsonSchema)]
struct DocumentV1<'r> {
    /// Always `ccgpu-node-explanation`.
    format: &'static str,
    /// Always 1.
    version: u32,
    #[serde(flatten)]
    explains: Subject<'r>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "explains")]
enum Subject<'r> {
    Rule(Box<RuleV1<'r>>),
    Fact(FactV1<'r>),
}

#[derive(Serialize, JsonSchema)]
struct RuleV1<'r> {
    id: &'r str,
    title: &'r str,
    good: Option<&'r str>,
    severity: Severity,
    /// The first stage at which it is judged.
    stage: Stage,
    /// The rule is about these only.
    tees: &'r [Tee],
    group: Group,
    host: HostV1<'r>,
    here: HereV1<'r>,
    /// Everything that it looks at, whether or not it is judged.
    evidence: Vec<EvidenceV1<'r>>,
    /// What it judges one by one; null for a rule about the host as a whole.
    members: Option<MembersV1<'r>>,
    why: &'r str,
    /// The error that a user meets later if this is ignored.
    symptom: Option<&'r str>,
    /// All that `fix` could do; `here` says which fits this host.
    fixes: Vec<ConditionalFixV1>,
    /// All that a person could have to do.
    advice: Vec<AdviceV1<'r>>,
    /// A reboot alone puts a failure right.
    resolved_by_reboot: bool,
    /// The rules before it, without which it would only repeat their failure.
    depends_on: Vec<RelatedV1<'r>>,
    /// The rules that are not judged where it fails.
    consequences: Vec<RelatedV1<'r>>,
    /// Where its requirement is written.
    docs: &'r [String],
    /// The version that had it first; null for a site's rule that does not say.
    since: Option<&'r str>,
    changed: Vec<RevisionV1<'r>>,
    defined: SourceV1<'r>,
    site: Option<OverrideV1<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct HostV1<'r> {
    name: &'r str,
    /// The directory or the captured host; null for this machine.
    path: Option<&'r str>,
    /// The stage that it is at.
    stage: Stage,
    stage_why: &'r str,
    tee: Option<Tee>,
    tee_why: &'r str,
}

/// What came of the rule on this host.
#[derive(Serialize, JsonSchema)]
struct HereV1<'r> {
    /// Whether a check judges it: it is neither disabled nor of a later stage nor left out.
    judged: bool,
    /// Of a rule of a later stage, what it would be there; null for a disabled rule.
    status: Option<Status>,
    /// The end of a sentence whose beginning is the rule.
    reason: String,
    left_out_by: Option<&'r str>,
    /// The rules at the root of what blocks it.
    blocked_by: Vec<&'r str>,
    /// What the command `fix` would do now.
    fix: Option<FixV1>,
    /// Places in `advice` of what a person must do now.
    advice: &'r [usize],
    /// A reboot alone puts it right now: of its nature, or because what mends it is made.
    waits_for_a_reboot: bool,
}

#[derive(Serialize, JsonSchema)]
struct EvidenceV1<'r> {
    /// What it decides.
    decides: Role,
    #[serde(flatten)]
    finding: FindingV1<'r>,
}

#[derive(Serialize, JsonSchema)]
struct MembersV1<'r> {
    collection: &'static str,
    count: usize,
    judged: usize,
    /// Why there may be more.
    doubt: Option<FindingV1<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct ConditionalFixV1 {
    safety: Safety,
    edits: Vec<String>,
    when: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct AdviceV1<'r> {
    text: &'r str,
    command: Option<&'r str>,
    when: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct RelatedV1<'r> {
    id: &'r str,
    title: &'r str,
    symptom: Option<&'r str>,
    /// Null for a disabled rule.
    status: Option<Status>,
    /// No other rule stands between.
    direct: bool,
    /// It is not judged on this host because the explained rule does not pass.
    waits: bool,
}

#[derive(Serialize, JsonSchema)]
struct RevisionV1<'r> {
    version: &'r str,
    what: &'r str,
}

#[derive(Serialize, JsonSchema)]
struct OverrideV1<'r> {
    disabled: bool,
    instead_of: Option<Severity>,
    reason: &'r str,
    defined: SourceV1<'r>,
}

#[derive(Serialize, JsonSchema)]
struct FactV1<'r> {
    name: &'static str,
    kind: &'static str,
    doc: &'static str,
    host: &'r str,
    found: FoundV1<'r>,
    source: Option<SourceV1<'r>>,
    note: Option<&'r str>,
    /// The user vouched for the value; the host does not show it.
    assumed: bool,
    /// Why the value changes by itself; null where it does not.
    volatile: Option<&'static str>,
    /// The rules that ask for it.
    rules: Vec<&'r str>,
}

impl<'r> RuleV1<'r> {
    fn of(explanation: &'r Explanation) -> Self {
        let Explanation { rule, looks, .. } = explanation;
        let related = |each: &'r Related| RelatedV1 {
            id: &each.rule.id,
            title: &each.rule.title,
            symptom: each.rule.symptom.as_deref(),
            status: each.result.as_ref().map(|result| result.status),
            direct: each.direct,
            waits: each.waits_for(&rule.id),
        };
        Self {
            id: &rule.id,
            title: &rule.title,
            good: rule.good.as_deref(),
            severity: rule.severity,
            stage: rule.stage,
            tees: &rule.tees,
            group: rule.group,
            host: HostV1::of(explanation),
            here: HereV1::of(explanation),
            evidence: looks
                .looks
                .iter()
                .map(|it| EvidenceV1 { decides: it.role, finding: FindingV1::of(&it.finding) })
                .collect(),
            members: rule.each.as_ref().map(|each| MembersV1 {
                collection: each.collection.name,
                count: looks.members.unwrap_or_default(),
                judged: looks.judged,
                doubt: looks.doubt.as_ref().map(FindingV1::of),
            }),
            why: &rule.why,
            symptom: rule.symptom.as_deref(),
            fixes: rule.fixes.iter().map(ConditionalFixV1::of).collect(),
            advice: rule
                .advice
                .iter()
                .map(|advice| AdviceV1 {
                    text: &advice.text,
                    command: advice.command.as_deref(),
                    when: conditions(&advice.when),
                })
                .collect(),
            resolved_by_reboot: rule.resolved_by.is_some(),
            depends_on: explanation.causes.iter().map(related).collect(),
            consequences: explanation.consequences.iter().map(related).collect(),
            docs: &rule.docs,
            since: rule.since.as_deref(),
            changed: rule
                .changed
                .iter()
                .map(|it| RevisionV1 { version: &it.version, what: &it.what })
                .collect(),
            defined: SourceV1 { path: &rule.origin.file, line: Some(rule.origin.line) },
            site: rule.overridden.as_ref().map(|change| OverrideV1 {
                disabled: change.disabled,
                instead_of: change.instead_of,
                reason: &change.reason,
                defined: SourceV1 { path: &change.origin.file, line: Some(change.origin.line) },
            }),
        }
    }
}

impl<'r> HostV1<'r> {
    fn of(explanation: &'r Explanation) -> Self {
        let header = &explanation.header;
        Self {
            name: &header.host,
            path: match &header.origin {
                HostOrigin::Live => None,
                HostOrigin::Directory(path) | HostOrigin::Capture(path) => Some(path),
            },
            stage: explanation.before.unwrap_or(header.platform.stage),
            stage_why: &header.stage_why,
            tee: header.platform.tee,
            tee_why: &header.tee_why,
        }
    }
}

impl<'r> HereV1<'r> {
    fn of(explanation: &'r Explanation) -> Self {
        let result = explanation.result.as_ref();
        let left_out = explanation.left_out_by.as_deref();
        Self {
            judged: result.is_some() && explanation.before.is_none() && left_out.is_none(),
            status: result.map(|result| result.status),
            reason: reason(explanation),
            left_out_by: left_out,
            blocked_by: result
                .iter()
                .flat_map(|result| &result.blocked_by)
                .map(|root| &*root.id)
                .collect(),
            fix: result.and_then(|result| result.fix()).map(FixV1::of),
            advice: result.map_or(&[], |result| &result.advice),
            waits_for_a_reboot: result.is_some_and(crate::report::RuleResult::waits_for_a_reboot),
        }
    }
}

impl ConditionalFixV1 {
    fn of(fix: &Fix) -> Self {
        Self {
            safety: fix.safety,
            edits: fix.edits.iter().map(ToString::to_string).collect(),
            when: conditions(&fix.when),
        }
    }
}

fn conditions(when: &[Arc<Test>]) -> Vec<String> {
    when.iter().map(|test| format!("{} is {}", test.fact.name(), test.operator)).collect()
}

impl<'r> FactV1<'r> {
    fn of(of: &'r FactExplanation<'r>) -> Self {
        let fact = of.fact;
        Self {
            name: fact.name,
            kind: fact.kind.name(),
            doc: fact.doc,
            host: &of.host,
            found: match (&of.assumed, &of.evidence.reading) {
                (Some(assumed), _) => FoundV1::known(assumed),
                (None, Reading::Known(known)) => FoundV1::known(known),
                (None, Reading::Absent) => FoundV1::Absent,
                (None, Reading::Unreadable(cause)) => FoundV1::unreadable(cause),
            },
            source: of.evidence.source.as_ref().map(SourceV1::of),
            note: of.evidence.note.as_deref(),
            assumed: of.assumed.is_some(),
            volatile: fact.volatile(),
            rules: of.rules.iter().map(|rule| &*rule.id).collect(),
        }
    }
}
