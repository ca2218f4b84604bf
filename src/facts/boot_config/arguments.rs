//! The arguments that matter to a host, and whether each will outlive the next boot.
//!
//! Three places are compared: the line that booted, the text that a person wrote, and what was generated
//! from it for the next boot. Only the generated one is believed about the next boot; the text is where
//! it does not exist. An argument is its key and its value, however it is quoted.

use std::collections::BTreeMap;

use super::super::cmdline::{Mistake, mistakes};
use crate::format::cmdline::{Cmdline, Param, normal_key};
use crate::host::{Cause, Reading, Source};

use super::defaults::Configured;
use super::next::Next;

/// Which part of the host a parameter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Iommu,
    Tee,
    Module,
    Vfio,
    Pci,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Self::Iommu => "iommu",
            Self::Tee => "tee",
            Self::Module => "module",
            Self::Vfio => "vfio",
            Self::Pci => "pci",
        }
    }
}

impl Argument {
    pub(super) fn undone_by(&self) -> Option<&str> {
        match &self.mistake {
            Some(Mistake::Undone(by)) => Some(by),
            _ => None,
        }
    }

    pub(super) fn no_ids(&self) -> &[String] {
        match &self.mistake {
            Some(Mistake::NoIds(elements)) => elements,
            _ => &[],
        }
    }

    pub(super) fn without_effect(&self) -> Option<&str> {
        match &self.mistake {
            Some(Mistake::WithoutEffect(why)) => Some(why),
            _ => None,
        }
    }

    /// When it counts, for a sentence.
    pub(super) fn when(&self) -> &'static str {
        match &self.status {
            Reading::Known(Status::Ok) => "booted, and will be again",
            Reading::Known(Status::RebootRequired) => "not booted yet, but will be",
            Reading::Known(Status::NotPersisted) => "booted, and will not be again",
            Reading::Known(Status::Unmanaged) => "booted",
            Reading::Known(Status::NotGenerated) => "written, and not in the boot menu",
            Reading::Known(Status::Overridden) => "written, and overridden",
            Reading::Absent | Reading::Unreadable(_) => "whether the next boot has it is not known",
        }
    }
}

/// The keys that rules may ask about, with `_` for `-`; a `*` at the end stands for any rest.
const RELEVANT: &[(&str, Family)] = &[
    ("amd_iommu", Family::Iommu),
    ("hibernate", Family::Tee),
    ("intel_iommu", Family::Iommu),
    ("intremap", Family::Iommu),
    ("iommu", Family::Iommu),
    ("iommu.passthrough", Family::Iommu),
    ("iommu.strict", Family::Iommu),
    ("iommufd.*", Family::Vfio),
    ("kvm.*", Family::Tee),
    ("kvm_amd.*", Family::Tee),
    ("kvm_intel.*", Family::Tee),
    ("mem_encrypt", Family::Tee),
    ("modprobe.blacklist", Family::Module),
    ("module_blacklist", Family::Module),
    ("nohibernate", Family::Tee),
    ("nointremap", Family::Iommu),
    ("nomodeset", Family::Module),
    ("nouveau.blacklist", Family::Module),
    ("nouveau.modeset", Family::Module),
    ("pci", Family::Pci),
    ("pci_stub.ids", Family::Vfio),
    ("pcie_acs_override", Family::Pci),
    ("rd.driver.blacklist", Family::Module),
    ("rd.driver.pre", Family::Module),
    ("rdblacklist", Family::Module),
    ("sev", Family::Tee),
    ("tdx*", Family::Tee),
    ("vfio*", Family::Vfio),
];

/// The family of a key, where a rule may ask about it.
pub(super) fn family_of(key: &str) -> Option<Family> {
    let key = normal_key(key);
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => key.starts_with(start),
        None => key == pattern,
    };
    RELEVANT.iter().find(|(pattern, _)| matches(pattern)).map(|(_, family)| *family)
}

/// Whether rules may ask about a key.
pub(in crate::facts) fn is_relevant(key: &str) -> bool {
    family_of(key).is_some()
}

/// What will become of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Booted, and the next boot has it too.
    Ok,
    /// The next boot has it; this one does not.
    RebootRequired,
    /// Booted; the next boot will not have it.
    NotPersisted,
    /// Written and in effect in the text, but not in what was generated for the next boot.
    NotGenerated,
    /// Written, and dropped by a later assignment.
    Overridden,
    /// Booted on a host whose loader is not known.
    Unmanaged,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::RebootRequired => "reboot-required",
            Self::NotPersisted => "not-persisted",
            Self::NotGenerated => "not-generated",
            Self::Overridden => "overridden",
            Self::Unmanaged => "unmanaged",
        }
    }
}

/// One argument of the collection `boot.arguments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// With `_` in its key and without quotes.
    pub text: String,
    pub family: Family,
    pub status: Reading<Status>,
    pub note: Option<String>,
    /// What is wrong with it, in a line that booted or will.
    pub(super) mistake: Option<Mistake>,
    /// Where it is written; where it was seen, if it is written nowhere.
    pub source: Source,
}

/// All that is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) booted: &'a Reading<Cmdline>,
    pub(super) configured: &'a Reading<Configured>,
    pub(super) next: &'a Next,
}

/// Where one argument was seen.
#[derive(Debug, Default)]
struct Seen<'a> {
    booted: bool,
    /// How many candidates have it, and the first of them.
    next: usize,
    generated: Option<&'a Source>,
    text: Option<&'a Source>,
    overridden: Option<(&'a Source, &'a Source)>,
    mistake: Option<Mistake>,
}

type Found<'a> = BTreeMap<String, (Family, Seen<'a>)>;

/// Every relevant argument of all places, in the order of its text.
pub(super) fn judge(places: Places<'_>) -> Vec<Argument> {
    let mut found = Found::new();
    for param in places.booted.known().into_iter().flat_map(Cmdline::params) {
        note(&mut found, &param, |seen| seen.booted = true);
    }
    note_mistakes(&mut found, places);
    for (index, candidate) in places.next.candidates.known().into_iter().flatten().enumerate() {
        for param in candidate.line.params() {
            note(&mut found, &param, |seen| {
                // Only while every candidate before it had it too; twice in one counts once.
                if seen.next == index {
                    seen.next += 1;
                }
                seen.generated.get_or_insert(&candidate.source);
            });
        }
    }
    if let Some(configured) = places.configured.known() {
        for written in &configured.tokens {
            for param in Cmdline::parse(written.token.as_bytes()).params() {
                note(&mut found, &param, |seen| seen.text = Some(&written.source));
            }
        }
        for dropped in &configured.overridden {
            for param in Cmdline::parse(dropped.token.as_bytes()).params() {
                note(&mut found, &param, |seen| {
                    seen.overridden = Some((&dropped.source, &dropped.by));
                });
            }
        }
    }
    let booted_source = Source::file(super::super::cmdline::PATH);
    found
        .into_iter()
        .map(|(text, (family, seen))| {
            let (status, note) = status(&seen, places);
            let written = seen.text.or(seen.overridden.map(|(source, _)| source));
            let source = written.or(seen.generated).unwrap_or(&booted_source).clone();
            let mistake = seen.mistake;
            Argument { text, family, status, note, mistake, source }
        })
        .collect()
}

/// The booted line and those of the next boot are each wrong or right as a whole; the text is not, for it is
/// only a part of what the next line comes from.
fn note_mistakes<'a>(found: &mut Found<'a>, places: Places<'a>) {
    let next = places.next.candidates.known().into_iter().flatten().map(|it| &it.line);
    for line in places.booted.known().into_iter().chain(next) {
        for (param, mistake) in mistakes(line) {
            note(found, &param, |seen| {
                seen.mistake.get_or_insert(mistake);
            });
        }
    }
}

fn note<'a>(found: &mut Found<'a>, param: &Param<'_>, change: impl FnOnce(&mut Seen<'a>)) {
    if let Some(family) = family_of(param.key) {
        let key = normal_key(param.key);
        let text = match param.value {
            Some(value) => format!("{key}={value}"),
            None => key,
        };
        change(&mut found.entry(text).or_insert_with(|| (family, Seen::default())).1);
    }
}

fn status(seen: &Seen<'_>, places: Places<'_>) -> (Reading<Status>, Option<String>) {
    match &places.next.candidates {
        Reading::Known(candidates) => {
            if seen.next == candidates.len() {
                return there(seen, places);
            }
            if seen.generated.is_some() {
                return undecided("only some menu entries have it, and the default is not known");
            }
            if let Some(hides) = candidates.iter().find_map(|candidate| candidate.hides.as_ref()) {
                return undecided(&format!("the boot loader decides about {hides}"));
            }
            gone(seen, places)
        }
        Reading::Unreadable(cause) => (Reading::Unreadable(cause.clone()), None),
        Reading::Absent => match places.configured {
            Reading::Known(configured) => match &configured.aborts {
                Some(abort) => {
                    let line = abort.at.line;
                    let what = format!("sh stops at {}: {}", abort.at, abort.why);
                    (Reading::Unreadable(Cause::NotDecidable { line, what }), None)
                }
                None if seen.text.is_some() => there(seen, places),
                None => gone(seen, places),
            },
            Reading::Unreadable(cause) => (Reading::Unreadable(cause.clone()), None),
            Reading::Absent => (Reading::Known(Status::Unmanaged), None),
        },
    }
}

fn undecided(what: &str) -> (Reading<Status>, Option<String>) {
    let what = what.to_owned();
    (Reading::Unreadable(Cause::NotDecidable { line: None, what }), None)
}

/// The next boot has it.
fn there(seen: &Seen<'_>, places: Places<'_>) -> (Reading<Status>, Option<String>) {
    let status = places
        .booted
        .as_ref()
        .map(|_| if seen.booted { Status::Ok } else { Status::RebootRequired });
    // What no text asks for is gone when the configuration is generated anew.
    let note = match places.configured {
        Reading::Known(configured) if configured.aborts.is_none() && seen.text.is_none() => {
            let why = match seen.overridden {
                Some((_, by)) => format!("overridden by {by}"),
                None => "written in no file that it is generated from".to_owned(),
            };
            Some(format!("{why}; the next update of the boot loader may drop it"))
        }
        _ => None,
    };
    (status, note)
}

/// The next boot does not have it.
fn gone(seen: &Seen<'_>, places: Places<'_>) -> (Reading<Status>, Option<String>) {
    if let Some(source) = seen.text {
        let aborts = places.configured.known().and_then(|configured| configured.aborts.as_ref());
        let note = match aborts {
            Some(abort) => format!("sh stops at {}: {}", abort.at, abort.why),
            None => format!("written in {source}, not in {}", places.next.source),
        };
        return (Reading::Known(Status::NotGenerated), Some(note));
    }
    if let Some((_, by)) = seen.overridden {
        return (Reading::Known(Status::Overridden), Some(format!("overridden by {by}")));
    }
    let note = match places.configured {
        Reading::Unreadable(cause) => format!("the next boot lacks it; its source text: {cause}"),
        Reading::Known(_) | Reading::Absent => "the next boot lacks it".to_owned(),
    };
    (Reading::Known(Status::NotPersisted), Some(note))
}
