//! `/run/reboot-required` and its `.pkgs`: how Debian and Ubuntu, kured and people learn that a host wants
//! a reboot. Only a line of our own is written and removed; a reboot that somebody else asked for stays
//! asked for.

use super::replace::{self, Change, Content, Metadata, ReplaceError};
use super::tree::{Tree, TreeError};

const FLAG: &str = "/run/reboot-required";
const REASONS: &str = "/run/reboot-required.pkgs";
/// Stands while the flag is one that we made. Not in the daemon's directory, whose owner could put a link
/// there and have us remove what he likes.
const OURS: &str = "/run/ccgpu-node-fix/reboot-required";
const DIRECTORY: &str = "/run/ccgpu-node-fix";
const LINE: &[u8] = b"ccgpu-node";
const TEXT: &[u8] = b"*** System restart required ***\n";
const CAP: u64 = 1 << 20;

/// Says that the host has to be rebooted for our sake. Writes nothing where that is said already.
pub fn raise(tree: &Tree) -> Result<(), ReplaceError> {
    if tree.stat("/run")?.is_none() {
        return Ok(());
    }
    let reasons = tree.read(REASONS, CAP)?;
    let mut wanted = reasons.clone().unwrap_or_default();
    if !lines(&wanted).any(|line| line == LINE) {
        if !wanted.is_empty() && !wanted.ends_with(b"\n") {
            wanted.push(b'\n');
        }
        wanted.extend_from_slice(LINE);
        wanted.push(b'\n');
        put(tree, REASONS, reasons.as_deref(), Some(&wanted))?;
    }
    if tree.stat(FLAG)?.is_some() {
        return Ok(());
    }
    // The marker first: a flag that nobody takes back is worse than a marker without a flag.
    if tree.stat(DIRECTORY)?.is_none() {
        tree.make_directory(DIRECTORY, 0o755)?;
    }
    let marker = tree.read(OURS, CAP)?;
    if marker.is_none() {
        put(tree, OURS, None, Some(b""))?;
    }
    match put(tree, FLAG, None, Some(TEXT)) {
        // Somebody else raised it at the same moment: it is theirs.
        Err(ReplaceError::Refused { why: replace::Refusal::Appeared, .. }) => disown(tree),
        other => other,
    }
}

/// Takes back what [`raise`] said, and the flag itself where we made it and nobody else needs it.
pub fn clear(tree: &Tree) -> Result<(), ReplaceError> {
    let reasons = tree.read(REASONS, CAP)?;
    let others: Vec<&[u8]> = reasons.iter().flat_map(|reasons| lines(reasons)).collect();
    let others: Vec<&[u8]> = others.into_iter().filter(|line| *line != LINE).collect();
    let kept: Vec<u8> = others.iter().flat_map(|line| [line, b"\n".as_slice()].concat()).collect();
    if let Some(reasons) = &reasons
        && lines(reasons).any(|line| line == LINE)
    {
        put(tree, REASONS, Some(reasons), Some(kept.as_slice()).filter(|kept| !kept.is_empty()))?;
    }
    if tree.stat(OURS)?.is_none() {
        return Ok(());
    }
    if others.is_empty()
        && let Some(flag) = tree.read(FLAG, CAP)?
    {
        put(tree, FLAG, Some(&flag), None)?;
    }
    disown(tree)
}

fn disown(tree: &Tree) -> Result<(), ReplaceError> {
    tree.remove_file(OURS)?;
    tree.remove_empty_directory(DIRECTORY)?;
    Ok(())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn put(
    tree: &Tree,
    path: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<(), ReplaceError> {
    let place = tree.place(path)?;
    let temporary = format!(".ccgpu-node.{}.tmp", place.name);
    match tree.remove_file(&format!("/run/{temporary}")) {
        Ok(_) | Err(TreeError::Failed { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let metadata = Metadata::new(0o644, tree.owner());
    let metadata = before.is_none().then_some(&metadata);
    let before = Content::of(before);
    replace::replace(
        tree,
        &place,
        &Change { before, after, metadata, temporary: &temporary, settle: None },
    )
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files themselves")]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn tree() -> (tempfile::TempDir, Tree) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("run")).unwrap();
        let tree = Tree::directory(directory.path()).unwrap();
        (directory, tree)
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory.join("run"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_flag_of_ours_comes_and_goes_without_a_trace() {
        let (directory, tree) = tree();
        clear(&tree).unwrap();
        assert!(names(directory.path()).is_empty());
        for _ in 0..2 {
            raise(&tree).unwrap();
            assert_eq!(
                names(directory.path()),
                ["ccgpu-node-fix", "reboot-required", "reboot-required.pkgs"]
            );
        }
        clear(&tree).unwrap();
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_flag_of_somebody_else_stays_with_its_reasons() {
        let (directory, tree) = tree();
        let path = |name: &str| directory.path().join("run").join(name);
        fs::write(path("reboot-required"), "theirs").unwrap();
        fs::write(path("reboot-required.pkgs"), "linux-image\nlibc6").unwrap();
        raise(&tree).unwrap();
        let reasons = fs::read_to_string(path("reboot-required.pkgs")).unwrap();
        assert_eq!(reasons, "linux-image\nlibc6\nccgpu-node\n");
        clear(&tree).unwrap();
        let reasons = fs::read_to_string(path("reboot-required.pkgs")).unwrap();
        assert_eq!(reasons, "linux-image\nlibc6\n");
        assert_eq!(fs::read_to_string(path("reboot-required")).unwrap(), "theirs");
    }

    #[test]
    fn a_flag_of_ours_that_others_came_to_need_stays() {
        let (directory, tree) = tree();
        let path = |name: &str| directory.path().join("run").join(name);
        raise(&tree).unwrap();
        fs::write(path("reboot-required.pkgs"), "ccgpu-node\nlinux-image\n").unwrap();
        clear(&tree).unwrap();
        assert_eq!(names(directory.path()), ["reboot-required", "reboot-required.pkgs"]);
        clear(&tree).unwrap();
        assert_eq!(names(directory.path()), ["reboot-required", "reboot-required.pkgs"]);
    }
}
