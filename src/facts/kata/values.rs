//! What a configuration says about confidential guests, GPUs and the time that they are given.

use std::collections::BTreeSet;

use super::effective::{self, Effective};
use super::shim::{ConfigurationFile, Language, Shim};
use crate::facts::told::Stop;
use crate::facts::{Cause, Reading, Source, Told};
use crate::format::duration::GoDuration;
use crate::format::toml_tree::{Item, Table, Value};
use crate::host::Root;

/// What the agent takes where its kernel argument is not given.
const IMAGE_PULL_SECONDS: i64 = 1200;
const IMAGE_PULL: &str = "agent.image_pull_timeout";

/// A shim's configuration. Where the shim refuses it, all values are unreadable.
#[derive(Debug)]
pub struct Configuration {
    pub shim: Shim,
    pub path: String,
    /// The directory of its drop-ins, whether it exists or not; `None` where the shim does not start.
    pub drop_ins: Option<String>,
    /// Whether a shim starts with it.
    pub loads: Told<bool>,
    pub confidential_guest: Told<bool>,
    pub cold_plug_vfio: Told<String>,
    pub pod_resource_api_sock: Told<String>,
    pub create_container_timeout: Told<GoDuration>,
    pub image_pull_timeout: Told<GoDuration>,
    pub kernel_params: Told<String>,
    /// Kernel arguments of the file alone that a drop-in threw away.
    pub kernel_params_lost: Told<BTreeSet<String>>,
    /// Whether the guest pulls images whatever the snapshotter does.
    pub force_guest_pull: Told<bool>,
    /// Names in `config.d` that look like leftovers, and count all the same.
    pub stray_drop_ins: Told<BTreeSet<String>>,
}

impl Configuration {
    pub(super) fn read(root: &Root, file: ConfigurationFile) -> Self {
        let effective = effective::load(root, &file);
        let told = effective.and_then(|effective| {
            let reader = Reader { file: &file, table: &effective.merged };
            reader.configuration(&effective)
        });
        match told {
            Ok(configuration) => configuration,
            Err(stop) => Self::stopped(file, stop),
        }
    }

    fn stopped(file: ConfigurationFile, stop: Stop) -> Self {
        fn told<T>(cause: &Cause, source: &Source) -> Told<T> {
            Told::unreadable(cause.clone(), source.clone())
        }
        let (cause, source, loads) = match stop {
            Stop::Fails(cause, source) => (cause, source, Reading::Known(false)),
            Stop::CannotTell(cause, source) => (cause.clone(), source, Reading::Unreadable(cause)),
        };
        let ConfigurationFile { shim, path } = file;
        Self {
            shim,
            path,
            drop_ins: None,
            loads: Told::new(loads, source.clone()).with_note(cause.to_string()),
            confidential_guest: told(&cause, &source),
            cold_plug_vfio: told(&cause, &source),
            pod_resource_api_sock: told(&cause, &source),
            create_container_timeout: told(&cause, &source),
            image_pull_timeout: told(&cause, &source),
            kernel_params: told(&cause, &source),
            kernel_params_lost: told(&cause, &source),
            force_guest_pull: told(&cause, &source),
            stray_drop_ins: told(&cause, &source),
        }
    }
}

struct Reader<'a> {
    file: &'a ConfigurationFile,
    table: &'a Table,
}

impl Reader<'_> {
    fn configuration(&self, effective: &Effective) -> Result<Configuration, Stop> {
        let hypervisor = self.hypervisor();
        let of_hypervisor = |key| ["hypervisor", hypervisor, key];
        let kernel_params =
            self.or_default(&of_hypervisor("kernel_params"), text, String::new())?;
        let lost = Self::lost(effective, &of_hypervisor("kernel_params"), &kernel_params);
        Ok(Configuration {
            shim: self.file.shim.clone(),
            path: self.file.path.clone(),
            drop_ins: Some(effective.directory.clone()),
            loads: Told::known(true, self.source()),
            confidential_guest: self.or_default(
                &of_hypervisor("confidential_guest"),
                boolean,
                false,
            )?,
            cold_plug_vfio: self.or_default(
                &of_hypervisor("cold_plug_vfio"),
                text,
                "no-port".to_owned(),
            )?,
            pod_resource_api_sock: self.or_default(
                &["runtime", "pod_resource_api_sock"],
                text,
                String::new(),
            )?,
            create_container_timeout: self.create_container_timeout()?,
            image_pull_timeout: image_pull_timeout(&kernel_params),
            kernel_params,
            kernel_params_lost: lost,
            force_guest_pull: self.force_guest_pull()?,
            stray_drop_ins: Told::known(
                effective.stray.iter().cloned().collect(),
                Source::file(effective.directory.as_str()),
            ),
        })
    }

    fn source(&self) -> Source {
        Source::file(self.file.path.as_str())
    }

    /// Its configuration has a table for each hypervisor that it could use, in practice one.
    fn hypervisor(&self) -> &str {
        let named =
            self.table.at(&["runtime", "hypervisor_name"]).and_then(|item| item.value.text());
        let first = || {
            let all = self.table.table_at(&["hypervisor"])?;
            all.get("qemu").map(|_| "qemu").or_else(|| all.iter().next().map(|(name, _)| name))
        };
        named.or_else(first).unwrap_or("qemu")
    }

    /// The value at a path, which both runtimes insist to be of its kind.
    fn or_default<T>(
        &self,
        path: &[&str],
        of_kind: fn(&Value) -> Result<T, &'static str>,
        default: T,
    ) -> Result<Told<T>, Stop> {
        let Some(item) = self.table.at(path) else {
            return Ok(Told::known(default, self.source()).with_note("default"));
        };
        let source = place(item);
        match of_kind(&item.value) {
            Ok(value) => Ok(Told { note: self.replaced(item), ..Told::known(value, source) }),
            Err(wanted) => {
                let key = path.last().copied().unwrap_or_default();
                let found = item.value.describe();
                let what = format!("{key} is {found} where {wanted} is expected");
                Err(Stop::Fails(Cause::malformed(item.line, what), source))
            }
        }
    }

    /// What a reader who looks into the configuration's own file must know.
    fn replaced(&self, item: &Item) -> Option<String> {
        (*item.file != *self.file.path).then(|| format!("beats {}", self.file.path))
    }

    /// The two runtimes look for it in different tables, and say nothing about the other one.
    fn create_container_timeout(&self) -> Result<Told<GoDuration>, Stop> {
        const KEY: &str = "create_container_timeout";
        let runtime = ["runtime", KEY];
        let agent = ["agent", "kata", KEY];
        let (own, other, default) = match self.file.shim.language {
            Language::Go => (&runtime[..], &agent[..], 60),
            Language::Rust => (&agent[..], &runtime[..], 30),
        };
        let mut told = self.or_default(own, seconds, from_seconds(default))?;
        if let Some(misplaced) = self.table.at(other) {
            let table = if other.len() == 2 { "[runtime]" } else { "[agent.kata]" };
            let ignored = format!("{}: this shim ignores it in {table}", place(misplaced));
            told.note = Some(match told.note {
                Some(note) => format!("{note}; {ignored}"),
                None => ignored,
            });
        }
        Ok(told)
    }

    fn force_guest_pull(&self) -> Result<Told<bool>, Stop> {
        match self.file.shim.language {
            Language::Go => {
                self.or_default(&["runtime", "experimental_force_guest_pull"], boolean, false)
            }
            Language::Rust => self.or_default(
                &["runtime", "experimental"],
                |value| match value {
                    Value::Array(items) => {
                        Ok(items.iter().any(|item| item.value.text() == Some("force_guest_pull")))
                    }
                    _ => Err("an array"),
                },
                false,
            ),
        }
    }

    /// A later file's kernel arguments replace the earlier ones; they do not add to them.
    fn lost(effective: &Effective, path: &[&str], now: &Told<String>) -> Told<BTreeSet<String>> {
        let before = effective.base.at(path).and_then(|item| item.value.text()).unwrap_or_default();
        let kept: &str = now.reading.known().map_or("", String::as_str);
        let told = Told::known(lost_words(before, kept), now.source.clone());
        match effective.base.at(path) {
            Some(base) if place(base) != now.source => {
                told.with_note(format!("kernel_params replaces the one of {}", place(base)))
            }
            _ => told,
        }
    }
}

/// The words of the one text that the other has no successor for: neither the word itself nor, as often,
/// one with the same key.
fn lost_words(before: &str, now: &str) -> BTreeSet<String> {
    let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let count = |text: &str, wanted: &str| {
        text.split_ascii_whitespace().filter(|word| key(word) == wanted).count()
    };
    before
        .split_ascii_whitespace()
        .filter(|word| !now.split_ascii_whitespace().any(|kept| kept == *word))
        .filter(|word| count(now, &key(word)) < count(before, &key(word)))
        .map(str::to_owned)
        .collect()
}

/// The agent reads it from the guest's kernel command line, where the last one counts.
fn image_pull_timeout(kernel_params: &Told<String>) -> Told<GoDuration> {
    let params = match &kernel_params.reading {
        Reading::Known(params) => params,
        Reading::Absent => return Told::new(Reading::Absent, kernel_params.source.clone()),
        Reading::Unreadable(cause) => {
            return Told::unreadable(cause.clone(), kernel_params.source.clone());
        }
    };
    let source = kernel_params.source.clone();
    let given = params
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(IMAGE_PULL)?.strip_prefix('='))
        .next_back();
    let Some(given) = given else {
        return Told::known(from_seconds(IMAGE_PULL_SECONDS), source).with_note("default");
    };
    if let Ok(given) = given.parse::<u32>() {
        return Told::known(from_seconds(given.into()), source);
    }
    let what = format!("{IMAGE_PULL}={given}: no number of seconds");
    Told::unreadable(Cause::malformed(source.line, what), source)
}

fn place(item: &Item) -> Source {
    Source::line(&*item.file, item.line)
}

fn text(value: &Value) -> Result<String, &'static str> {
    value.text().map(str::to_owned).ok_or("a string")
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    match value {
        Value::Bool(value) => Ok(*value),
        _ => Err("a bool"),
    }
}

fn seconds(value: &Value) -> Result<GoDuration, &'static str> {
    match value {
        // More than a century is as good as any.
        Value::Integer(seconds) => u32::try_from(*seconds)
            .map(|seconds| from_seconds(seconds.into()))
            .map_err(|_| "a number of seconds"),
        _ => Err("a number of seconds"),
    }
}

fn from_seconds(seconds: i64) -> GoDuration {
    GoDuration(seconds.saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_is_lost_unless_it_or_its_successor_is_there() {
        let lost = |before, now| lost_words(before, now).into_iter().collect::<Vec<_>>();
        let shipped = "cgroup_no_v1=all pci=realloc pci=nocrs nvrc.smi.srs=1";
        assert_eq!(lost(shipped, shipped), [""; 0]);
        assert_eq!(
            lost(shipped, "agent.log=debug cgroup_no_v1=net pci=nocrs pci=realloc nvrc.smi.srs=1"),
            [""; 0]
        );
        assert_eq!(
            lost(shipped, "agent.log=debug"),
            ["cgroup_no_v1=all", "nvrc.smi.srs=1", "pci=nocrs", "pci=realloc"]
        );
        assert_eq!(lost(shipped, "cgroup_no_v1=all pci=realloc nvrc.smi.srs=1"), ["pci=nocrs"]);
        assert_eq!(lost("", "quiet"), [""; 0]);
    }

    #[test]
    fn the_last_image_pull_timeout_counts() {
        let timeout = |params: &str| {
            image_pull_timeout(&Told::known(params.to_owned(), Source::line("/a", 3))).reading
        };
        let known = |seconds| Reading::Known(from_seconds(seconds));
        assert_eq!(timeout("quiet"), known(1200));
        assert_eq!(
            timeout("agent.image_pull_timeout=60 agent.image_pull_timeout=2400"),
            known(2400)
        );
        assert_eq!(
            timeout("xagent.image_pull_timeout=60 agent.image_pull_timeouts=1"),
            known(1200)
        );
        for wrong in ["20m", "-1", "", "99999999999999999999"] {
            let params = format!("agent.image_pull_timeout={wrong}");
            assert!(timeout(&params).cause().is_some(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_where_words_are_only_added(
            before in "([ab]=?[xy]? ){0,6}", added in "([abc]=?[xyz]? ){0,6}",
        ) {
            let now = format!("{added} {before}");
            prop_assert!(lost_words(&before, &now).is_empty());
            prop_assert!(lost_words(&before, "").iter().all(|word| before.contains(word.as_str())));
        }
    }
}
