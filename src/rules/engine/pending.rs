//! Whether a fix is made already, so that only a boot is missing. Nothing but the kernel's arguments is of
//! that kind: all else takes effect as it is written.

use crate::facts::{Facts, Reading, Value, catalogue::Fact, cmdline};
use crate::format::cmdline::Cmdline;
use crate::rules::catalogue::Handle;
use crate::rules::fix::{Edit, Fix};

/// Whether the running kernel was booted without what a fix wants, and the next boot certainly has it.
pub(super) fn waits_for_a_boot(fix: &Fix, facts: &Facts) -> bool {
    let booted = facts.cmdline.as_ref().and_then(|cmdline| cmdline.line.known());
    let (Some(booted), Some(config)) = (booted, &facts.boot_config) else { return false };
    let is_made = |line: &Cmdline| fix.edits.iter().all(|edit| is_made(edit, line));
    config.is_settled(is_made) && !is_made(booted)
}

fn is_made(edit: &Edit, line: &Cmdline) -> bool {
    match edit {
        Edit::AddKernelArgument(argument) => line.decides(argument),
        Edit::RemoveKernelArgument(argument) => !line.holds(argument),
        Edit::RemoveKernelArguments(Handle::Host(fact)) => lists_nothing(fact, line),
        _ => false,
    }
}

/// What a fact about the booted line would say of another one. One that is told from more is not empty.
fn lists_nothing(fact: &Fact, line: &Cmdline) -> bool {
    let line = Reading::Known(line.clone());
    let facts = Facts { cmdline: Some(cmdline::Cmdline { line }), ..Facts::default() };
    matches!((fact.read)(&facts).reading, Reading::Known(Value::Set(members)) if members.is_empty())
}
