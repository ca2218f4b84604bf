//! How the kubelet is started, as far as a change of its configuration depends on it.

use std::collections::BTreeMap;

use super::flags::Flags;
use super::gates::{self, ConfigDir};
use crate::format::duration::GoDuration;
use crate::format::version::Version;
use crate::host::{Cause, Reading, Source};

/// The flags that count, and where they come from. Paths are absolute inside the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where the flags stand: the command line of the process, else the unit, else the configuration
    /// file, which then is all that is known.
    pub source: Source,
    /// The process, where one runs.
    pub pid: Option<u32>,
    pub binary: Reading<String>,
    /// As it is believed: read, else as the user vouches for it.
    pub version: Reading<Version>,
    pub config: Option<String>,
    /// Absent where drop-ins are not read; unreadable where that cannot be told.
    pub config_dir: Reading<String>,
    /// What `--root-dir` says.
    pub root_dir: Option<String>,
    /// What `--kubeconfig` says: by what it asks the API server.
    pub kubeconfig: Option<String>,
    /// What `--hostname-override` says: the name of the node.
    pub hostname: Option<String>,
    /// What `--feature-gates` sets.
    pub gates: BTreeMap<String, bool>,
    /// What `--runtime-request-timeout` sets.
    pub timeout: Option<GoDuration>,
}

impl Start {
    pub(super) fn new(
        flags: Flags,
        source: Source,
        pid: Option<u32>,
        binary: Reading<String>,
        version: Reading<Version>,
    ) -> Self {
        let Flags { config, config_dir, root_dir, kubeconfig, hostname, gates, timeout, wrong: _ } =
            flags;
        let config_dir = match config_dir {
            None => Reading::Absent,
            // One that runs has got over its flags.
            Some(path) if pid.is_some() => Reading::Known(path),
            Some(path) => match gates::config_dir(version.known()) {
                ConfigDir::Read => Reading::Known(path),
                ConfigDir::NeedsVariable | ConfigDir::Unknown => {
                    let why = "this kubelet does not read --config-dir, or not without \
                               KUBELET_CONFIG_DROPIN_DIR_ALPHA in its environment";
                    Reading::Unreadable(Cause::NoAnswer(why.to_owned()))
                }
            },
        };
        Self {
            source,
            pid,
            binary,
            version,
            config,
            config_dir,
            root_dir,
            kubeconfig,
            hostname,
            gates,
            timeout,
        }
    }
}
