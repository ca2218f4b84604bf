//! Which kernel modules load: a denylist for `modprobe`, and a list for the boot. Both are files of our
//! own; a line that stands in one is never taken out by an edit, only by a rollback.

use super::{FileChange, Refused};

pub(super) const DENYLIST: &str = "/etc/modprobe.d/ccgpu-node.conf";
pub(super) const LOADED: &str = "/etc/modules-load.d/ccgpu-node.conf";

const HEADER: &str = "# Written by ccgpu-node; `ccgpu-node history` says why, and `ccgpu-node rollback` undoes it.\n";

/// Keeps modules from loading. `blacklist` alone only stops what the kernel asks for by itself; a
/// program that names the module, as NVIDIA's do, is stopped by `install`.
pub(super) fn deny(
    existing: Option<&[u8]>,
    modules: &[String],
) -> Result<Option<FileChange>, Refused> {
    let lines = modules
        .iter()
        .flat_map(|module| [format!("blacklist {module}"), format!("install {module} /bin/false")]);
    with_lines(DENYLIST, existing, lines)
}

/// Has modules loaded at every boot.
pub(super) fn load(
    existing: Option<&[u8]>,
    modules: &[String],
) -> Result<Option<FileChange>, Refused> {
    with_lines(LOADED, existing, modules.iter().cloned())
}

/// The file with these lines added at its end, each once. `None` where it has them all.
fn with_lines(
    path: &str,
    existing: Option<&[u8]>,
    lines: impl Iterator<Item = String>,
) -> Result<Option<FileChange>, Refused> {
    let Ok(text) = existing.map(std::str::from_utf8).transpose() else {
        return Err(refused(path, "it is not text; ccgpu-node did not write that"));
    };
    // A line that ends in a backslash would swallow the one that is added.
    if text.is_some_and(|text| text.trim_end().ends_with('\\')) {
        return Err(refused(path, "its last line ends in a backslash"));
    }
    let has = |line: &str| text.is_some_and(|text| text.lines().any(|each| each.trim() == line));
    let missing: Vec<String> = lines.filter(|line| !has(line)).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let mut after = text.unwrap_or(HEADER).to_owned();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    for line in missing {
        after.push_str(&line);
        after.push('\n');
    }
    Ok(Some(FileChange {
        path: path.to_owned(),
        before: existing.map(<[u8]>::to_vec),
        after: Some(after.into_bytes()),
        new_mode: 0o644,
    }))
}

fn refused(path: &str, why: &str) -> Refused {
    Refused { path: path.to_owned(), line: None, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn after(change: Result<Option<FileChange>, Refused>) -> Option<String> {
        change.unwrap().map(|change| String::from_utf8(change.after.unwrap()).unwrap())
    }

    #[test]
    fn a_new_list_says_who_wrote_it() {
        let text = after(deny(None, &names(&["nouveau"]))).unwrap();
        assert_eq!(text, format!("{HEADER}blacklist nouveau\ninstall nouveau /bin/false\n"));
        assert_eq!(after(load(None, &names(&["iommufd"]))).unwrap(), format!("{HEADER}iommufd\n"));
    }

    #[test]
    fn what_is_there_stays_and_is_not_written_twice() {
        let old = "# mine\nblacklist nouveau";
        let text = after(deny(Some(old.as_bytes()), &names(&["nouveau", "nvidia"]))).unwrap();
        assert_eq!(
            text,
            "# mine\nblacklist nouveau\ninstall nouveau /bin/false\nblacklist nvidia\n\
             install nvidia /bin/false\n"
        );
        assert_eq!(after(deny(Some(text.as_bytes()), &names(&["nvidia", "nouveau"]))), None);
        // An empty file is a file.
        assert_eq!(after(load(Some(b""), &names(&["a", "b"]))).unwrap(), "a\nb\n");
    }

    #[test]
    fn what_cannot_be_added_to_is_refused() {
        for strange in [b"\xff\xfe".as_slice(), b"options a b \\\n", b"options a b \\"] {
            assert!(deny(Some(strange), &names(&["nouveau"])).is_err(), "{strange:?}");
        }
    }
}
