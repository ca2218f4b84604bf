//! Gathers and judges a host, as `check` shows it and as `fix` plans from it and proves itself by.

use std::path::Path;

use super::host::Opened;
use super::{CommandError, header, host, platform};
use crate::cli;
use crate::config::{Check, Expect, Loaded, Place};
use crate::facts::expected::{Expected, Wish};
use crate::facts::{Assumptions, Facts, Needs, gather_host_again};
use crate::host::api_server::Access;
use crate::report::Report;
use crate::rules::{Chosen, Filter, FilterError, Platform, Rule, RuleSet, Stage, Tee, judge};

/// A host as it was found, and how it was judged.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) report: Report,
    pub(crate) facts: Facts,
}

/// Which rules count, as what the host is judged, and what is vouched for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(super) filter: Filter,
    /// What the host shows, where it is not given.
    pub(super) stage: Option<Stage>,
    /// That of the CPU's vendor, where it is not given.
    pub(super) tee: Option<Tee>,
    pub(super) assumed: Assumptions,
    pub(super) expected: Expected,
    /// How the cluster is asked, where it is.
    pub(crate) cluster: Option<Access>,
    pub(super) site: SetBySite,
}

/// What of it the configuration says, and where; `None` where the command line or nobody does.
#[derive(Debug, Clone, Default)]
pub(super) struct SetBySite {
    pub(super) only: Option<Place>,
    pub(super) skip: Option<Place>,
    pub(super) stage: Option<Place>,
    pub(super) tee: Option<Place>,
    pub(super) assume: Option<Place>,
}

impl Wanted {
    /// What the command line says and, key by key, what the configuration says where it is silent.
    pub(super) fn of(
        site: Option<&Loaded>,
        selection: &cli::Selection,
        assume: &[String],
    ) -> Result<Self, CommandError> {
        let mut wanted = Self {
            filter: Filter::from(selection),
            stage: selection.stage.map(Stage::from),
            tee: selection.tee.map(Tee::from),
            assumed: host::assumptions(assume)?,
            expected: host::expectations(&selection.expect)?,
            cluster: None,
            site: SetBySite::default(),
        };
        let Some(site) = site else { return Ok(wanted) };
        let Check { stage, tee, only, skip, assume, expect, cluster, kubeconfig, .. } =
            &site.config.check;
        wanted.expect_besides(site, expect);
        let place = |key: &str| site.place("check", key);
        if wanted.filter.only.is_empty() && !only.is_empty() {
            wanted.filter.only.clone_from(only);
            wanted.site.only = place("only");
        }
        if wanted.filter.skip.is_empty() && !skip.is_empty() {
            wanted.filter.skip.clone_from(skip);
            wanted.site.skip = place("skip");
        }
        if wanted.stage.is_none() && stage.is_some() {
            wanted.stage = *stage;
            wanted.site.stage = place("stage");
        }
        if wanted.tee.is_none() && tee.is_some() {
            wanted.tee = *tee;
            wanted.site.tee = place("tee");
        }
        if wanted.assumed.is_empty() && !assume.is_empty() {
            wanted.assumed = host::assumptions(assume)?;
            wanted.site.assume = place("assume");
        }
        if *cluster {
            wanted.cluster = Some(Access { kubeconfig: kubeconfig.clone() });
        }
        Ok(wanted)
    }

    /// Adds what the configuration expects and the command line does not.
    fn expect_besides(&mut self, site: &Loaded, expect: &Expect) {
        fn wish<T: Clone>(site: &Loaded, key: &str, value: Option<&T>) -> Option<Wish<T>> {
            let by = site.place("check.expect", key).map_or_else(String::new, |at| at.to_string());
            value.map(|value| Wish { value: value.clone(), by })
        }
        let Expected { gpus, nvswitches, gpu_model } = &mut self.expected;
        *gpus = gpus.take().or_else(|| wish(site, "gpus", expect.gpus.as_ref()));
        *nvswitches =
            nvswitches.take().or_else(|| wish(site, "nvswitches", expect.nvswitches.as_ref()));
        *gpu_model =
            gpu_model.take().or_else(|| wish(site, "gpu-model", expect.gpu_model.as_ref()));
    }

    /// With the cluster asked as the command line says, where it does.
    pub(super) fn with_cluster(
        self,
        typed: &cli::Cluster,
        captured: Option<&Path>,
    ) -> Result<Self, CommandError> {
        let cluster = host::cluster(typed, captured)?.or(self.cluster);
        Ok(Self { cluster, ..self })
    }

    /// What to begin with where nothing was gathered before.
    pub(crate) fn nothing_known(&self) -> Facts {
        Facts { assumed: self.assumed.clone(), expected: self.expected.clone(), ..Facts::default() }
    }

    /// Who leaves rules out, where the configuration has a part in it.
    pub(super) fn left_out_by(&self) -> Option<String> {
        let SetBySite { only, skip, .. } = &self.site;
        if only.is_none() && skip.is_none() {
            return None;
        }
        let who = |option: &str, patterns: &[String], place: &Option<Place>| match place {
            Some(place) => Some(format!("{option} in {place}")),
            None if patterns.is_empty() => None,
            None => Some(format!("--{option}")),
        };
        let Filter { only: only_these, skip: not_these } = &self.filter;
        let who = [who("only", only_these, only), who("skip", not_these, skip)];
        Some(who.into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }

    /// Who leaves a rule out, where somebody does.
    pub(super) fn leaves_out(&self, rule: &Rule) -> Option<String> {
        self.filter
            .leaves_out(rule)
            .then(|| self.left_out_by().unwrap_or_else(|| "--only or --skip".to_owned()))
    }

    fn choose(&self, rules: &RuleSet, platform: Platform) -> Result<Chosen, CommandError> {
        match (rules.choose(&self.filter, platform), self.left_out_by()) {
            (Ok(mut chosen), by) => {
                chosen.scope.left_out_by = by;
                Ok(chosen)
            }
            (Err(error @ FilterError::EmptySelection(_)), Some(by)) => {
                Err(CommandError::Usage(format!("{error}; the others are left out by {by}")))
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}

/// `more` says what has to be read besides, of the rules that are judged.
pub(crate) fn judgement(
    opened: &Opened,
    rules: &RuleSet,
    wanted: &Wanted,
    more: fn(&Chosen) -> Needs,
) -> Result<Judgement, CommandError> {
    let previous = wanted.nothing_known();
    judgement_again(opened, rules, wanted, previous, Needs::ALL, more)
}

/// The same for a host that was judged before, by the same rules: only what may have changed since is read
/// again.
pub(crate) fn judgement_again(
    opened: &Opened,
    rules: &RuleSet,
    wanted: &Wanted,
    previous: Facts,
    changed: Needs,
    more: fn(&Chosen) -> Needs,
) -> Result<Judgement, CommandError> {
    if let Some(stage) = wanted.stage
        && !rules.has_stage(stage)
    {
        return Err(CommandError::Usage(format!(
            "--stage {stage}: no rule belongs to it, and what the stages before it say proves \
             nothing about it"
        )));
    }
    // What the rules need depends on the platform, and the platform on the host: so all that any stage
    // could need of the host is read, each file once, and the node's software once the stage is known.
    let widest = Platform { stage: wanted.stage.unwrap_or(Stage::Workload), tee: wanted.tee };
    let possible = wanted.choose(rules, widest)?;
    let needs = possible.needs().and(more(&possible)).and(platform::NEEDS).and(header::NEEDS);
    let facts = gather_host_again(&opened.root, &opened.run, needs, previous, changed);

    let chosen = platform::choose(wanted, &facts);
    let judged = wanted.choose(rules, chosen.platform)?;
    let needs = judged.needs().and(more(&judged));
    let facts = facts.with_software_again(&opened.root, &opened.run, needs, changed);
    let results = judge(&judged, &facts);
    let header = header::header(&facts, chosen, wanted, opened.origin.clone());
    Ok(Judgement { report: Report::new(header, judged.scope, results), facts })
}
