//! What can be typed; no behaviour.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::format::duration::GoDuration;
use crate::host::Colour;
use crate::{publish, workload};

mod host;
mod repair;
mod topology;

pub use host::{Cluster, Host, Probing, RuleFiles, Selection, Stage, Tee};
pub use repair::{Fix, History, Pause, Recover, Reset, Rollback};
pub use topology::{Topology, TopologyFormat};

/// Is this host fit to run NVIDIA confidential-container GPU workloads, and if not, why?
#[derive(Debug, Parser)]
#[command(
    name = "ccgpu-node",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "\
Exit codes of check:
  0  ready
  1  not ready: a required rule failed
  2  usage, configuration or rule file error
  3  cannot tell: a required rule could not be judged (often: not run as root)
  4  ready only after a reboot
  With --baseline only what got worse counts. With --format npd: 0 ready, 1 not ready, 2 cannot tell.
Of fix, rollback and recover also:
  5  nothing was changed: somebody else is at work, or it is not to be mended here
  6  the change did not do what it should, and was taken back
  7  the change did not do what it should and needs a person"
)]
pub struct Cli {
    /// When to use colour: auto (on a terminal, unless `NO_COLOR` is set), always, never.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Everywhere"
    )]
    pub color: When,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum When {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl From<When> for Colour {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge a host: say whether it is fit, and if not, why and what to do.
    ///
    /// On this machine `[check]` of /etc/ccgpu-node/config.toml counts where no option says otherwise: an
    /// option takes the place of its key, and --rules adds to it. With --root and --host it does not count.
    Check(Check),
    /// Tell what the daemon last found, at once; 3 where that is stale or no daemon runs.
    Status(Status),
    /// Judge again with every change until the host is ready.
    Wait(Wait),
    /// Mend what can be mended: show the plan, ask, change, verify, and undo what does not work.
    ///
    /// On this machine `[check]` of /etc/ccgpu-node/config.toml counts where no option says otherwise: an
    /// option takes the place of its key, and --rules adds to it. With --root it does not count.
    Fix(Fix),
    /// Take back what a fix changed, the last one or one by its number.
    Rollback(Rollback),
    /// List what fixes have changed.
    History(History),
    /// End a fix that was interrupted, and tell whether a reboot brought what it should.
    Recover(Recover),
    /// Let hosts be mended without a person again, after a fix that failed.
    Reset(Reset),
    /// Let nothing be mended without a person until `resume`.
    Pause(Pause),
    /// Take the pause back.
    Resume,
    /// Keep judging this machine whenever something changes, and tell other programs.
    Daemon(Daemon),
    /// Explain a rule, or a fact, on a host: what was read, what is wanted, why, and what to do.
    Explain(Explain),
    /// Compare two hosts: which facts differ and which verdicts changed.
    Diff(Diff),
    /// Print all facts of a host as JSON, each with where it was read.
    Facts(Facts),
    /// Print the manifest of a sample pod for a node, for `kubectl apply`.
    Workload(Workload),
    /// Write all that the facts read into one redacted file, for a bug report or a test.
    Capture(Capture),
    /// Draw where the GPUs and NVSwitches sit: the bridges above each, ACS, IOMMU groups, links.
    Topology(Topology),
    /// List, show and check rules.
    #[command(subcommand)]
    Rules(Rules),
    /// Show what the configuration of this machine comes to, and where each value is set.
    Config(Config),
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write those of all commands into a directory.
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub host: Host,
    #[command(flatten)]
    pub probing: Probing,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub cluster: Cluster,
    #[arg(long, default_value = "human")]
    pub format: CheckFormat,
    /// Write the report into this file, all at once, instead of to standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Count only what got worse since this report, which --format json wrote.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    /// Show also what passed, and lists at full length.
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 once the host is ready, and with 4 at once where only a reboot makes it so, which waiting \
does not bring. When the time is over it ends as check would then, and SIGINT or SIGTERM ends it with \
128 and the signal's number. The report goes to standard output; how things go meanwhile goes to \
standard error, on a terminal as one line, else as a line for each change.")]
pub struct Wait {
    /// Look at a machine's files below this directory, such as /host in a container.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    /// Vouch for a fact that cannot be read here, such as kubelet.version=1.34.2 (repeatable).
    #[arg(long, value_name = "FACT=VALUE")]
    pub assume: Vec<String>,
    #[command(flatten)]
    pub selection: Selection,
    #[command(flatten)]
    pub cluster: Cluster,
    /// Give up after this time, such as 90s, 20m or 1h30m [default: never].
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    pub timeout: Option<Duration>,
    #[arg(long, default_value = "human")]
    pub format: CheckFormat,
    /// Write the last report into this file, all at once, instead of to standard output.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Show also what passed, and lists at full length.
    #[arg(short, long)]
    pub verbose: bool,
}

/// A time to wait, in the grammar that the kubelet's settings have.
fn timeout(text: &str) -> Result<Duration, String> {
    let duration = GoDuration::parse(text).map_err(|error| error.to_string())?;
    u64::try_from(duration.0)
        .map(Duration::from_nanos)
        .map_err(|_| "it cannot be negative".to_owned())
}

/// How a judgement is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For a person at a terminal.
    Human,
    /// For programs; the schema is schemas/report-v1.json.
    Json,
    /// `JUnit` XML, for CI systems.
    Junit,
    /// For a pull request or a job's summary.
    Markdown,
    /// For the textfile collector of `node_exporter`.
    Prometheus,
    /// For node-problem-detector: one line, and its own exit codes.
    Npd,
    /// One page for a browser, without scripts and complete in itself, with all facts.
    Html,
}

#[derive(Debug, Args)]
pub struct Status {
    #[arg(long, default_value = "human")]
    pub format: StatusFormat,
    /// Where the daemon keeps its report.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = publish::RUNTIME_DIRECTORY)]
    pub runtime_directory: PathBuf,
    /// Show all rules that do not pass.
    #[arg(short, long)]
    pub verbose: bool,
}

/// How the last verdict is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// For a person at a terminal.
    Human,
    /// For programs; the schema is schemas/status-v1.json.
    Json,
    /// For node-problem-detector: one line, and its own exit codes.
    Npd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub struct Daemon {
    /// Judge a machine's files below this directory, such as the host's as a container sees them.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
}

/// By what a host is judged.
#[derive(Debug, Args)]
pub struct Judged {
    /// Add a rule file to the built-in rules and to /etc/ccgpu-node/rules.d (repeatable).
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub rules: Vec<PathBuf>,
    /// Judge up to this stage of the deployment [default: what the host shows].
    #[arg(long)]
    pub stage: Option<Stage>,
    /// Judge for this trusted execution environment [default: the CPU vendor's].
    #[arg(long)]
    pub tee: Option<Tee>,
}

impl Judged {
    /// The selection of `check` that chooses all rules.
    pub fn selection(&self) -> Selection {
        let Self { rules, stage, tee } = self;
        Selection { rules: rules.clone(), stage: *stage, tee: *tee, ..Selection::default() }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 whatever came of the rule, and with 2 where there is no such rule or the host cannot be opened.")]
pub struct Explain {
    /// A rule, as `rules list` lists it, or a fact, as `facts --list` does.
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub host: Host,
    #[command(flatten)]
    pub probing: Probing,
    #[command(flatten)]
    pub cluster: Cluster,
    #[command(flatten)]
    pub judged: Judged,
    #[arg(long, default_value = "text")]
    pub format: TextFormat,
    /// Show all that was looked at, and lists at full length.
    #[arg(short, long)]
    pub verbose: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A and B are each a captured host, a directory that stands for a host's root, a report of `check --format \
json`, or `now` (also `-`) for this machine; which of them is found out. Both are judged by the same \
rules, without the configuration of this machine; against a report, the other side is judged for the \
report's stage and TEE. A report holds only what its rules looked at: what it lacks is not compared, and \
the last lines say so.

Exit codes, as those of diff:
  0  nothing that both have differs
  1  a verdict, a member or a fact differs
  2  one of them cannot be read, or they have nothing in common")]
pub struct Diff {
    /// A captured host, a directory, a JSON report, or `now`.
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub a: PathBuf,
    /// What it is compared with.
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub b: PathBuf,
    /// Show facts, too, that change by themselves, such as free memory.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub judged: Judged,
    #[arg(long, default_value = "text")]
    pub format: TextFormat,
}

/// How something is written that is read by people or by programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextFormat {
    /// For a person at a terminal.
    #[value(alias = "human")]
    Text,
    /// For programs; the schema is in schemas/.
    Json,
}

#[derive(Debug, Args)]
pub struct Facts {
    #[command(flatten)]
    pub host: Host,
    #[command(flatten)]
    pub cluster: Cluster,
    #[command(flatten)]
    pub probing: Probing,
    /// Print only facts and collections whose name starts so (repeatable).
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    pub only: Vec<String>,
    /// List which facts there are, with their kind, which change by themselves, and what each says.
    #[arg(long, conflicts_with_all = ["root", "host", "assume"])]
    pub list: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The pod has the runtime class of this CPU's confidential guests, the resources by the names under which \
the device plugin offers them, and all GPUs and NVSwitches where the architecture demands it (several \
Hopper GPUs). Whether it would run is for `check --stage workload` to say.

Exit codes:
  0  printed, all of it as the host shows it
  1  the host has no NVIDIA GPU; nothing is printed
  2  usage
  3  printed, but something was assumed: it is said on standard error and in comments of the manifest")]
pub struct Workload {
    #[command(flatten)]
    pub host: Host,
    /// The container's image [default: NVIDIA's sample vectoradd].
    #[arg(long, value_parser = image)]
    pub image: Option<String>,
    /// How many GPUs the guest gets [default: 1, or all where the architecture demands it].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub gpus: Option<u16>,
    /// The name of the pod.
    #[arg(long, value_parser = object_name, default_value = workload::NAME)]
    pub name: String,
    /// The runtime class [default: that of this CPU's confidential guests].
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub runtime_class: Option<String>,
    #[arg(long, default_value = "yaml")]
    pub format: ManifestFormat,
}

/// How a manifest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ManifestFormat {
    /// With a comment for each assumption.
    Yaml,
    Json,
}

fn object_name(text: &str) -> Result<String, String> {
    let what = "a name in Kubernetes has small letters, digits, dashes, and dots between them";
    workload::is_object_name(text).then(|| text.to_owned()).ok_or_else(|| what.to_owned())
}

fn image(text: &str) -> Result<String, String> {
    let what = "the name of an image is printable ASCII without blanks";
    workload::is_image(text).then(|| text.to_owned()).ok_or_else(|| what.to_owned())
}

#[derive(Debug, Args)]
pub struct Capture {
    /// Look at a machine's files below this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "host")]
    pub root: Option<PathBuf>,
    /// Look at a captured host: redacts it once more.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub host: Option<PathBuf>,
    #[command(flatten)]
    pub cluster: Cluster,
    #[command(flatten)]
    pub probing: Probing,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for each command into this directory, which must exist.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Rules {
    /// List all rules, in the order of their report.
    List(RuleFiles),
    /// Show a rule in full: what it wants, why, and what to do.
    Show {
        id: String,
        #[command(flatten)]
        files: RuleFiles,
    },
    /// Check rule files: all problems of each, with line and column.
    Lint {
        #[arg(required = true, value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
    },
    /// Print the JSON Schema of rule files, for editors.
    Schema,
}

#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration of this machine, or files as if they were it: all problems, with line and
    /// column.
    Lint {
        /// In the order in which they count, the last one most.
        #[arg(value_hint = ValueHint::FilePath)]
        files: Vec<PathBuf>,
        /// Rules that these files may name besides the built-in ones.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "files")]
        rules: Vec<PathBuf>,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}
