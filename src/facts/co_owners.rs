//! Other programs that write kernel arguments, and so put one back that was taken away: `TuneD`, and the packages
//! of NVIDIA `NodeWright` (once Skyhook).
//!
//! `TuneD` keeps what its profile asks for in `/etc/tuned/bootcmdline`, a text for the shell that the boot menu's
//! generator reads. `NodeWright`'s `tuning` writes `/etc/default/grub.d/999-NAME-tuning.cfg`, its `nvidia-tuned` on
//! cloud images `99_tuned.cfg`. What a profile that is not active would ask for is not read.

use std::collections::BTreeSet;

use super::boot_config::is_relevant;
use super::catalogue::{Collection, Evidence, Fact};
use super::cmdline::{Finding, means};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::format::cmdline::Cmdline;
use crate::format::shell_vars::{Dialect, Environment, File, Variable, evaluate};
use crate::host::{DEFAULT_CAP, Root};

const TUNED: &str = "/etc/tuned/bootcmdline";
const PROFILE: &str = "/etc/tuned/active_profile";
const DROP_INS: &str = "/etc/default/grub.d";

/// An argument that another program writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub argument: String,
    pub owner: String,
    pub at: Source,
}

#[derive(Debug)]
pub struct CoOwners {
    pub arguments: Reading<Vec<Owned>>,
    /// The file that `arguments` could not be told from, or the first that was looked for.
    at: Source,
}

pub(super) fn gather(root: &Root) -> CoOwners {
    let mut owned = Vec::new();
    let at = |path: &str| Source::file(path);
    match tuned(root) {
        Ok(arguments) => owned.extend(arguments),
        Err(cause) => return CoOwners { arguments: Reading::Unreadable(cause), at: at(TUNED) },
    }
    let names = match root.list(DROP_INS) {
        Reading::Known(names) => names,
        Reading::Absent => Vec::new(),
        Reading::Unreadable(cause) => {
            return CoOwners { arguments: Reading::Unreadable(cause), at: at(DROP_INS) };
        }
    };
    for name in names.iter().map(|entry| entry.name.as_str()).filter(|name| is_nodewright(name)) {
        let path = format!("{DROP_INS}/{name}");
        let variables = ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"];
        match assigned(root, &path, &variables, "NodeWright") {
            Ok(arguments) => owned.extend(arguments),
            Err(cause) => {
                return CoOwners { arguments: Reading::Unreadable(cause), at: at(&path) };
            }
        }
    }
    CoOwners { arguments: Reading::Known(owned), at: at(TUNED) }
}

fn tuned(root: &Root) -> Result<Vec<Owned>, Cause> {
    let arguments = assigned(root, TUNED, &["TUNED_BOOT_CMDLINE"], "TuneD")?;
    if arguments.is_empty() {
        return Ok(arguments);
    }
    let profile = root.read_text(PROFILE).into_known().unwrap_or_default();
    let profile = profile.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if profile.is_empty() {
        return Ok(arguments);
    }
    let owner = format!("TuneD's profile {profile}");
    Ok(arguments.into_iter().map(|each| Owned { owner: owner.clone(), ..each }).collect())
}

/// Whether a drop-in has the name of one that `NodeWright`'s packages write.
fn is_nodewright(name: &str) -> bool {
    name == "99_tuned.cfg"
        || name.strip_prefix("999-").is_some_and(|rest| rest.ends_with("-tuning.cfg"))
}

/// The words of variables in a text for the shell; none where it does not exist.
fn assigned(root: &Root, path: &str, variables: &[&str], owner: &str) -> Result<Vec<Owned>, Cause> {
    match root.read(path, DEFAULT_CAP) {
        Reading::Known(text) => words(path, &text, variables, owner),
        Reading::Absent => Ok(Vec::new()),
        Reading::Unreadable(cause) => Err(cause),
    }
}

/// The words of variables in a text for the shell, in the order of the variables.
pub fn words(
    path: &str,
    text: &[u8],
    variables: &[&str],
    owner: &str,
) -> Result<Vec<Owned>, Cause> {
    let evaluation = evaluate(&[File { path, text }], Environment::grub(), Dialect::Unknown);
    let mut words = Vec::new();
    for name in variables {
        match evaluation.variable(name) {
            Variable::Known(known) => words.extend(known.tokens().map(|token| Owned {
                argument: String::from_utf8_lossy(token.bytes).into_owned(),
                owner: owner.to_owned(),
                at: match token.from.first() {
                    Some(place) => Source::line(place.path, place.line),
                    None => Source::file(path),
                },
            })),
            Variable::Unset => {}
            Variable::NotDecidable(doubt) | Variable::Aborts(doubt) => {
                let line = doubt.place.map(|place| place.line);
                return Err(Cause::NotDecidable { line, what: doubt.why.into_owned() });
            }
        }
    }
    Ok(words)
}

/// The arguments of which `wanted` lists the words.
fn listed(facts: &Facts, wanted: impl Fn(&Cmdline) -> BTreeSet<String>) -> Evidence {
    let Some(owners) = &facts.co_owners else { return Evidence::not_gathered() };
    let mut first = None;
    let reading = owners.arguments.as_ref().map(|owned| {
        let mut found = BTreeSet::new();
        for each in owned {
            // Alone: whether a later word of the whole line would take it back is not for its writer to rely on.
            if !wanted(&Cmdline::parse(each.argument.as_bytes())).is_empty() {
                found.insert(format!("{} ({}, {})", each.argument, each.owner, each.at));
                first.get_or_insert_with(|| each.at.clone());
            }
        }
        Value::Set(found)
    });
    Evidence::new(reading, first.unwrap_or_else(|| owners.at.clone()))
}

fn members(finding: Finding) -> BTreeSet<String> {
    match finding.value {
        Value::Set(members) => members,
        Value::Bool(true) => BTreeSet::from(["it".to_owned()]),
        _ => BTreeSet::new(),
    }
}

/// What takes isolation away on any host.
fn harmful(line: &Cmdline) -> BTreeSet<String> {
    let all = [
        means::acs_override(line),
        means::acs_weakened(line),
        means::interrupt_remapping_off(line),
        means::unsafe_interrupts(line),
    ];
    all.into_iter().flat_map(members).collect()
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "co-owner.present",
        kind: Kind::Bool,
        doc: "Whether TuneD or NodeWright writes any kernel argument.",
        needs: Needs::CO_OWNERS,
        read: |facts| {
            let Some(owners) = &facts.co_owners else { return Evidence::not_gathered() };
            let reading = owners.arguments.as_ref().map(|owned| Value::Bool(!owned.is_empty()));
            Evidence::new(reading, owners.at.clone())
        },
    },
    Fact {
        name: "co-owner.arguments",
        kind: Kind::Set,
        doc: "Kernel arguments about the IOMMU, the TEE, modules, VFIO and PCI that TuneD or NodeWright writes, \
              each with who and where.",
        needs: Needs::CO_OWNERS,
        read: |facts| {
            listed(facts, |line| {
                line.params()
                    .filter(|it| is_relevant(it.key))
                    .map(|it| it.token.to_owned())
                    .collect()
            })
        },
    },
    Fact {
        name: "co-owner.harmful-amd",
        kind: Kind::Set,
        doc: "Those that switch the IOMMU off on an AMD host, or isolation on any host.",
        needs: Needs::CO_OWNERS,
        read: |facts| listed(facts, |line| &harmful(line) | &members(means::iommu_off_amd(line))),
    },
    Fact {
        name: "co-owner.harmful-intel",
        kind: Kind::Set,
        doc: "Those that switch the IOMMU off on an Intel host, or isolation on any host.",
        needs: Needs::CO_OWNERS,
        read: |facts| listed(facts, |line| &harmful(line) | &members(means::iommu_off_intel(line))),
    },
    Fact {
        name: "co-owner.passthrough",
        kind: Kind::Set,
        doc: "Those that make passthrough the IOMMU's default domain, which may keep SEV-SNP off.",
        needs: Needs::CO_OWNERS,
        read: |facts| listed(facts, |line| members(means::passthrough(line))),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
#[path = "co_owners_tests.rs"]
mod tests;
