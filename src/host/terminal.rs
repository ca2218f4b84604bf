//! Where the report goes: whether colour is wanted there, and how wide it is. And who sits there, to be
//! asked.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Width of a page where there is no terminal.
const PAGE: u16 = 80;

/// How to write to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    pub colour: bool,
    /// Columns.
    pub width: u16,
}

/// What the user asked for with `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Colour on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`; `CLICOLOR_FORCE` forces it.
    #[default]
    Auto,
    Always,
    Never,
}

impl Terminal {
    pub fn of_stdout(colour: Colour) -> Self {
        let stdout = std::io::stdout();
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
        };
        let width = terminal_size::terminal_size_of(&stdout).map_or(PAGE, |(width, _)| width.0);
        Self { colour, width }
    }

    /// Whether the user's locale is one of UTF-8, so that lines can be drawn.
    #[expect(clippy::disallowed_methods, reason = "the locale is the reader's, as the terminal is")]
    pub fn shows_unicode() -> bool {
        // The first that is set and not empty decides, as in the C library.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
        let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    /// Columns of the terminal that standard error is; `None` where it is none.
    pub fn width_of_stderr() -> Option<usize> {
        let stderr = std::io::stderr();
        let is_one = stderr.is_terminal();
        let width = || terminal_size::terminal_size_of(&stderr).map_or(PAGE, |(width, _)| width.0);
        is_one.then(width).map(usize::from)
    }

    /// Asks a question that is answered with yes or no; anything but yes is no. `None` where nobody sits
    /// at a terminal to answer.
    pub fn confirms(question: &str) -> Option<bool> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).ok()?;
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }
}
