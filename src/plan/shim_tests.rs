//! What raising the time does to a shim's configuration, as the shim reads it afterwards.

#![expect(clippy::disallowed_methods, reason = "tests make the hosts that they read")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::facts::{Assumptions, Facts, Needs, gather};
use crate::format::toml_tree::Table;
use crate::host::Run;

const WANTED: GoDuration = GoDuration(1200 * SECOND);
const GO: &str = "opt/kata/share/defaults/kata-containers/runtimes/qemu-nvidia-gpu-snp";
const RUST: &str =
    "opt/kata/share/defaults/kata-containers/runtime-rs/runtimes/qemu-nvidia-gpu-snp-runtime-rs";

/// A host with one shim.
struct Host {
    tree: TempDir,
    directory: PathBuf,
}

impl Host {
    fn new(directory: &str, base: &str, drop_ins: &[(&str, &str)]) -> Self {
        let tree = TempDir::new().unwrap();
        let path = tree.path().join(directory);
        let shim = directory.rsplit('/').next().unwrap();
        fs::create_dir_all(path.join("config.d")).unwrap();
        fs::write(path.join(format!("configuration-{shim}.toml")), base).unwrap();
        for (name, text) in drop_ins {
            fs::write(path.join("config.d").join(name), text).unwrap();
        }
        Self { tree, directory: path }
    }

    fn facts(&self) -> Facts {
        let root = Root::directory(self.tree.path()).unwrap();
        gather(&root, &Run::on(&root), Needs::KATA, Assumptions::default())
    }

    fn plan(&self) -> Result<Option<FileChange>, Refused> {
        let root = Root::directory(self.tree.path()).unwrap();
        let facts = self.facts();
        let [configuration] = crate::plan::sources::configurations(&facts) else { panic!() };
        raise(configuration, &read(&root, configuration).unwrap(), WANTED)
    }

    fn make(&self, change: &FileChange) {
        let path = self.tree.path().join(change.path.trim_start_matches('/'));
        assert_eq!(fs::read(&path).ok(), change.before);
        fs::write(path, change.after.as_ref().unwrap()).unwrap();
    }

    fn timeout(&self) -> Reading<GoDuration> {
        let facts = self.facts();
        let [configuration] = crate::plan::sources::configurations(&facts) else { panic!() };
        configuration.create_container_timeout.reading.clone()
    }

    /// All files laid over each other by name.
    fn merged(&self) -> Table {
        let mut files: Vec<PathBuf> = list(&self.directory.join("config.d"));
        let base = list(&self.directory).into_iter().find(|path| path.is_file()).unwrap();
        files.insert(0, base);
        let mut merged = Table::default();
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            merged.lay_over(Table::parse("x", &text).unwrap());
        }
        merged
    }
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn why(host: &Host) -> String {
    host.plan().unwrap_err().to_string()
}

#[test]
fn each_runtime_is_told_in_its_own_table() {
    for (directory, table) in [(GO, "runtime"), (RUST, "agent.kata")] {
        let host = Host::new(directory, "", &[]);
        let change = host.plan().unwrap().unwrap();
        assert_eq!(change.path, format!("/{directory}/config.d/{OWN}"));
        let text = String::from_utf8(change.after.clone().unwrap()).unwrap();
        assert_eq!(text, format!("{HEADER}[{table}]\ncreate_container_timeout = 1200\n"));
        host.make(&change);
        assert_eq!(host.timeout(), Reading::Known(WANTED));
        assert_eq!(host.plan(), Ok(None));
    }
}

#[test]
fn what_is_long_enough_stays() {
    let host = Host::new(GO, "[runtime]\ncreate_container_timeout = 1200\n", &[]);
    assert_eq!(host.plan(), Ok(None));
}

#[test]
fn our_drop_in_is_raised_and_one_that_somebody_changed_is_not() {
    let short = String::from_utf8(render(Language::Go, 600)).unwrap();
    let host = Host::new(GO, "", &[(OWN, &short)]);
    let change = host.plan().unwrap().unwrap();
    assert_eq!(change.before.as_deref(), Some(short.as_bytes()));
    host.make(&change);
    assert_eq!(host.timeout(), Reading::Known(WANTED));
    for edited in [
        short.replace("600", "0600"),
        short.replace("600", "600 # mine"),
        format!("{short}\n"),
        short.trim_end().to_owned(),
        short.replace("[runtime]", "[agent.kata]"),
        String::new(),
    ] {
        let host = Host::new(GO, "", &[(OWN, &edited)]);
        if matches!(host.timeout(), Reading::Known(_)) {
            assert!(why(&host).contains("not written again"), "{edited:?}");
        }
    }
}

#[test]
fn a_file_that_is_read_later_is_named_instead() {
    let later = "[runtime]\ncreate_container_timeout = 300\n";
    let host = Host::new(GO, "", &[("95-site.toml", later)]);
    assert!(why(&host).contains("config.d/95-site.toml:2: it sets"), "{}", why(&host));
    // One that is silent about it is in nobody's way, and one that comes earlier is beaten.
    let host = Host::new(GO, "", &[("95-site.toml", "[runtime]\nx = 1\n"), ("50.toml", later)]);
    host.make(&host.plan().unwrap().unwrap());
    assert_eq!(host.timeout(), Reading::Known(WANTED));
}

#[test]
fn a_pull_that_the_agent_ends_is_not_made_longer_in_vain() {
    let base = "[hypervisor.qemu]\nkernel_params = \"a=b agent.image_pull_timeout=300\"\n";
    let said = why(&Host::new(GO, base, &[]));
    assert!(said.contains(":2: agent.image_pull_timeout is 5m0s"), "{said}");
    assert!(said.contains("agent.image_pull_timeout=1200"), "{said}");
}

#[test]
fn a_directory_that_shims_share_or_a_release_replaces_is_left_alone() {
    for directory in [
        "opt/kata/share/defaults/kata-containers",
        "opt/nvidia-gpu-operator/artifacts/runtimeclasses/kata-qemu-nvidia-gpu-snp",
    ] {
        let tree = TempDir::new().unwrap();
        let path = tree.path().join(directory);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("configuration-qemu-nvidia-gpu-snp.toml"), "").unwrap();
        let host = Host { tree, directory: path };
        assert!(why(&host).contains("keeps no directory of drop-ins for each shim"), "{directory}");
    }
}

#[test]
fn whole_seconds_are_never_fewer_than_asked_for() {
    assert_eq!(seconds(GoDuration(1), "/x"), Ok(1));
    assert_eq!(seconds(GoDuration(SECOND), "/x"), Ok(1));
    assert_eq!(seconds(GoDuration(SECOND + 1), "/x"), Ok(2));
    assert!(seconds(GoDuration(-1), "/x").is_ok_and(|it| it == 0));
    assert!(seconds(GoDuration(i64::MIN), "/x").is_err());
    assert!(seconds(GoDuration(i64::MAX), "/x").is_err());
}

/// A text of TOML with some of the tables and keys that count.
fn texts() -> impl Strategy<Value = String> {
    let value = prop_oneof![0..3000_u32, 1200..1202_u32];
    let table = |name: &'static str| {
        proptest::option::of(value.clone()).prop_map(move |value| match value {
            Some(value) => format!("[{name}]\nx = 1\ncreate_container_timeout = {value}\n"),
            None => format!("[{name}]\nx = 2\n"),
        })
    };
    (table("runtime"), table("agent.kata"), any::<bool>())
        .prop_map(|(one, other, both)| if both { format!("{one}{other}") } else { one })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Afterwards the shim waits long enough, and nothing else that it reads is different.
    #[test]
    fn a_plan_raises_the_time_and_changes_nothing_else(
        rust in any::<bool>(),
        base in texts(),
        drop_ins in proptest::collection::vec(("[0-9]{2}-[a-z]{1,3}(\\.toml|\\.bak)?", texts()), 0..4),
    ) {
        let named: Vec<(&str, &str)> =
            drop_ins.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let host = Host::new(if rust { RUST } else { GO }, &base, &named);
        let before = host.timeout();
        let old = host.merged();
        match host.plan() {
            Ok(None) => prop_assert!(before.known().is_some_and(|time| *time >= WANTED)),
            Ok(Some(change)) => {
                host.make(&change);
                prop_assert_eq!(host.timeout(), Reading::Known(WANTED));
                let place: &[&str] = if rust { &["agent", "kata"] } else { &["runtime"] };
                let without = |table: &Table| {
                    let mut lines = Vec::new();
                    write(table, "", &mut lines);
                    let key = format!(".{}.create_container_timeout", place.join("."));
                    lines.retain(|line| !line.starts_with(&key));
                    lines
                };
                prop_assert_eq!(without(&host.merged()), without(&old));
            }
            Err(refused) => {
                let name = refused.path.rsplit('/').next().unwrap_or_default();
                prop_assert!(name > OWN, "{}", refused);
                prop_assert!(before.known().is_some_and(|time| *time < WANTED));
            }
        }
    }
}

/// Every value with its path, but for tables that hold nothing.
fn write(table: &Table, path: &str, lines: &mut Vec<String>) {
    for (key, item) in table.iter() {
        let path = format!("{path}.{key}");
        match item.value.table() {
            Some(table) => write(table, &path, lines),
            None => lines.push(format!("{path} = {:?}", item.value)),
        }
    }
}
