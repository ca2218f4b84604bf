//! The rebuild of the initramfs of all kernels, by the tool of the distribution.
//!
//! The tools write over the images themselves, each by its own care; what is in an image is not looked at.

use std::time::Duration;

use super::error::ActionError;
use super::programs::{Programs, succeeded};
use crate::host::Root;
use crate::plan::InitramfsTool;

/// A minute for each of ten kernels on a slow disk.
const DEADLINE: Duration = Duration::from_secs(600);

/// The tool of the host behind a root, by the files that its package brings; `None` where none is there, or
/// more than one, so that it cannot be told which makes the images that boot.
pub fn tool(root: &Root) -> Option<InitramfsTool> {
    let known = [
        (InitramfsTool::UpdateInitramfs, "/usr/sbin/update-initramfs"),
        (InitramfsTool::Dracut, "/usr/bin/dracut"),
        (InitramfsTool::Mkinitcpio, "/usr/bin/mkinitcpio"),
    ];
    let mut found = known.into_iter().filter(|(_, path)| !root.stat(path).is_absent());
    let (tool, _) = found.next()?;
    found.next().is_none().then_some(tool)
}

/// Rebuilds the images of all kernels.
pub fn rebuild(tool: InitramfsTool) -> Result<(), ActionError> {
    rebuild_with(&Programs::of_this_host(), tool)
}

fn rebuild_with(programs: &Programs, tool: InitramfsTool) -> Result<(), ActionError> {
    let (name, arguments): (_, &[&str]) = match tool {
        InitramfsTool::UpdateInitramfs => ("update-initramfs", &["-u", "-k", "all"]),
        InitramfsTool::Dracut => ("dracut", &["--force", "--regenerate-all"]),
        InitramfsTool::Mkinitcpio => ("mkinitcpio", &["-P"]),
    };
    let process = programs.program(name, DEADLINE).args(arguments.iter().copied());
    succeeded(name, &process).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stubs, tree};
    use super::*;

    #[test]
    fn the_tool_is_told_by_its_program_and_two_are_none() {
        let tool = |files: &[&str]| tool(&tree(files).1);
        assert_eq!(tool(&["usr/sbin/update-initramfs"]), Some(InitramfsTool::UpdateInitramfs));
        assert_eq!(tool(&["usr/bin/dracut"]), Some(InitramfsTool::Dracut));
        assert_eq!(tool(&["usr/bin/mkinitcpio"]), Some(InitramfsTool::Mkinitcpio));
        assert_eq!(tool(&["usr/bin/dracut", "usr/sbin/update-initramfs"]), None);
        assert_eq!(tool(&["usr/bin/true"]), None);
    }

    #[test]
    fn each_tool_is_asked_for_all_kernels() {
        for (tool, name, arguments) in [
            (InitramfsTool::UpdateInitramfs, "update-initramfs", "-u -k all"),
            (InitramfsTool::Dracut, "dracut", "--force --regenerate-all"),
            (InitramfsTool::Mkinitcpio, "mkinitcpio", "-P"),
        ] {
            let stubs = Stubs::new();
            stubs.program(name, &format!("echo \"$*\" > {}", stubs.path("said")));
            rebuild_with(&stubs.programs(), tool).unwrap();
            assert_eq!(stubs.read("said").trim(), arguments);
            stubs.program(name, "echo 'No space left on device' >&2; exit 1");
            let error = rebuild_with(&stubs.programs(), tool).unwrap_err().to_string();
            assert_eq!(error, format!("{name} ended with code 1: No space left on device"));
        }
    }
}
