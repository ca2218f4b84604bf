//! The kernel's arguments, changed the way that the host's boot loader wants it.
//!
//! GRUB's menu is generated from a text that is edited; loader entries are changed by the distribution's
//! own tool. Everywhere else the arguments belong to something that this program must not write to, and
//! the native command is told instead.

use super::grub::{self, Defaults};
use super::sources::Boot;
use super::{Action, ArgumentChange, BootMenu, FileChange, Refusal, Refused, StepKind};
use crate::facts::boot_config::{BootConfig, Loader, Status};
use crate::facts::{Cause, Facts, Reading};
use crate::format::cmdline::Cmdline;

const DEFAULTS: &str = "/etc/default/grub";

/// The steps after which the next boot has the arguments; none where it has them already.
///
/// `generate` asks for the menu to be generated whether or not its text changes.
pub(super) fn steps(
    boot: &Boot,
    config: &BootConfig,
    change: &ArgumentChange,
    generate: bool,
) -> Result<Vec<StepKind>, Refusal> {
    let loader = match &boot.loader {
        Reading::Known(loader) => *loader,
        Reading::Absent => Loader::NoneFound,
        Reading::Unreadable(cause) => return Err(unreadable(DEFAULTS, cause).into()),
    };
    let asks_for_nothing = change.is_empty();
    let next_is_right = config.next_lines(|line| is_satisfied(line, change));
    match loader {
        Loader::Grub => {
            let files = edit_defaults(boot, change)?;
            if !files.is_empty() || generate || next_is_right == Some(false) {
                let menu = boot_menu(boot, with_written(change, config, generate))?;
                Ok(writes(files).chain([StepKind::Act(Action::GenerateBootMenu(menu))]).collect())
            } else if next_is_right.is_none() && !asks_for_nothing {
                Err(no_verdict(config.menu_path).into())
            } else {
                Ok(Vec::new())
            }
        }
        Loader::GrubBls => {
            // For the kernels that are installed later; the entries of those that are here follow.
            let files = edit_defaults(boot, change)
                .map_err(|why| Refusal { instead: vec![change.grubby()], ..Refusal::from(why) })?;
            if next_is_right == Some(true) && files.is_empty() {
                return Ok(Vec::new());
            }
            if !boot.has_grubby {
                let why = "its entries are changed with grubby, which is not installed";
                return Err(refused("/boot/loader/entries", why).into());
            }
            let update = Action::UpdateLoaderEntries(change.clone());
            Ok(writes(files).chain([StepKind::Act(update)]).collect())
        }
        Loader::Ostree | Loader::SystemdBoot | Loader::ProxmoxBoot | Loader::NoneFound => {
            match next_is_right {
                Some(true) => Ok(Vec::new()),
                _ => Err(native(loader, &boot.os_id, change)),
            }
        }
    }
}

fn writes(files: Vec<FileChange>) -> impl Iterator<Item = StepKind> {
    files.into_iter().map(StepKind::Write)
}

fn edit_defaults(boot: &Boot, change: &ArgumentChange) -> Result<Vec<FileChange>, Refused> {
    if change.is_empty() {
        return Ok(Vec::new());
    }
    let defaults: &Defaults = match &boot.defaults {
        Reading::Known(defaults) => defaults,
        Reading::Absent => return Err(refused(DEFAULTS, "it does not exist")),
        Reading::Unreadable(cause) => return Err(unreadable(DEFAULTS, cause)),
    };
    grub::edit(defaults, change)
}

/// What may differ in the new menu: the change, and what somebody wrote before and never generated, where
/// that is what is asked for.
fn with_written(change: &ArgumentChange, config: &BootConfig, generate: bool) -> ArgumentChange {
    let mut change = change.clone();
    if generate {
        let waiting = config.arguments.iter().filter(|argument| {
            argument.status == Reading::Known(Status::NotGenerated)
                && !change.remove.contains(&argument.text)
        });
        change.add.extend(waiting.map(|argument| argument.text.clone()));
    }
    change
}

fn boot_menu(boot: &Boot, change: ArgumentChange) -> Result<BootMenu, Refused> {
    let Some(generator) = boot.generator else {
        return Err(refused(
            "/usr/sbin/grub-mkconfig",
            "it is not there to generate the boot menu",
        ));
    };
    // Only a menu that stands where it is looked for is known to be the one that boots.
    let Some(target) = boot.menu else {
        let why = "there is no boot menu to compare a new one with";
        return Err(refused("/boot/grub/grub.cfg", why));
    };
    Ok(BootMenu { generator, target: target.to_owned(), change })
}

/// Whether a line has what comes and lacks what goes.
fn is_satisfied(line: &Cmdline, change: &ArgumentChange) -> bool {
    change.add.iter().all(|argument| line.decides(argument))
        && !change.remove.iter().any(|argument| line.holds(argument))
}

/// Why a boot may not have brought the arguments that it should, as far as the host shows it.
pub fn why_ineffective(facts: &Facts, change: &ArgumentChange) -> String {
    let Some(config) = &facts.boot_config else {
        return "the boot loader's configuration was not read".to_owned();
    };
    let booted = facts.cmdline.as_ref().and_then(|cmdline| cmdline.line.known());
    if booted.is_some_and(Cmdline::may_be_cut) {
        return "the booted command line is as long as the kernel takes, and may be cut".to_owned();
    }
    match config.next_lines(|line| is_satisfied(line, change)) {
        Some(true) => format!(
            "{} has it, so another menu entry was booted, or the firmware starts a loader with \
             another configuration",
            config.menu_path
        ),
        Some(false) => format!(
            "{} does not have it any more: something generated or changed it since",
            config.menu_path
        ),
        None => format!("{} does not show what the next boot gets", config.menu_path),
    }
}

fn refused(path: &str, why: impl Into<String>) -> Refused {
    Refused { path: path.to_owned(), line: None, why: why.into() }
}

fn unreadable(path: &str, cause: &Cause) -> Refused {
    Refused { path: path.to_owned(), line: cause.line(), why: cause.to_string() }
}

fn no_verdict(path: &str) -> Refused {
    refused(path, "it does not show which arguments the next boot gets")
}

/// Where the arguments are not this program's to change: whose they are, and the command of that owner.
fn native(loader: Loader, os_id: &str, change: &ArgumentChange) -> Refusal {
    let all = |list: &[String]| list.join(" ");
    let (path, why, instead): (&str, &str, Vec<String>) = match (loader, os_id) {
        (_, "talos") => (
            "/proc/cmdline",
            "Talos takes kernel arguments from its machine configuration alone",
            vec![format!(
                "talosctl patch machineconfig --patch '[{{\"op\": \"add\", \"path\": \"/machine/install/extraKernelArgs\", \"value\": [{}]}}]'",
                change
                    .add
                    .iter()
                    .cloned()
                    .chain(change.remove.iter().map(|argument| format!("-{argument}")))
                    .map(|argument| format!("\"{argument}\""))
                    .collect::<Vec<_>>()
                    .join(", ")
            )],
        ),
        (Loader::Ostree, "rhcos" | "scos") => (
            "/run/ostree-booted",
            "the Machine Config Operator owns the kernel arguments of this node",
            vec![format!(
                "oc create -f - # a MachineConfig with spec.kernelArguments [{}], without {}",
                change.add.join(", "),
                if change.remove.is_empty() { "any other".to_owned() } else { all(&change.remove) }
            )],
        ),
        (Loader::Ostree, _) => {
            let add = change.add.iter().map(|it| format!(" --append-if-missing={it}"));
            let remove = change.remove.iter().map(|it| format!(" --delete-if-present={it}"));
            let flags: String = add.chain(remove).collect();
            (
                "/run/ostree-booted",
                "the arguments belong to the deployment",
                vec![format!("rpm-ostree kargs{flags}")],
            )
        }
        (Loader::ProxmoxBoot, _) => (
            "/etc/kernel/cmdline",
            "proxmox-boot-tool copies it to partitions that are not mounted",
            vec![edit_words("/etc/kernel/cmdline", change), "proxmox-boot-tool refresh".to_owned()],
        ),
        (Loader::SystemdBoot, _) => (
            "/etc/kernel/cmdline",
            "systemd-boot's entries are made when a kernel is installed",
            vec![
                edit_words("/etc/kernel/cmdline", change),
                "kernel-install add \"$(uname -r)\" \"/usr/lib/modules/$(uname -r)/vmlinuz\""
                    .to_owned(),
            ],
        ),
        _ => (
            "/proc/cmdline",
            "no boot loader was found that keeps these arguments",
            vec![edit_words("the boot loader's configuration", change)],
        ),
    };
    Refusal { why: refused(path, why), instead }
}

fn edit_words(path: &str, change: &ArgumentChange) -> String {
    let words = |verb: &str, list: &[String]| {
        (!list.is_empty()).then(|| format!("{verb} {}", list.join(" ")))
    };
    let both = [words("add", &change.add), words("remove", &change.remove)];
    format!("# in {path}: {}", both.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(add: &[&str], remove: &[&str]) -> ArgumentChange {
        let own = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        ArgumentChange { add: own(add), remove: own(remove) }
    }

    #[test]
    fn a_line_is_right_when_nothing_takes_back_what_comes() {
        let wanted = change(&["intel_iommu=on"], &["iommu=pt"]);
        for (line, expected) in [
            ("quiet intel_iommu=on", true),
            ("quiet", false),
            ("intel_iommu=on iommu=pt", false),
            ("intel_iommu=on intel_iommu=off", false),
            ("intel_iommu=off intel_iommu=on", true),
            ("quiet -- intel_iommu=on", false),
        ] {
            assert_eq!(is_satisfied(&Cmdline::parse(line.as_bytes()), &wanted), expected, "{line}");
        }
    }

    #[test]
    fn each_owner_of_the_arguments_has_a_command_of_its_own() {
        let wanted = change(&["intel_iommu=on"], &["iommu=pt"]);
        let told = |loader, os| native(loader, os, &wanted).instead.join("\n");
        assert_eq!(
            told(Loader::Ostree, "fedora"),
            "rpm-ostree kargs --append-if-missing=intel_iommu=on --delete-if-present=iommu=pt"
        );
        assert!(told(Loader::Ostree, "rhcos").contains("MachineConfig"));
        assert!(told(Loader::NoneFound, "talos").contains("\"-iommu=pt\""));
        assert_eq!(
            told(Loader::ProxmoxBoot, "debian"),
            "# in /etc/kernel/cmdline: add intel_iommu=on, remove iommu=pt\nproxmox-boot-tool refresh"
        );
        assert!(told(Loader::SystemdBoot, "arch").contains("kernel-install add"));
        assert_eq!(
            wanted.grubby(),
            "grubby --update-kernel=ALL --args=\"intel_iommu=on\" --remove-args=\"iommu=pt\""
        );
    }
}
