//! How long the kernel's line becomes. x86 takes 2047 bytes and cuts off the rest, which is where an
//! argument that was added last would be.

use super::asked::Asked;
use super::{DEFAULTS, Defaults, Refused, refused};
use crate::format::cmdline::X86_LIMIT;

/// What is set aside for all that is not in the two variables: `BOOT_IMAGE=`, `root=`, `ro`, and what
/// scripts of the distribution put in, such as `rootflags=` and `vt.handoff=7`. A `BOOT_IMAGE=` with a long
/// path and a `root=` by UUID take about 140 bytes.
pub const ADDED_BY_GRUB: usize = 256;

/// Bytes that the two variables take in the kernel's line: each argument as GRUB hands it over, with its
/// quotes and backslashes, and one blank before it. A variable of GRUB counts as it is written.
pub fn length(defaults: &Defaults) -> Result<usize, Refused> {
    Ok(of(&Asked::read(defaults)?))
}

fn of(asked: &Asked) -> usize {
    asked.words().map(|word| 1 + word.length()).sum()
}

/// Refuses a line that would be too long; one that got no longer may be as long as it was.
pub(super) fn check(before: &Asked, after: &Asked) -> Result<(), Refused> {
    let (was, is) = (of(before), of(after));
    let limit = X86_LIMIT - ADDED_BY_GRUB;
    if is <= was || is <= limit {
        return Ok(());
    }
    let why = format!(
        "with this the two variables hold {is} bytes of kernel arguments, and only {limit} are sure to reach the kernel"
    );
    Err(refused(DEFAULTS, None, why))
}
