//! What can be typed behind many commands: which host, what may be asked of it, which rules.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// Which host is looked at.
#[derive(Debug, Args)]
pub struct Host {
    /// Look at a machine's files below this directory, such as a mounted image.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "host")]
    pub root: Option<PathBuf>,
    /// Look at a captured host; - reads it from standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub host: Option<PathBuf>,
    /// Vouch for a fact that cannot be read here, such as kubelet.version=1.34.2 (repeatable).
    #[arg(long, value_name = "FACT=VALUE")]
    pub assume: Vec<String>,
}

/// Whether the cluster is asked what it says of this machine.
#[derive(Debug, Default, Args)]
pub struct Cluster {
    /// Ask the cluster's API server about this node too, with the kubelet's own credentials.
    #[arg(long, conflicts_with = "root")]
    pub cluster: bool,
    /// Ask it by this kubeconfig instead of the kubelet's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cluster")]
    pub kubeconfig: Option<PathBuf>,
}

/// What may be asked of the hardware itself, on top of all that is read from files. Nothing, as a rule.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Probing {
    /// Also read the mode of GPUs and NVSwitches from their registers, as root: of those that are on
    /// vfio-pci, awake and not in use. Nothing is written, woken or reset.
    #[arg(long, conflicts_with = "host")]
    pub probe_gpu: bool,
    /// Also read registers of the processor that explain why SEV-SNP or TDX is off, as root and with the
    /// module msr.
    #[arg(long, conflicts_with = "host")]
    pub probe: bool,
}

/// Which rules count.
#[derive(Debug, Default, Args)]
pub struct Selection {
    /// Judge only these rules or groups; * stands for any text (repeatable, or separated by commas).
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave these rules or groups out.
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Add a rule file to the built-in rules and to /etc/ccgpu-node/rules.d (repeatable).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rules: Vec<PathBuf>,
    /// Judge up to this stage of the deployment [default: what the host shows].
    #[arg(long)]
    pub stage: Option<Stage>,
    /// Judge for this trusted execution environment [default: the CPU vendor's].
    #[arg(long)]
    pub tee: Option<Tee>,
    /// Fail unless the host has so many devices, or this model: gpus=8, nvswitches=4, gpu-model=H200 (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub expect: Vec<String>,
}

/// A stage of the deployment; each holds the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Hardware, firmware, boot, drivers, kubelet.
    Host,
    /// Kata Containers installed.
    Kata,
    /// The GPU Operator has prepared the node.
    Operator,
    /// A confidential workload runs.
    Workload,
}

/// A trusted execution environment of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tee {
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
    /// Passthrough without confidential computing.
    None,
}

/// Rule files besides the built-in ones.
#[derive(Debug, Args)]
pub struct RuleFiles {
    /// Add a rule file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rules: Vec<PathBuf>,
}
