//! Finds the configuration of the running machine, and joins it with the command line to what is judged.

use std::path::{Path, PathBuf};

use super::judgement::Wanted;
use super::{CommandError, rule_set};
use crate::cli;
use crate::config::{ConfigError, ConfigFile, Loaded, load};
use crate::format::duration::GoDuration;
use crate::host::{Cause, DEFAULT_CAP, Reading, Root};
use crate::rules::{Bound, Catalogue, RuleSet, Setting, Word as _};

const FILE: &str = "/etc/ccgpu-node/config.toml";
const DROP_INS: &str = "/etc/ccgpu-node/config.d";

/// The rules that there are, and what is wanted of them.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) rules: RuleSet,
    pub(crate) wanted: Wanted,
}

impl Policy {
    /// That of the command line and, where the `running` machine is judged, of its configuration. What a
    /// site wants of this machine must not change unasked how another one is judged.
    pub(crate) fn of(
        running: bool,
        selection: &cli::Selection,
        assume: &[String],
    ) -> Result<Self, CommandError> {
        let site = if running { Some(read(&Root::live()?)?) } else { None };
        Self::by(site.as_ref(), selection, assume)
    }

    pub(crate) fn by(
        site: Option<&Loaded>,
        selection: &cli::Selection,
        assume: &[String],
    ) -> Result<Self, CommandError> {
        let rules = rules_of(site, &selection.rules)?;
        let wanted = Wanted::of(site, selection, assume)?;
        Ok(Self { rules, wanted })
    }
}

/// The rules by which the running machine is judged, and those of more files.
pub(crate) fn rules(more: &[PathBuf]) -> Result<RuleSet, CommandError> {
    rules_of(Some(&read(&Root::live()?)?), more)
}

fn rules_of(site: Option<&Loaded>, more: &[PathBuf]) -> Result<RuleSet, CommandError> {
    let files: Vec<PathBuf> =
        site.iter().flat_map(|site| &site.config.check.rules).chain(more).cloned().collect();
    let rules = rule_set::load(&Catalogue::built_in(), &files)?;
    let Some(site) = site else { return Ok(rules) };
    site.check_against(&rules)?;
    Ok(match budget(site) {
        Some(bound) => rules.with_setting(Setting::ImagePullBudget, &bound),
        None => rules,
    })
}

/// The time for pulling an image that the configuration asks for, and where.
fn budget(site: &Loaded) -> Option<Bound> {
    let time = site.config.check.image_pull_budget?;
    let value = GoDuration(i64::try_from(time.as_nanos()).ok()?);
    let by = site.place("check", Setting::ImagePullBudget.word())?.to_string();
    Some(Bound { value, by })
}

/// The configuration of a machine, as far as it can be told without its rules.
pub(crate) fn read(root: &Root) -> Result<Loaded, ConfigError> {
    load(&files(root))
}

/// The files of a machine's configuration in the order in which they count; without any, none.
pub(crate) fn files(root: &Root) -> Vec<ConfigFile> {
    let unread = |path: &str, why: String| ConfigFile { name: path.to_owned(), content: Err(why) };
    let mut files = Vec::new();
    match root.read(FILE, DEFAULT_CAP) {
        Reading::Known(bytes) => {
            files.push(ConfigFile { name: FILE.to_owned(), content: Ok(bytes) });
        }
        // A link that leads nowhere was meant to lead to a configuration.
        Reading::Absent if is_link(root, FILE) => files.push(unread(FILE, dangling())),
        Reading::Absent => {}
        Reading::Unreadable(cause) => files.push(unread(FILE, cause.to_string())),
    }
    let names = match root.list(DROP_INS) {
        Reading::Known(names) => names,
        Reading::Absent if is_link(root, DROP_INS) => {
            files.push(unread(DROP_INS, dangling()));
            return files;
        }
        Reading::Absent => return files,
        Reading::Unreadable(cause) => {
            files.push(unread(DROP_INS, cause.to_string()));
            return files;
        }
    };
    let is_drop_in = |name: &str| name.as_bytes().ends_with(b".toml") && !name.starts_with('.');
    for name in names.iter().map(|entry| &entry.name).filter(|name| is_drop_in(name)) {
        let path = format!("{DROP_INS}/{name}");
        let content = match root.read(&path, DEFAULT_CAP) {
            Reading::Absent if name.contains(char::REPLACEMENT_CHARACTER) => {
                Err("its name is not UTF-8".to_owned())
            }
            Reading::Absent if is_link(root, &path) => Err(dangling()),
            reading => content(reading),
        };
        files.push(ConfigFile { name: path, content });
    }
    files
}

/// Files that the user names, as if they were the configuration.
pub(crate) fn named(paths: &[PathBuf]) -> Vec<ConfigFile> {
    let file = |path: &PathBuf| ConfigFile {
        name: Path::display(path).to_string(),
        content: content(Root::named_file(path, DEFAULT_CAP)),
    };
    paths.iter().map(file).collect()
}

fn content(reading: Reading<Vec<u8>>) -> Result<Vec<u8>, String> {
    match reading {
        Reading::Known(bytes) => Ok(bytes),
        Reading::Absent => Err("no such file".to_owned()),
        Reading::Unreadable(cause) => Err(cause.to_string()),
    }
}

/// Whether a link stands here; where that cannot be told either, what is behind it is not known.
fn is_link(root: &Root, path: &str) -> bool {
    match root.link(path) {
        Reading::Absent | Reading::Unreadable(Cause::NotAFile(_)) => false,
        Reading::Known(_) | Reading::Unreadable(_) => true,
    }
}

fn dangling() -> String {
    "a symbolic link that leads nowhere".to_owned()
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;
