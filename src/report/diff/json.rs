//! Version 1 of a difference for programs. These structs are the format and nothing else; the schema is in
//! `schemas/diff-v1.json`.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::diff::{Difference, FactChange, MemberChange, Plain, RuleChange, Seen, Side, SideKind};
use crate::report::json::write;
use crate::report::{Status, Verdict};
use crate::rules::{Severity, Stage, Tee};

const FORMAT: &str = "ccgpu-node-diff";
const VERSION: u32 = 1;

/// Writes the difference as one JSON document, harmless to terminals.
pub fn render(difference: &Difference<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(&DiffV1::of(difference), out)
}

/// The JSON Schema of a difference.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::default().for_serialize();
    settings.into_generator().into_root_schema_for::<DiffV1<'static>>().to_value()
}

/// How two hosts differ.
#[derive(Serialize, JsonSchema)]
struct DiffV1<'s> {
    /// Always `ccgpu-node-diff`.
    format: &'static str,
    /// Always 1.
    version: u32,
    a: SideV1<'s>,
    b: SideV1<'s>,
    /// Nothing that both have differs: the exit code is 0.
    same: bool,
    rules: Vec<RuleV1<'s>>,
    members: Vec<MembersV1<'s>>,
    facts: Vec<FactV1<'s>>,
    not_compared: NotComparedV1<'s>,
}

#[derive(Serialize, JsonSchema)]
struct SideV1<'s> {
    /// As it was named on the command line.
    name: &'s str,
    kind: KindV1,
    host: &'s str,
    stage: Stage,
    tee: Option<Tee>,
    verdict: Verdict,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum KindV1 {
    Machine,
    Directory,
    Capture,
    Report,
}

/// A rule that both judged, differently.
#[derive(Serialize, JsonSchema)]
struct RuleV1<'s> {
    id: &'s str,
    title: &'s str,
    change: ChangeV1,
    before: JudgedV1<'s>,
    after: JudgedV1<'s>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ChangeV1 {
    Worse,
    Better,
    Other,
}

#[derive(Serialize, JsonSchema)]
struct JudgedV1<'s> {
    status: Status,
    severity: Severity,
    blocked_by: &'s [String],
}

/// Members that only one of the two has.
#[derive(Serialize, JsonSchema)]
struct MembersV1<'s> {
    /// The first collection that they are in.
    collection: &'static str,
    only_a: &'s [&'s str],
    only_b: &'s [&'s str],
}

/// A fact that both know, differently.
#[derive(Serialize, JsonSchema)]
struct FactV1<'s> {
    fact: &'s str,
    /// The member that it is about; null for the host.
    subject: Option<&'s str>,
    /// The first collection that the member is in; null for the host, and between two reports.
    collection: Option<&'static str>,
    before: SeenV1<'s>,
    after: SeenV1<'s>,
    /// Why it changes by itself; null where it does not.
    volatile: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum SeenV1<'s> {
    Known { value: &'s Plain },
    Absent,
    Unreadable { text: &'s str },
}

/// What one side does not know.
#[derive(Serialize, JsonSchema)]
struct NotComparedV1<'s> {
    /// Rules by which only A was judged.
    rules_of_a: &'s [&'s str],
    rules_of_b: &'s [&'s str],
    /// Facts that only one side holds, because the other is a report.
    facts: usize,
    /// A report does not tell which members there are.
    members: bool,
    /// Facts that could be told on neither side.
    untold: usize,
    /// Volatile facts that differ and were left out.
    volatile: usize,
}

impl<'s> DiffV1<'s> {
    fn of(difference: &'s Difference<'s>) -> Self {
        let Difference { a, b, rules, members, facts, not_compared } = difference;
        Self {
            format: FORMAT,
            version: VERSION,
            a: SideV1::of(a),
            b: SideV1::of(b),
            same: difference.is_none(),
            rules: rules.iter().map(RuleV1::of).collect(),
            members: members.iter().map(MembersV1::of).collect(),
            facts: facts.iter().map(FactV1::of).collect(),
            not_compared: NotComparedV1 {
                rules_of_a: &not_compared.rules_of_a,
                rules_of_b: &not_compared.rules_of_b,
                facts: not_compared.facts,
                members: !(a.is_whole() && b.is_whole()),
                untold: not_compared.untold,
                volatile: not_compared.volatile,
            },
        }
    }
}

impl<'s> SideV1<'s> {
    fn of(side: &'s Side) -> Self {
        Self {
            name: &side.name,
            kind: match side.kind {
                SideKind::Machine => KindV1::Machine,
                SideKind::Directory => KindV1::Directory,
                SideKind::Capture => KindV1::Capture,
                SideKind::Report => KindV1::Report,
            },
            host: &side.host,
            stage: side.stage,
            tee: side.tee,
            verdict: side.verdict,
        }
    }
}

impl<'s> RuleV1<'s> {
    fn of(change: &'s RuleChange<'s>) -> Self {
        let judged = |rule: &'s crate::diff::RuleSeen| JudgedV1 {
            status: rule.status,
            severity: rule.severity,
            blocked_by: &rule.blocked_by,
        };
        Self {
            id: &change.after.id,
            title: &change.after.title,
            change: match (change.is_worse(), change.is_better()) {
                (true, _) => ChangeV1::Worse,
                (_, true) => ChangeV1::Better,
                _ => ChangeV1::Other,
            },
            before: judged(change.before),
            after: judged(change.after),
        }
    }
}

impl<'s> MembersV1<'s> {
    fn of(change: &'s MemberChange<'s>) -> Self {
        let MemberChange { collection, only_a, only_b, .. } = change;
        Self { collection, only_a, only_b }
    }
}

impl<'s> FactV1<'s> {
    fn of(change: &'s FactChange<'s>) -> Self {
        Self {
            fact: change.fact,
            subject: change.subject,
            collection: change.collection,
            before: SeenV1::of(change.before),
            after: SeenV1::of(change.after),
            volatile: change.volatile,
        }
    }
}

impl<'s> SeenV1<'s> {
    fn of(seen: &'s Seen) -> Self {
        match seen {
            Seen::Known(value) => Self::Known { value },
            Seen::Absent => Self::Absent,
            Seen::Unreadable(text) => Self::Unreadable { text },
        }
    }
}
