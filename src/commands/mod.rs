//! What each command does: it opens the host, has it read and judged, and hands the result to a
//! renderer. Nothing here knows a fact's source or a rule's meaning.

mod automatic;
mod busy;
mod capture;
mod check;
mod config;
pub(crate) mod configuration;
mod daemon;
mod diff;
mod disproved;
mod explain;
mod facts;
mod fix;
mod header;
mod history;
pub(crate) mod host;
pub(crate) mod judgement;
mod man;
mod output;
mod pause;
mod platform;
mod recover;
mod repair;
mod reset;
mod rollback;
pub(crate) mod rule_set;
mod rules;
mod site;
mod status;
mod topology;
mod verification;
mod wait;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::apply::journal::JournalError;
use crate::apply::transaction::Failure;
use crate::apply::{ApplyError, LockError, RollbackError, StateError, TreeError};
use crate::cli::{Cli, Command};
use crate::config::ConfigError;
use crate::daemon::{DaemonError, RuntimeDirectoryError};
use crate::diff::DiffError;
use crate::exit::Exit;
use crate::host::{Cause, RootError, Terminal};
use crate::publish::output_file::OutputError;
use crate::report::baseline::BaselineError;
use crate::rules::{FilterError, LoadError};
use crate::workload::WorkloadError;

pub use output::printable;

/// Why a command could not do its work. What is wrong with a host is never an error but a finding.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Rules(#[from] LoadError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot read the rule file {}: {why}", path.display())]
    RuleFile { path: PathBuf, why: String },
    #[error("cannot list {path}: {cause}; rules of this site may be missing")]
    RuleDirectory { path: &'static str, cause: Cause },
    #[error("{0}")]
    Usage(String),
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    #[error("cannot write the manual pages into {}", path.display())]
    ManualPages { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    OutputFile(#[from] OutputError),
    #[error("cannot compare with {}", path.display())]
    Baseline { path: PathBuf, source: BaselineError },
    #[error("cannot compare with {}: {why}", path.display())]
    BaselineFile { path: PathBuf, why: String },
    #[error(transparent)]
    Diff(#[from] DiffError),
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot take over the signals")]
    Signals(#[source] std::io::Error),
    #[error("cannot wait for events")]
    Runtime(#[source] std::io::Error),
    #[error("cannot tell which boot this is: {path}: {why}")]
    Boot { path: &'static str, why: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    #[error("cannot recover")]
    Recover(#[from] Failure),
    #[error("the plan is not the one that was asked for; nothing was changed: look at it again")]
    OtherPlan,
    #[error("nothing was changed, as nobody said yes")]
    Declined,
    #[error("nothing was changed: {0}")]
    Kubelet(String),
    /// Mending without a person does not begin.
    #[error("nothing was changed: {0}")]
    HeldBack(String),
    #[error("what was done could not be recorded, and counts as failed")]
    Unrecorded(#[source] StateError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("nothing was changed, because {} (--allow-busy goes on all the same)", .0.join("; "))]
    Busy(Vec<String>),
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    #[error(transparent)]
    Workload(#[from] WorkloadError),
}

impl CommandError {
    /// How the run ends for a calling script.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Lock(LockError::Held { .. })
            | Self::Daemon(DaemonError::RuntimeDirectory(RuntimeDirectoryError::Held { .. }))
            | Self::OtherPlan
            | Self::Declined
            | Self::Busy(_)
            | Self::Kubelet(_)
            | Self::HeldBack(_)
            | Self::Apply(ApplyError::Refused(_))
            | Self::Rollback(
                RollbackError::Nothing
                | RollbackError::Unknown { .. }
                | RollbackError::NotPossible { .. }
                | RollbackError::BuiltUpon { .. }
                | RollbackError::ForeignEdit { .. }
                | RollbackError::Failed(_),
            ) => Exit::Refused,
            Self::Apply(ApplyError::RolledBack { .. }) => Exit::RolledBack,
            Self::Apply(ApplyError::NeedsPerson { .. })
            | Self::Rollback(RollbackError::NeedsPerson { .. })
            | Self::Unrecorded(_)
            | Self::Recover(_)
            | Self::Journal(_) => Exit::NeedsPerson,
            Self::Workload(WorkloadError::NoGpu) => Exit::NotReady,
            _ => Exit::Usage,
        }
    }
}

/// Runs what was typed.
pub fn run(cli: Cli) -> Result<ExitCode, CommandError> {
    let terminal = Terminal::of_stdout(cli.color.into());
    let exit = match cli.command {
        // It ends in the codes that its format asks for.
        Command::Check(arguments) => return check::run(&arguments, terminal),
        Command::Status(arguments) => return status::run(&arguments, terminal),
        Command::Wait(arguments) => return wait::run(&arguments, terminal),
        Command::Diff(arguments) => return diff::run(&arguments, terminal),
        Command::Fix(arguments) => fix::run(&arguments, terminal),
        Command::Rollback(arguments) => rollback::run(&arguments, terminal),
        Command::History(arguments) => history::run(&arguments, terminal),
        Command::Recover(arguments) => recover::run(&arguments, terminal),
        Command::Reset(arguments) => reset::run(&arguments),
        Command::Pause(arguments) => pause::pause(&arguments),
        Command::Resume => pause::resume(),
        Command::Daemon(arguments) => daemon::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
        Command::Facts(arguments) => facts::run(&arguments, terminal),
        Command::Workload(arguments) => workload::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Topology(arguments) => topology::run(&arguments, terminal),
        Command::Rules(arguments) => rules::run(&arguments, terminal),
        Command::Config(arguments) => config::run(&arguments, terminal),
        Command::Completions { shell } => output::write(|out| {
            clap_complete::generate(shell, &mut Cli::command(), "ccgpu-node", out);
            Ok(())
        }),
        Command::Man(arguments) => man::run(&arguments),
    };
    exit.map(ExitCode::from)
}
