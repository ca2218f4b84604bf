//! Makes what was written visible to the boot loader, not to Linux alone.
//!
//! GRUB reads a file system without replaying its journal. `syncfs` makes ext4 write all of it where GRUB
//! looks. After it, XFS may still hold new names in its journal only; a freeze makes it write them too.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::super::error::ActionError;
use super::super::programs::{Programs, succeeded};

/// What `statfs` calls XFS; the crates have no one name for it on both C libraries.
const XFS: u64 = 0x5846_5342;

/// A freeze waits for all that is being written to that file system.
const FREEZE_DEADLINE: Duration = Duration::from_secs(60);

/// Freezes and thaws in a process that goes on without us: whatever ends this program between the two,
/// the shell is in a group of its own, lives on, and thaws. It ignores the signals that a session or a
/// service manager sends at its end, and so do the programs it starts. A freeze that failed is not thawed,
/// since then somebody else holds one; a freeze that was killed may have been made, and is.
const FREEZE: &str = r#"
trap "" HUP INT QUIT PIPE TERM
fsfreeze --freeze "$1"
code=$?
if [ "$code" -ne 0 ] && [ "$code" -lt 128 ]; then exit "$code"; fi
tries=0
until fsfreeze --unfreeze "$1"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 20 ]; then exit 1; fi
    sleep 0.5
done
exit "$code"
"#;

/// Directories that something of ours, or of the two programs above, is read from or written to.
const NEEDED: [&str; 7] = ["/", "/usr", "/etc", "/var", "/var/lib", "/run", "/tmp"];

/// Brings all of the file system that holds `target` to where the boot loader reads it.
///
/// The freeze is left out where the file system is also that of `/` or of another directory that a running
/// system needs: nothing could run to thaw it. There, XFS has nothing better than `syncfs`.
pub fn settle(target: &str) -> Result<(), ActionError> {
    settle_with(&Programs::of_this_host(), target)
}

fn settle_with(programs: &Programs, target: &str) -> Result<(), ActionError> {
    let directory = Path::new(target).parent().unwrap_or(Path::new("/"));
    let failed =
        |verb, source| ActionError::File { path: directory.display().to_string(), verb, source };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(directory, flags, Mode::empty())
        .map_err(|errno| failed("opened", errno.into()))?;
    // The first one brings metadata to their places, the second one the disk to keep them.
    for _ in 0..2 {
        nix::unistd::syncfs(&fd).map_err(|errno| failed("written out", errno.into()))?;
    }
    let kind = rustix::fs::fstatfs(&fd);
    let kind = kind.map_err(|errno| failed("asked for its kind", errno.into()))?.f_type;
    if u64::try_from(kind) != Ok(XFS) {
        return Ok(());
    }
    let device = File::from(fd).metadata().map_err(|source| failed("looked at", source))?.dev();
    match freezable(directory, device).map_err(|source| failed("looked at", source))? {
        Some(mount) => freeze(programs, &mount),
        None => Ok(()),
    }
}

/// The topmost directory of the file system, unless the running system needs that one.
fn freezable(directory: &Path, device: u64) -> io::Result<Option<PathBuf>> {
    for needed in NEEDED {
        match device_of(Path::new(needed)) {
            Ok(other) if other != device => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    // The real path, so that its parents are those of the mount.
    #[expect(clippy::disallowed_methods, reason = "the mount is that of this very path")]
    let directory = std::fs::canonicalize(directory)?;
    for (mount, parent) in directory.ancestors().zip(directory.ancestors().skip(1)) {
        if device_of(parent)? != device {
            return Ok(Some(mount.to_owned()));
        }
    }
    Ok(None)
}

fn device_of(path: &Path) -> io::Result<u64> {
    #[expect(clippy::disallowed_methods, reason = "the device of a mount is not a fact of a root")]
    std::fs::metadata(path).map(|metadata| metadata.dev())
}

fn freeze(programs: &Programs, mount: &Path) -> Result<(), ActionError> {
    // As a unit it has no time to keep: what ends it could leave the file system frozen.
    let shell = programs
        .unconfined("sh", FREEZE_DEADLINE, &[], &[])
        .args(["-c", FREEZE, "sh"])
        .arg(mount)
        // Killing it is the one thing that could leave the file system frozen.
        .spared();
    succeeded("fsfreeze", &shell).map(drop)
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
