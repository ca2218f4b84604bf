//! What the daemon says of a report, in words: one line that is safe to show. Pure.

use std::error::Error;

use crate::report::{Report, RuleResult, npd, sentences, visible};

/// Bytes of what was found; the report has all of it.
const LONGEST: usize = 600;

/// The verdict and what stands first against it, as the service manager shows it.
pub(super) fn status(report: &Report) -> String {
    let mut line = Vec::new();
    // Writing to memory does not fail.
    let _ = npd::render(report, &mut line);
    format!("{}; {}", report.verdict, String::from_utf8_lossy(&line).trim_end())
}

/// What was found wrong; empty where nothing is.
pub(super) fn findings(result: &RuleResult) -> String {
    cut(&sentences(result, false).join("; "))
}

/// An error and all its causes.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    cut(&text)
}

fn cut(text: &str) -> String {
    let shown = visible(text);
    if shown.len() <= LONGEST {
        return shown.into_owned();
    }
    let end = (0..=LONGEST - 3).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or_default();
    format!("{}...", shown.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_at_a_character() {
        let text = cut(&"\u{e9}".repeat(400));
        assert!(text.len() <= LONGEST && text.ends_with("\u{e9}..."), "{text}");
        assert_eq!(cut("a\nb\x1b"), "a\\nb\\x1b");
    }

    #[test]
    fn every_cause_of_an_error_is_told() {
        let root = std::io::Error::other("no space");
        let error = crate::daemon::DaemonError::Runtime { what: "begin", source: root };
        assert_eq!(causes(&error), "cannot begin: no space");
    }
}
