//! What the service manager says in the environment. All else that can be set stands in the configuration.

use std::ffi::OsString;
use std::path::PathBuf;

/// The first directory of `RuntimeDirectory=`, which the service manager has made and owns.
pub(super) fn runtime_directory() -> Option<PathBuf> {
    let directories = variable("RUNTIME_DIRECTORY")?;
    let first = directories.as_encoded_bytes().split(|byte| *byte == b':').next()?;
    let first = std::str::from_utf8(first).ok().filter(|first| first.starts_with('/'))?;
    Some(PathBuf::from(first))
}

/// Device and inode of the stream to the journal that a service begins with.
pub(super) fn journal_stream() -> Option<(u64, u64)> {
    let stream = variable("JOURNAL_STREAM")?;
    let (device, inode) = stream.to_str()?.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

#[expect(clippy::disallowed_methods, reason = "the service manager says it nowhere else")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
