//! What a node would lack in the eyes of the scheduler, told from the host alone.
//!
//! Each label has a cause on the host: who sets it looks at the same files. That the one who sets it runs in
//! the cluster at all cannot be seen from here, so this is a prediction and is called one.

use std::collections::BTreeSet;

use crate::facts::catalogue::{self, Evidence};
use crate::facts::kata::tee_of_cpu;
use crate::facts::{Cause, Facts, Needs, Reading, Source, Value};

pub(super) const NEEDS: Needs = Needs::CPU
    .and(Needs::KVM)
    .and(Needs::KATA_FOUND)
    .and(Needs::OPERATOR_FILES)
    .and(Needs::POD_RESOURCES)
    .and(Needs::KUBELET);

const NOTE: &str = "a prediction: the API server was not asked, --cluster asks it";

pub(super) fn missing(facts: &Facts) -> Evidence {
    let reading = match &facts.cluster {
        Some(cluster) if cluster.asked => Reading::Absent,
        Some(_) => predicted(facts).map(Value::Set),
        None => Reading::Unreadable(Cause::NotGathered),
    };
    Evidence::new(reading, Source::file("/api/v1/nodes")).with_note(NOTE)
}

/// What certainly is missing counts, even where something else cannot be told.
fn predicted(facts: &Facts) -> Reading<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    let mut doubt = None;
    let mut expect = |there: Reading<bool>, what: &str| match there {
        Reading::Known(true) => {}
        Reading::Known(false) | Reading::Absent => {
            missing.insert(what.to_owned());
        }
        Reading::Unreadable(cause) => doubt = doubt.take().or(Some(cause)),
    };
    expect(flag(facts, "kata.found"), "katacontainers.io/kata-runtime=true");
    match tee_of_cpu(facts) {
        Reading::Known("snp") => {
            expect(flag(facts, "kvm.sev-snp"), "amd.feature.node.kubernetes.io/snp=true");
            expect(flag(facts, "operator.cc-manager-ran"), "nvidia.com/cc.ready.state=true");
        }
        Reading::Known("tdx") => {
            expect(flag(facts, "kvm.tdx"), "intel.feature.node.kubernetes.io/tdx=true");
            expect(flag(facts, "operator.cc-manager-ran"), "nvidia.com/cc.ready.state=true");
        }
        Reading::Known(_) | Reading::Absent => {}
        Reading::Unreadable(cause) => doubt = Some(cause),
    }
    match free_gpu(facts) {
        Reading::Unreadable(cause) => doubt = doubt.or(Some(cause)),
        Reading::Known(Some(resource)) => {
            missing.insert(format!("a free {resource}"));
        }
        Reading::Known(None) | Reading::Absent => {}
    }
    match doubt {
        Some(cause) if missing.is_empty() => Reading::Unreadable(cause),
        _ => Reading::Known(missing),
    }
}

fn flag(facts: &Facts, name: &str) -> Reading<bool> {
    let reading = catalogue::fact(name).map(|fact| (fact.read)(facts).reading);
    match reading {
        Some(Reading::Known(Value::Bool(value))) => Reading::Known(value),
        Some(Reading::Unreadable(cause)) => Reading::Unreadable(cause),
        Some(Reading::Known(_) | Reading::Absent) | None => Reading::Absent,
    }
}

/// The resource of GPUs of which no device is free. Absent where the kubelet was not asked.
fn free_gpu(facts: &Facts) -> Reading<Option<String>> {
    let Some(kubelet) = &facts.pod_resources else {
        return Reading::Unreadable(Cause::NotGathered);
    };
    kubelet.offered().and_then(|offered| {
        let of_gpus = |name: &str| !name.to_ascii_lowercase().contains("nvswitch");
        let gpus: Vec<&str> =
            offered.into_iter().map(|(name, _)| name).filter(|name| of_gpus(name)).collect();
        for resource in &gpus {
            match kubelet.free(resource) {
                Reading::Known(0) => {}
                Reading::Known(_) => return Reading::Known(None),
                Reading::Absent => return Reading::Absent,
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
        let first = gpus.first().copied().unwrap_or("nvidia.com/pgpu");
        Reading::Known(Some(first.to_owned()))
    })
}
