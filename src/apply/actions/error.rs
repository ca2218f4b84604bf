//! What can go wrong with a program that changes a host.

use std::io;

use crate::host::Cause;
use crate::report::visible;

/// Lines of a program's complaint that a person needs to see, and characters of each.
const LINES: usize = 5;
const WIDTH: usize = 300;

/// Why an action did not do what it is for. What programs said has no control characters left.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("{program} is not installed")]
    NotInstalled { program: String },
    #[error("{program} did not start")]
    NotStarted { program: String, source: io::Error },
    /// `how` names the code or the signal.
    #[error("{program} {how}{}", after_colon(said))]
    Failed { program: String, how: String, said: String },
    #[error("{program} did not end within {seconds} s{}", after_colon(said))]
    TimedOut { program: String, seconds: u64, said: String },
    /// It ended well, but what it made must not be used.
    #[error("what {program} made is refused: {why}")]
    Refused { program: String, why: String },
    #[error("{unit} did not come up: {why}")]
    NotUp { unit: String, why: String },
    #[error("{path}: {cause}")]
    Unreadable { path: String, cause: Cause },
    #[error("{path}: cannot be {verb}")]
    File { path: String, verb: &'static str, source: io::Error },
    /// Sizes in KiB.
    #[error("{path}: {free} KiB are free, {needed} KiB are needed")]
    NoSpace { path: String, free: u64, needed: u64 },
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// The last lines of an output, harmless to a terminal and in one line: `first / second`.
pub(super) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> =
        text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    let shown: Vec<String> =
        lines.get(from..).unwrap_or_default().iter().map(|line| shown(line)).collect();
    shown.join(" / ")
}

/// A text of the host in a message: short, and harmless to a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(WIDTH).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    visible(&short).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_complaint_is_kept_and_no_terminal_obeys_it() {
        assert_eq!(last_lines(b""), "");
        assert_eq!(last_lines(b"one\n\ntwo\r\n"), "one / two");
        assert_eq!(last_lines(b"1\n2\n3\n4\n5\n6\n"), "2 / 3 / 4 / 5 / 6");
        assert_eq!(last_lines(b"\x1b[2J\xff"), "\\x1b[2J\u{fffd}");
        assert_eq!(last_lines(&[b'a'; 1000]).len(), WIDTH + 3);
    }

    #[test]
    fn an_error_says_what_the_program_said() {
        let error = |said: &str| ActionError::Failed {
            program: "grubby".into(),
            how: "ended with code 1".into(),
            said: said.into(),
        };
        assert_eq!(error("").to_string(), "grubby ended with code 1");
        assert_eq!(error("no entries").to_string(), "grubby ended with code 1: no entries");
    }
}
