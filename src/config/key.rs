//! Every key of the configuration: its name, what may stand there, its default, and a sentence about it.
//! The parser, the schema, the configuration as it is printed and the file that is installed all follow this
//! table; a new key is a row here and a line in [`super::load`] that hands its value on.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use super::Mode;
use crate::facts::expected::MOST;
use crate::rules::{Stage, Tee, Word};

/// A table of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Dotted: `publish.nfd`.
    pub name: &'static str,
    pub doc: &'static str,
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    pub section: &'static str,
    pub name: &'static str,
    pub doc: &'static str,
    pub kind: Kind,
    /// What counts where no file says otherwise; `None` where nothing does.
    pub default: Option<Setting>,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// A duration as text, `"10m"`, from the first to the second.
    Duration(Duration, Duration),
    /// An integer from the first to the second.
    Count(u32, u32),
    /// A text that is not empty.
    Name,
    /// An absolute path.
    Directory,
    /// An IP address of the loopback network and a port.
    Loopback,
    /// A list of patterns of rules and groups.
    Patterns,
    /// A list of ids of rules that `fix` can mend.
    Mendable,
    /// A list of absolute paths.
    Files,
    /// A list of `FACT=VALUE`.
    Assumptions,
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    Flag(bool),
    Text(Cow<'static, str>),
    Duration(Duration),
    Count(u32),
    Address(SocketAddr),
    List(Vec<String>),
}

impl Key {
    /// `daemon.interval`
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

fn words<T: Word>() -> Vec<&'static str> {
    T::ALL.iter().map(|each| each.word()).collect()
}

const fn text(text: &'static str) -> Setting {
    Setting::Text(Cow::Borrowed(text))
}

const NO_NAMES: Option<Setting> = Some(Setting::List(Vec::new()));
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub static SECTIONS: [Section; 8] = [
    Section {
        name: "check",
        doc: "What to judge on this machine, where the command line does not say otherwise. It counts for \
              this machine only, never with --root or --host.",
    },
    Section {
        name: "check.expect",
        doc: "What this machine is expected to have. What differs is a failure, and what is not set is not \
              expected.",
    },
    Section { name: "daemon", doc: "How the daemon watches." },
    Section { name: "publish", doc: "Who is told, and where." },
    Section { name: "publish.nfd", doc: "A feature file for Node Feature Discovery." },
    Section {
        name: "publish.textfile",
        doc: "A .prom file for the textfile collector of node_exporter.",
    },
    Section { name: "publish.metrics", doc: "A listener that serves /metrics." },
    Section { name: "remediate", doc: "Whether and when the host is mended without a person." },
];

/// By section, as they are printed.
pub static KEYS: [&Key; 25] = [
    &STAGE,
    &TEE,
    &ONLY,
    &SKIP,
    &RULES,
    &ASSUME,
    &IMAGE_PULL_BUDGET,
    &CLUSTER,
    &KUBECONFIG,
    &EXPECTED_GPUS,
    &EXPECTED_NVSWITCHES,
    &EXPECTED_GPU_MODEL,
    &INTERVAL,
    &SETTLE,
    &NFD,
    &NFD_DIRECTORY,
    &NFD_WORKLOAD_CONFIG,
    &TEXTFILE,
    &TEXTFILE_DIRECTORY,
    &METRICS,
    &METRICS_LISTEN,
    &MODE,
    &MENDABLE,
    &OBSERVATIONS,
    &OVER,
];

pub(super) static STAGE: Key = Key {
    section: "check",
    name: "stage",
    doc: "Judge up to this stage of the deployment; unless set, what the host shows.",
    kind: Kind::Word(words::<Stage>),
    default: None,
};

pub(super) static TEE: Key = Key {
    section: "check",
    name: "tee",
    doc: "Judge for this trusted execution environment; unless set, that of the CPU's vendor.",
    kind: Kind::Word(words::<Tee>),
    default: None,
};

pub(super) static ONLY: Key = Key {
    section: "check",
    name: "only",
    doc: "Judge only these rules or groups; * stands for any text, and an empty list for all.",
    kind: Kind::Patterns,
    default: NO_NAMES,
};

pub(super) static SKIP: Key = Key {
    section: "check",
    name: "skip",
    doc: "Leave these rules or groups out.",
    kind: Kind::Patterns,
    default: NO_NAMES,
};

pub(super) static RULES: Key = Key {
    section: "check",
    name: "rules",
    doc: "Rule files to add to the built-in rules and to those in rules.d.",
    kind: Kind::Files,
    default: NO_NAMES,
};

pub(super) static ASSUME: Key = Key {
    section: "check",
    name: "assume",
    doc: "Vouch for facts that cannot be read here, such as kubelet.version=1.34.2.",
    kind: Kind::Assumptions,
    default: NO_NAMES,
};

pub(super) static EXPECTED_GPUS: Key = Key {
    section: "check.expect",
    name: "gpus",
    doc: "How many NVIDIA GPUs, virtual functions left out.",
    kind: Kind::Count(0, MOST),
    default: None,
};

pub(super) static EXPECTED_NVSWITCHES: Key = Key {
    section: "check.expect",
    name: "nvswitches",
    doc: "How many NVSwitches that are PCI functions: 4 on an HGX board of eight Hopper GPUs, 0 with Blackwell.",
    kind: Kind::Count(0, MOST),
    default: None,
};

pub(super) static EXPECTED_GPU_MODEL: Key = Key {
    section: "check.expect",
    name: "gpu-model",
    doc: "The model of every GPU: words of its name, such as H200, or its id, such as 10de:2335.",
    kind: Kind::Name,
    default: None,
};

pub(super) static IMAGE_PULL_BUDGET: Key = Key {
    section: "check",
    name: "image-pull-budget",
    doc: "Ask for this much time for a guest to pull an image and start a container; unless set, what the \
          rules say.",
    kind: Kind::Duration(Duration::from_secs(60), DAY),
    default: None,
};

pub(super) static CLUSTER: Key = Key {
    section: "check",
    name: "cluster",
    doc: "Ask the cluster's API server about this node too, with the kubelet's own credentials.",
    kind: Kind::Flag,
    default: Some(Setting::Flag(false)),
};

pub(super) static KUBECONFIG: Key = Key {
    section: "check",
    name: "kubeconfig",
    doc: "The kubeconfig by which it is asked; unless set, the kubelet's.",
    kind: Kind::Directory,
    default: None,
};

pub(super) static INTERVAL: Key = Key {
    section: "daemon",
    name: "interval",
    doc: "Judge the host at least so often, though nothing seems to have happened.",
    kind: Kind::Duration(Duration::from_secs(10), DAY),
    default: Some(Setting::Duration(Duration::from_secs(600))),
};

pub(super) static SETTLE: Key = Key {
    section: "daemon",
    name: "settle",
    doc: "Wait so long for more events after one, so that a burst is one check.",
    kind: Kind::Duration(Duration::from_millis(1), Duration::from_secs(5)),
    default: Some(Setting::Duration(Duration::from_millis(30))),
};

pub(super) static NFD: Key = Key {
    section: "publish.nfd",
    name: "enabled",
    doc: "Whether the feature file is written.",
    kind: Kind::Flag,
    default: Some(Setting::Flag(false)),
};

pub(super) static NFD_DIRECTORY: Key = Key {
    section: "publish.nfd",
    name: "directory",
    doc: "Where nfd-worker looks for feature files.",
    kind: Kind::Directory,
    default: Some(text("/etc/kubernetes/node-feature-discovery/features.d")),
};

pub(super) static NFD_WORKLOAD_CONFIG: Key = Key {
    section: "publish.nfd",
    name: "workload-config",
    doc: "Whether to label the node nvidia.com/gpu.workload.config=vm-passthrough while the host stage \
          passes, so that the GPU Operator deploys only to nodes that are fit.",
    kind: Kind::Flag,
    default: Some(Setting::Flag(false)),
};

pub(super) static TEXTFILE: Key = Key {
    section: "publish.textfile",
    name: "enabled",
    doc: "Whether the .prom file is written.",
    kind: Kind::Flag,
    default: Some(Setting::Flag(true)),
};

pub(super) static TEXTFILE_DIRECTORY: Key = Key {
    section: "publish.textfile",
    name: "directory",
    doc: "What node_exporter is given as --collector.textfile.directory.",
    kind: Kind::Directory,
    default: Some(text("/var/lib/prometheus/node-exporter")),
};

pub(super) static METRICS: Key = Key {
    section: "publish.metrics",
    name: "enabled",
    doc: "Whether /metrics is served where listen is set.",
    kind: Kind::Flag,
    default: Some(Setting::Flag(true)),
};

pub(super) static METRICS_LISTEN: Key = Key {
    section: "publish.metrics",
    name: "listen",
    doc: "The loopback address and port to serve it at; unless set, nothing listens.",
    kind: Kind::Loopback,
    default: None,
};

pub(super) static MODE: Key = Key {
    section: "remediate",
    name: "mode",
    doc: "What is done about a failure that can be mended: off is nothing, plan tells what would be done, \
          auto starts the fixer.",
    kind: Kind::Word(words::<Mode>),
    default: Some(text("off")),
};

pub(super) static MENDABLE: Key = Key {
    section: "remediate",
    name: "rules",
    doc: "The rules that may be mended, by id; no patterns, so that a new rule is never taken in unseen.",
    kind: Kind::Mendable,
    default: NO_NAMES,
};

pub(super) static OBSERVATIONS: Key = Key {
    section: "remediate",
    name: "observations",
    doc: "How many checks in a row must see the same failures before anything is done.",
    kind: Kind::Count(1, 1000),
    default: Some(Setting::Count(3)),
};

pub(super) static OVER: Key = Key {
    section: "remediate",
    name: "over",
    doc: "How long a time these checks must span at least.",
    kind: Kind::Duration(Duration::ZERO, DAY),
    default: Some(Setting::Duration(Duration::from_secs(300))),
};
