//! The facts about the confidential computing mode that rules may name.

use super::{Attempt, CcMode, End, Log, PODS, labels, needed};
use crate::facts::catalogue::{Collection, Evidence, Fact};
use crate::facts::operator::{CC_MANAGER, CLOCK_SLACK, VALIDATIONS};
use crate::facts::{Cause, Facts, Kind, Needs, Reading, Source, Value};

/// Seconds that NVIDIA gives a change of the mode.
pub(super) const CHANGE_TAKES: i64 = 120;

const WITH_BOOT: Needs = Needs::CC_MODE.and(Needs::OPERATOR_FILES);

pub(in crate::facts) const FACTS: &[Fact] = &[
    Fact {
        name: "cc.needed-mode",
        kind: Kind::Text,
        doc: "The confidential computing mode that the GPUs need for guests of their own: ppcie for \
              several Hopper GPUs behind NVSwitches, else on.",
        needs: Needs::PCI,
        read: |facts| match &facts.pci {
            Some(pci) => {
                let (mode, why) = needed::needed(pci);
                let source = Source::file("/sys/bus/pci/devices");
                let reading = mode.map(|mode| Value::Text(mode.name().to_owned()));
                Evidence { note: why, ..Evidence::new(reading, source) }
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "cc.wanted-mode",
        kind: Kind::Text,
        doc: "The mode that cc-manager was told last, by the label nvidia.com/cc.mode or by its default: \
              on, off, ppcie, devtools.",
        needs: Needs::CC_MODE,
        read: |facts| {
            told(facts, |it, attempt| Told {
                reading: Reading::Known(text(attempt.mode.name())),
                note: it.log.known().filter(|log| log.host_refused).map(|_| REFUSED.to_owned()),
            })
        },
    },
    Fact {
        name: "cc.applied-mode",
        kind: Kind::Text,
        doc: "The mode that cc-manager says it has set: on, off, ppcie, devtools; failed where it could \
              not, and pending where it has not ended in two minutes. It cannot be told before.",
        needs: WITH_BOOT,
        read: |facts| told(facts, |it, attempt| applied(facts, it, attempt)),
    },
    Fact {
        name: "cc.confirmed",
        kind: Kind::Bool,
        doc: "Whether cc-manager has looked after the mode since the last boot.",
        needs: WITH_BOOT,
        read: confirmed,
    },
    labels::AGREE,
];

pub(in crate::facts) const COLLECTIONS: &[Collection] = &[];

const REFUSED: &str = "cc-manager says that this host does not support confidential computing";

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

struct Told {
    reading: Reading<Value>,
    note: Option<String>,
}

/// What is told of the last attempt. Without a log nothing can be told: a GPU keeps its mode over boots.
fn told(facts: &Facts, read: impl FnOnce(&CcMode, &Attempt) -> Told) -> Evidence {
    let Some(it) = &facts.cc_mode else { return Evidence::not_gathered() };
    let attempt = match &it.log {
        Reading::Known(Log { attempt: Some(attempt), .. }) => attempt,
        Reading::Known(_) => {
            let why = "cc-manager's log says nothing about a mode".to_owned();
            return Evidence::new(Reading::Unreadable(Cause::NoAnswer(why)), it.source.clone());
        }
        Reading::Absent => {
            let why = format!("cc-manager has no log below {PODS}");
            return Evidence::new(Reading::Unreadable(Cause::NoAnswer(why)), it.source.clone());
        }
        Reading::Unreadable(cause) => {
            return Evidence::new(Reading::Unreadable(cause.clone()), it.source.clone());
        }
    };
    let Told { reading, note } = read(it, attempt);
    let source = Source::line(&*it.source.path, attempt.line);
    Evidence { note, ..Evidence::new(reading, source) }
}

fn applied(facts: &Facts, it: &CcMode, attempt: &Attempt) -> Told {
    let mode = attempt.mode.name();
    match &attempt.end {
        Some(End::Applied(_)) => Told { reading: Reading::Known(text(mode)), note: None },
        Some(End::Failed(_, reason)) => {
            let note = Some(format!("to set {mode} failed: {reason}"));
            Told { reading: Reading::Known(text("failed")), note }
        }
        None => {
            let Some(now) = now(facts, it) else {
                let why = format!("a change to {mode} has begun, and when this was is not told");
                return Told { reading: Reading::Unreadable(Cause::NoAnswer(why)), note: None };
            };
            let age = now.saturating_sub(attempt.since).max(0);
            if age > CHANGE_TAKES {
                let note = Some(format!("a change to {mode} began {age} s ago and has not ended"));
                return Told { reading: Reading::Known(text("pending")), note };
            }
            let why = format!("a change to {mode} began {age} s ago; it takes up to two minutes");
            Told { reading: Reading::Unreadable(Cause::NoAnswer(why)), note: None }
        }
    }
}

/// The mode that was set last, where it was set.
pub(super) fn applied_mode(facts: &Facts) -> Option<&'static str> {
    let attempt = facts.cc_mode.as_ref()?.log.known()?.attempt.as_ref()?;
    matches!(attempt.end, Some(End::Applied(_))).then(|| attempt.mode.name())
}

/// Seconds since a change to this mode began, where that was the last one.
pub(super) fn age(facts: &Facts, mode: &str) -> Option<i64> {
    let it = facts.cc_mode.as_ref()?;
    let attempt = it.log.known()?.attempt.as_ref().filter(|last| last.mode.name() == mode)?;
    Some(now(facts, it)?.saturating_sub(attempt.since).max(0))
}

/// When the host was looked at, in seconds since the epoch: by its own clock, and no earlier than the log's
/// last line.
fn now(facts: &Facts, it: &CcMode) -> Option<i64> {
    let boot = boot(facts).into_known();
    let clock = boot.zip(it.uptime.known()).map(|(boot, up)| boot.saturating_add(*up));
    clock.max(it.log.known().and_then(|log| log.last))
}

fn boot(facts: &Facts) -> Reading<i64> {
    match &facts.operator_files {
        Some(files) => files.validations.boot_time.clone(),
        None => Reading::Unreadable(Cause::NotGathered),
    }
}

/// The file that cc-manager leaves when it has tried, and the log that says what it tried: both must be
/// of this boot.
fn confirmed(facts: &Facts) -> Evidence {
    let Some(files) = &facts.operator_files else { return Evidence::not_gathered() };
    let path = format!("{VALIDATIONS}/{CC_MANAGER}");
    let known = |value, note: &str, source| {
        Evidence::new(Reading::Known(Value::Bool(value)), source).with_note(note)
    };
    let unreadable =
        |cause: &Cause, source| Evidence::new(Reading::Unreadable(cause.clone()), source);
    let boot = match boot(facts) {
        Reading::Known(boot) => boot.saturating_sub(CLOCK_SLACK),
        Reading::Absent => {
            let cause = Cause::NoAnswer("the time of the last boot is unknown".to_owned());
            return unreadable(&cause, Source::file("/proc/stat"));
        }
        Reading::Unreadable(cause) => return unreadable(&cause, Source::file("/proc/stat")),
    };
    let file = match &files.validations.files {
        Reading::Known(files) => files.iter().find(|file| file.name == CC_MANAGER),
        Reading::Absent => None,
        Reading::Unreadable(cause) => return unreadable(cause, Source::file(VALIDATIONS)),
    };
    match file.map(|file| &file.modified) {
        None => return known(false, "cc-manager has left no file", Source::file(path)),
        Some(Reading::Known(modified)) if *modified < boot => {
            return known(false, "the file is from before the last boot", Source::file(path));
        }
        Some(Reading::Unreadable(cause)) => return unreadable(cause, Source::file(path)),
        Some(Reading::Known(_) | Reading::Absent) => {}
    }
    told(facts, |it, attempt| {
        let last = it.log.known().and_then(|log| log.last).unwrap_or(attempt.since);
        let since = last >= boot;
        let note = (!since).then(|| "its log ends before the last boot".to_owned());
        Told { reading: Reading::Known(Value::Bool(since)), note }
    })
}
