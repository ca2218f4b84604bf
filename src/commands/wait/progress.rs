//! How a wait goes, on standard error: one line that is rewritten on a terminal, else a line whenever what
//! is missing changes. Standard error that cannot be written to stops nothing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use crate::host::Stopwatch;
use crate::report::{Report, Status, visible};
use crate::rules::Severity;
use crate::watch::Gap;

#[derive(Debug)]
pub(super) struct Progress {
    /// Columns; `None` where there is no terminal.
    width: Option<usize>,
    started: Stopwatch,
    /// What is missing, as it was shown last.
    missing: String,
    /// What cannot be watched and was said to be so.
    gaps: Vec<String>,
    /// A line stands on the terminal that has no end yet.
    open: bool,
}

impl Progress {
    pub(super) fn start(width: Option<usize>, started: Stopwatch) -> Self {
        Self { width, started, missing: String::new(), gaps: Vec::new(), open: false }
    }

    pub(super) fn is_on_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Shows what is missing, and once each what is not watched.
    pub(super) fn show<'g>(&mut self, report: &Report, gaps: impl Iterator<Item = &'g Gap>) {
        for reason in gaps.map(Gap::reason) {
            if !self.gaps.contains(&reason) {
                self.clear();
                write(&format!("note: {}; looking every 10 s\n", visible(&reason)));
                self.gaps.push(reason);
            }
        }
        let missing = missing(report);
        if missing != self.missing {
            self.missing = missing;
            if self.width.is_none() {
                write(&format!("{}\n", self.line()));
            }
        }
        self.tick();
    }

    /// Writes the line anew, with the time that has passed.
    pub(super) fn tick(&mut self) {
        if let Some(width) = self.width {
            write(&format!("\r\x1b[K{}", cut(&self.line(), width.saturating_sub(1))));
            self.open = true;
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(&mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.open) {
            write("\r\x1b[K");
        }
    }

    fn line(&self) -> String {
        format!("waiting {}: {}", time(self.started.elapsed()), self.missing)
    }
}

/// The rules that keep the host from being ready, causes first.
fn missing(report: &Report) -> String {
    let ids = |status| {
        let results = report.with(Severity::Required, status);
        results.map(|result| visible(&result.rule.id).to_string()).collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    for (ids, what) in
        [(ids(Status::Fail), "not passed: "), (ids(Status::Unknown), "cannot tell: ")]
    {
        if !ids.is_empty() {
            let separator = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{separator}{what}{ids}");
        }
    }
    if text.is_empty() { "nothing required could be judged".to_owned() } else { text }
}

fn time(passed: Duration) -> String {
    let seconds = passed.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// So much of a text as fits.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if short.width() + 3 > width {
            short.pop();
            break;
        }
    }
    short + "..."
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_and_a_time_is_short() {
        assert_eq!(cut("waiting 3 s: iommufd", 20), "waiting 3 s: iommufd");
        assert_eq!(cut("waiting 3 s: iommufd", 19), "waiting 3 s: iom...");
        assert_eq!(time(Duration::from_secs(59)), "59 s");
        assert_eq!(time(Duration::from_secs(61)), "1 min 1 s");
        assert_eq!(time(Duration::from_secs(7325)), "2 h 2 min");
    }
}
