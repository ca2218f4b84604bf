//! The configuration as its operators write it: right, wrong, in several files, and as noise.

mod property;

use serde_json::Value as Json;

use super::*;
use crate::report::configuration::effective;
use crate::rules::{Catalogue, RuleSet, Word, testing};

fn file(name: &str, text: &str) -> ConfigFile {
    ConfigFile { name: name.to_owned(), content: Ok(text.as_bytes().to_vec()) }
}

fn load_text(text: &str) -> Result<Loaded, ConfigError> {
    load(&[file("config.toml", text)])
}

fn refused(text: &str) -> String {
    load_text(text).map(|loaded| loaded.config).unwrap_err().to_string()
}

/// Every key, each with another value than its default.
const EVERY_KEY: &str = r#"
[check]
stage = "operator"
tee = "snp"
only = ["iommu", "gpu-*"]
skip = ["kubelet"]
rules = ["/opt/site.toml"]
assume = ["kubelet.version=1.34.2"]
image-pull-budget = "30m"
cluster = true
kubeconfig = "/root/.kube/config"

[check.expect]
gpus = 8
nvswitches = 4
gpu-model = "H200"

[daemon]
interval = "1h30m"
settle = "0.1s"

[publish]
textfile = { enabled = false, directory = "/nowhere" }
metrics.listen = "[::1]:9477"

[publish.nfd]
enabled = true
directory = "/var/lib/nfd"
workload-config = true

[remediate]
mode = "auto"
rules = ["iommu-argument-overridden"]
observations = 5
over = "0"
"#;

#[test]
fn without_files_and_with_empty_ones_all_is_default() {
    assert_eq!(load(&[]).unwrap().config, Config::default());
    assert_eq!(load_text("").unwrap().config, Config::default());
    assert_eq!(
        load_text("# nothing\r\n[check]\r\n[publish.nfd]\r\n").unwrap().config,
        Config::default()
    );
}

#[test]
fn every_key_is_understood_and_handed_on() {
    let loaded = load_text(EVERY_KEY).unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let expected = Config {
        check: Check {
            stage: Some(Stage::Operator),
            tee: Some(Tee::Snp),
            only: texts(&["iommu", "gpu-*"]),
            skip: texts(&["kubelet"]),
            rules: vec!["/opt/site.toml".into()],
            assume: texts(&["kubelet.version=1.34.2"]),
            expect: Expect {
                gpus: Some(8),
                nvswitches: Some(4),
                gpu_model: Some("H200".to_owned()),
            },
            image_pull_budget: Some(Duration::from_secs(1800)),
            cluster: true,
            kubeconfig: Some("/root/.kube/config".into()),
        },
        daemon: Daemon { interval: Duration::from_secs(5400), settle: Duration::from_millis(100) },
        publish: Publish {
            nfd: Some(Nfd { directory: "/var/lib/nfd".into(), workload_config: true }),
            textfile: None,
            metrics: Some("[::1]:9477".parse().unwrap()),
        },
        remediate: Remediate {
            mode: Mode::Auto,
            rules: texts(&["iommu-argument-overridden"]),
            observations: 5,
            over: Duration::ZERO,
        },
    };
    assert_eq!(loaded.config, expected);
    for key in KEYS {
        let given = loaded.place(key.section, key.name).is_some();
        assert!(
            given || key.path() == "publish.metrics.enabled",
            "{} is not in the text",
            key.path()
        );
        assert_ne!(key.default.as_ref(), loaded.setting(key).filter(|_| given), "{}", key.path());
    }
}

#[test]
fn the_table_of_keys_is_one() {
    let mut paths: Vec<String> = KEYS.iter().map(|key| key.path()).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), KEYS.len());
    for key in KEYS {
        assert!(SECTIONS.iter().any(|section| section.name == key.section), "{}", key.path());
        assert!(key.doc.ends_with('.') && !key.doc.contains("  "), "{}", key.doc);
    }
}

#[test]
fn the_last_file_to_set_a_key_counts_and_lists_are_replaced() {
    let loaded = load(&[
        file(
            "config.toml",
            "[check]\nonly = [\"iommu\", \"pci\"]\nskip = [\"tee\"]\n[daemon]\ninterval = \"1m\"",
        ),
        file(
            "config.d/10.toml",
            "[check]\nonly = [\"vfio\"]\nskip = []\n[publish.metrics]\nlisten = \"127.0.0.1:1\"",
        ),
        file("config.d/20.toml", "[daemon]\nsettle = \"1s\"\n[publish.metrics]\nenabled = false"),
    ])
    .unwrap();
    assert_eq!(loaded.config.check.only, ["vfio"]);
    assert!(loaded.config.check.skip.is_empty());
    assert_eq!(loaded.config.daemon.interval, Duration::from_secs(60));
    assert_eq!(loaded.config.daemon.settle, Duration::from_secs(1));
    assert_eq!(loaded.config.publish.metrics, None);
    let place = |section, name| loaded.place(section, name).map(|place| place.to_string());
    assert_eq!(place("check", "only").as_deref(), Some("config.d/10.toml:2"));
    assert_eq!(place("daemon", "interval").as_deref(), Some("config.toml:5"));
    assert_eq!(place("check", "tee"), None);
}

#[test]
fn all_problems_of_all_files_are_told_at_once() {
    let first = r#"
interval = "5m"
[chek]
stage = "host"
[check]
stage = "opreator"
tee = 1
only = "iommu"
skip = ["", 2]
rules = ["site.toml"]
assume = ["kubelet.version", "kubelet.versoin=1", "kubelet.version=x", "kubelet.runtime-request-timeout=20m", "kubelet.runtime-request-timeout=21m"]
observations = 3
[daemon]
interval = "9s"
settle = 30
[publish]
nfd = true
metrics = { listen = "0.0.0.0:9477", listn = "" }
"#;
    let second = r#"
[publish.metrics]
listen = "localhost:9477"
[publish.textfile]
enabled = "yes"
directory = "node-exporter"
[daemon]
interval = "-1h"
settle = "10 ms"
[remediate]
mode = "on"
observations = 0
over = "25h"
rules = 7
"#;
    let gone = ConfigFile {
        name: "config.d/15.toml".to_owned(),
        content: Err("a FIFO where a regular file is expected".to_owned()),
    };
    let broken = "[check]\nstage = host\n[check]\n\tskp = []\n";
    let files = [
        file("config.toml", first),
        file("config.d/10.toml", second),
        gone,
        file("config.d/20.toml", broken),
        ConfigFile {
            name: "config.d/30.toml".to_owned(),
            content: Ok(b"# caf\xc3\xa9\n# caf\xe9\n".to_vec()),
        },
    ];
    let error = load(&files).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"
    the configuration is wrong in 33 places:
      config.toml:2:1: unknown key `interval`; it belongs into [daemon]
      config.toml:3:2: unknown section `chek`; did you mean `check`?
      config.toml:6:9: unknown stage `opreator`; did you mean `operator`?
      config.toml:7:7: `tee` takes text, not an integer
      config.toml:8:8: `only` takes an array, not a text
      config.toml:9:9: `skip` has an empty text
      config.toml:9:13: `skip` takes an array of texts, not an integer
      config.toml:10:10: `rules` takes an absolute path, and `site.toml` is none
      config.toml:11:11: `assume` has `kubelet.version`: it reads FACT=VALUE
      config.toml:11:30: `assume` has `kubelet.versoin=1`: there is no fact kubelet.versoin; did you mean `kubelet.version`?
      config.toml:11:51: `assume` has `kubelet.version=x`: "x" is no version
      config.toml:11:51: `assume` has `kubelet.version=x`: the fact was assumed before
      config.toml:11:111: `assume` has `kubelet.runtime-request-timeout=21m`: the fact was assumed before
      config.toml:12:1: unknown key `observations` in [check]; it belongs into [remediate]
      config.toml:14:12: `interval` is from 10s to 24h, not 9s
      config.toml:15:10: `settle` takes a duration as text, like "10m" or "1h30m", not an integer
      config.toml:17:7: `publish.nfd` is a table, not true or false
      config.toml:18:22: `listen` takes a loopback address (127.0.0.1 or ::1), not 0.0.0.0
      config.toml:18:38: unknown key `listn` in [publish.metrics]; did you mean `listen`?
      config.d/10.toml:3:10: `listen` takes an address and a port as text, like "127.0.0.1:9477", and `localhost:9477` is none
      config.d/10.toml:5:11: `enabled` takes true or false, not a text
      config.d/10.toml:6:13: `directory` takes an absolute path, and `node-exporter` is none
      config.d/10.toml:8:12: `interval` is from 10s to 24h, not -1h
      config.d/10.toml:9:10: `settle` takes a duration as text, like "10m" or "1h30m", and `10 ms` is none
      config.d/10.toml:11:8: unknown mode `on`; it can be off, plan, auto
      config.d/10.toml:12:16: `observations` is from 1 to 1000, not 0
      config.d/10.toml:13:8: `over` is from 0s to 24h, not 25h
      config.d/10.toml:14:9: `rules` takes an array, not an integer
      config.d/15.toml: a FIFO where a regular file is expected
      config.d/20.toml:2:9: string values must be quoted, expected literal string
      config.d/20.toml:3:2: duplicate key
      config.d/20.toml:4:2: unknown key `skp` in [check]; did you mean `skip`?
      config.d/30.toml:2:6: this is not UTF-8
    "#);
}

#[test]
fn mending_without_a_rule_to_mend_is_a_mistake() {
    let rules = RuleSet::built_in(&Catalogue::built_in()).unwrap();
    let empty = load_text("[remediate]\nmode = \"auto\"\n").unwrap();
    insta::assert_snapshot!(empty.check_against(&rules).unwrap_err().to_string(), @"the configuration is wrong: config.toml:2:1: mode is `auto`, and no rule is named in `rules`");
    let off = load_text("[remediate]\nmode = \"off\"\n").unwrap();
    assert_eq!(off.check_against(&rules), Ok(()));
}

#[test]
fn names_of_rules_are_checked_against_the_rules() {
    let rules = RuleSet::built_in(&Catalogue::built_in()).unwrap();
    let right = load_text(EVERY_KEY).unwrap();
    assert_eq!(right.check_against(&rules), Ok(()));
    let wrong = load(&[
        file("config.toml", "[check]\nonly = [\"iommu\", \"iomu\"]\nskip = [\n  \"gpu-grop*\",\n]\n"),
        file(
            "config.d/a.toml",
            "[remediate]\nrules = [\"iommu-argument-overriden\", \"gpu-*\", \"iommu\", \"gpu-present\", \"iommufd\"]",
        ),
    ])
    .unwrap();
    insta::assert_snapshot!(wrong.check_against(&rules).unwrap_err().to_string(), @r#"
    the configuration is wrong in 6 places:
      config.toml:2:18: `only` has `iomu`: no rule or group has this name; did you mean `iommu`?
      config.toml:4:3: `skip` has `gpu-grop*`: no rule or group has this name
      config.d/a.toml:2:10: `rules` has `iommu-argument-overriden`: there is no such rule; did you mean `iommu-argument-overridden`?
      config.d/a.toml:2:38: `rules` has `gpu-*`: a pattern would take in rules that nobody has looked at; write each id
      config.d/a.toml:2:47: `rules` has `iommu`: a group would take in rules that nobody has looked at; write each id
      config.d/a.toml:2:56: `rules` has `gpu-present`: this rule has no fix: only a person can mend it
    "#);
}

#[test]
fn a_stage_without_rules_of_its_own_is_refused_with_its_place() {
    let rule = testing::rule("a", "expect = [{ fact = \"bool.true\", equals = true }]");
    let rules = testing::rules(&rule);
    let stage = |stage: &str| load_text(&format!("[check]\nstage = \"{stage}\"")).unwrap();
    assert_eq!(stage("host").check_against(&rules), Ok(()));
    let said = stage("workload").check_against(&rules).unwrap_err().to_string();
    assert!(said.contains("config.toml:2:1: no rule belongs to stage workload"), "{said}");
}

#[test]
fn a_duration_is_printed_as_one_would_write_it() {
    for (text, shown) in [
        ("10m", "10m"),
        ("600s", "10m"),
        ("1h", "1h"),
        ("90m", "1h30m"),
        ("3601s", "1h0m1s"),
        ("0.0305s", "30.5ms"),
    ] {
        let key = if text.ends_with("5s") { "settle" } else { "interval" };
        let loaded = load_text(&format!("[daemon]\n{key} = \"{text}\"")).unwrap();
        let daemon = &loaded.config.daemon;
        let read = if key == "settle" { daemon.settle } else { daemon.interval };
        assert_eq!(spoken(read), shown);
    }
}

/// What an operator finds installed says what is so, of every key, and nothing of its own.
#[test]
fn the_installed_file_is_the_default_and_names_every_key() {
    let installed = include_str!("../../packaging/config.toml");
    assert_eq!(load_text(installed).unwrap().config, Config::default());
    let set = |prefix: &'static str| {
        let is_key =
            |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = ");
        let line = move |line: &str| match line.strip_prefix(prefix) {
            Some(rest) if is_key(rest) => rest.to_owned(),
            _ => line.to_owned(),
        };
        installed.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let defaults = load_text(&set("#")).unwrap();
    assert_eq!(defaults.config, Config::default());
    let examples = load_text(&set("# ")).unwrap();
    let prose = installed.replace("\n# ", " ").replace("\n#", "\n");
    for key in KEYS {
        let with_default = defaults.place(key.section, key.name).is_some();
        assert_eq!(with_default, key.default.is_some(), "{}", key.path());
        assert!(with_default || examples.place(key.section, key.name).is_some(), "{}", key.path());
        assert_eq!(defaults.setting(key), key.default.as_ref(), "{}", key.path());
        assert!(prose.contains(key.doc), "{}", key.doc);
    }
    for section in SECTIONS.iter().filter(|section| section.name != "publish") {
        assert!(prose.contains(section.doc), "{}", section.doc);
    }
}

#[test]
fn what_is_printed_is_read_back() {
    for text in ["", EVERY_KEY, "[check]\nonly = [\"a\\\"\\\\\\u202e\\u001b\\n\"]"] {
        let loaded = load_text(text).unwrap();
        let mut out = Vec::new();
        effective(&loaded, &mut out).unwrap();
        let printed = String::from_utf8(out).unwrap();
        assert!(
            printed.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'),
            "{printed}"
        );
        assert_eq!(load_text(&printed).unwrap().config, loaded.config, "{printed}");
    }
}

#[test]
fn what_is_printed_says_where_each_value_is_set() {
    let loaded = load(&[
        file("/etc/config.toml", "[daemon]\ninterval = \"120s\""),
        file("/etc/config.d/\u{1b}[2J.toml", "\n\n[check]\nskip = [\"tee\"]"),
    ]);
    let mut out = Vec::new();
    effective(&loaded.unwrap(), &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    # Read in this order; of several files that set a key the last one counts:
    #   /etc/config.toml
    #   /etc/config.d/\x1b[2J.toml

    [check]
    # stage is not set
    # tee is not set
    only = [] # default
    skip = ["tee"] # /etc/config.d/\x1b[2J.toml:4
    rules = [] # default
    assume = [] # default
    # image-pull-budget is not set
    cluster = false # default
    # kubeconfig is not set

    [check.expect]
    # gpus is not set
    # nvswitches is not set
    # gpu-model is not set

    [daemon]
    interval = "2m" # /etc/config.toml:2
    settle = "30ms" # default

    [publish.nfd]
    enabled = false # default
    directory = "/etc/kubernetes/node-feature-discovery/features.d" # default
    workload-config = false # default

    [publish.textfile]
    enabled = true # default
    directory = "/var/lib/prometheus/node-exporter" # default

    [publish.metrics]
    enabled = true # default
    # listen is not set

    [remediate]
    mode = "off" # default
    rules = [] # default
    observations = 3 # default
    over = "5m" # default
    "#);
}

/// An editor that goes by the schema and the program agree.
#[test]
fn the_schema_takes_what_the_loader_takes() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let takes = |text: &str| {
        let instance: Json = toml::from_str(text).unwrap();
        validator.is_valid(&instance)
    };
    for text in [include_str!("../../packaging/config.toml"), EVERY_KEY] {
        assert!(takes(text), "{text}");
    }
    for text in [
        "chek = 1",
        "[check]\nstge = \"host\"",
        "[check]\nstage = \"hots\"",
        "[check]\nonly = \"iommu\"",
        "[check]\nskip = [\"\"]",
        "[check]\nrules = [\"site.toml\"]",
        "[check]\nassume = [\"kubelet.version\"]",
        "[check.expect]\ngpus = -1",
        "[check.expect]\ngpus = \"8\"",
        "[check.expect]\ngpu-model = \"\"",
        "[expect]\ngpus = 8",
        "[daemon]\ninterval = 600",
        "[daemon]\ninterval = \"ten\"",
        "[daemon]\ninterval = \"-10m\"",
        "[publish]\nnfd = true",
        "[publish.nfd]\ndirectory = \"features.d\"",
        "[publish.textfile]\nenabled = \"yes\"",
        "[publish.metrics]\nlisten = \"0.0.0.0:9477\"",
        "[remediate]\nmode = \"on\"",
        "[remediate]\nobservations = 0",
    ] {
        assert!(load_text(text).is_err(), "loader: {text}");
        assert!(!takes(text), "schema: {text}");
    }
}

#[test]
fn only_a_loopback_address_is_listened_at() {
    let listen = |address: &str| load_text(&format!("[publish.metrics]\nlisten = \"{address}\""));
    for good in ["127.0.0.1:9477", "127.8.9.1:1", "[::1]:65535"] {
        let address = listen(good).unwrap().config.publish.metrics;
        assert_eq!(address, Some(good.parse().unwrap()), "{good}");
    }
    for bad in [
        "0.0.0.0:9477",
        "[::]:9477",
        "10.0.0.1:9477",
        "[::ffff:127.0.0.1]:1",
        "128.0.0.1:1",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "localhost:1",
        "::1:9477",
        ":9477",
        "[fe80::1]:1",
    ] {
        assert!(listen(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_words_of_mode_are_those_of_the_schema() {
    let words: Vec<&str> = Mode::ALL.iter().map(|mode| mode.word()).collect();
    assert_eq!(words, ["off", "plan", "auto"]);
    assert!(refused("[remediate]\nmode = \"Auto\"").contains("did you mean `auto`?"));
}
