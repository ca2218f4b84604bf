//! The boot menu: generated beside the one that boots, judged, and made to stick once it is in place.
//!
//! `grub-mkconfig -o FILE` empties FILE before it writes it, and has been seen to end well with nothing
//! done. So it never gets the name of the menu that boots, and its result is compared with that menu, of
//! which nothing but the arguments may differ. Swapping the two is not done here.

mod compare;
#[cfg(test)]
mod generate_tests;
mod settle;

use std::io;
use std::path::Path;
use std::time::Duration;

pub use compare::compare;
pub use settle::settle;

use super::error::ActionError;
use super::programs::{Programs, succeeded};
use crate::host::process::Process;
use crate::host::{Reading, Root};
use crate::plan::BootMenu;

/// The name that the generator writes to, in the directory of the menu; it adds `.new` while it writes.
pub(in crate::apply) const WORK: &str = ".ccgpu-node.cfg";

/// With many kernels and snapshots on a slow disk it takes tens of seconds.
const GENERATOR_DEADLINE: Duration = Duration::from_secs(300);
const CHECKER_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of a menu; those with snapshots of years have a few hundred thousand.
const CAP: u64 = 16 << 20;

/// What must be left on the file system once both copies of the generator are written.
const RESERVE: u64 = 1 << 20;

/// Generates the menu and gives its bytes, which differ from those of `menu.target` in nothing but
/// `menu.change`. Nothing is left on disk.
pub fn generate(menu: &BootMenu) -> Result<Vec<u8>, ActionError> {
    generate_with(&Programs::of_this_host(), menu, GENERATOR_DEADLINE)
}

fn generate_with(
    programs: &Programs,
    menu: &BootMenu,
    deadline: Duration,
) -> Result<Vec<u8>, ActionError> {
    let directory = Path::new(&menu.target).parent().unwrap_or(Path::new("/"));
    let directory = directory.to_string_lossy().into_owned();
    let root = live()?;
    let old = read(&root, &menu.target)?;
    check_space(&directory, &old)?;
    remove_leftovers(&root, &directory)?;
    let new = generated(programs, menu, deadline, &root, &directory, &old);
    // Whatever came of it; an error of the generator is the better one to tell.
    let removed = remove_leftovers(&root, &directory);
    let new = new?;
    removed?;
    compare(&old, &new, &menu.change).map_err(|why| refused(menu, why))?;
    Ok(new)
}

fn generated(
    programs: &Programs,
    menu: &BootMenu,
    deadline: Duration,
    root: &Root,
    directory: &str,
    old: &[u8],
) -> Result<Vec<u8>, ActionError> {
    let work = format!("{directory}/{WORK}");
    let generator = programs.program(menu.generator, deadline).args(["-o", work.as_str()]);
    let said = succeeded(menu.generator, &like_the_last_time(generator, old))?;
    if !root.stat(&format!("{work}.new")).is_absent() {
        let said = super::error::last_lines(&said.stderr);
        return Err(refused(menu, format!("it left {work}.new behind: {said}")));
    }
    let new = match root.read(&work, CAP) {
        Reading::Known(new) if new.is_empty() => {
            return Err(refused(menu, "it is empty".to_owned()));
        }
        Reading::Known(new) => new,
        Reading::Absent => return Err(refused(menu, "it wrote no file".to_owned())),
        Reading::Unreadable(cause) => return Err(ActionError::Unreadable { path: work, cause }),
    };
    let checker = checker(menu.generator);
    let check = programs.program(checker, CHECKER_DEADLINE).arg(&work);
    succeeded(checker, &check)?;
    Ok(new)
}

fn refused(menu: &BootMenu, why: String) -> ActionError {
    ActionError::Refused { program: menu.generator.to_owned(), why }
}

fn checker(generator: &str) -> &'static str {
    if generator.starts_with("grub2") { "grub2-script-check" } else { "grub-script-check" }
}

/// Gives the generator the surroundings in which it made the menu that is there, as far as that menu
/// tells, so that no difference comes from them.
///
/// Its titles are in the language of `LANG`, which `set lang=` keeps. `os-prober` mounts every partition it
/// finds, and is known to hang over some: it runs where it found something the last time, since its entries
/// would be missed, and else only where `/etc/default/grub` says so, which the generator reads after its
/// environment.
fn like_the_last_time(generator: Process, old: &[u8]) -> Process {
    let generator = match language(old) {
        Some(language) => generator.without_env("LC_ALL").env("LANG", format!("{language}.UTF-8")),
        None => generator,
    };
    if has_probed_entries(old) {
        generator
    } else {
        generator.env("GRUB_DISABLE_OS_PROBER", "true")
    }
}

/// The value of `set lang=`.
fn language(menu: &[u8]) -> Option<&str> {
    let value = lines(menu).find_map(|line| line.strip_prefix(b"set lang="))?;
    let value = std::str::from_utf8(value).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '-');
    (!value.is_empty() && value.len() <= 32 && value.chars().all(plain)).then_some(value)
}

/// Whether the section of `os-prober` holds anything but comments.
fn has_probed_entries(menu: &[u8]) -> bool {
    let mut inside = false;
    lines(menu).any(|line| {
        if line.starts_with(b"### BEGIN ") || line.starts_with(b"### END ") {
            inside = line.starts_with(b"### BEGIN ") && line.ends_with(b"/30_os-prober ###");
        }
        inside && line.starts_with(b"menuentry ")
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii)
}

fn live() -> Result<Root, ActionError> {
    Root::live().map_err(|error| {
        let source = io::Error::other(error);
        ActionError::File { path: "/".to_owned(), verb: "opened", source }
    })
}

fn read(root: &Root, path: &str) -> Result<Vec<u8>, ActionError> {
    match root.read(path, CAP) {
        Reading::Known(bytes) => Ok(bytes),
        Reading::Absent => Err(ActionError::File {
            path: path.to_owned(),
            verb: "compared with",
            source: io::ErrorKind::NotFound.into(),
        }),
        Reading::Unreadable(cause) => Err(ActionError::Unreadable { path: path.to_owned(), cause }),
    }
}

/// A full disk would end the generator within its last copy, and would leave no room for anything else.
fn check_space(directory: &str, old: &[u8]) -> Result<(), ActionError> {
    let stat = nix::sys::statvfs::statvfs(directory).map_err(|errno| ActionError::File {
        path: directory.to_owned(),
        verb: "asked for its free space",
        source: errno.into(),
    })?;
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    let needed = u64::try_from(old.len()).unwrap_or(u64::MAX).saturating_mul(2);
    let needed = needed.saturating_add(RESERVE);
    if free < needed {
        let (free, needed) = (free >> 10, needed >> 10);
        return Err(ActionError::NoSpace { path: directory.to_owned(), free, needed });
    }
    Ok(())
}

/// What an earlier run, or this one, has left.
fn remove_leftovers(root: &Root, directory: &str) -> Result<(), ActionError> {
    let names = match root.list(directory) {
        Reading::Known(names) => names,
        Reading::Absent => Vec::new(),
        Reading::Unreadable(cause) => {
            return Err(ActionError::Unreadable { path: directory.to_owned(), cause });
        }
    };
    for entry in names.iter().filter(|entry| entry.name.starts_with(WORK)) {
        let path = format!("{directory}/{}", entry.name);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ActionError::File { path, verb: "removed", source }),
        }
    }
    Ok(())
}
