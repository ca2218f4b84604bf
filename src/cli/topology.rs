//! What can be typed behind `topology`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Debug, Args)]
#[command(after_help = "\
ACS shows to root only. Without a terminal the tree has no colour, and where the locale is not UTF-8 its \
lines are plain ASCII.")]
pub struct Topology {
    /// Draw only the paths through the function at this address, such as 0000:18:00.0 or 18:00.0.
    pub device: Option<String>,
    /// Look at a machine's files below this directory, such as a mounted image.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "host")]
    pub root: Option<PathBuf>,
    /// Look at a captured host; - reads it from standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub host: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: TopologyFormat,
}

/// How a topology is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopologyFormat {
    /// A tree for a terminal.
    Text,
    /// A graph for Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// For programs; the schema is schemas/topology-v1.json.
    Json,
}
