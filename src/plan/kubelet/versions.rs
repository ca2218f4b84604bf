//! What the configuration of a kubelet of some version should hold.
//!
//! A gate that a kubelet does not know keeps it from starting, so nothing is written that this version is
//! not known to take.

use super::{Refused, Wanted};
use crate::facts::kubelet::{Kubelet, Outcome, POD_RESOURCES_GET, RUNTIME_CLASS, Told, outcome};
use crate::format::duration::GoDuration;
use crate::format::version::Version;
use crate::host::Reading;

/// From this minor version on `KubeletPodResourcesGet` is on by default, and on its way out.
const GET_BY_DEFAULT: u64 = 34;

/// What rules ask of the kubelet.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The Pod Resources API answers `Get`.
    pub pod_resources_get: bool,
    /// The runtime class goes along with requests to pull an image.
    pub runtime_class_in_image_cri: bool,
    /// The request timeout is at least this.
    pub timeout_at_least: Option<GoDuration>,
    /// No gate is set that keeps this kubelet from starting.
    pub drop_refused_gates: bool,
}

/// What the configuration must say to give what is asked; empty where it is all so already.
pub fn wanted(kubelet: &Kubelet, ask: &Ask) -> Result<Wanted, Refused> {
    let mut wanted = Wanted::default();
    if ask.drop_refused_gates {
        drop_refused(kubelet, &mut wanted)?;
    }
    if ask.pod_resources_get {
        pod_resources_get(kubelet, &mut wanted)?;
    }
    if ask.runtime_class_in_image_cri {
        runtime_class(kubelet, &mut wanted)?;
    }
    if let Some(least) = ask.timeout_at_least {
        timeout(kubelet, least, &mut wanted)?;
    }
    Ok(wanted)
}

fn refused<T>(told: &Told<T>, why: impl Into<String>) -> Refused {
    let path = told.source.path.to_string();
    Refused { path, line: told.source.line, why: why.into() }
}

/// What is told, where it is known.
fn known<'a, T>(told: &'a Told<T>, what: &str) -> Result<&'a T, Refused> {
    match &told.reading {
        Reading::Known(value) => Ok(value),
        Reading::Absent => Err(refused(told, format!("there is no {what}"))),
        Reading::Unreadable(cause) => {
            Err(refused(told, format!("the {what} cannot be told: {cause}")))
        }
    }
}

/// The version and its minor number.
fn version(kubelet: &Kubelet) -> Result<(&Version, u64), Refused> {
    let believed = match &kubelet.start {
        Reading::Known(start) => start.version.known(),
        _ => None,
    };
    let version = match believed {
        Some(version) => version,
        None => known(&kubelet.version, "version of the kubelet")?,
    };
    match version.minor() {
        (1, minor) => Ok((version, minor)),
        _ => Err(refused(&kubelet.version, format!("kubelet {version} is not known"))),
    }
}

fn drop_refused(kubelet: &Kubelet, wanted: &mut Wanted) -> Result<(), Refused> {
    version(kubelet)?;
    for gate in known(&kubelet.gates, "list of feature gates")? {
        if gate.accepted.reading == Reading::Known(false) {
            wanted.gates.insert(gate.name.clone(), None);
        }
    }
    Ok(())
}

fn pod_resources_get(kubelet: &Kubelet, wanted: &mut Wanted) -> Result<(), Refused> {
    let (version, minor) = version(kubelet)?;
    let gates = known(&kubelet.gates, "list of feature gates")?;
    let set = gates.iter().find(|gate| gate.name == POD_RESOURCES_GET);
    if minor < GET_BY_DEFAULT {
        return switch_on(kubelet, POD_RESOURCES_GET, &kubelet.pod_resources_get, wanted);
    }
    match set.map(|gate| (gate, gate.value.reading.known())) {
        Some((_, Some(false))) => {
            wanted.gates.insert(POD_RESOURCES_GET.to_owned(), None);
        }
        Some((_, Some(true))) => return Ok(()),
        Some((gate, None)) => {
            return Err(refused(
                &gate.value,
                format!("the value of {POD_RESOURCES_GET} is unknown"),
            ));
        }
        None => {}
    }
    // Without a word of its own it goes with all gates of its stage.
    let stage = gates.iter().find(|gate| gate.name == "AllBeta");
    if let Some(gate) = stage
        && minor < 36
        && gate.value.reading != Reading::Known(true)
    {
        let why = format!(
            "AllBeta: false switches {POD_RESOURCES_GET} off in kubelet {version}; take AllBeta out, since \
             the gate itself will be unknown to a later kubelet"
        );
        return Err(refused(&gate.value, why));
    }
    Ok(())
}

fn runtime_class(kubelet: &Kubelet, wanted: &mut Wanted) -> Result<(), Refused> {
    switch_on(kubelet, RUNTIME_CLASS, &kubelet.runtime_class_in_image_cri_api, wanted)
}

/// Wants a gate on, unless it is on or this kubelet would not start with it.
fn switch_on(
    kubelet: &Kubelet,
    name: &str,
    now: &Told<bool>,
    wanted: &mut Wanted,
) -> Result<(), Refused> {
    let (version, minor) = version(kubelet)?;
    if now.reading == Reading::Known(true) {
        return Ok(());
    }
    match outcome(name, true, Some(version)) {
        Outcome::Accepted(_) => {}
        Outcome::CannotTell(_) if minor > GET_BY_DEFAULT => {
            wanted.unproven.insert(name.to_owned());
        }
        Outcome::Unknown(why) | Outcome::Locked(why) | Outcome::CannotTell(why) => {
            return Err(refused(&kubelet.version, format!("feature gate {name}: {why}")));
        }
    }
    known(&kubelet.gates, "list of feature gates")?;
    wanted.gates.insert(name.to_owned(), Some(true));
    Ok(())
}

fn timeout(kubelet: &Kubelet, least: GoDuration, wanted: &mut Wanted) -> Result<(), Refused> {
    let now = known(&kubelet.runtime_request_timeout, "request timeout")?;
    if *now < least {
        wanted.runtime_request_timeout = Some(short(least));
    }
    Ok(())
}

/// `20m` rather than `20m0s`.
fn short(duration: GoDuration) -> String {
    let text = duration.to_string();
    let text = text.strip_suffix("m0s").map_or_else(|| text.clone(), |text| format!("{text}m"));
    text.strip_suffix("h0m").map_or_else(|| text.clone(), |text| format!("{text}h"))
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
