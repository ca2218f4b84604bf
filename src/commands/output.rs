//! Standard output: buffered, and at peace with a reader that has seen enough.

use std::io::{self, BufWriter, Write};

use super::CommandError;
use crate::exit::Exit;

/// Writes to standard output. A closed pipe is no error: `| head` got what it wanted.
pub(super) fn write(
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Exit, CommandError> {
    let mut out = BufWriter::with_capacity(1 << 16, Quiet(io::stdout().lock()));
    render(&mut out).and_then(|()| out.flush()).map_err(CommandError::Output)?;
    Ok(Exit::Ready)
}

/// A writer that takes a broken pipe for the end of interest. It swallows the error itself, since
/// generators of completions panic on one.
struct Quiet<W>(W);

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// An error's text without characters that a terminal would obey. Line breaks are ours and stay.
pub fn printable(text: &str) -> String {
    text.lines().map(|line| crate::report::visible(line).to_string()).collect::<Vec<_>>().join("\n")
}
