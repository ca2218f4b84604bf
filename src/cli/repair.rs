//! What can be typed behind the commands that change a host, and those about what they changed.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Format, Selection};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Fix {
    /// Mend a machine's files below this directory, such as a mounted image; no program is run.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    /// Vouch for a fact that cannot be read here, such as kubelet.version=1.34.2 (repeatable).
    #[arg(long, value_name = "FACT=VALUE")]
    pub assume: Vec<String>,
    #[command(flatten)]
    pub selection: Selection,
    /// Show the plan, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Also do what may stop something that works today.
    #[arg(long)]
    pub r#unsafe: bool,
    /// Go on only if the plan is still the one with this hash, as --dry-run showed it.
    #[arg(long, value_name = "HASH")]
    pub plan: Option<String>,
    /// Go on although a GPU is in use or packages are being installed.
    #[arg(long)]
    pub allow_busy: bool,
    #[arg(long, default_value = "human")]
    pub format: Format,
    /// Mend what the configuration allows to be mended without a person, within its bounds, and ask nobody.
    #[arg(long, conflicts_with_all = [
        "root", "assume", "only", "skip", "rules", "stage", "tee", "expect", "dry_run", "unsafe", "plan",
        "allow_busy", "format",
    ])]
    pub automatic: bool,
}

#[derive(Debug, Args)]
pub struct Reset {
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Pause {
    /// Why, for whoever comes across it.
    pub reason: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The number of the transaction, as `history` lists it [default: the last one].
    pub number: Option<u32>,
    /// Work on a machine's files below this directory; no program is run.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Go on although a GPU is in use or packages are being installed.
    #[arg(long)]
    pub allow_busy: bool,
}

#[derive(Debug, Args)]
pub struct History {
    /// List what was changed below this directory.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
    #[arg(long, default_value = "human")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Recover {
    /// Work on a machine's files below this directory; no program is run.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,
}
