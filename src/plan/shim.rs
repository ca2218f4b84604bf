//! The time that the Kata shims give a container to be created, raised by a drop-in of our own.
//!
//! kata-deploy writes a shim's configuration anew with every release, and in `config.d` beside it only
//! files of its own names; what else lies there it leaves alone. New pods read it at once, so that
//! nothing has to be restarted. Where the directory is not of one shim alone, or would go with the next
//! release, nothing is written.

use super::{FileChange, Refused};
use crate::facts::kata::{Configuration, Language};
use crate::facts::{Reading, Told};
use crate::format::duration::GoDuration;
use crate::host::{DEFAULT_CAP, Root};

/// The name of our drop-in. It is read after those of kata-deploy, the last of which begins with 50.
const OWN: &str = "90-ccgpu-node.toml";

const HEADER: &str = "\
# Written by ccgpu-node: the seconds that a guest has to pull its image and to create a container.
# kata-deploy leaves this file alone; `ccgpu-node rollback` undoes it.
";

const SECOND: i64 = 1_000_000_000;

/// What is in our drop-in of one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDropIn {
    pub path: String,
    pub text: Reading<Vec<u8>>,
}

/// Reads our drop-in of a configuration; `None` where the shim does not start with it.
pub(super) fn read(root: &Root, configuration: &Configuration) -> Option<OwnDropIn> {
    let path = format!("{}/{OWN}", configuration.drop_ins.as_deref()?);
    let text = root.read(&path, DEFAULT_CAP);
    Some(OwnDropIn { path, text })
}

/// The change after which the shim waits at least so long; `None` where it does already.
pub(super) fn raise(
    configuration: &Configuration,
    own: &OwnDropIn,
    wanted: GoDuration,
) -> Result<Option<FileChange>, Refused> {
    let now = &configuration.create_container_timeout;
    match &now.reading {
        Reading::Known(time) if *time >= wanted => return Ok(None),
        Reading::Known(_) => {}
        Reading::Absent => return Ok(None),
        Reading::Unreadable(cause) => {
            return Err(refused(&now.source.path, now.source.line, cause.to_string()));
        }
    }
    is_of_one_shim(configuration)?;
    is_not_beaten(now, own)?;
    has_effect(configuration, wanted)?;
    let before = match &own.text {
        Reading::Known(text) if is_own(text, configuration.shim.language) => Some(text.clone()),
        Reading::Known(_) => {
            let why = "it is not as it was written, so it is not written again";
            return Err(refused(&own.path, None, why));
        }
        Reading::Absent => None,
        Reading::Unreadable(cause) => {
            return Err(refused(&own.path, cause.line(), cause.to_string()));
        }
    };
    let after = Some(render(configuration.shim.language, seconds(wanted, &own.path)?));
    Ok(Some(FileChange { path: own.path.clone(), before, after, new_mode: 0o644 }))
}

fn refused(path: &str, line: Option<u32>, why: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), line, why: why.into() }
}

/// Whole seconds, rounded up.
fn seconds(time: GoDuration, path: &str) -> Result<u32, Refused> {
    let whole = time.0.div_euclid(SECOND) + i64::from(time.0.rem_euclid(SECOND) > 0);
    u32::try_from(whole).map_err(|_| refused(path, None, format!("{time} is no time to wait")))
}

fn table(language: Language) -> &'static str {
    match language {
        Language::Go => "runtime",
        Language::Rust => "agent.kata",
    }
}

fn render(language: Language, seconds: u32) -> Vec<u8> {
    let table = table(language);
    format!("{HEADER}[{table}]\ncreate_container_timeout = {seconds}\n").into_bytes()
}

/// Whether a text is our drop-in as it is written here, to the byte.
fn is_own(text: &[u8], language: Language) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let number = text.trim_end_matches('\n').rsplit(' ').next();
    let number = number.and_then(|number| number.parse().ok());
    number.is_some_and(|number| text.as_bytes() == render(language, number))
}

/// Up to Kata 3.24 or so all configurations shared a directory, and so its `config.d`. Those of packages
/// and of kata-manager are in directories that are not ours to write to.
fn is_of_one_shim(configuration: &Configuration) -> Result<(), Refused> {
    let directory = configuration.drop_ins.as_deref().unwrap_or_default();
    let of_shim = directory.strip_suffix("/config.d").and_then(|path| {
        let (above, name) = path.rsplit_once('/')?;
        let (above, kind) = above.rsplit_once('/')?;
        let ours = above.ends_with("/share/defaults/kata-containers")
            || above.ends_with("/share/defaults/kata-containers/runtime-rs");
        (ours && matches!(kind, "runtimes" | "custom-runtimes") && !name.is_empty()).then_some(())
    });
    of_shim.ok_or_else(|| {
        let why = "this installation of Kata keeps no directory of drop-ins for each shim, so a drop-in \
                   would count for others as well, or be lost with the next release; upgrade kata-deploy, \
                   or set create_container_timeout with what installed Kata";
        refused(&configuration.path, None, why)
    })
}

/// A file with a later name counts after ours.
fn is_not_beaten(now: &Told<GoDuration>, own: &OwnDropIn) -> Result<(), Refused> {
    let place =
        |path: &str| path.rsplit_once('/').map(|(at, name)| (at.to_owned(), name.to_owned()));
    match (place(&now.source.path), place(&own.path)) {
        (Some((theirs, name)), Some((ours, own))) if theirs == ours && name > own => {
            let why = "it sets create_container_timeout and is read after all that could be written here: \
                       change it there";
            Err(refused(&now.source.path, now.source.line, why))
        }
        _ => Ok(()),
    }
}

/// The agent in the guest has a clock of its own, among kernel arguments that a drop-in could only set
/// all at once.
fn has_effect(configuration: &Configuration, wanted: GoDuration) -> Result<(), Refused> {
    let agent = &configuration.image_pull_timeout;
    match &agent.reading {
        Reading::Known(time) if *time < wanted => {
            let why = format!(
                "agent.image_pull_timeout is {time} here, and would end the pull all the same: first set \
                 agent.image_pull_timeout={} in kernel_params, together with all other arguments there",
                seconds(wanted, &agent.source.path)?
            );
            Err(refused(&agent.source.path, agent.source.line, why))
        }
        Reading::Known(_) | Reading::Absent => Ok(()),
        Reading::Unreadable(cause) => {
            Err(refused(&agent.source.path, agent.source.line, cause.to_string()))
        }
    }
}

#[cfg(test)]
#[path = "shim_tests.rs"]
mod tests;
