//! What has to be read besides the facts to plan edits: the bytes of the files that would change, and
//! which tools a host has. It reads, and decides nothing.

use crate::facts::boot_config::{BootConfig, Loader, grub_defaults};
use crate::facts::kata::Configuration;
use crate::facts::{Cause, Facts, Reading};
use crate::host::{DEFAULT_CAP, Root};

use super::grub::Defaults;
use super::kubelet;
use super::modules::{DENYLIST, LOADED};
use super::shim::{self, OwnDropIn};
use super::{InitramfsTool, Refused};

/// The texts and tools of one host.
#[derive(Debug)]
pub struct Sources {
    pub boot: Boot,
    pub denylist: Reading<Vec<u8>>,
    pub loaded: Reading<Vec<u8>>,
    /// `None` where no tool is there; refused where it cannot be told which one makes the images that boot.
    pub initramfs: Result<Option<InitramfsTool>, Refused>,
    /// Why the kubelet's configuration is not changed, where a file of it cannot be read.
    pub kubelet: Result<kubelet::Files, Refused>,
    /// Our drop-ins of Kata's configurations, in the order of these; `None` where a shim does not start.
    pub shims: Vec<Option<OwnDropIn>>,
}

/// What keeps the kernel's arguments.
#[derive(Debug)]
pub struct Boot {
    pub loader: Reading<Loader>,
    /// The distribution by its id in os-release; empty where it is not known.
    pub os_id: String,
    pub defaults: Reading<Defaults>,
    /// The program that generates the boot menu, where there is one.
    pub generator: Option<&'static str>,
    /// Where the menu stands; `None` where there is none yet.
    pub menu: Option<&'static str>,
    pub has_grubby: bool,
}

/// Reads what the plan of this host may need.
pub fn read(root: &Root, facts: &Facts) -> Sources {
    Sources {
        boot: boot(root, facts),
        denylist: root.read(DENYLIST, DEFAULT_CAP),
        loaded: root.read(LOADED, DEFAULT_CAP),
        initramfs: initramfs(root),
        kubelet: match &facts.kubelet {
            Some(found) => kubelet::read(root, found),
            None => Ok(kubelet::Files::default()),
        },
        shims: configurations(facts).iter().map(|it| shim::read(root, it)).collect(),
    }
}

/// The configurations of Kata's shims for GPUs, as far as they were read.
pub(super) fn configurations(facts: &Facts) -> &[Configuration] {
    let configurations = facts.kata.as_ref().and_then(|kata| kata.configurations.known());
    configurations.map_or(&[], Vec::as_slice)
}

fn boot(root: &Root, facts: &Facts) -> Boot {
    let release = facts.os.as_ref().and_then(|os| os.release.known());
    let os_id = release.and_then(|release| release.id.clone()).unwrap_or_default();
    let Some(config) = &facts.boot_config else {
        let cause = Cause::NotGathered;
        return Boot {
            loader: Reading::Unreadable(cause.clone()),
            os_id,
            defaults: Reading::Unreadable(cause),
            generator: None,
            menu: None,
            has_grubby: false,
        };
    };
    let (files, dialect) = grub_defaults(root, config.reads_drop_ins);
    let drop_ins = config.reads_drop_ins;
    Boot {
        loader: config.loader.clone(),
        os_id,
        defaults: files.map(|files| Defaults { files, drop_ins, dialect }),
        generator: generator(root),
        menu: menu(root, config),
        has_grubby: is_program(root, "grubby"),
    }
}

fn menu(root: &Root, config: &BootConfig) -> Option<&'static str> {
    root.stat(config.menu_path).known().map(|_| config.menu_path)
}

fn generator(root: &Root) -> Option<&'static str> {
    ["grub-mkconfig", "grub2-mkconfig"].into_iter().find(|name| is_program(root, name))
}

/// Each distribution has one of these, and only one.
fn initramfs(root: &Root) -> Result<Option<InitramfsTool>, Refused> {
    let mut found = [
        ("update-initramfs", InitramfsTool::UpdateInitramfs),
        ("dracut", InitramfsTool::Dracut),
        ("mkinitcpio", InitramfsTool::Mkinitcpio),
    ]
    .into_iter()
    .filter(|(name, _)| is_program(root, name));
    match (found.next(), found.next()) {
        (Some((one, _)), Some((other, _))) => Err(Refused {
            path: DENYLIST.to_owned(),
            line: None,
            why: format!(
                "{one} and {other} are both here; which makes the initramfs cannot be told"
            ),
        }),
        (first, _) => Ok(first.map(|(_, tool)| tool)),
    }
}

fn is_program(root: &Root, name: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .into_iter()
        .any(|directory| root.stat(&format!("{directory}/{name}")).known().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_told_by_its_program_and_two_are_refused() {
        let tool = |names: &[&str]| {
            let tree = tempfile::tempdir().unwrap();
            for name in names {
                let path = tree.path().join("usr/sbin").join(name);
                nix::unistd::mkdir(&tree.path().join("usr"), nix::sys::stat::Mode::S_IRWXU).ok();
                nix::unistd::mkdir(path.parent().unwrap(), nix::sys::stat::Mode::S_IRWXU).ok();
                std::os::unix::fs::symlink("/", path).unwrap();
            }
            initramfs(&Root::directory(tree.path()).unwrap())
        };
        assert_eq!(tool(&["update-initramfs"]), Ok(Some(InitramfsTool::UpdateInitramfs)));
        assert_eq!(tool(&["dracut"]), Ok(Some(InitramfsTool::Dracut)));
        assert_eq!(tool(&["mkinitcpio"]), Ok(Some(InitramfsTool::Mkinitcpio)));
        assert_eq!(tool(&["true"]), Ok(None));
        assert!(tool(&["dracut", "update-initramfs"]).is_err());
    }
}
