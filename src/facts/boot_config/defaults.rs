//! What a person wrote: the arguments that the source text of the boot configuration asks for.
//!
//! A text alone changes nothing before a tool has generated the loader's own configuration from it, so
//! that this only explains; `next` tells what the next boot gets.

use crate::format::cmdline::Cmdline;
use crate::format::shell_vars::Dialect;
use crate::host::{Cause, DEFAULT_CAP, Reading, Root, Source};

use super::grub_defaults;
use super::loader::Loader;

pub(super) const DEFAULTS: &str = "/etc/default/grub";
pub(super) const DROP_INS: &str = "/etc/default/grub.d";
pub(super) const KERNEL_CMDLINE: &str = "/etc/kernel/cmdline";

/// The arguments of the text, in the order of the final line: `$GRUB_CMDLINE_LINUX` before
/// `$GRUB_CMDLINE_LINUX_DEFAULT` for GRUB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Configured {
    pub(super) tokens: Vec<ConfiguredToken>,
    /// Written, and dropped by a later assignment.
    pub(super) overridden: Vec<Overridden>,
    /// Why `sh` gives up on the text, so that nothing can be generated from it.
    pub(super) aborts: Option<Abort>,
}

impl Configured {
    /// The whole line, for hosts on which nothing is generated from it.
    pub(super) fn line(&self) -> Reading<Cmdline> {
        if let Some(abort) = &self.aborts {
            let (line, what) = (abort.at.line, abort.why.clone());
            return Reading::Unreadable(Cause::NotDecidable { line, what });
        }
        // GRUB reads the line with quotes, escapes, variables and separators of its own.
        let special = |written: &&ConfiguredToken| {
            written.token.contains(['$', '"', '\'', '\\', ';', '&', '|', '<', '>', '{', '}'])
        };
        if let Some(written) = self.tokens.iter().find(special) {
            let (line, what) = (written.source.line, written.token.clone());
            return Reading::Unreadable(Cause::NotDecidable { line, what });
        }
        let tokens: Vec<&str> = self.tokens.iter().map(|written| written.token.as_str()).collect();
        Reading::Known(Cmdline::parse(tokens.join(" ").as_bytes()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfiguredToken {
    pub(super) token: String,
    pub(super) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overridden {
    pub(super) token: String,
    pub(super) source: Source,
    /// The assignment that drops it.
    pub(super) by: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Abort {
    pub(super) at: Source,
    pub(super) why: String,
}

/// Reads the text that belongs to a loader; `Absent` where it has none.
pub(super) fn read(root: &Root, loader: Loader, drop_ins: bool) -> Reading<Configured> {
    match loader {
        Loader::Grub | Loader::GrubBls => read_grub(root, drop_ins),
        Loader::ProxmoxBoot => match read_kernel_cmdline(root) {
            // Its hosts without UEFI, or with secure boot, use GRUB from the same partitions.
            Reading::Absent => read_grub(root, drop_ins),
            other => other,
        },
        Loader::SystemdBoot => read_kernel_cmdline(root),
        // Its arguments live in the deployments alone.
        Loader::Ostree | Loader::NoneFound => Reading::Absent,
    }
}

fn read_grub(root: &Root, drop_ins: bool) -> Reading<Configured> {
    read_files(root, drop_ins)
        .and_then(|files| grub_defaults::configured(&files, dialect(drop_ins)))
}

/// `/etc/default/grub` and its drop-ins, in the order in which `grub-mkconfig` reads them.
pub(super) fn read_files(root: &Root, drop_ins: bool) -> Reading<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    match root.read(DEFAULTS, DEFAULT_CAP) {
        Reading::Known(bytes) => files.push((DEFAULTS.to_owned(), bytes)),
        Reading::Absent => return Reading::Absent,
        Reading::Unreadable(cause) => return Reading::Unreadable(cause),
    }
    if drop_ins {
        // The order of the shell's glob; the mkconfig of others reads no drop-ins.
        let names = match root.list(DROP_INS) {
            Reading::Known(names) => names,
            Reading::Absent => Vec::new(),
            Reading::Unreadable(cause) => return Reading::Unreadable(cause),
        };
        for entry in names {
            if !is_drop_in(&entry.name) {
                continue;
            }
            let path = format!("{DROP_INS}/{}", entry.name);
            match root.read(&path, DEFAULT_CAP) {
                Reading::Known(bytes) => files.push((path, bytes)),
                // A link to nowhere: update-grub tests for it and goes on.
                Reading::Absent => {}
                Reading::Unreadable(cause) => return Reading::Unreadable(cause),
            }
        }
    }
    Reading::Known(files)
}

/// Who reads drop-ins is Debian or made from it, and has dash; of the others most have bash.
pub(super) fn dialect(drop_ins: bool) -> Dialect {
    if drop_ins { Dialect::Dash } else { Dialect::Unknown }
}

/// Whether `*.cfg` matches.
fn is_drop_in(name: &str) -> bool {
    name.as_bytes().ends_with(b".cfg") && !name.starts_with('.')
}

/// `/etc/kernel/cmdline`: arguments, where a newline is a blank and a line may be a comment.
fn read_kernel_cmdline(root: &Root) -> Reading<Configured> {
    root.read(KERNEL_CMDLINE, DEFAULT_CAP).map(|bytes| kernel_cmdline(&bytes))
}

pub(super) fn kernel_cmdline(bytes: &[u8]) -> Configured {
    let mut configured = Configured::default();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        if line.trim_ascii_start().starts_with(b"#") {
            continue;
        }
        let source = Source::line(KERNEL_CMDLINE, number);
        configured.tokens.extend(Cmdline::parse(line).params().map(|param| ConfiguredToken {
            token: param.token.to_owned(),
            source: source.clone(),
        }));
    }
    configured
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_glob_matches_are_drop_ins() {
        for (name, expected) in [
            ("50-cloudimg-settings.cfg", true),
            ("kdump-tools.cfg", true),
            ("50-cloudimg-settings.cfg.disabled", false),
            ("99.cfg.dpkg-old", false),
            (".hidden.cfg", false),
            ("grub.ucf-dist", false),
            ("cfg", false),
            (".cfg", false),
        ] {
            assert_eq!(is_drop_in(name), expected, "{name}");
        }
    }

    #[test]
    fn the_kernel_cmdline_file_may_have_lines_and_comments() {
        let configured =
            kernel_cmdline(b"# ours\nroot=ZFS=rpool/ROOT/pve-1 boot=zfs\n  intel_iommu=on\n");
        let tokens: Vec<(&str, Option<u32>)> =
            configured.tokens.iter().map(|it| (it.token.as_str(), it.source.line)).collect();
        assert_eq!(
            tokens,
            [
                ("root=ZFS=rpool/ROOT/pve-1", Some(2)),
                ("boot=zfs", Some(2)),
                ("intel_iommu=on", Some(3))
            ]
        );
    }
}
