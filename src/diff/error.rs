//! Why two things cannot be compared.

/// Why there is no comparison. A name is as the user typed it.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    #[error("cannot read {name}: {why}")]
    Unreadable { name: String, why: String },
    #[error(
        "{name}:1: it is neither a captured host nor a report; `ccgpu-node capture` writes the one, \
         `ccgpu-node check --format json` the other"
    )]
    Unrecognised { name: String },
    #[error("{name}:1: {what}; `ccgpu-node capture` makes a file that can be compared")]
    Foreign { name: String, what: String },
    #[error("{name}: {why}; write it again with `ccgpu-node capture`")]
    Capture { name: String, why: String },
    #[error("{name}:{line}:{column}: {what}; write it again with `ccgpu-node check --format json`")]
    Report { name: String, line: usize, column: usize, what: String },
    #[error("{a} and {b} have nothing in common that could be compared")]
    NothingInCommon { a: String, b: String },
}
