//! What a rule lets `fix` do about its failure: edits from a closed list, each of one kind of file.
//!
//! A rule names what shall be so, never a file or a program: where that is written, and what has to run
//! afterwards, is for `plan` to find out on the host at hand.

use std::fmt;
use std::sync::Arc;

use super::catalogue::Handle;
use super::document::{Entry, Item, Node};
use super::fields::{array, text};
use super::load::Loader;
use super::test::Test;
use super::words::Word as _;
use crate::facts::{Kind, Needs};
use crate::format::duration::GoDuration;

/// A fix and when it is one.
#[derive(Debug, Clone)]
pub struct Fix {
    /// All must hold of the host; what cannot be told does not hold.
    pub when: Vec<Arc<Test>>,
    pub safety: Safety,
    pub edits: Vec<Edit>,
}

super::words::words! {
    /// What a person may expect of a fix.
    Safety {
        /// It does what the rule asks for and nothing else, and can be taken back.
        Safe = "safe",
        /// It can be taken back, but may stop something that works today.
        Unsafe = "unsafe",
    }
}

super::words::words! {
    /// The feature gates that a rule may ask for. Which of them must be written, and which must not, is a
    /// matter of the kubelet's version.
    KubeletGate {
        /// On by default from 1.34.
        PodResourcesGet = "KubeletPodResourcesGet",
        /// Off by default.
        RuntimeClassInImageCriApi = "RuntimeClassInImageCriApi",
    }
}

/// One thing that shall be so.
#[derive(Debug, Clone)]
pub enum Edit {
    /// The kernel is booted with the argument.
    AddKernelArgument(String),
    /// The kernel is booted without the argument.
    RemoveKernelArgument(String),
    /// The kernel is booted without the arguments that the fact lists.
    RemoveKernelArguments(Handle),
    /// What the boot menu is generated from has reached it.
    GenerateBootMenu,
    EnableKubeletGate(KubeletGate),
    /// No gate is set that this kubelet would refuse.
    DropRefusedKubeletGates,
    /// The kubelet waits at least so long for its runtime.
    RaiseKubeletTimeout(GoDuration),
    /// The Kata shims for this CPU's guests wait at least so long for a container to be created.
    RaiseCreateContainerTimeout(GoDuration),
    RestartKubelet,
    /// `modprobe` does not load these modules by themselves, nor does the initramfs.
    DenyModules(Vec<String>),
    /// These modules are loaded at boot.
    LoadModules(Vec<String>),
}

/// The key of each edit in a rule file, and what its value is.
pub(super) const EDIT_KEYS: [&str; 11] = [
    "add-kernel-argument",
    "remove-kernel-argument",
    "remove-kernel-arguments",
    "generate-boot-menu",
    "enable-kubelet-gate",
    "drop-refused-kubelet-gates",
    "raise-kubelet-timeout",
    "raise-create-container-timeout",
    "restart-kubelet",
    "deny-modules",
    "load-modules",
];

impl Edit {
    /// The sources that must be read to plan it.
    pub fn needs(&self) -> Needs {
        match self {
            Self::RemoveKernelArguments(fact) => BOOT.and(fact.needs()),
            Self::AddKernelArgument(_) | Self::RemoveKernelArgument(_) | Self::GenerateBootMenu => {
                BOOT
            }
            Self::EnableKubeletGate(_)
            | Self::DropRefusedKubeletGates
            | Self::RaiseKubeletTimeout(_)
            | Self::RestartKubelet => Needs::KUBELET.and(Needs::KUBELET_VERSION),
            Self::RaiseCreateContainerTimeout(_) => Needs::KATA.and(Needs::CPU),
            Self::DenyModules(_) | Self::LoadModules(_) => Needs::OS,
        }
    }
}

impl Edit {
    /// The sources that show whether it is made and only a boot is missing.
    pub(super) fn boot_needs(&self) -> Needs {
        match self {
            Self::AddKernelArgument(_)
            | Self::RemoveKernelArgument(_)
            | Self::RemoveKernelArguments(_) => Needs::BOOT_CONFIG.and(Needs::CMDLINE),
            _ => Needs::NONE,
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddKernelArgument(argument) => write!(out, "add the kernel argument {argument}"),
            Self::RemoveKernelArgument(argument) => {
                write!(out, "remove the kernel argument {argument}")
            }
            Self::RemoveKernelArguments(fact) => {
                write!(out, "remove the kernel arguments that {} lists", fact.name())
            }
            Self::GenerateBootMenu => out.write_str("generate the boot menu"),
            Self::EnableKubeletGate(gate) => {
                write!(out, "turn on the kubelet's feature gate {gate}")
            }
            Self::DropRefusedKubeletGates => {
                out.write_str("take out the feature gates that this kubelet refuses")
            }
            Self::RaiseKubeletTimeout(duration) => {
                write!(out, "set the kubelet's runtimeRequestTimeout to {duration}")
            }
            Self::RaiseCreateContainerTimeout(duration) => {
                write!(out, "set the Kata shim's create_container_timeout to {duration}")
            }
            Self::RestartKubelet => out.write_str("restart the kubelet and watch it"),
            Self::DenyModules(modules) => write!(out, "keep from loading: {}", modules.join(", ")),
            Self::LoadModules(modules) => write!(out, "load at boot: {}", modules.join(", ")),
        }
    }
}

const BOOT: Needs = Needs::BOOT_CONFIG.and(Needs::CMDLINE).and(Needs::OS);

/// Whether a text is one plain word of a command line: nothing in it means anything to a shell, to GRUB
/// or to the kernel's own quoting.
pub fn is_plain_argument(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,:=/@+-".contains(&byte);
    !text.is_empty() && text.len() <= 256 && text.bytes().all(plain) && text != "--"
}

fn is_module(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

impl Loader<'_> {
    /// An edit is a table of one key.
    pub(super) fn edit(&self, item: &Item) -> Option<Edit> {
        let Node::Table(entries) = &item.node else {
            self.problems.add(item.at, format!("an edit is a table, not {}", item.node.kind()));
            return None;
        };
        let [entry] = &**entries else {
            self.problems.add(item.at, "an edit has exactly one key");
            return None;
        };
        self.of_key(entry)
    }

    fn of_key(&self, entry: &Entry) -> Option<Edit> {
        let (key, item) = (&*entry.key, &entry.value);
        let argument = || self.checked(key, item, is_plain_argument, "a plain kernel argument");
        Some(match key {
            "add-kernel-argument" => Edit::AddKernelArgument(argument()?),
            "remove-kernel-argument" => Edit::RemoveKernelArgument(argument()?),
            "remove-kernel-arguments" => Edit::RemoveKernelArguments(self.set_fact(key, item)?),
            "generate-boot-menu" => self.asked(key, item).then_some(Edit::GenerateBootMenu)?,
            "enable-kubelet-gate" => {
                let name = text(item, key, self.problems)?;
                let gate = KubeletGate::from_word(name);
                if gate.is_none() {
                    let valid = KubeletGate::ALL.iter().map(|gate| gate.word());
                    self.problems.unknown(item.at, "feature gate", name, valid);
                }
                Edit::EnableKubeletGate(gate?)
            }
            "drop-refused-kubelet-gates" => {
                self.asked(key, item).then_some(Edit::DropRefusedKubeletGates)?
            }
            "raise-kubelet-timeout" => Edit::RaiseKubeletTimeout(self.duration(key, item)?),
            "raise-create-container-timeout" => {
                Edit::RaiseCreateContainerTimeout(self.duration(key, item)?)
            }
            "restart-kubelet" => self.asked(key, item).then_some(Edit::RestartKubelet)?,
            "deny-modules" => Edit::DenyModules(self.modules(key, item)?),
            "load-modules" => Edit::LoadModules(self.modules(key, item)?),
            other => {
                self.problems.unknown(entry.at, "edit", other, EDIT_KEYS);
                return None;
            }
        })
    }

    fn checked(
        &self,
        key: &str,
        item: &Item,
        is_valid: fn(&str) -> bool,
        what: &str,
    ) -> Option<String> {
        let value = text(item, key, self.problems)?;
        if !is_valid(value) {
            self.problems.add(item.at, format!("`{key}`: `{value}` is not {what}"));
            return None;
        }
        Some(value.to_owned())
    }

    fn duration(&self, key: &str, item: &Item) -> Option<GoDuration> {
        let written = text(item, key, self.problems)?;
        let duration = GoDuration::parse(written).ok();
        if duration.is_none() {
            self.problems.add(item.at, format!("`{written}` is no duration, like 20m"));
        }
        duration
    }

    fn modules(&self, key: &str, item: &Item) -> Option<Vec<String>> {
        let names = array(item, key, self.problems);
        let names: Option<Vec<String>> = names
            .iter()
            .map(|name| self.checked(key, name, is_module, "a module's name"))
            .collect();
        names.filter(|names| !names.is_empty())
    }

    /// An edit that is only asked for; to not ask for it, it is left out.
    fn asked(&self, key: &str, item: &Item) -> bool {
        let asked = item.node == Node::Bool(true);
        if !asked {
            self.problems.add(item.at, format!("`{key}` is true, or left out"));
        }
        asked
    }

    fn set_fact(&self, key: &str, item: &Item) -> Option<Handle> {
        let name = text(item, key, self.problems)?;
        let Some(fact) = self.catalogue.fact(name) else {
            let valid = self.catalogue.facts().map(|fact| fact.name);
            self.problems.unknown(item.at, "fact", name, valid);
            return None;
        };
        if fact.kind != Kind::Set {
            let message =
                format!("`{key}` takes a set of arguments; {name} is a {}", fact.kind.name());
            self.problems.add(item.at, message);
            return None;
        }
        Some(Handle::Host(fact))
    }
}
