//! From a report to a plan: which fixes of which rules, in which order, and why not the others. Pure.

use std::sync::Arc;

use super::kubelet::Ask;
use super::sources::{Sources, configurations};
use super::{
    Action, ArgumentChange, Plan, Refusal, Refused, Step, StepKind, boot, kubelet, modules, shim,
};
use crate::facts::kata::tee_of_cpu;
use crate::facts::{Facts, Reading, Value};
use crate::format::duration::GoDuration;
use crate::report::{Report, Status};
use crate::rules::{Edit, Fix, KubeletGate, Rule, Safety, is_plain_argument};

/// What is done about each failure, and the plan that does it.
#[derive(Debug)]
pub struct Proposal {
    pub plan: Plan,
    /// One for each rule that failed, in the report's order.
    pub fates: Vec<(Arc<Rule>, Fate)>,
    /// Feature gates in it that only the host's own kubelet can vouch for.
    pub unproven: Vec<String>,
}

/// Which fixes may be planned.
#[derive(Debug, Clone, Copy)]
pub enum Allowed<'a> {
    Safe,
    All,
    /// Safe ones, of these rules.
    SafeOf(&'a [String]),
}

impl Allowed<'_> {
    /// What becomes of a fix that is not.
    fn forbids(self, rule: &Rule, fix: &Fix) -> Option<Fate> {
        match self {
            Self::SafeOf(rules) if !rules.iter().any(|it| **it == *rule.id) => Some(Fate::LeftOut),
            Self::Safe | Self::SafeOf(_) if fix.safety == Safety::Unsafe => Some(Fate::Withheld),
            Self::Safe | Self::SafeOf(_) | Self::All => None,
        }
    }
}

/// What becomes of one failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Steps of the plan see to it.
    Planned,
    /// All that `fix` could write is written; it takes effect at a reboot.
    InPlace,
    /// A fix is there, but may stop something that works; it takes `--unsafe`.
    Withheld,
    /// A fix is there, and is not made without a person, or not now.
    LeftOut,
    /// It was refused here.
    Refused(Refusal),
    /// There is only advice.
    Manual,
}

/// Plans the fixes of all rules that failed. Of a rule that is unknown or was not judged nothing is known
/// that could be mended.
pub fn propose(
    report: &Report,
    facts: &Facts,
    sources: &Sources,
    allowed: Allowed<'_>,
) -> Proposal {
    let mut wishes = Wishes::default();
    let mut fates: Vec<(Arc<Rule>, Option<Fate>)> = Vec::new();
    for result in report.results.iter().filter(|result| result.status == Status::Fail) {
        let rule = &result.rule;
        let fate = match result.fix() {
            // Its fix is made already, and waits for a boot.
            None if result.waits_for_a_reboot() && rule.resolved_by.is_none() => {
                Some(Fate::InPlace)
            }
            None => Some(Fate::Manual),
            Some(fix) => allowed.forbids(rule, fix).or_else(|| {
                wishes.add(rule, fix, facts).err().map(|why| Fate::Refused(why.into()))
            }),
        };
        fates.push((Arc::clone(rule), fate));
    }
    let mut plan = Plan::default();
    let (kubelet, unproven) = match wishes.kubelet_steps(facts, sources) {
        Ok((steps, unproven)) => (Ok(steps), unproven),
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    let outcomes = [
        (&wishes.boot_rules, wishes.boot_steps(facts, sources)),
        (&wishes.deny_rules, wishes.deny_steps(sources)),
        (&wishes.load_rules, wishes.load_steps(sources)),
        (&wishes.shim_rules, wishes.shim_steps(facts, sources)),
        (&wishes.kubelet_rules, kubelet),
    ];
    for (rules, outcome) in outcomes {
        let fate = match outcome {
            Err(refusal) => Fate::Refused(refusal),
            Ok(kinds) if kinds.is_empty() => Fate::InPlace,
            Ok(kinds) => {
                plan.steps
                    .extend(kinds.into_iter().map(|kind| Step { rules: rules.clone(), kind }));
                Fate::Planned
            }
        };
        for (rule, slot) in &mut fates {
            if slot.is_none() && rules.contains(&rule.id) {
                *slot = Some(fate.clone());
            }
        }
    }
    let fates = fates.into_iter().map(|(rule, fate)| (rule, fate.unwrap_or(Fate::Manual)));
    Proposal { plan, fates: fates.collect(), unproven }
}

/// What all rules together ask for, by what has to change for it.
#[derive(Debug, Default)]
struct Wishes {
    arguments: ArgumentChange,
    generate: bool,
    boot_rules: Vec<Box<str>>,
    deny: Vec<String>,
    deny_rules: Vec<Box<str>>,
    load: Vec<String>,
    load_rules: Vec<Box<str>>,
    kubelet: Ask,
    restart: bool,
    kubelet_rules: Vec<Box<str>>,
    create_container_timeout: Option<GoDuration>,
    shim_rules: Vec<Box<str>>,
}

impl Wishes {
    /// Takes all edits of a fix, or none of them.
    fn add(&mut self, rule: &Rule, fix: &Fix, facts: &Facts) -> Result<(), Refused> {
        let mut removals = Vec::new();
        for edit in &fix.edits {
            if let Edit::RemoveKernelArguments(fact) = edit {
                removals.extend(listed(fact.name(), facts)?);
            }
        }
        for edit in &fix.edits {
            let rules = match edit {
                Edit::AddKernelArgument(argument) => {
                    push_all(&mut self.arguments.add, std::slice::from_ref(argument));
                    &mut self.boot_rules
                }
                Edit::RemoveKernelArgument(argument) => {
                    push_all(&mut self.arguments.remove, std::slice::from_ref(argument));
                    &mut self.boot_rules
                }
                Edit::RemoveKernelArguments(_) => {
                    push_all(&mut self.arguments.remove, &removals);
                    &mut self.boot_rules
                }
                Edit::GenerateBootMenu => {
                    self.generate = true;
                    &mut self.boot_rules
                }
                Edit::EnableKubeletGate(KubeletGate::PodResourcesGet) => {
                    self.kubelet.pod_resources_get = true;
                    &mut self.kubelet_rules
                }
                Edit::EnableKubeletGate(KubeletGate::RuntimeClassInImageCriApi) => {
                    self.kubelet.runtime_class_in_image_cri = true;
                    &mut self.kubelet_rules
                }
                Edit::DropRefusedKubeletGates => {
                    self.kubelet.drop_refused_gates = true;
                    &mut self.kubelet_rules
                }
                Edit::RaiseKubeletTimeout(duration) => {
                    let longest =
                        self.kubelet.timeout_at_least.map_or(*duration, |it| it.max(*duration));
                    self.kubelet.timeout_at_least = Some(longest);
                    &mut self.kubelet_rules
                }
                Edit::RaiseCreateContainerTimeout(duration) => {
                    let longest =
                        self.create_container_timeout.map_or(*duration, |it| it.max(*duration));
                    self.create_container_timeout = Some(longest);
                    &mut self.shim_rules
                }
                Edit::RestartKubelet => {
                    self.restart = true;
                    &mut self.kubelet_rules
                }
                Edit::DenyModules(modules) => {
                    push_all(&mut self.deny, modules);
                    &mut self.deny_rules
                }
                Edit::LoadModules(modules) => {
                    push_all(&mut self.load, modules);
                    &mut self.load_rules
                }
            };
            if !rules.contains(&rule.id) {
                rules.push(rule.id.clone());
            }
        }
        Ok(())
    }

    fn boot_steps(&self, facts: &Facts, sources: &Sources) -> Result<Vec<StepKind>, Refusal> {
        if self.boot_rules.is_empty() {
            return Ok(Vec::new());
        }
        let both = self.arguments.add.iter().find(|it| self.arguments.remove.contains(it));
        if let Some(argument) = both {
            let why = format!("one rule wants {argument}, and another wants it gone");
            return Err(Refused { path: "/proc/cmdline".to_owned(), line: None, why }.into());
        }
        let Some(config) = &facts.boot_config else { return Ok(Vec::new()) };
        boot::steps(&sources.boot, config, &self.arguments, self.generate)
    }

    /// The initramfs holds a copy of the list, and may load a module before the list is seen.
    fn deny_steps(&self, sources: &Sources) -> Result<Vec<StepKind>, Refusal> {
        if self.deny.is_empty() {
            return Ok(Vec::new());
        }
        let text = existing(modules::DENYLIST, &sources.denylist)?;
        let Some(change) = modules::deny(text, &self.deny)? else { return Ok(Vec::new()) };
        let tool = sources.initramfs.clone()?;
        let rebuild = tool.map(Action::RebuildInitramfs).map(StepKind::Act);
        Ok([StepKind::Write(change)].into_iter().chain(rebuild).collect())
    }

    fn load_steps(&self, sources: &Sources) -> Result<Vec<StepKind>, Refusal> {
        if self.load.is_empty() {
            return Ok(Vec::new());
        }
        let text = existing(modules::LOADED, &sources.loaded)?;
        Ok(modules::load(text, &self.load)?.map(StepKind::Write).into_iter().collect())
    }

    /// Of the shims that start this CPU's guests; the others' are nobody's failure.
    fn shim_steps(&self, facts: &Facts, sources: &Sources) -> Result<Vec<StepKind>, Refusal> {
        let Some(wanted) = self.create_container_timeout else { return Ok(Vec::new()) };
        let tee = tee_of_cpu(facts);
        let mut steps = Vec::new();
        for (configuration, own) in configurations(facts).iter().zip(&sources.shims) {
            let Some(own) =
                own.as_ref().filter(|_| tee == Reading::Known(configuration.shim.tee()))
            else {
                continue;
            };
            steps.extend(shim::raise(configuration, own, wanted)?.map(StepKind::Write));
        }
        Ok(steps)
    }

    /// The steps, and the gates that this program knows nothing about for so new a kubelet.
    fn kubelet_steps(
        &self,
        facts: &Facts,
        sources: &Sources,
    ) -> Result<(Vec<StepKind>, Vec<String>), Refusal> {
        let Some(found) = facts.kubelet.as_ref().filter(|_| !self.kubelet_rules.is_empty()) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let files = sources.kubelet.as_ref().map_err(Refused::clone)?;
        let wanted = kubelet::wanted(found, &self.kubelet)?;
        let changes = kubelet::changes(found, files, &wanted)?;
        if changes.is_empty() && !self.restart {
            return Ok((Vec::new(), Vec::new()));
        }
        let Some(unit) = files.unit.clone() else {
            let path = found.found.source.path.to_string();
            let why = "no unit is found that could be restarted".to_owned();
            return Err(Refused { path, line: None, why }.into());
        };
        let restart = StepKind::Act(Action::RestartKubelet { unit });
        let steps = changes.into_iter().map(StepKind::Write).chain([restart]).collect();
        Ok((steps, wanted.unproven.into_iter().collect()))
    }
}

fn existing<'s>(path: &str, reading: &'s Reading<Vec<u8>>) -> Result<Option<&'s [u8]>, Refused> {
    match reading {
        Reading::Known(bytes) => Ok(Some(bytes)),
        Reading::Absent => Ok(None),
        Reading::Unreadable(cause) => {
            Err(Refused { path: path.to_owned(), line: cause.line(), why: cause.to_string() })
        }
    }
}

/// The arguments that a fact lists.
fn listed(name: &str, facts: &Facts) -> Result<Vec<String>, Refused> {
    let refused = |why: String| Refused { path: "/proc/cmdline".to_owned(), line: None, why };
    let evidence = crate::facts::catalogue::fact(name).map(|fact| (fact.read)(facts));
    let members = match evidence.map(|evidence| evidence.reading) {
        Some(Reading::Known(Value::Set(members))) => members,
        Some(Reading::Unreadable(cause)) => return Err(refused(cause.to_string())),
        _ => return Ok(Vec::new()),
    };
    match members.iter().find(|argument| !is_plain_argument(argument)) {
        Some(strange) => Err(refused(format!("{strange} is no plain argument"))),
        None => Ok(members.into_iter().collect()),
    }
}

/// Adds those that are not there yet.
fn push_all(list: &mut Vec<String>, texts: &[String]) {
    for text in texts {
        if !list.contains(text) {
            list.push(text.clone());
        }
    }
}
