//! The kubelet: how it is started, what its configuration comes to, and whether it would start with it.
//!
//! All without an API server. What is told is what a kubelet that starts now takes from its files and
//! flags; `kubelet.config-newer-than-process` says whether the one that runs may have started before.
//! Values that the kubelet validates against the machine are not judged.

pub(crate) mod decode;
mod discover;
mod evaluate;
mod flags;
mod gates;
mod layout;
mod list;
mod merge;
mod process;
mod schema;
mod start;
mod unit;
mod version;

use super::{Assumptions, Needs, Reading, Source};
use crate::format::duration::GoDuration;
use crate::format::version::Version;
use crate::host::{Root, Run};
use discover::Discovery;
pub(crate) use evaluate::{POD_RESOURCES_GET, RUNTIME_CLASS};
pub(crate) use gates::{Outcome, outcome};
pub(super) use list::{COLLECTIONS, FACTS};
pub(crate) use merge::{Stop, drop_ins};
pub use start::Start;

pub use super::told::Told;

/// How the kubelet's decoder takes the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Strict,
    /// It starts, but ignores something.
    Lenient,
    /// It does not start.
    Fails,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
            Self::Fails => "fails",
        }
    }
}

/// A feature gate that the configuration or a flag sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub name: String,
    pub value: Told<bool>,
    /// Whether the kubelet starts with it.
    pub accepted: Told<bool>,
}

/// What is known of the kubelet. Where there is none, all but `found` and `running` is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubelet {
    pub found: Told<bool>,
    pub running: Told<bool>,
    /// The distribution that its files look like.
    pub layout: Told<&'static str>,
    pub version: Told<Version>,
    pub config_path: Told<String>,
    pub verdict: Told<Verdict>,
    /// The gates that are set, in the order of their names.
    pub gates: Told<Vec<Gate>>,
    pub pod_resources_get: Told<bool>,
    pub runtime_class_in_image_cri_api: Told<bool>,
    pub runtime_request_timeout: Told<GoDuration>,
    pub config_newer_than_process: Told<bool>,
    /// How it is started; no fact, but what a change of its configuration goes by.
    pub start: Reading<Start>,
}

pub(super) fn gather(root: &Root, run: &Run, needs: Needs, assumed: &Assumptions) -> Kubelet {
    let Discovery { found, running, layout, start } = discover::discover(root);
    match start {
        discover::Start::Nothing => {
            let source = found.source.clone();
            nothing_told(found, running, layout, &Reading::Absent, &source, Reading::Absent)
        }
        discover::Start::Hidden(cause, source) => {
            let program = Reading::Unreadable(cause.clone());
            let version = version::read(root, run, needs, &program).reading;
            let why = Reading::Unreadable(cause);
            nothing_told(found, running, layout, &why, &source, version)
        }
        discover::Start::Flags { flags, source, pid, program } => {
            let version = version::read(root, run, needs, &program);
            let believed = version::believed(&version, assumed);
            let context = evaluate::Context { root, layout: &layout, version: &believed, pid };
            let judged = context.judge(&flags, &source);
            let start = Start::new(flags, source, pid, program, believed.reading);
            Kubelet {
                start: Reading::Known(start),
                found,
                running,
                config_path: judged.config_path,
                verdict: judged.verdict,
                gates: judged.gates,
                pod_resources_get: judged.pod_resources_get,
                runtime_class_in_image_cri_api: judged.runtime_class_in_image_cri_api,
                runtime_request_timeout: judged.runtime_request_timeout,
                config_newer_than_process: judged.config_newer_than_process,
                layout,
                version,
            }
        }
    }
}

/// A kubelet of which nothing more can be told, or that does not exist: `why` stands for all readings.
fn nothing_told(
    found: Told<bool>,
    running: Told<bool>,
    layout: Told<&'static str>,
    why: &Reading<std::convert::Infallible>,
    source: &Source,
    version: Reading<Version>,
) -> Kubelet {
    fn told<T>(why: &Reading<std::convert::Infallible>, source: &Source) -> Told<T> {
        let reading = match why {
            Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
            Reading::Absent | Reading::Known(_) => Reading::Absent,
        };
        Told::new(reading, source.clone())
    }
    Kubelet {
        found,
        running,
        layout,
        version: Told::new(version, source.clone()),
        config_path: told(why, source),
        verdict: told(why, source),
        gates: told(why, source),
        pod_resources_get: told(why, source),
        runtime_class_in_image_cri_api: told(why, source),
        runtime_request_timeout: told(why, source),
        config_newer_than_process: told(why, source),
        start: told(why, source).reading,
    }
}

#[cfg(test)]
mod tests;
