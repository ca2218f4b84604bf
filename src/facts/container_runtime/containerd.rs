//! What containerd's files come to.
//!
//! Version 2 of the configuration has one plugin for the kubelet's interface; version 3, which containerd
//! reads from 2.0 on, has one for containers and one for images. From 2.0 on an older file is translated,
//! and imported tables are merged key by key; before, an imported plugin replaced the whole plugin.

use std::collections::{BTreeMap, BTreeSet};

use super::handler::{Handler, Named, Snapshotter, place, tables};
use super::imports::{self, File};
use super::{Configured, Stop};
use crate::facts::{Cause, Reading, Source, Told};
use crate::format::toml_tree::{Item, Table, Value};
use crate::format::version::Version;
use crate::host::Root;

const CRI: &str = "io.containerd.grpc.v1.cri";
const CRI_RUNTIME: &str = "io.containerd.cri.v1.runtime";
const CRI_IMAGES: &str = "io.containerd.cri.v1.images";

/// Where containerd from 2.2 on looks by itself; whether it does without a main file is not known here.
const DROP_INS: &str = "/etc/containerd/conf.d";

/// All files merged, with the names of plugins as containerd 2 has them.
#[derive(Debug, Default)]
struct Merged {
    plugins: Table,
    proxies: BTreeMap<String, String>,
    disabled: Vec<(String, Source)>,
    misplaced: Vec<(String, String)>,
    /// Files that say something about containers.
    about_containers: usize,
}

pub(super) fn read(root: &Root, main: &str, version: Option<&Version>) -> Result<Configured, Stop> {
    if root.stat(main).is_absent() {
        return without_a_file(root, main);
    }
    let files = imports::load(root, main)?;
    let major = version.map(|version| version.number(0));
    let root_version = check_versions(&files, major)?;
    let several = files.len() > 1;
    let mut merged = Merged::default();
    for file in files {
        merged.add(file, major)?;
    }
    if several && major.is_none() && root_version < 3 && merged.about_containers > 1 {
        let why = "containerd before 2.0 would lose a part of these files, and its version is \
                   unknown; give it with --assume container-runtime.version=2.3.0";
        return Err(Stop::CannotTell(Cause::NoAnswer(why.to_owned()), Source::file(main)));
    }
    Ok(merged.configured(root, main, major))
}

fn without_a_file(root: &Root, main: &str) -> Result<Configured, Stop> {
    if root.list(DROP_INS).known().is_some_and(|entries| !entries.is_empty()) {
        let why = format!("there is no {main}; whether {DROP_INS} counts then is not known here");
        return Err(Stop::CannotTell(Cause::NoAnswer(why), Source::file(DROP_INS)));
    }
    let mut configured = Merged::default().configured(root, main, None);
    configured.note = Some("there is no configuration; containerd uses its defaults".to_owned());
    Ok(configured)
}

/// The version of the main file, and whether containerd takes it and those of the others.
fn check_versions(files: &[File], major: Option<u64>) -> Result<i64, Stop> {
    let mut first = 0;
    for file in files {
        let (version, line) = version_of(file)?;
        let fails = |what: String| {
            let source = Source { path: file.path.as_str().into(), line };
            Stop::Fails(Cause::malformed(line, what), source)
        };
        if first == 0 {
            first = version;
        }
        if version > 2 && major.is_some_and(|major| major < 2) {
            return Err(fails(format!("containerd before 2.0 takes no version = {version}")));
        }
        if version > first {
            return Err(fails(format!(
                "an import with version = {version}, where the main file has version = {first}"
            )));
        }
    }
    Ok(first)
}

/// 0 where there is none, which counts as 1.
fn version_of(file: &File) -> Result<(i64, Option<u32>), Stop> {
    match file.table.get("version") {
        None => Ok((0, None)),
        Some(Item { value: Value::Integer(version), line, .. }) => Ok((*version, Some(*line))),
        Some(item) => {
            let what = format!("version is {} where an integer is expected", item.value.describe());
            Err(Stop::Fails(Cause::malformed(item.line, what), place(item)))
        }
    }
}

impl Merged {
    fn add(&mut self, file: File, major: Option<u64>) -> Result<(), Stop> {
        let (version, _) = version_of(&file)?;
        let mut table = file.table;
        if let Some(item) = table.get("disabled_plugins") {
            let Value::Array(items) = &item.value else {
                let cause = Cause::malformed(item.line, "disabled_plugins is no array");
                return Err(Stop::Fails(cause, place(item)));
            };
            let names = items.iter().filter_map(|item| Some((item.value.text()?, item)));
            self.disabled.extend(names.map(|(name, item)| (name.to_owned(), place(item))));
        }
        for (name, _, proxy) in tables(table.table_at(&["proxy_plugins"])) {
            let kind = proxy.get("type").and_then(|item| item.value.text()).unwrap_or_default();
            self.proxies.insert(name.to_owned(), kind.to_owned());
        }
        let Some(Item { value: Value::Table(plugins), .. }) = table.remove("plugins") else {
            return Ok(());
        };
        let plugins = self.translated(plugins, version, major);
        self.about_containers += usize::from(plugins.get(CRI_RUNTIME).is_some());
        if major.is_some_and(|major| major < 2) {
            for (name, item) in plugins.iter() {
                self.plugins.insert(name, item.clone());
            }
        } else {
            self.plugins.lay_over(plugins);
        }
        Ok(())
    }

    /// The plugins of a file by the names of version 3; what this containerd does not read is left out,
    /// and the handlers in it are noted.
    fn translated(&mut self, mut plugins: Table, version: i64, major: Option<u64>) -> Table {
        // Version 1 had short names.
        if version < 2
            && let Some(short) = plugins.remove("cri")
            && plugins.get(CRI).is_none()
        {
            plugins.insert(CRI, short);
        }
        if version >= 3 {
            let why = "a configuration of version 3 does not read";
            self.leave_out(plugins.remove(CRI), CRI, why);
            return plugins;
        }
        if major.is_some_and(|major| major < 2) {
            let why = "containerd before 2.0 does not read";
            self.leave_out(plugins.remove(CRI_RUNTIME), CRI_RUNTIME, why);
            plugins.remove(CRI_IMAGES);
        }
        let Some(old) = plugins.remove(CRI) else { return plugins };
        if let Some(snapshotter) =
            old.value.table().and_then(|old| old.at(&["containerd", "snapshotter"])).cloned()
        {
            let mut images = Table::default();
            images.insert("snapshotter", snapshotter);
            let mut translated = Table::default();
            translated.insert(CRI_IMAGES, Item { value: Value::Table(images), ..old.clone() });
            translated.lay_over(plugins);
            plugins = translated;
        }
        let mut translated = Table::default();
        translated.insert(CRI_RUNTIME, old);
        translated.lay_over(plugins);
        translated
    }

    fn leave_out(&mut self, plugin: Option<Item>, name: &str, why: &str) {
        let Some(Value::Table(plugin)) = plugin.map(|item| item.value) else { return };
        for (handler, item, _) in tables(plugin.table_at(&["containerd", "runtimes"])) {
            let where_ = format!("{} puts it under {name}, which {why}", place(item));
            self.misplaced.push((handler.to_owned(), where_));
        }
    }

    fn configured(self, root: &Root, main: &str, major: Option<u64>) -> Configured {
        let source = Source::file(main);
        let unset = Snapshotter { name: "overlayfs".to_owned(), source: None };
        let default =
            Snapshotter::of(self.plugins.at(&[CRI_RUNTIME, "containerd", "snapshotter"]), &unset);
        let of_images = Snapshotter::of(self.plugins.at(&[CRI_IMAGES, "snapshotter"]), &unset);
        let runtimes = self.plugins.table_at(&[CRI_RUNTIME, "containerd", "runtimes"]);
        let handlers = tables(runtimes)
            .map(|(name, item, runtime)| {
                let platform = [CRI_IMAGES, "runtime_platforms", name, "snapshotter"];
                Handler {
                    name: name.to_owned(),
                    source: place(item),
                    program: Named::of(root, runtime.get("runtime_path")),
                    config: Named::of(root, runtime.at(&["options", "ConfigPath"])),
                    snapshotter: Snapshotter::of(runtime.get("snapshotter"), &default),
                    image_snapshotter: (major != Some(1))
                        .then(|| Snapshotter::of(self.plugins.at(&platform), &of_images)),
                    guest_pull: false,
                }
            })
            .collect();
        let snapshotters = self.proxies.iter().filter(|(_, kind)| *kind == "snapshot");
        Configured {
            note: None,
            cri_enabled: self.cri_enabled(&source),
            proxy_snapshotters: snapshotters
                .map(|(name, _)| name.clone())
                .collect::<BTreeSet<String>>(),
            handlers,
            misplaced: self.misplaced,
            source,
        }
    }

    fn cri_enabled(&self, source: &Source) -> Told<bool> {
        let of_cri = |name: &str| ["cri", CRI, CRI_RUNTIME, CRI_IMAGES].contains(&name);
        match self.disabled.iter().find(|(name, _)| of_cri(name)) {
            Some((name, place)) => Told::new(Reading::Known(false), place.clone())
                .with_note(format!("disabled_plugins has {name}")),
            None => Told::known(true, source.clone()),
        }
    }
}
