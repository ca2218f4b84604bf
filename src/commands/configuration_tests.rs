//! Machines whose configuration is there, is not, or is something else.

#![expect(clippy::disallowed_methods, reason = "tests make machines")]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::*;
use crate::rules::{Stage, Tee};

/// A machine with a configuration directory, and what its configuration comes to.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(machine.path("config.d")).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("etc/ccgpu-node").join(name)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    fn read(&self) -> Result<Loaded, ConfigError> {
        super::read(&Root::directory(self.0.path()).unwrap())
    }

    fn refused(&self) -> String {
        self.read().map(|loaded| loaded.config).unwrap_err().to_string()
    }
}

#[test]
fn a_machine_without_a_configuration_has_the_default() {
    let empty = tempfile::tempdir().unwrap();
    let root = Root::directory(empty.path()).unwrap();
    assert_eq!(super::read(&root).unwrap(), Loaded::default());
    assert_eq!(Machine::new().read().unwrap(), Loaded::default());
}

#[test]
fn drop_ins_count_in_bytewise_order_after_the_file() {
    let interval = |text: &str| format!("[daemon]\ninterval = \"{text}\"\n");
    let machine = Machine::new()
        .with("config.toml", interval("1h"))
        .with("config.d/b.toml", interval("2h"))
        .with("config.d/a.toml", interval("3h"))
        .with("config.d/B.toml", interval("4h"))
        .with("config.d/10-z.toml", interval("5h"))
        .with("config.d/9-z.toml", interval("6h"))
        .with("config.d/z.toml~", "not read")
        .with("config.d/.z.toml", "not read")
        .with("config.d/z.conf", "not read");
    let loaded = machine.read().unwrap();
    let names: Vec<&str> =
        loaded.files.iter().filter_map(|file| file.strip_prefix("/etc/ccgpu-node/")).collect();
    let order = ["config.toml", "config.d/10-z.toml", "config.d/9-z.toml", "config.d/B.toml"];
    assert_eq!(names, [&order[..], &["config.d/a.toml", "config.d/b.toml"]].concat());
    assert_eq!(loaded.config.daemon.interval.as_secs(), 7200);
}

#[test]
fn what_is_no_file_is_an_error_and_never_hangs() {
    let machine = Machine::new().with("config.d/10.toml", "[check]\nskp = []\n");
    let fifo = |name| nix::unistd::mkfifo(&machine.path(name), nix::sys::stat::Mode::S_IRWXU);
    fifo("config.toml").unwrap();
    fifo("config.d/20.toml").unwrap();
    fs::create_dir(machine.path("config.d/30.toml")).unwrap();
    symlink("40.toml", machine.path("config.d/40.toml")).unwrap();
    symlink("/nowhere", machine.path("config.d/50.toml")).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"60\xff.toml");
    fs::write(machine.path("config.d").join(name), "").unwrap();
    fs::write(machine.path("config.d/70.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    insta::assert_snapshot!(machine.refused(), @r#"
    the configuration is wrong in 8 places:
      /etc/ccgpu-node/config.toml: a FIFO where a regular file is expected
      /etc/ccgpu-node/config.d/10.toml:2:1: unknown key `skp` in [check]; did you mean `skip`?
      /etc/ccgpu-node/config.d/20.toml: a FIFO where a regular file is expected
      /etc/ccgpu-node/config.d/30.toml: a directory where a regular file is expected
      /etc/ccgpu-node/config.d/40.toml: a loop of symbolic links
      /etc/ccgpu-node/config.d/50.toml: a symbolic link that leads nowhere
      /etc/ccgpu-node/config.d/60�.toml: its name is not UTF-8
      /etc/ccgpu-node/config.d/70.toml: larger than 1048576 bytes
    "#);
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_configuration() {
    let machine = Machine::new();
    symlink("/etc/other.toml", machine.path("config.toml")).unwrap();
    fs::remove_dir(machine.path("config.d")).unwrap();
    symlink("other.d", machine.path("config.d")).unwrap();
    let said = machine.refused();
    assert!(
        said.contains("/etc/ccgpu-node/config.toml: a symbolic link that leads nowhere"),
        "{said}"
    );
    assert!(
        said.contains("/etc/ccgpu-node/config.d: a symbolic link that leads nowhere"),
        "{said}"
    );
    // One that leads somewhere is followed.
    fs::write(machine.0.path().join("etc/other.toml"), "[check]\nstage = \"host\"\n").unwrap();
    fs::create_dir(machine.path("other.d")).unwrap();
    assert_eq!(machine.read().unwrap().files.len(), 1);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_told() {
    let machine = Machine::new();
    fs::remove_dir(machine.path("config.d")).unwrap();
    let said = machine.with("config.d", "").refused();
    assert!(said.ends_with("/etc/ccgpu-node/config.d: not a directory"), "{said}");
}

fn loaded(text: &str) -> Loaded {
    Machine::new().with("config.toml", text).read().unwrap()
}

#[test]
fn an_option_takes_the_place_of_its_key_and_no_other() {
    let site = loaded(
        "[check]\nstage = \"host\"\ntee = \"snp\"\nonly = [\"iommu\"]\nskip = [\"vfio\"]\n\
         assume = [\"kubelet.version=1.34.2\"]\n",
    );
    let silent = Wanted::of(Some(&site), &cli::Selection::default(), &[]).unwrap();
    assert_eq!((silent.stage, silent.tee), (Some(Stage::Host), Some(Tee::Snp)));
    assert_eq!(
        (&silent.filter.only, &silent.filter.skip),
        (&vec!["iommu".into()], &vec!["vfio".into()])
    );
    assert_eq!(silent.assumed.len(), 1);
    assert_eq!(
        silent.left_out_by().as_deref(),
        Some("only in /etc/ccgpu-node/config.toml:4 and skip in /etc/ccgpu-node/config.toml:5")
    );

    let selection = cli::Selection {
        only: vec!["pci".to_owned()],
        stage: Some(cli::Stage::Operator),
        ..cli::Selection::default()
    };
    let assume = ["kubelet.version=1.30.0".to_owned()];
    let spoken = Wanted::of(Some(&site), &selection, &assume).unwrap();
    assert_eq!((spoken.stage, spoken.tee), (Some(Stage::Operator), Some(Tee::Snp)));
    assert_eq!(
        (&spoken.filter.only, &spoken.filter.skip),
        (&vec!["pci".into()], &vec!["vfio".into()])
    );
    assert_eq!(spoken.assumed["kubelet.version"].to_string(), "1.30.0");
    assert!(spoken.site.assume.is_none() && spoken.site.stage.is_none());
    assert_eq!(
        spoken.left_out_by().as_deref(),
        Some("--only and skip in /etc/ccgpu-node/config.toml:5")
    );

    let nobody = Wanted::of(None, &selection, &[]).unwrap();
    assert_eq!((nobody.tee, nobody.left_out_by()), (None, None));
}

#[test]
fn rule_files_of_the_configuration_are_joined_by_those_of_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let rule = |id: &str| {
        let path = directory.path().join(format!("{id}.toml"));
        let text = format!(
            "schema = 1\n[[rule]]\nid = \"{id}\"\ntitle = \"t\"\nseverity = \"info\"\nwhy = \"w\"\n\
             expect = [{{ fact = \"cpu.vendor\", equals = \"GenuineIntel\" }}]\n"
        );
        fs::write(&path, text).unwrap();
        path
    };
    let (site, more) = (rule("of-the-site"), rule("of-the-line"));
    let text = format!("[check]\nrules = [\"{}\"]\nonly = [\"of-the-*\"]\n", site.display());
    let selection = cli::Selection { rules: vec![more], ..cli::Selection::default() };
    let policy = Policy::by(Some(&loaded(&text)), &selection, &[]).unwrap();
    for id in ["of-the-site", "of-the-line"] {
        assert!(policy.rules.get(id).is_some(), "{id}");
    }
    // A name that no rule has is told with its place, before anything is judged.
    let misspelt = loaded("[check]\nskip = [\"of-the-site\"]\n");
    let said =
        Policy::by(Some(&misspelt), &cli::Selection::default(), &[]).unwrap_err().to_string();
    assert!(said.contains("config.toml:2:9: `skip` has `of-the-site`"), "{said}");
}

#[test]
fn the_time_for_pulling_an_image_is_what_the_site_says_and_the_rule_says_who() {
    let site = loaded("[check]\nimage-pull-budget = \"30m\"\n");
    let policy = Policy::by(Some(&site), &cli::Selection::default(), &[]).unwrap();
    let without = Policy::by(None, &cli::Selection::default(), &[]).unwrap();
    for id in ["image-pull-time", "kubelet-runtime-request-timeout"] {
        let wanted = |policy: &Policy| {
            let rule = policy.rules.get(id).unwrap();
            (rule.cases[0].expect[0].operator.to_string(), rule.bound.clone())
        };
        assert_eq!(wanted(&without), ("at least 20m0s".to_owned(), None), "{id}");
        let (operator, bound) = wanted(&policy);
        assert_eq!(operator, "at least 30m0s", "{id}");
        assert!(bound.unwrap().by.ends_with(":2"), "{id}");
    }
}
