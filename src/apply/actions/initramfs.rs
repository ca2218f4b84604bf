//! The rebuild of the initramfs of all kernels, by the tool of the distribution.
//!
//! The tools write over the images themselves, each by its own care; what is in an image is not looked at.

use std::time::Duration;

use super::error::ActionError;
use super::programs::{Programs, succeeded};
use crate::plan::InitramfsTool;

/// A minute for each of ten kernels on a slow disk.
const DEADLINE: Duration = Duration::from_secs(600);

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
    use super::super::testing::Stubs;
    use super::*;

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
