//! What the next boot will get: the menu entries that the loader finds on disk.

use std::collections::BTreeSet;

use crate::format::bls;
use crate::format::cmdline::Cmdline;
use crate::format::grub_cfg::{Arguments, GrubCfg, GrubEnv};
use crate::host::{Cause, DEFAULT_CAP, Reading, Root, Source};

use super::arguments::family_of;
use super::loader::{Loader, Seen, malformed};

/// Entry files and environment blocks are small.
const SMALL: u64 = 64 << 10;

/// One entry that the next boot may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) line: Cmdline,
    pub(super) source: Source,
    /// The release of the kernel that it boots, where its file's name tells.
    pub(super) kernel: Option<String>,
    /// The variable whose value may hold more arguments that matter.
    pub(super) hides: Option<String>,
}

/// What is generated on disk: one candidate where the default entry is known, else every entry that is
/// not there for repair.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) candidates: Reading<Vec<Candidate>>,
    pub(super) source: Source,
}

pub(super) fn read(root: &Root, seen: &Seen) -> Next {
    let from_grub = || Next {
        candidates: grub_candidates(root, seen),
        source: Source::file(seen.grub_cfg_path),
    };
    let from_entries = |loader| Next {
        candidates: bls_candidates(root, seen, loader),
        source: Source::file(seen.entries_path),
    };
    match seen.loader.known() {
        Some(Loader::Grub) => from_grub(),
        Some(loader @ (Loader::GrubBls | Loader::SystemdBoot | Loader::Ostree)) => {
            from_entries(*loader)
        }
        // The partitions that hold its entries are not mounted; a grub.cfg elsewhere is not used.
        Some(Loader::ProxmoxBoot | Loader::NoneFound) => {
            Next { candidates: Reading::Absent, source: seen.source.clone() }
        }
        None => {
            let cause = seen.loader.cause().cloned().unwrap_or(Cause::NotGathered);
            Next { candidates: Reading::Unreadable(cause), source: seen.source.clone() }
        }
    }
}

fn grub_candidates(root: &Root, seen: &Seen) -> Reading<Vec<Candidate>> {
    seen.grub_cfg.as_ref().and_then(|config| {
        let env = environment(root, seen);
        let chosen: Vec<_> = match config.default_entry(env.as_ref()) {
            Some(item) => vec![item],
            None => config.entries().filter(|item| !item.is_recovery()).collect(),
        };
        let candidates: Vec<Candidate> = chosen
            .iter()
            .flat_map(|item| &item.kernels)
            .map(|kernel| {
                let source = Source::line(seen.grub_cfg_path, kernel.line);
                let release = kernel.path().and_then(|path| release_of(&path));
                candidate(&config.arguments(kernel, env.as_ref()), release, source)
            })
            .collect();
        some(candidates, "no menu entry boots Linux")
    })
}

fn bls_candidates(root: &Root, seen: &Seen, loader: Loader) -> Reading<Vec<Candidate>> {
    let names = match &seen.entries {
        Reading::Known(names) => names,
        Reading::Absent => return Reading::Absent,
        Reading::Unreadable(cause) => return Reading::Unreadable(cause.clone()),
    };
    let mut entries = Vec::new();
    for name in names {
        let path = format!("{}/{name}", seen.entries_path);
        match root.read(&path, SMALL) {
            Reading::Known(bytes) => entries.push((path, name, bls::Entry::parse(&bytes))),
            Reading::Absent => {}
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        }
    }
    entries.retain(|(_, _, entry)| !entry.is_rescue());
    let env = environment(root, seen);
    match loader {
        Loader::Ostree => {
            // The deployment that boots next has the highest version; the others are for going back.
            let version = |entry: &bls::Entry| entry.version.as_deref()?.parse::<u64>().ok();
            if let Some(newest) = entries.iter().map(|(_, _, entry)| version(entry)).max() {
                entries.retain(|(_, _, entry)| version(entry) == newest);
            }
        }
        Loader::GrubBls => {
            let saved = env.as_ref().and_then(|env| {
                env.get("next_entry").or_else(|| env.get("saved_entry")).map(str::to_owned)
            });
            let is_saved = |name: &str, entry: &bls::Entry| {
                saved.is_some()
                    && (name.strip_suffix(".conf") == saved.as_deref() || entry.title == saved)
            };
            if entries.iter().any(|(_, name, entry)| is_saved(name, entry)) {
                entries.retain(|(_, name, entry)| is_saved(name, entry));
            }
        }
        _ => {}
    }
    let unread = GrubCfg::unread();
    let (config, env) = match &seen.grub_cfg {
        Reading::Known(config) => (config, env),
        Reading::Absent | Reading::Unreadable(_) => (&unread, None),
    };
    let mut candidates = Vec::new();
    for (path, _, entry) in entries {
        let source = match entry.options_line {
            Some(line) => Source::line(path, line),
            None => Source::file(path),
        };
        if entry.efi.is_some() {
            let what = "a unified kernel image carries its own arguments".to_owned();
            return Reading::Unreadable(Cause::NotDecidable { line: None, what });
        }
        let release = entry.linux.as_deref().and_then(release_of).or_else(|| entry.version.clone());
        if loader == Loader::GrubBls {
            match config.bls_arguments(&entry.options, env.as_ref()) {
                Ok(arguments) => candidates.push(candidate(&arguments, release, source)),
                Err(error) => return Reading::Unreadable(malformed(&error)),
            }
        } else {
            candidates.push(Candidate {
                line: Cmdline::parse(&entry.options),
                source,
                kernel: release,
                hides: None,
            });
        }
    }
    some(candidates, "no entry boots Linux")
}

fn some(candidates: Vec<Candidate>, else_what: &str) -> Reading<Vec<Candidate>> {
    if candidates.is_empty() {
        Reading::Unreadable(Cause::malformed(None, else_what))
    } else {
        Reading::Known(candidates)
    }
}

/// GRUB's environment block; `None` where it is there and cannot be read.
fn environment(root: &Root, seen: &Seen) -> Option<GrubEnv> {
    let path = seen.grub_cfg_path.replace("grub.cfg", "grubenv");
    match root.read(&path, DEFAULT_CAP) {
        Reading::Known(block) => GrubEnv::parse(&block).ok(),
        Reading::Absent => Some(GrubEnv::default()),
        Reading::Unreadable(_) => None,
    }
}

/// The release in the name of a kernel's file, as `6.17.0-8-generic` in `/boot/vmlinuz-6.17.0-8-generic`.
fn release_of(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let release = name.strip_prefix("vmlinuz-").or_else(|| name.strip_prefix("vmlinux-"))?;
    release.starts_with(|first: char| first.is_ascii_digit()).then(|| release.to_owned())
}

fn candidate(arguments: &Arguments, kernel: Option<String>, source: Source) -> Candidate {
    // A word that is there in some boots matters only where a fact is about its key.
    let matters: BTreeSet<String> = arguments
        .maybe
        .iter()
        .filter_map(|word| {
            let word = Cmdline::parse(word);
            let param = word.params().find(|param| family_of(param.key).is_some())?;
            Some(param.token.to_owned())
        })
        .collect();
    let variable = arguments.undecided.first().map(|name| format!("the value of ${name}"));
    let hides = variable.or_else(|| matters.into_iter().next());
    Candidate { line: Cmdline::parse(&arguments.line), source, kernel, hides }
}
