//! Finds the rule files: the built-in ones, those of this site, those named on the command line.

use std::path::{Path, PathBuf};

use super::CommandError;
use crate::cli;
use crate::host::{DEFAULT_CAP, Reading, Root};
use crate::rules::{Catalogue, Filter, LoadError, RuleFile, RuleSet, Stage, Tee};

/// Where a site keeps its rules. It is always that of the machine that this program runs on: rules say
/// what an operator wants, not what a host is.
const SITE_DIRECTORY: &str = "/etc/ccgpu-node/rules.d";

/// A rule file that was read.
struct SiteFile {
    name: String,
    text: String,
}

/// The built-in rules with those of the site and of `--rules`.
pub(crate) fn load(catalogue: &Catalogue, more: &[PathBuf]) -> Result<RuleSet, CommandError> {
    let mut files = site_files()?;
    for path in more {
        files.push(read(path)?);
    }
    Ok(RuleSet::with_site(catalogue, &as_rule_files(&files))?)
}

/// Rule files with what is wrong with them, each checked beside the built-in rules, as `check` uses it.
pub(crate) struct Linted {
    files: Vec<SiteFile>,
    pub(crate) loaded: Result<RuleSet, LoadError>,
}

impl Linted {
    pub(crate) fn files(&self) -> Vec<RuleFile<'_>> {
        as_rule_files(&self.files)
    }
}

pub(crate) fn lint(catalogue: &Catalogue, paths: &[PathBuf]) -> Result<Linted, CommandError> {
    let files: Vec<SiteFile> = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let loaded = RuleSet::with_site(catalogue, &as_rule_files(&files));
    Ok(Linted { files, loaded })
}

fn as_rule_files(files: &[SiteFile]) -> Vec<RuleFile<'_>> {
    files.iter().map(|file| RuleFile { name: &file.name, text: &file.text }).collect()
}

/// Whether the site has rules of its own, or may have some that cannot be read.
pub(super) fn site_has_rules() -> bool {
    !matches!(site_files(), Ok(files) if files.is_empty())
}

fn site_files() -> Result<Vec<SiteFile>, CommandError> {
    let names = match Root::live()?.list(SITE_DIRECTORY) {
        Reading::Known(names) => names,
        Reading::Absent => return Ok(Vec::new()),
        Reading::Unreadable(cause) => {
            return Err(CommandError::RuleDirectory { path: SITE_DIRECTORY, cause });
        }
    };
    names
        .iter()
        .filter(|entry| entry.name.as_bytes().ends_with(b".toml") && !entry.name.starts_with('.'))
        .map(|entry| read(&Path::new(SITE_DIRECTORY).join(&entry.name)))
        .collect()
}

fn read(path: &Path) -> Result<SiteFile, CommandError> {
    let fail = |why: String| CommandError::RuleFile { path: path.to_owned(), why };
    match Root::named_file(path, DEFAULT_CAP) {
        Reading::Known(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(SiteFile { name: path.display().to_string(), text }),
            Err(_) => Err(fail("it is not UTF-8".to_owned())),
        },
        Reading::Absent => Err(fail("no such file".to_owned())),
        Reading::Unreadable(cause) => Err(fail(cause.to_string())),
    }
}

impl From<&cli::Selection> for Filter {
    fn from(selection: &cli::Selection) -> Self {
        Self { only: selection.only.clone(), skip: selection.skip.clone() }
    }
}

impl From<cli::Stage> for Stage {
    fn from(stage: cli::Stage) -> Self {
        match stage {
            cli::Stage::Host => Self::Host,
            cli::Stage::Kata => Self::Kata,
            cli::Stage::Operator => Self::Operator,
            cli::Stage::Workload => Self::Workload,
        }
    }
}

impl From<cli::Tee> for Tee {
    fn from(tee: cli::Tee) -> Self {
        match tee {
            cli::Tee::Snp => Self::Snp,
            cli::Tee::Tdx => Self::Tdx,
            cli::Tee::None => Self::None,
        }
    }
}
