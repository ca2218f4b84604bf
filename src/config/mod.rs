//! What a site sets: `/etc/ccgpu-node/config.toml`, then its drop-ins `config.d/*.toml` in bytewise order of
//! their names. Each key counts on its own, and the last file to set it decides; a list takes the place of an
//! earlier list, it does not add to it. Without files all is as [`Config::default`] says, and `check` needs
//! none of it.
//!
//! What is not understood is an error, and no file is used unless all are right: a word misspelt must not
//! leave a host watched less strictly than its operator thinks. All that is wrong is told at once.
//!
//! This module holds values and understands text. It opens no file, and does not know what the values are
//! used for.

mod error;
mod key;
mod load;
mod schema;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::rules::{Stage, Tee};
pub use error::{ConfigError, Fault};
pub use key::{KEYS, Key, Kind, SECTIONS, Section, Setting};
pub use load::{ConfigFile, Loaded, Place, load};
pub use schema::schema;
pub(crate) use value::spoken;

/// The configuration of this machine's agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub check: Check,
    pub daemon: Daemon,
    pub publish: Publish,
    pub remediate: Remediate,
}

/// What to judge, where the command line does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    pub stage: Option<Stage>,
    pub tee: Option<Tee>,
    /// Patterns of rules and groups, as `--only` takes them.
    pub only: Vec<String>,
    pub skip: Vec<String>,
    /// More rule files, besides those of `rules.d`.
    pub rules: Vec<PathBuf>,
    /// `FACT=VALUE`, as `--assume` takes them.
    pub assume: Vec<String>,
    /// What rules about the time for pulling an image ask for.
    pub image_pull_budget: Option<Duration>,
    pub expect: Expect,
    /// Whether the cluster's API server is asked, as `--cluster` does.
    pub cluster: bool,
    /// By which kubeconfig, where not by the kubelet's.
    pub kubeconfig: Option<PathBuf>,
}

/// What the machine is expected to have. `None` is not expected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    pub gpus: Option<u32>,
    pub nvswitches: Option<u32>,
    /// Words of the name of every GPU, or the id of each.
    pub gpu_model: Option<String>,
}

/// How the daemon watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// A full check at least so often, for what no event tells. A random tenth is added or taken away, so
    /// that a fleet that was started at once does not stay in step.
    pub interval: Duration,
    /// How long to wait for more events after one, so that a burst is one check.
    pub settle: Duration,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { interval: Duration::from_secs(600), settle: Duration::from_millis(30) }
    }
}

/// Who is told. `None` is switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// A feature file for Node Feature Discovery.
    pub nfd: Option<Nfd>,
    /// A `.prom` file for the textfile collector of `node_exporter`.
    pub textfile: Option<Textfile>,
    /// Where `/metrics` is served; a loopback address.
    pub metrics: Option<SocketAddr>,
}

impl Default for Publish {
    fn default() -> Self {
        Self { nfd: None, textfile: Some(Textfile::default()), metrics: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nfd {
    pub directory: PathBuf,
    /// Whether to set `nvidia.com/gpu.workload.config=vm-passthrough` while the host stage passes.
    pub workload_config: bool,
}

impl Default for Nfd {
    fn default() -> Self {
        let directory = PathBuf::from("/etc/kubernetes/node-feature-discovery/features.d");
        Self { directory, workload_config: false }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Textfile {
    pub directory: PathBuf,
}

impl Default for Textfile {
    fn default() -> Self {
        Self { directory: PathBuf::from("/var/lib/prometheus/node-exporter") }
    }
}

/// Whether and when the host is mended without a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediate {
    pub mode: Mode,
    /// The rules that may be mended, by id; no patterns, so that a new rule is never taken in unseen.
    pub rules: Vec<String>,
    /// How many checks in a row must see the same failures,
    pub observations: u32,
    /// and over how long a time at least.
    pub over: Duration,
}

impl Default for Remediate {
    fn default() -> Self {
        let over = Duration::from_secs(300);
        Self { mode: Mode::Off, rules: Vec::new(), observations: 3, over }
    }
}

crate::rules::words! {
    /// What is done about a failure that can be mended.
    Mode {
        /// Nothing.
        Off = "off",
        /// The report says what would be done.
        Plan = "plan",
        /// The fixer unit is started.
        Auto = "auto",
    }
}

#[cfg(test)]
mod tests;
