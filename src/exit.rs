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
