//! What the merged configuration comes to for a kubelet of this version.

use std::collections::BTreeMap;

use super::flags::Flags;
use super::gates::{self, ConfigDir, Outcome};
use super::merge::{self, Given, Merged, Stop};
use super::{Gate, Told, Verdict, process};
use crate::format::duration::GoDuration;
use crate::format::version::Version;
use crate::host::{Cause, Reading, Root, Source};

pub(crate) const POD_RESOURCES_GET: &str = "KubeletPodResourcesGet";
pub(crate) const RUNTIME_CLASS: &str = "RuntimeClassInImageCriApi";

/// What the kubelet puts in the place of a timeout of zero.
const DEFAULT_TIMEOUT_MINUTES: i32 = 2;

/// A process that started this many seconds before a file changed may have read the change: start times
/// are computed from a boot time in whole seconds.
const CLOCK_SLACK: i64 = 1;

pub(super) struct Context<'a> {
    pub(super) root: &'a Root,
    pub(super) layout: &'a Told<&'static str>,
    pub(super) version: &'a Told<Version>,
    pub(super) pid: Option<u32>,
}

pub(super) struct Judged {
    pub(super) config_path: Told<String>,
    pub(super) verdict: Told<Verdict>,
    pub(super) gates: Told<Vec<Gate>>,
    pub(super) pod_resources_get: Told<bool>,
    pub(super) runtime_class_in_image_cri_api: Told<bool>,
    pub(super) runtime_request_timeout: Told<GoDuration>,
    pub(super) config_newer_than_process: Told<bool>,
}

impl Context<'_> {
    pub(super) fn judge(&self, flags: &Flags, source: &Source) -> Judged {
        let config_path = match &flags.config {
            Some(path) => Told::known(path.clone(), source.clone()),
            None => Told::new(Reading::Absent, source.clone()).with_note("no --config is given"),
        };
        let merged = match merge::merge(self.root, flags, source) {
            Ok(merged) => merged,
            Err(stop) => return self.stopped(config_path, stop),
        };
        let gates: Vec<Gate> =
            merged.gates.iter().map(|(name, given)| self.gate(name, given)).collect();
        let verdict = self.verdict(&merged, &gates, flags, source);
        let from = config_source(flags, source);
        Judged {
            config_path,
            pod_resources_get: self.effective(POD_RESOURCES_GET, &merged, &verdict, &from),
            runtime_class_in_image_cri_api: self.effective(RUNTIME_CLASS, &merged, &verdict, &from),
            runtime_request_timeout: timeout(&merged, &verdict, &from),
            config_newer_than_process: self.newer(&merged.files, source),
            gates: Told::known(gates, from),
            verdict,
        }
    }

    /// Nothing takes effect in a kubelet that does not start.
    fn stopped(&self, config_path: Told<String>, stop: Stop) -> Judged {
        let (cause, source, verdict) = match stop {
            Stop::Fails(cause, source) => (cause, source, Reading::Known(Verdict::Fails)),
            Stop::CannotTell(cause, source) => (cause.clone(), source, Reading::Unreadable(cause)),
        };
        let note = cause.to_string();
        let verdict = Told::new(verdict, source.clone()).with_note(note);
        let files: Vec<String> = config_path.reading.known().cloned().into_iter().collect();
        Judged {
            config_newer_than_process: self.newer(&files, &config_path.source),
            config_path,
            verdict,
            gates: Told::new(Reading::Unreadable(cause.clone()), source.clone()),
            pod_resources_get: Told::new(Reading::Unreadable(cause.clone()), source.clone()),
            runtime_class_in_image_cri_api: Told::new(
                Reading::Unreadable(cause.clone()),
                source.clone(),
            ),
            runtime_request_timeout: Told::new(Reading::Unreadable(cause), source),
        }
    }

    /// What this kubelet does with a gate. OpenShift patches its kubelet to warn about unknown gates.
    fn outcome(&self, name: &str, value: bool) -> Outcome {
        match gates::outcome(name, value, self.version.reading.known()) {
            Outcome::Unknown(why) if self.layout.reading.known() == Some(&"openshift") => {
                Outcome::CannotTell(format!("{why}; OpenShift's own kubelet may start with it"))
            }
            outcome => outcome,
        }
    }

    fn gate(&self, name: &str, given: &Given<bool>) -> Gate {
        let source = given.source.clone();
        let mut value = Told::known(given.value, source.clone());
        value.note = given.note();
        let accepted = match self.outcome(name, given.value) {
            Outcome::Accepted(note) => Told { note, ..Told::known(true, source) },
            Outcome::Unknown(why) | Outcome::Locked(why) => {
                let exit = self.exit_words(given);
                Told::known(false, source).with_note(format!("{why}; {exit}"))
            }
            Outcome::CannotTell(why) => {
                Told::new(Reading::Unreadable(Cause::NoAnswer(why)), source)
            }
        };
        Gate { name: name.to_owned(), value, accepted }
    }

    fn exit_words(&self, given: &Given<bool>) -> &'static str {
        match given.flag {
            Some(_) => "the kubelet stops at start, exit code 1",
            None => gates::exit_words(self.version.reading.known()),
        }
    }

    fn verdict(
        &self,
        merged: &Merged,
        set: &[Gate],
        flags: &Flags,
        source: &Source,
    ) -> Told<Verdict> {
        let version = self.version.reading.known();
        let refused = |gate: &Gate| gate.accepted.reading == Reading::Known(false);
        let fails = |gate: &Gate| {
            let why = gate.accepted.note.as_deref().unwrap_or_default();
            Told::known(Verdict::Fails, gate.accepted.source.clone())
                .with_note(format!("feature gate {}: {why}", gate.name))
        };
        if let Some(told) = self.config_dir(flags, source) {
            return told;
        }
        let alone: Vec<Gate> = if gates::file_is_checked_alone(version) {
            merged.overridden.iter().map(|(name, given)| self.gate(name, given)).collect()
        } else {
            Vec::new()
        };
        if let Some(gate) = set.iter().chain(&alone).find(|gate| refused(gate)) {
            return fails(gate);
        }
        let value = |name: &str| merged.gates.get(name).map(|given| given.value);
        if let Some((gate, need)) = version.and_then(|version| gates::unmet_need(version, value)) {
            let source = [need, gate]
                .iter()
                .find_map(|name| merged.gates.get(*name))
                .map_or_else(|| source.clone(), |given| given.source.clone());
            let why = format!("feature gate {gate} is on, but {need}, which it needs, is off");
            return Told::known(Verdict::Fails, source).with_note(why);
        }
        for gate in set.iter().chain(&alone) {
            if let Reading::Unreadable(cause) = &gate.accepted.reading {
                return Told::new(Reading::Unreadable(cause.clone()), gate.accepted.source.clone())
                    .with_note(format!("feature gate {}: {cause}", gate.name));
            }
        }
        let from = config_source(flags, source);
        if merged.files.is_empty() {
            return Told::new(Reading::Absent, from).with_note("flags alone configure the kubelet");
        }
        match &merged.lenient {
            Some((source, why)) => Told::known(Verdict::Lenient, source.clone()).with_note(why),
            None => Told::known(Verdict::Strict, from),
        }
    }

    /// What stops a kubelet that is too old for its `--config-dir`; one that runs has got over it.
    fn config_dir(&self, flags: &Flags, source: &Source) -> Option<Told<Verdict>> {
        if flags.config_dir.is_none() || self.pid.is_some() {
            return None;
        }
        match gates::config_dir(self.version.reading.known()) {
            ConfigDir::Read => None,
            ConfigDir::NeedsVariable => {
                let why = "before 1.30 --config-dir also needs the environment variable \
                           KUBELET_CONFIG_DROPIN_DIR_ALPHA";
                let cause = Cause::NoAnswer(why.to_owned());
                Some(Told::new(Reading::Unreadable(cause), source.clone()))
            }
            ConfigDir::Unknown => Some(
                Told::known(Verdict::Fails, source.clone())
                    .with_note("before 1.28 there is no flag --config-dir"),
            ),
        }
    }

    /// The value of a gate by name, by its stage, or by default.
    fn effective(
        &self,
        name: &str,
        merged: &Merged,
        verdict: &Told<Verdict>,
        from: &Source,
    ) -> Told<bool> {
        let told = match merged.gates.get(name) {
            Some(given) => {
                Told { note: given.note(), ..Told::known(given.value, given.source.clone()) }
            }
            None => self.by_default(name, &merged.gates, from),
        };
        // A bad value stays bad; a good one is none in a kubelet that does not start.
        if told.reading == Reading::Known(true) { unless_it_fails(told, verdict) } else { told }
    }

    fn by_default(
        &self,
        name: &str,
        set: &BTreeMap<String, Given<bool>>,
        from: &Source,
    ) -> Told<bool> {
        let unreadable = |why: &str| {
            Told::new(Reading::Unreadable(Cause::NoAnswer(why.to_owned())), from.clone())
        };
        let version = match &self.version.reading {
            Reading::Known(version) => version,
            Reading::Unreadable(Cause::NotGathered) => {
                return Told::new(Reading::Unreadable(Cause::NotGathered), from.clone());
            }
            Reading::Absent | Reading::Unreadable(_) => {
                return unreadable("the kubelet's version is unknown, and so is the default")
                    .with_note("give it with --assume kubelet.version=1.34.2");
            }
        };
        let value = |name: &str| set.get(name).map(|given| given.value);
        match gates::default(name, version, value) {
            Ok(Some(on)) => {
                Told::known(on, from.clone()).with_note(format!("the default of kubelet {version}"))
            }
            Ok(None) => {
                Told::known(false, from.clone()).with_note(format!("unknown to kubelet {version}"))
            }
            Err(why) => unreadable(&format!("the default of kubelet {version}: {why}")),
        }
    }

    fn newer(&self, files: &[String], source: &Source) -> Told<bool> {
        let Some(pid) = self.pid else {
            return Told::new(Reading::Absent, source.clone()).with_note("no kubelet runs");
        };
        let started = match process::started(self.root, pid) {
            Reading::Known(started) => started,
            Reading::Absent => return Told::new(Reading::Absent, source.clone()),
            Reading::Unreadable(cause) => {
                let source = Source::file(format!("/proc/{pid}/stat"));
                return Told::new(Reading::Unreadable(cause), source);
            }
        };
        let mut doubt = None;
        for path in files {
            match self.root.stat(path).map(|stat| stat.modified) {
                Reading::Known(Some(modified)) if modified > started + CLOCK_SLACK => {
                    return Told::known(true, Source::file(path.as_str()))
                        .with_note("changed after the kubelet started");
                }
                Reading::Known(Some(_)) => {}
                Reading::Known(None) => {
                    let why = "the capture does not say when it was changed".to_owned();
                    doubt.get_or_insert((Cause::NoAnswer(why), path));
                }
                Reading::Absent => {
                    let why = "it is gone since the kubelet started".to_owned();
                    doubt.get_or_insert((Cause::NoAnswer(why), path));
                }
                Reading::Unreadable(cause) => {
                    doubt.get_or_insert((cause, path));
                }
            }
        }
        match doubt {
            Some((cause, path)) => {
                Told::new(Reading::Unreadable(cause), Source::file(path.as_str()))
            }
            None => Told::known(false, source.clone()),
        }
    }
}

/// Where the configuration as a whole is looked up.
fn config_source(flags: &Flags, source: &Source) -> Source {
    flags.config.as_deref().map_or_else(|| source.clone(), Source::file)
}

fn timeout(merged: &Merged, verdict: &Told<Verdict>, from: &Source) -> Told<GoDuration> {
    let default = GoDuration::from_minutes(DEFAULT_TIMEOUT_MINUTES);
    let told = match &merged.timeout {
        None => Told::known(default, from.clone()).with_note("default"),
        // Defaults are filled in before the flags are read.
        Some(given) if given.value == GoDuration(0) && given.flag.is_none() => {
            Told::known(default, given.source.clone()).with_note("0 stands for the default")
        }
        Some(given) => {
            Told { note: given.note(), ..Told::known(given.value, given.source.clone()) }
        }
    };
    unless_it_fails(told, verdict)
}

/// A value counts only in a kubelet that starts.
fn unless_it_fails<T>(told: Told<T>, verdict: &Told<Verdict>) -> Told<T> {
    if verdict.reading != Reading::Known(Verdict::Fails) {
        return told;
    }
    let why = verdict.note.as_deref().unwrap_or("its configuration is refused");
    let cause = Cause::malformed(verdict.source.line, format!("the kubelet does not start: {why}"));
    Told::new(Reading::Unreadable(cause), verdict.source.clone())
}
