//! What cc-manager says in its log about the confidential computing mode that it sets.
//!
//! The log is for people, so only sentences that are known count, and what they leave open is not guessed.
//! Each line is the container runtime's: a time, a stream, a tag, and what the program wrote.

use jiff::Timestamp;

/// As they stand in the program's own lines, between the time and the level.
const LOGGER: &str = "k8s-cc-manager";

/// Characters of a reason that are kept.
const REASON_LIMIT: usize = 200;

/// A mode of the GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    On,
    Off,
    /// For all GPUs and `NVSwitches` of a host together.
    Ppcie,
    /// Confidential in nothing but its interfaces.
    Devtools,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Ppcie => "ppcie",
            Self::Devtools => "devtools",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::On, Self::Off, Self::Ppcie, Self::Devtools].into_iter().find(|it| it.name() == text)
    }
}

/// The last time that cc-manager was told a mode, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub mode: Mode,
    /// Seconds since the epoch.
    pub since: i64,
    /// From 1.
    pub line: u32,
    pub end: Option<End>,
}

/// How an attempt ended, with the time in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Applied(i64),
    Failed(i64, String),
}

/// What a whole log comes to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Log {
    pub attempt: Option<Attempt>,
    /// When its last line was written.
    pub last: Option<i64>,
    /// The last line that says that the host cannot keep guests confidential.
    pub host_refused: bool,
}

/// Reads a log.
pub(super) fn parse(text: &str) -> Log {
    let mut log = Log::default();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((time, message)) = line_of(line) else { continue };
        log.last = Some(time);
        match sentence(message) {
            Some(Sentence::Begins(mode)) => {
                log.attempt = Some(Attempt { mode, since: time, line: number, end: None });
            }
            Some(Sentence::Sets(mode)) => match &mut log.attempt {
                Some(attempt) if attempt.mode == mode && attempt.end.is_none() => {}
                _ => log.attempt = Some(Attempt { mode, since: time, line: number, end: None }),
            },
            Some(Sentence::Applied(mode)) => {
                let since = log.attempt.as_ref().filter(|it| it.mode == mode).map(|it| it.since);
                let end = Some(End::Applied(time));
                let since = since.unwrap_or(time);
                log.attempt = Some(Attempt { mode, since, line: number, end });
            }
            Some(Sentence::Failed) => {
                if let Some(attempt) = log.attempt.as_mut().filter(|it| it.end.is_none()) {
                    let reason = message.chars().take(REASON_LIMIT).collect();
                    attempt.end = Some(End::Failed(time, reason));
                    attempt.line = number;
                }
            }
            Some(Sentence::HostRefused) => log.host_refused = true,
            None => {}
        }
    }
    log
}

/// A line with nothing in it but what counts: its time, and a sentence that is known, without reasons.
pub(crate) fn shown(line: &str) -> String {
    let Some((_, message)) = line_of(line) else { return String::new() };
    let kept = match sentence(message) {
        Some(Sentence::Failed) => message.split(':').next().unwrap_or_default(),
        Some(_) => message,
        None => "",
    };
    let runtime: Vec<&str> = line.splitn(4, ' ').take(3).collect();
    format!("{} 0 - {LOGGER} - 0 - {kept}", runtime.join(" "))
}

/// The time of a line, and what cc-manager itself says in it.
fn line_of(line: &str) -> Option<(i64, &str)> {
    let mut words = line.trim_end_matches('\r').splitn(4, ' ');
    let time: Timestamp = words.next()?.parse().ok()?;
    let (_stream, _tag) = (words.next()?, words.next()?);
    let mut parts = words.next()?.splitn(4, " - ");
    let (_clock, logger, _level) = (parts.next()?, parts.next()?, parts.next()?);
    (logger == LOGGER).then_some(())?;
    Some((time.as_second(), parts.next()?))
}

enum Sentence {
    /// A mode was asked for.
    Begins(Mode),
    /// It is being set.
    Sets(Mode),
    Applied(Mode),
    Failed,
    HostRefused,
}

fn sentence(message: &str) -> Option<Sentence> {
    const FAILURES: [&str; 8] = [
        "GPU error setting CC mode",
        "Unexpected error setting CC mode",
        "GPU error setting PPCIe mode",
        "Unexpected error setting PPCIe mode",
        "Some GPUs are not cc-capable",
        "Some devices do not support PPCIe mode",
        "Failed to evict GPU operator components",
        "Fatal error",
    ];
    if FAILURES.iter().any(|start| message.starts_with(start)) {
        return Some(Sentence::Failed);
    }
    if message.starts_with("Overriding default CC mode") {
        return Some(Sentence::HostRefused);
    }
    if message.starts_with("Setting PPCIe mode on ") && message.ends_with(" device(s)") {
        return Some(Sentence::Sets(Mode::Ppcie));
    }
    if message == "Successfully set PPCIe mode on all devices"
        || message == "All devices already in PPCIe mode, skipping"
    {
        return Some(Sentence::Applied(Mode::Ppcie));
    }
    let between = |start: &str, end: &str| {
        let rest = message.strip_prefix(start)?;
        Mode::parse(rest.split(end).next().unwrap_or_default())
    };
    if let Some(mode) = between("Setting CC mode to '", "'") {
        return Some(Sentence::Sets(mode));
    }
    if let Some(mode) = between("Successfully set CC mode to '", "'") {
        return Some(Sentence::Applied(mode));
    }
    if let Some(mode) = between("All gpus already set to cc ", ",") {
        return Some(Sentence::Applied(mode));
    }
    if let Some(mode) = between("Applying default CC mode: ", " ") {
        return Some(Sentence::Begins(mode));
    }
    let (_, new) = message.strip_prefix("Label changed: '")?.split_once("' -> '")?;
    Mode::parse(new.split('\'').next().unwrap_or_default()).map(Sentence::Begins)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
