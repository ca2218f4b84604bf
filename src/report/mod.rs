//! What was judged, and how it is shown. The types here are facts about a judgement; words for people
//! are in [`human`] and a stable form for programs is in [`json`].

pub mod baseline;
pub mod configuration;
pub mod diff;
pub mod explanation;
pub mod facts_json;
pub mod facts_list;
mod harmless;
pub mod html;
pub mod human;
pub mod json;
mod json_judged;
pub mod junit;
pub mod markdown;
pub mod next_step;
pub mod npd;
mod page;
pub mod plan;
pub mod plan_json;
pub mod prometheus;
pub mod rules;
pub mod status;
pub mod status_json;
pub mod stored;
pub mod transactions;
mod verdict;
mod visible;

use std::sync::Arc;

use crate::exit::Exit;
use crate::facts::catalogue::Collection;
use crate::facts::{Cause, Source, Value};
use crate::rules::{Advice, Fix, Offending, Platform, Resolution, Rule, Severity, Test};
pub use baseline::Comparison;
pub(crate) use human::evidence::sentences;
pub use next_step::NextStep;
pub use verdict::{Counts, Verdict};
pub(crate) use visible::visible;

pub(crate) use json::{FORMAT as REPORT_FORMAT, VERSION as REPORT_VERSION};

/// A host and how it was judged.
#[derive(Debug)]
pub struct Report {
    pub header: Header,
    pub scope: Scope,
    /// From cause to effect.
    pub results: Vec<RuleResult>,
    pub verdict: Verdict,
    /// What an earlier report says, where only what got worse since shall count.
    pub baseline: Option<Comparison>,
}

impl Report {
    pub fn new(header: Header, scope: Scope, results: Vec<RuleResult>) -> Self {
        let verdict = Verdict::of(&results);
        Self { header, scope, results, verdict, baseline: None }
    }

    /// The verdict that counts for the caller: of what got worse, where there is a baseline.
    pub fn gate(&self) -> Verdict {
        self.baseline.as_ref().map_or(self.verdict, |baseline| baseline.gate)
    }

    /// What `check` exits with.
    pub fn exit(&self) -> Exit {
        self.gate().exit()
    }

    /// Whether a rule was as bad in the baseline as it is now, so that it is shown and not counted.
    pub fn is_known(&self, result: &RuleResult) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.known.contains(&result.rule.id))
    }

    /// The rules of a severity that ended in a status, in order.
    pub fn with(&self, severity: Severity, status: Status) -> impl Iterator<Item = &RuleResult> {
        self.results.iter().filter(move |result| result.is(severity, status))
    }

    pub fn counts(&self) -> Counts {
        Counts::of(&self.results)
    }
}

/// What was not judged because somebody said so; a verdict is no wider than what was judged.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// How many rules of the stage `--only` and `--skip` left out.
    pub left_out: usize,
    /// Who left them out, where it was not the command line alone.
    pub left_out_by: Option<String>,
    /// The rules of the stage that the site disabled.
    pub disabled: Vec<Arc<Rule>>,
}

/// What was judged, as what, and why as that. All texts may come from the host.
#[derive(Debug, Clone)]
pub struct Header {
    /// What the host calls itself.
    pub host: String,
    pub os: Option<String>,
    pub kernel: Option<String>,
    pub cpu: Option<String>,
    /// `bare metal`, or the hypervisor that it runs on.
    pub virtualization: Option<String>,
    /// One line: how many of which.
    pub gpus: Option<String>,
    pub platform: Platform,
    pub stage_why: String,
    pub tee_why: String,
    /// Facts that the host does not show and the user vouches for.
    pub assumed: Vec<Assumed>,
    pub origin: HostOrigin,
}

/// A fact that somebody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    pub fact: &'static str,
    pub value: String,
    /// `with --assume`, or the place in the configuration.
    pub by: String,
}

/// Where the facts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostOrigin {
    /// This machine, now.
    Live,
    /// A directory that stands for a host's root.
    Directory(String),
    /// A captured host.
    Capture(String),
}

crate::rules::words! {
    /// How judging a rule ended.
    Status {
        /// All is as wanted, for at least one thing looked at.
        Pass = "pass",
        /// Something is not as wanted.
        Fail = "fail",
        /// It could not be told; never good.
        Unknown = "unknown",
        /// The rule is not about this host, or there is nothing that it is about.
        NotApplicable = "not-applicable",
        /// Not judged, because a rule that it needs did not pass.
        Blocked = "blocked",
    }
}

/// How one rule was judged.
#[derive(Debug)]
pub struct RuleResult {
    pub rule: Arc<Rule>,
    pub status: Status,
    /// How many members of a collection the rule looked at; 1 for a rule about the host.
    pub subjects: usize,
    pub findings: Vec<Finding>,
    /// The rules at the root of what blocks this one.
    pub blocked_by: Vec<Arc<Rule>>,
    /// Places in the rule's advice: what a person must do.
    pub advice: Vec<usize>,
    /// Place of the rule's fix that fits this host.
    pub fix: Option<usize>,
    /// What makes a failure go away without a change: of its nature, or because what mends it is made.
    pub resolved_by: Option<Resolution>,
}

impl RuleResult {
    pub fn is(&self, severity: Severity, status: Status) -> bool {
        self.rule.severity == severity && self.status == status
    }

    /// What `fix` would do about it.
    pub fn fix(&self) -> Option<&Fix> {
        self.fix.and_then(|place| self.rule.fixes.get(place))
    }

    /// Whether a reboot alone puts a failure right.
    pub fn waits_for_a_reboot(&self) -> bool {
        self.status == Status::Fail && self.resolved_by == Some(Resolution::Reboot)
    }

    pub fn advice(&self) -> impl Iterator<Item = &Advice> {
        self.advice.iter().filter_map(|place| self.rule.advice.get(*place))
    }
}

/// What was found where one looked once.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What a person calls the member that it is about; `None` for the host.
    pub subject: Option<Arc<str>>,
    pub about: About,
    /// Pass, fail, unknown or not-applicable.
    pub outcome: Status,
    pub found: Found,
    pub source: Option<Source>,
    /// What makes the value plain.
    pub note: Option<String>,
    /// The user vouched for the value; the host does not show it.
    pub assumed: bool,
}

/// What a finding is about.
#[derive(Debug, Clone)]
pub enum About {
    /// Something that a rule expects.
    Expectation(Arc<Test>),
    /// Something that decides whether a rule, a case or a member is judged at all.
    Condition(Arc<Test>),
    /// Which members there are.
    Members(&'static Collection),
    /// Which TEE the host is for.
    Tee,
}

impl About {
    /// The name of the fact or the collection.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Expectation(test) | Self::Condition(test) => test.fact.name(),
            Self::Members(collection) => collection.name,
            Self::Tee => "tee",
        }
    }

    /// What the fact was compared with.
    pub fn test(&self) -> Option<&Test> {
        match self {
            Self::Expectation(test) | Self::Condition(test) => Some(test),
            Self::Members(_) | Self::Tee => None,
        }
    }
}

/// What one found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Value(Value),
    /// The members that decide about a set.
    Members(Offending),
    Absent,
    Unreadable(Cause),
}
