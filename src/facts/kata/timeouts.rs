//! Who stops waiting first while a guest pulls an image.
//!
//! The kubelet's runtime request timeout and the shim's create container timeout run over the same call,
//! and the agent's image pull timeout inside it. The shortest one ends the pull; raising another one has
//! no effect.

use std::collections::BTreeSet;

use super::values::Configuration;
use crate::facts::catalogue::Evidence;
use crate::facts::{Facts, Reading, Told, Value};
use crate::format::duration::GoDuration;

/// One of the clocks.
struct Clock<'a> {
    name: &'static str,
    told: &'a Told<GoDuration>,
}

/// The clocks of a configuration, and the shortest time that one of them gives.
struct Chain<'a> {
    clocks: Vec<(Clock<'a>, GoDuration)>,
    shortest: GoDuration,
}

/// The chain, or what keeps it from being told.
fn chain<'a>(facts: &'a Facts, configuration: &'a Configuration) -> Result<Chain<'a>, Evidence> {
    let Some(kubelet) = &facts.kubelet else { return Err(Evidence::not_gathered()) };
    let all = [
        Clock {
            name: "the kubelet's runtimeRequestTimeout",
            told: &kubelet.runtime_request_timeout,
        },
        Clock { name: "create_container_timeout", told: &configuration.create_container_timeout },
        Clock { name: "agent.image_pull_timeout", told: &configuration.image_pull_timeout },
    ];
    let mut clocks = Vec::new();
    for clock in all {
        match &clock.told.reading {
            Reading::Known(time) => clocks.push((*time, clock)),
            // A host without a kubelet has one clock less.
            Reading::Absent => {}
            Reading::Unreadable(_) => {
                let note = format!("{} cannot be told", clock.name);
                return Err(clock.told.evidence(|time| Value::Duration(*time)).with_note(note));
            }
        }
    }
    let shortest = clocks.iter().map(|(time, _)| *time).min().unwrap_or(GoDuration(0));
    let clocks = clocks.into_iter().map(|(time, clock)| (clock, time)).collect();
    Ok(Chain { clocks, shortest })
}

impl Chain<'_> {
    fn ends(&self) -> impl Iterator<Item = &Clock<'_>> {
        self.clocks.iter().filter(|(_, time)| *time == self.shortest).map(|(clock, _)| clock)
    }

    fn longer(&self) -> impl Iterator<Item = (&Clock<'_>, GoDuration)> {
        let longer = self.clocks.iter().filter(|(_, time)| *time > self.shortest);
        longer.map(|(clock, time)| (clock, *time))
    }

    fn binding(&self) -> String {
        let names: Vec<&str> = self.ends().map(|clock| clock.name).collect();
        names.join(", ")
    }
}

/// The time that a guest has to pull an image and start a container.
pub(super) fn limit(facts: &Facts, configuration: &Configuration) -> Evidence {
    let chain = match chain(facts, configuration) {
        Ok(chain) => chain,
        Err(evidence) => return evidence,
    };
    let longer: Vec<String> = chain
        .longer()
        .map(|(clock, time)| format!("{} is {time} ({})", clock.name, clock.told.source))
        .collect();
    let note = if longer.is_empty() {
        format!("all are equal: {}", chain.binding())
    } else {
        format!("{} ends it; {}", chain.binding(), longer.join(", "))
    };
    let source = chain.ends().next().map(|clock| clock.told.source.clone());
    let reading = Reading::Known(Value::Duration(chain.shortest));
    Evidence { reading, source, note: Some(note) }
}

/// Which of the clocks end a pull.
pub(super) fn limited_by(facts: &Facts, configuration: &Configuration) -> Evidence {
    match chain(facts, configuration) {
        Ok(chain) => {
            let names = chain.ends().map(|clock| clock.name.to_owned()).collect();
            let source = chain.ends().next().map(|clock| clock.told.source.clone());
            Evidence { reading: Reading::Known(Value::Set(names)), source, note: None }
        }
        Err(evidence) => evidence,
    }
}

/// Clocks that somebody set, and that never run out because another one does before.
pub(super) fn without_effect(facts: &Facts, configuration: &Configuration) -> Evidence {
    let chain = match chain(facts, configuration) {
        Ok(chain) => chain,
        Err(evidence) => return evidence,
    };
    // A default is nobody's doing.
    let set = |clock: &Clock<'_>| clock.told.note.as_deref() != Some("default");
    let in_vain: Vec<(&Clock<'_>, GoDuration)> =
        chain.longer().filter(|(clock, _)| set(clock)).collect();
    let names: BTreeSet<String> =
        in_vain.iter().map(|(clock, time)| format!("{} = {time}", clock.name)).collect();
    let first = in_vain.first().map(|(clock, _)| *clock).or_else(|| chain.ends().next());
    let source = first.map(|clock| clock.told.source.clone());
    let note =
        (!names.is_empty()).then(|| format!("{} ends after {}", chain.binding(), chain.shortest));
    Evidence { reading: Reading::Known(Value::Set(names)), source, note }
}
