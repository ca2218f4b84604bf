//! The kernel's arguments after the next boot: who keeps them, what is written, what was generated.
//!
//! Everything is read from files; no tool of the boot loader is run. `cmdline` tells what booted.

mod arguments;
mod defaults;
mod grub_defaults;
mod loader;
mod next;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(super) use arguments::is_relevant;
pub use arguments::{Argument, Family, Status};
pub use loader::Loader;

use super::catalogue::{Collection, Evidence, Fact, ItemFact, Selection, Subject};
use super::cmdline::{Finding, means};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::format::cmdline::Cmdline;
use crate::format::shell_vars::Dialect;
use crate::host::Root;
use arguments::{Places, family_of};
use defaults::Configured;
use next::{Candidate, Next};

/// What is known of the boot loader's configuration.
#[derive(Debug)]
pub struct BootConfig {
    pub loader: Reading<Loader>,
    loader_source: Source,
    pub arguments: Vec<Argument>,
    configured: Reading<Configured>,
    next: Next,
    /// The next boot's line as the text would have it, for hosts on which nothing is generated.
    written: Reading<Cmdline>,
    /// Whether the boot menu is generated from `/etc/default/grub.d` too.
    pub reads_drop_ins: bool,
    /// Where GRUB's menu stands, or would.
    pub menu_path: &'static str,
}

/// Reads the configuration. `debian_like` is what the os-release file says; only Debian's tools read
/// `/etc/default/grub.d`.
pub(super) fn gather(root: &Root, booted: &Reading<Cmdline>, debian_like: bool) -> BootConfig {
    let seen = loader::detect(root, booted);
    let next = next::read(root, &seen);
    let drop_ins = debian_like || root.stat("/usr/sbin/update-grub").known().is_some();
    let menu_path = seen.grub_cfg_path;
    let configured = match &seen.loader {
        Reading::Known(loader) => defaults::read(root, *loader, drop_ins),
        Reading::Absent => Reading::Absent,
        Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
    };
    let config = BootConfig::new(seen.loader, seen.source, booted, configured, next);
    BootConfig { reads_drop_ins: drop_ins, menu_path, ..config }
}

/// Paths and bytes, in the order of reading.
pub type Texts = Vec<(String, Vec<u8>)>;

/// The texts that GRUB's menu is generated from, path and bytes in the order of reading, and the shell
/// that reads them. `Absent` where `/etc/default/grub` is.
pub fn grub_defaults(root: &Root, drop_ins: bool) -> (Reading<Texts>, Dialect) {
    (defaults::read_files(root, drop_ins), defaults::dialect(drop_ins))
}

impl BootConfig {
    fn new(
        loader: Reading<Loader>,
        loader_source: Source,
        booted: &Reading<Cmdline>,
        configured: Reading<Configured>,
        next: Next,
    ) -> Self {
        let places = Places { booted, configured: &configured, next: &next };
        let arguments = arguments::judge(places);
        let written = configured.as_ref().and_then(Configured::line);
        let (reads_drop_ins, menu_path) = (false, "");
        Self {
            loader,
            loader_source,
            arguments,
            configured,
            next,
            written,
            reads_drop_ins,
            menu_path,
        }
    }

    /// Whether every line that the next boot may have is as a condition wants it. `None` where those
    /// lines are not all known.
    pub fn next_lines(&self, mut all: impl FnMut(&Cmdline) -> bool) -> Option<bool> {
        let candidates = self.next.candidates.known()?;
        if hidden(candidates).is_some() {
            return None;
        }
        Some(candidates.iter().all(|candidate| all(&candidate.line)))
    }

    /// Whether both what the next boot reads and the text that it is generated from, where there is one,
    /// are certainly as a condition wants them.
    pub fn is_settled(&self, mut is_right: impl FnMut(&Cmdline) -> bool) -> bool {
        let written = match &self.written {
            Reading::Known(line) => is_right(line),
            Reading::Absent => true,
            Reading::Unreadable(_) => false,
        };
        written && self.next_lines(is_right) == Some(true)
    }

    /// The command lines that the next boot may have; that of the text where nothing is generated from it.
    pub(super) fn lines(&self) -> Reading<Vec<&Cmdline>> {
        match &self.next.candidates {
            Reading::Known(candidates) => match hidden(candidates) {
                Some(unknown) => unknown.and_then(|_| Reading::Absent),
                None => Reading::Known(candidates.iter().map(|it| &it.line).collect()),
            },
            Reading::Absent => self.written.as_ref().map(|line| vec![line]),
            Reading::Unreadable(cause) => Reading::Unreadable(cause.clone()),
        }
    }

    /// The releases of the kernels that may boot next, as far as the names of their files tell.
    pub(super) fn next_kernels(&self) -> Reading<BTreeSet<String>> {
        self.next.candidates.as_ref().map(|candidates| {
            candidates.iter().filter_map(|candidate| candidate.kernel.clone()).collect()
        })
    }

    /// Where the next boot's arguments were read.
    fn next_source(&self) -> Source {
        match (&self.next.candidates, &self.configured) {
            (Reading::Known(candidates), _) => {
                candidates.first().map_or_else(|| self.next.source.clone(), |it| it.source.clone())
            }
            (Reading::Absent, Reading::Known(configured)) => configured
                .tokens
                .first()
                .map_or_else(|| self.loader_source.clone(), |written| written.source.clone()),
            _ => self.next.source.clone(),
        }
    }

    /// What the next boot's line means, where every entry that may boot means the same.
    fn next_means(&self, meaning: fn(&Cmdline) -> Finding) -> (Reading<Value>, Option<String>) {
        let candidates = match &self.next.candidates {
            Reading::Known(candidates) => candidates,
            Reading::Absent => return split(self.written.as_ref().map(meaning)),
            Reading::Unreadable(cause) => return (Reading::Unreadable(cause.clone()), None),
        };
        let mut findings = candidates.iter().map(|candidate| meaning(&candidate.line));
        if let Some(unknown) = hidden(candidates) {
            return (unknown, None);
        }
        let Some(first) = findings.next() else { return (Reading::Absent, None) };
        if findings.any(|finding| finding.value != first.value) {
            return (disagree(), None);
        }
        split(Reading::Known(first))
    }

    /// The tokens of the next boot. Entries may differ in what no fact is about; that is left out.
    fn next_tokens(&self) -> Reading<Value> {
        let Reading::Known(candidates) = &self.next.candidates else {
            return self.next_means(means::tokens).0;
        };
        if let Some(unknown) = hidden(candidates) {
            return unknown;
        }
        let set = |candidate: &Candidate| -> BTreeSet<String> {
            candidate.line.params().map(|param| param.token.to_owned()).collect()
        };
        let mut sets = candidates.iter().map(set);
        let Some(mut common) = sets.next() else { return Reading::Absent };
        for other in sets {
            let matters = |token: &String| {
                Cmdline::parse(token.as_bytes()).params().any(|it| family_of(it.key).is_some())
            };
            if common.symmetric_difference(&other).any(matters) {
                return disagree();
            }
            common.retain(|token| other.contains(token));
        }
        Reading::Known(Value::Set(common))
    }

    fn defaults_valid(&self) -> Evidence {
        let source = Source::file(defaults::DEFAULTS);
        let grub = matches!(self.loader, Reading::Known(Loader::Grub | Loader::GrubBls));
        if !grub {
            return Evidence::new(self.loader.as_ref().and_then(|_| Reading::Absent), source);
        }
        let reading = self.configured.as_ref();
        match reading.known().and_then(|configured| configured.aborts.as_ref()) {
            Some(abort) => Evidence::new(Reading::Known(Value::Bool(false)), abort.at.clone())
                .with_note(format!("sh stops here: {}", abort.why)),
            None => Evidence::new(reading.map(|_| Value::Bool(true)), source),
        }
    }

    /// Why there may be arguments that are not listed.
    fn doubt(&self) -> Option<(Cause, Source)> {
        let source = || self.next.source.clone();
        match (&self.next.candidates, &self.configured) {
            (Reading::Unreadable(cause), _) | (Reading::Absent, Reading::Unreadable(cause)) => {
                Some((cause.clone(), source()))
            }
            (Reading::Known(candidates), _) => match hidden(candidates)? {
                Reading::Unreadable(cause) => Some((cause, source())),
                Reading::Known(_) | Reading::Absent => None,
            },
            (Reading::Absent, Reading::Known(_) | Reading::Absent) => None,
        }
    }
}

fn split(finding: Reading<Finding>) -> (Reading<Value>, Option<String>) {
    let note = finding.known().and_then(|finding| finding.note.clone());
    (finding.map(|finding| finding.value), note)
}

/// The reading of anything that an undecided variable may change.
fn hidden(candidates: &[Candidate]) -> Option<Reading<Value>> {
    let hides = candidates.iter().find_map(|candidate| candidate.hides.as_ref())?;
    let what = format!("the boot loader decides about {hides}");
    Some(Reading::Unreadable(Cause::NotDecidable { line: None, what }))
}

fn disagree() -> Reading<Value> {
    let what = "menu entries differ, and the default is not known".to_owned();
    Reading::Unreadable(Cause::NotDecidable { line: None, what })
}

const NEEDS: Needs = Needs::BOOT_CONFIG.and(Needs::CMDLINE);

fn evidence(facts: &Facts, read: impl FnOnce(&BootConfig) -> Evidence) -> Evidence {
    match &facts.boot_config {
        Some(config) => read(config),
        None => {
            Evidence { reading: Reading::Unreadable(Cause::NotGathered), source: None, note: None }
        }
    }
}

fn next_means(facts: &Facts, meaning: fn(&Cmdline) -> Finding) -> Evidence {
    evidence(facts, |config| {
        let (reading, note) = config.next_means(meaning);
        Evidence { reading, source: Some(config.next_source()), note }
    })
}

fn argument(facts: &Facts, index: usize, read: fn(&Argument) -> Evidence) -> Evidence {
    evidence(facts, |config| match config.arguments.get(index) {
        Some(argument) => read(argument),
        None => Evidence { reading: Reading::Absent, source: None, note: None },
    })
}

/// What is wrong with an argument, and when that counts.
fn mistaken(argument: &Argument, what: impl IntoIterator<Item = String>) -> Evidence {
    let reading = Reading::Known(Value::Set(what.into_iter().collect()));
    let evidence = Evidence::new(reading, argument.source.clone());
    if argument.mistake.is_some() { evidence.with_note(argument.when()) } else { evidence }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "boot.loader",
        kind: Kind::Text,
        doc: "Who keeps the kernel's arguments: grub, grub-bls, systemd-boot, proxmox-boot, ostree or \
              none-found.",
        needs: NEEDS,
        read: |facts| {
            evidence(facts, |config| {
                let reading = config.loader.as_ref().map(|loader| text(loader.name()));
                Evidence::new(reading, config.loader_source.clone())
            })
        },
    },
    Fact {
        name: "boot.defaults-valid",
        kind: Kind::Bool,
        doc: "Whether sh reads /etc/default/grub and its drop-ins to the end; absent without GRUB.",
        needs: NEEDS,
        read: |facts| evidence(facts, BootConfig::defaults_valid),
    },
    Fact {
        name: "boot.generated",
        kind: Kind::Bool,
        doc: "Whether a configuration generated for the boot loader was found.",
        needs: NEEDS,
        read: |facts| {
            evidence(facts, |config| {
                let found = config.next.candidates.as_ref().map(|_| Value::Bool(true));
                let reading = found.or_absent(Value::Bool(false));
                Evidence::new(reading, config.next.source.clone())
            })
        },
    },
    Fact {
        name: "boot.configured",
        kind: Kind::Set,
        doc: "The parameters that the next boot gets, as far as files tell.",
        needs: NEEDS,
        read: |facts| {
            evidence(facts, |config| Evidence::new(config.next_tokens(), config.next_source()))
        },
    },
    Fact {
        name: "boot.next-iommu-off",
        kind: Kind::Set,
        doc: "Parameters of the next boot that switch the IOMMU off on AMD or on Intel hosts.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::iommu_off),
    },
    Fact {
        name: "boot.next-iommu-off-amd",
        kind: Kind::Set,
        doc: "Parameters of the next boot that switch the IOMMU off on an AMD host.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::iommu_off_amd),
    },
    Fact {
        name: "boot.next-iommu-off-intel",
        kind: Kind::Set,
        doc: "Parameters of the next boot that switch the IOMMU off on an Intel host.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::iommu_off_intel),
    },
    Fact {
        name: "boot.next-acs-override",
        kind: Kind::Set,
        doc: "`pcie_acs_override=` parameters of the next boot, with which a patched kernel invents isolation.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::acs_override),
    },
    Fact {
        name: "boot.next-interrupt-remapping-off",
        kind: Kind::Set,
        doc: "Parameters of the next boot that switch interrupt remapping off.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::interrupt_remapping_off),
    },
    Fact {
        name: "boot.next-unsafe-interrupts",
        kind: Kind::Bool,
        doc: "Whether the next boot's command line lets VFIO or iommufd assign devices without interrupt \
              isolation.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::unsafe_interrupts),
    },
    Fact {
        name: "boot.next-iommu-passthrough",
        kind: Kind::Bool,
        doc: "Whether the next boot's command line makes passthrough the IOMMU's default domain.",
        needs: NEEDS,
        read: |facts| next_means(facts, means::passthrough),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[Collection {
    name: "boot.arguments",
    item: "kernel argument",
    doc: "Arguments about the IOMMU, the TEE, modules, VFIO and PCI that booted, are written in a boot \
          configuration, or were generated from one.",
    needs: NEEDS,
    select: |facts| match &facts.boot_config {
        None => Selection {
            subjects: Vec::new(),
            doubt: Some((Cause::NotGathered, Source::file(super::cmdline::PATH))),
        },
        Some(config) => {
            let arguments = config.arguments.iter().enumerate();
            let subjects = arguments
                .map(|(index, argument)| Subject { index, label: argument.text.clone() })
                .collect();
            Selection { subjects, doubt: config.doubt() }
        }
    },
    facts: &[
        ItemFact {
            name: "argument",
            kind: Kind::Text,
            doc: "Key and value, with `_` for `-` in the key and without quotes.",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    Evidence::new(Reading::Known(text(&argument.text)), argument.source.clone())
                })
            },
        },
        ItemFact {
            name: "family",
            kind: Kind::Text,
            doc: "What it is about: iommu, tee, module, vfio or pci.",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    let family = text(argument.family.name());
                    Evidence::new(Reading::Known(family), argument.source.clone())
                })
            },
        },
        ItemFact {
            name: "undone-by",
            kind: Kind::Set,
            doc: "The later argument of the same line that takes it back.",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    mistaken(argument, argument.undone_by().map(str::to_owned))
                })
            },
        },
        ItemFact {
            name: "malformed-ids",
            kind: Kind::Set,
            doc: "What stands among the ids for vfio-pci or pci-stub and is none, as a device's address.",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    mistaken(argument, argument.no_ids().iter().cloned())
                })
            },
        },
        ItemFact {
            name: "without-effect",
            kind: Kind::Set,
            doc: "Why nothing obeys it; empty where it means something. `amd_iommu=on`, which guides tell \
                  people to write, counts as meant well.",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    mistaken(argument, argument.without_effect().map(str::to_owned))
                })
            },
        },
        ItemFact {
            name: "status",
            kind: Kind::Text,
            doc: "ok, reboot-required (generated, not booted), not-persisted (booted, not generated), \
                  not-generated (written, not generated), overridden (written, and dropped by a later \
                  assignment) or unmanaged (no known loader).",
            needs: NEEDS,
            read: |facts, index| {
                argument(facts, index, |argument| {
                    let status = argument.status.as_ref().map(|status| text(status.name()));
                    Evidence {
                        reading: status,
                        source: Some(argument.source.clone()),
                        note: argument.note.clone(),
                    }
                })
            },
        },
    ],
}];
