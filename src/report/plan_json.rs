//! A plan, and what came of it, for programs: version 1 of `fix --format json`. Its own structs, so that
//! no change elsewhere changes it by accident.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::Verdict;
use super::plan::Setting;
use crate::apply::Applied;
use crate::plan::{Fate, Proposal, Step, StepKind};
use crate::rules::Rule;

/// What a run of `fix` came to.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// Nothing was to be done, or only shown.
    NotTried,
    Applied {
        applied: &'a Applied,
        verdict: Verdict,
    },
    /// In words; the exit code says which kind of failure it is.
    Failed(String),
}

/// Writes one JSON document.
pub fn render(
    proposal: &Proposal,
    setting: &Setting<'_>,
    outcome: &Outcome<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &FixV1::of(proposal, setting, outcome))?;
    writeln!(out)
}

/// The JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(FixV1<'_>).to_value()
}

/// What `ccgpu-node fix --format json` prints.
#[derive(Serialize, JsonSchema)]
struct FixV1<'a> {
    /// The version of this document.
    schema: u32,
    /// What the host calls itself.
    host: &'a str,
    /// The tree that is changed, where it is not the running machine.
    tree: Option<&'a str>,
    plan: PlanV1<'a>,
    /// Each rule that failed, and what becomes of it.
    rules: Vec<RuleV1<'a>>,
    /// Commands that are left to be run on the machine itself.
    left_to_run: &'a [String],
    /// What the host's own kubelet said of its new configuration.
    kubelet_says: Option<&'a str>,
    /// Null where nothing was tried.
    outcome: Option<OutcomeV1<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct PlanV1<'a> {
    /// What `--plan` takes.
    hash: String,
    steps: Vec<StepV1<'a>>,
    needs_reboot: bool,
    restarts_kubelet: bool,
}

#[derive(Serialize, JsonSchema)]
struct StepV1<'a> {
    rules: Vec<&'a str>,
    #[serde(flatten)]
    what: StepKindV1<'a>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum StepKindV1<'a> {
    /// A file that changes, comes or goes.
    Write {
        path: &'a str,
        /// As a unified difference; bytes that are no text are replaced.
        diff: String,
    },
    /// A program.
    Run { command: String },
}

#[derive(Serialize, JsonSchema)]
struct RuleV1<'a> {
    id: &'a str,
    fate: FateV1,
    /// Why it is refused.
    why: Option<String>,
    /// Commands of whoever owns what would have to change.
    instead: &'a [String],
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum FateV1 {
    Planned,
    /// Written, and in effect after a reboot.
    InPlace,
    /// It takes `--unsafe`.
    Withheld,
    Refused,
    /// It takes a person.
    Manual,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
enum OutcomeV1<'a> {
    Done {
        /// The number that `rollback` takes.
        transaction: u32,
        awaits_reboot: bool,
        notice: Option<&'a str>,
        /// How the host is judged now.
        verdict: Verdict,
    },
    Failed {
        why: &'a str,
    },
}

impl<'a> FixV1<'a> {
    fn of(proposal: &'a Proposal, setting: &Setting<'a>, outcome: &'a Outcome<'a>) -> Self {
        let plan = &proposal.plan;
        Self {
            schema: 1,
            host: setting.host,
            tree: setting.tree,
            plan: PlanV1 {
                hash: plan.digest().to_string(),
                steps: plan.steps.iter().map(StepV1::of).collect(),
                needs_reboot: plan.needs_reboot(),
                restarts_kubelet: plan.restarts_kubelet(),
            },
            rules: proposal.fates.iter().map(|(rule, fate)| RuleV1::of(rule, fate)).collect(),
            left_to_run: setting.left_to_run,
            kubelet_says: setting.kubelet_says,
            outcome: match outcome {
                Outcome::NotTried => None,
                Outcome::Applied { applied, verdict } => Some(OutcomeV1::Done {
                    transaction: applied.number,
                    awaits_reboot: applied.pending.is_some(),
                    notice: applied.notice.as_deref(),
                    verdict: *verdict,
                }),
                Outcome::Failed(why) => Some(OutcomeV1::Failed { why }),
            },
        }
    }
}

impl<'a> StepV1<'a> {
    fn of(step: &'a Step) -> Self {
        Self {
            rules: step.rules.iter().map(|rule| &**rule).collect(),
            what: match &step.kind {
                StepKind::Write(change) => {
                    StepKindV1::Write { path: &change.path, diff: change.difference() }
                }
                StepKind::Act(action) => StepKindV1::Run { command: action.command() },
            },
        }
    }
}

impl<'a> RuleV1<'a> {
    fn of(rule: &'a Rule, fate: &'a Fate) -> Self {
        let refusal = match fate {
            Fate::Refused(refusal) => Some(refusal),
            _ => None,
        };
        Self {
            id: &rule.id,
            fate: match fate {
                Fate::Planned => FateV1::Planned,
                Fate::InPlace => FateV1::InPlace,
                // Only seen without a person, who would ask for JSON.
                Fate::Withheld | Fate::LeftOut => FateV1::Withheld,
                Fate::Refused(_) => FateV1::Refused,
                Fate::Manual => FateV1::Manual,
            },
            why: refusal.map(|refusal| refusal.why.to_string()),
            instead: refusal.map_or(&[], |refusal| &refusal.instead),
        }
    }
}
