//! The exit codes: stable, and documented here and in the README only.

/// How a run ended, as the calling script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every required rule passed.
    Ready = 0,
    /// A required rule failed.
    NotReady = 1,
    /// The command line, the configuration or a rule file is wrong.
    Usage = 2,
    /// No required rule failed, but at least one could not be judged.
    CannotTell = 3,
    /// All that is wrong goes away with a reboot.
    RebootRequired = 4,
    /// Nothing was changed: busy, changed by somebody else meanwhile, or not to be mended here.
    Refused = 5,
    /// The change did not do what it should, and was taken back.
    RolledBack = 6,
    /// The change did not do what it should and could not be taken back: a person has to look.
    NeedsPerson = 7,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How `diff` ends: as diff(1) does. What cannot be read or compared ends in [`Exit::Usage`], which is the
/// 2 that diff(1) has for trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Diff {
    /// Nothing that both have differs.
    Same = 0,
    /// A verdict, a member or a fact differs.
    Different = 1,
}

impl From<Diff> for std::process::ExitCode {
    fn from(exit: Diff) -> Self {
        Self::from(exit as u8)
    }
}

/// How `check --format npd` ends: in the codes of node-problem-detector's custom plugins, which know no
/// others. An error before there is a verdict ends in [`Exit::Usage`], which they take for unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Npd {
    /// The condition does not hold: the host is ready.
    Ok = 0,
    /// The condition holds: not ready, or not before a reboot.
    NonOk = 1,
    /// It cannot be told.
    Unknown = 2,
}

impl From<Exit> for Npd {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ready => Self::Ok,
            Exit::NotReady | Exit::RebootRequired => Self::NonOk,
            Exit::Usage
            | Exit::CannotTell
            | Exit::Refused
            | Exit::RolledBack
            | Exit::NeedsPerson => Self::Unknown,
        }
    }
}

impl From<Npd> for std::process::ExitCode {
    fn from(exit: Npd) -> Self {
        Self::from(exit as u8)
    }
}
