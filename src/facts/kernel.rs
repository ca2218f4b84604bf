//! What the running kernel allows and forbids: lockdown, `SELinux`, hibernation, a crash kernel.
//!
//! Its release is in `os`, its command line in `cmdline`.

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value, sysfs};
use crate::host::Root;

const SECURITY: &str = "/sys/kernel/security";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const SELINUX: &str = "/sys/fs/selinux";
const ENFORCE: &str = "/sys/fs/selinux/enforce";
const HIBERNATION: &str = "/sys/power/disk";
const SLEEP_STATES: &str = "/sys/power/state";
const CRASH_KERNEL: &str = "/sys/kernel/kexec_crash_loaded";

#[derive(Debug)]
pub struct Kernel {
    /// `none`, `integrity` or `confidentiality`; `Absent` on kernels without lockdown.
    pub lockdown: Reading<String>,
    /// `enforcing`, `permissive` or `disabled`.
    pub selinux: Reading<&'static str>,
    /// Whether the machine could hibernate.
    pub hibernation: Reading<bool>,
    /// Whether a kernel waits to be started after a crash.
    pub crash_kernel: Reading<bool>,
}

pub(super) fn gather(root: &Root) -> Kernel {
    Kernel {
        lockdown: lockdown(root),
        selinux: selinux(root),
        hibernation: hibernation_of(root),
        crash_kernel: match sysfs::read_flag(root, CRASH_KERNEL) {
            Reading::Absent => there(root, "/sys/kernel").map(|()| false),
            other => other,
        },
    }
}

/// The file is missing on a kernel without lockdown, and where securityfs is not mounted.
fn lockdown(root: &Root) -> Reading<String> {
    match root.read_attribute(LOCKDOWN) {
        Reading::Known(text) => chosen(&text),
        Reading::Absent => match root.list(SECURITY) {
            Reading::Known(entries) if !entries.is_empty() => Reading::Absent,
            Reading::Known(_) | Reading::Absent => {
                Reading::Unreadable(Cause::NoAnswer("securityfs is not mounted".to_owned()))
            }
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// The word in brackets: `none [integrity] confidentiality`.
pub fn chosen(text: &str) -> Reading<String> {
    let mut words = text.split(' ').filter_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    match (words.next(), words.next()) {
        (Some(word), None) if !word.is_empty() => Reading::Known(word.to_owned()),
        _ => Reading::Unreadable(Cause::malformed(1, "not one word in brackets")),
    }
}

/// A kernel that was booted without `SELinux` has no directory for it; one whose directory is empty has
/// `SELinux`, and does not show it here.
fn selinux(root: &Root) -> Reading<&'static str> {
    match sysfs::read_flag(root, ENFORCE) {
        Reading::Known(enforcing) => {
            Reading::Known(if enforcing { "enforcing" } else { "permissive" })
        }
        Reading::Absent => match root.stat(SELINUX) {
            Reading::Known(_) => {
                Reading::Unreadable(Cause::NoAnswer("selinuxfs is not mounted".to_owned()))
            }
            Reading::Absent => there(root, "/sys/fs").map(|()| "disabled"),
            Reading::Unreadable(cause) => Reading::Unreadable(cause),
        },
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

fn hibernation_of(root: &Root) -> Reading<bool> {
    match root.read_attribute(HIBERNATION) {
        Reading::Known(text) => hibernation(&text),
        // A kernel that was built without it.
        Reading::Absent => there(root, SLEEP_STATES).map(|()| false),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// `[disabled]`, or the ways to hibernate with the chosen one in brackets.
pub fn hibernation(text: &str) -> Reading<bool> {
    chosen(text.trim_end()).map(|word| word != "disabled")
}

/// Absence counts only where something else of the same file system is there.
fn there(root: &Root, path: &str) -> Reading<()> {
    match root.stat(path) {
        Reading::Known(_) => Reading::Known(()),
        Reading::Absent => Reading::Unreadable(Cause::NoAnswer(format!("there is no {path}"))),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

fn evidence(facts: &Facts, path: &str, read: fn(&Kernel) -> Reading<Value>) -> Evidence {
    match &facts.kernel {
        Some(kernel) => Evidence::new(read(kernel), Source::file(path)),
        None => Evidence::not_gathered(),
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "kernel.lockdown",
        kind: Kind::Text,
        doc: "`none`, `integrity` or `confidentiality`; absent on kernels without lockdown.",
        needs: Needs::KERNEL,
        read: |facts| evidence(facts, LOCKDOWN, |kernel| kernel.lockdown.clone().map(Value::Text)),
    },
    Fact {
        name: "kernel.selinux",
        kind: Kind::Text,
        doc: "`enforcing`, `permissive` or `disabled`.",
        needs: Needs::KERNEL,
        read: |facts| {
            evidence(facts, ENFORCE, |kernel| {
                kernel.selinux.as_ref().map(|mode| Value::Text((*mode).to_owned()))
            })
        },
    },
    Fact {
        name: "kernel.hibernation",
        kind: Kind::Bool,
        doc: "Whether the machine could hibernate, with which the kernel refuses TDX.",
        needs: Needs::KERNEL,
        read: |facts| {
            evidence(facts, HIBERNATION, |kernel| kernel.hibernation.clone().map(Value::Bool))
        },
    },
    Fact {
        name: "kernel.crash-kernel",
        kind: Kind::Bool,
        doc: "Whether a kernel is loaded that starts after a crash, as kdump does.",
        needs: Needs::KERNEL,
        read: |facts| {
            evidence(facts, CRASH_KERNEL, |kernel| kernel.crash_kernel.clone().map(Value::Bool))
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use super::super::testing::{facts, tree, value};
    use super::*;

    fn read(files: &[(&str, &str)], name: &str) -> Reading<Value> {
        let host = tree(files);
        value(&facts(host.path(), Needs::KERNEL), name).reading
    }

    fn text(text: &str) -> Reading<Value> {
        Reading::Known(Value::Text(text.to_owned()))
    }

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        let lockdown =
            |content: &str| read(&[("sys/kernel/security/lockdown", content)], "kernel.lockdown");
        assert_eq!(lockdown("[none] integrity confidentiality\n"), text("none"));
        assert_eq!(lockdown("none [integrity] confidentiality\n"), text("integrity"));
        for bad in ["", "none integrity", "[none] [integrity]", "[]", "[none]x integrity", "[none"]
        {
            assert!(lockdown(bad).cause().is_some(), "{bad:?}");
        }
    }

    #[test]
    fn a_kernel_without_lockdown_is_told_from_a_file_system_that_is_not_mounted() {
        assert!(read(&[("sys/kernel/security/lsm", "")], "kernel.lockdown").is_absent());
        assert!(read(&[("sys/kernel/security/", "")], "kernel.lockdown").cause().is_some());
        assert!(read(&[("etc/hostname", "")], "kernel.lockdown").cause().is_some());
    }

    #[test]
    fn selinux_has_three_states_and_an_empty_directory_is_none_of_them() {
        let enforce =
            |content: &str| read(&[("sys/fs/selinux/enforce", content)], "kernel.selinux");
        assert_eq!(enforce("1"), text("enforcing"));
        assert_eq!(enforce("0"), text("permissive"));
        assert!(enforce("2").cause().is_some());
        assert_eq!(read(&[("sys/fs/cgroup/", "")], "kernel.selinux"), text("disabled"));
        assert!(read(&[("sys/fs/selinux/", "")], "kernel.selinux").cause().is_some());
        assert!(read(&[("etc/hostname", "")], "kernel.selinux").cause().is_some());
    }

    #[test]
    fn hibernation_is_off_when_it_says_so_or_was_not_built() {
        let disk = |content: &str| read(&[("sys/power/disk", content)], "kernel.hibernation");
        assert_eq!(disk("[disabled]\n"), Reading::Known(Value::Bool(false)));
        let ways = "[platform] shutdown reboot suspend test_resume \n";
        assert_eq!(disk(ways), Reading::Known(Value::Bool(true)));
        assert!(disk("").cause().is_some());
        let not_built = read(&[("sys/power/state", "freeze mem\n")], "kernel.hibernation");
        assert_eq!(not_built, Reading::Known(Value::Bool(false)));
        assert!(read(&[("etc/hostname", "")], "kernel.hibernation").cause().is_some());
    }

    #[test]
    fn a_kernel_without_kexec_has_no_crash_kernel() {
        let loaded = |content: &str| {
            read(&[("sys/kernel/kexec_crash_loaded", content)], "kernel.crash-kernel")
        };
        assert_eq!(loaded("1\n"), Reading::Known(Value::Bool(true)));
        assert_eq!(loaded("0\n"), Reading::Known(Value::Bool(false)));
        let none = read(&[("sys/kernel/uevent_seqnum", "1\n")], "kernel.crash-kernel");
        assert_eq!(none, Reading::Known(Value::Bool(false)));
    }
}
