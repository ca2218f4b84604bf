//! From the texts of files to one configuration: each file is taken apart on its own, with every problem
//! that it has; then, key by key, the last file that sets it counts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::{ConfigError, Fault};
use super::key::{self, KEYS, Key, SECTIONS, Setting};
use super::{Check, Config, Daemon, Expect, Mode, Nfd, Publish, Remediate, Textfile, value};
use crate::report::visible;
use crate::rules::document::{self, Entry, Item, Node, Position};
use crate::rules::problem::{Hint, Problem, Problems};
use crate::rules::{Group, RuleSet, Stage, Tee, Word};

/// A file of the configuration: its name, for messages, and what it holds, or why that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    pub name: String,
    pub content: Result<Vec<u8>, String>,
}

/// Where a key is set. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", visible(&self.file), self.line)
    }
}

/// A configuration, and where each of its keys is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    pub config: Config,
    /// The files that were read, in the order in which they count.
    pub files: Vec<Arc<str>>,
    given: Settings,
}

/// The keys that are set. A key that is not there has its default.
type Settings = BTreeMap<(&'static str, &'static str), Given>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    setting: Setting,
    file: Arc<str>,
    at: Position,
    /// Where the members of a list stand.
    members: Vec<Position>,
}

/// Reads files, the last of which counts most. Every fault of every file is told, or none is there.
pub fn load(files: &[ConfigFile]) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    let mut faults = Vec::new();
    for file in files {
        match &file.content {
            Err(why) => {
                faults.push(Fault::Unread { file: file.name.clone(), why: why.clone() });
            }
            Ok(bytes) => {
                let problems = Problems::of(&visible(&file.name));
                layer(bytes, &problems, &mut loaded.given);
                loaded.files.push(Arc::clone(&problems.file));
                let mut problems = problems.into_list();
                problems.sort();
                problems.dedup();
                faults.extend(problems.into_iter().map(Fault::Wrong));
            }
        }
    }
    if !faults.is_empty() {
        return Err(ConfigError { faults });
    }
    loaded.config = loaded.to_config();
    Ok(loaded)
}

/// Lays what one file sets over what earlier ones did.
fn layer(bytes: &[u8], problems: &Problems, settings: &mut Settings) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            return problems.add(end_of(before), "this is not UTF-8");
        }
    };
    let (root, errors) = document::parse(text);
    for error in errors {
        problems.add(error.at, error.message);
    }
    if let Node::Table(entries) = &root.node {
        table("", entries, problems, settings);
    }
}

/// The place behind a text.
fn end_of(before: &[u8]) -> Position {
    let before = String::from_utf8_lossy(before);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: count(line), column: count(column) }
}

/// A table by its dotted name, which is empty for the file itself. Only known tables are entered, so it
/// goes no deeper than they do.
fn table(name: &str, entries: &[Entry], problems: &Problems, settings: &mut Settings) {
    for entry in entries {
        let path =
            if name.is_empty() { entry.key.to_string() } else { format!("{name}.{}", entry.key) };
        if SECTIONS.iter().any(|section| section.name == path) {
            match &entry.value.node {
                Node::Table(entries) => table(&path, entries, problems, settings),
                other => {
                    let message = format!("`{path}` is a table, not {}", other.kind());
                    problems.add(entry.value.at, message);
                }
            }
        } else if let Some(key) =
            KEYS.iter().find(|key| key.section == name && key.name == entry.key)
        {
            set(key, entry, problems, settings);
        } else {
            unknown(name, entry, problems);
        }
    }
}

fn set(
    key: &'static Key,
    Entry { at, value: item, .. }: &Entry,
    problems: &Problems,
    settings: &mut Settings,
) {
    if let Some(value::Read { setting, members }) = value::read(key, item, problems) {
        let given = Given { setting, file: Arc::clone(&problems.file), at: *at, members };
        settings.insert((key.section, key.name), given);
    }
}

/// A key that no such table has; perhaps another table has it.
fn unknown(name: &str, entry: &Entry, problems: &Problems) {
    let Entry { key, at, value: Item { node, .. } } = entry;
    let what = match (node, name) {
        (Node::Table(_), _) => "section",
        _ => "key",
    };
    let of =
        |section: &str| if section.is_empty() { String::new() } else { format!(" in [{section}]") };
    let hint = match Hint::nearest(key, valid(name)) {
        Hint::Nearest(near) => Hint::Nearest(near).to_string(),
        other => match KEYS.iter().find(|each| each.name == *key) {
            Some(elsewhere) => format!("; it belongs into [{}]", elsewhere.section),
            None => other.to_string(),
        },
    };
    problems.add(*at, format!("unknown {what} `{key}`{}{hint}", of(name)));
}

/// The names that may stand in a table.
fn valid(name: &str) -> Vec<&'static str> {
    let keys = KEYS.iter().filter(|key| key.section == name).map(|key| key.name);
    let sections = SECTIONS.iter().filter_map(|section| {
        let (outer, inner) = section.name.rsplit_once('.').unwrap_or(("", section.name));
        (outer == name).then_some(inner)
    });
    keys.chain(sections).collect()
}

impl Loaded {
    /// The value of a key, set or by default.
    pub fn setting(&self, key: &'static Key) -> Option<&Setting> {
        let given = self.given.get(&(key.section, key.name));
        given.map(|given| &given.setting).or(key.default.as_ref())
    }

    /// Where a key is set, by section and name; `None` where it has its default.
    pub fn place(&self, section: &str, name: &str) -> Option<Place> {
        let given = self.given.iter().find(|((of, key), _)| (*of, *key) == (section, name));
        given.map(|(_, given)| Place { file: Arc::clone(&given.file), line: given.at.line })
    }

    fn flag(&self, key: &'static Key) -> bool {
        matches!(self.setting(key), Some(Setting::Flag(true)))
    }

    fn text(&self, key: &'static Key) -> &str {
        match self.setting(key) {
            Some(Setting::Text(text)) => text,
            _ => "",
        }
    }

    fn list(&self, key: &'static Key) -> Vec<String> {
        match self.setting(key) {
            Some(Setting::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    fn duration(&self, key: &'static Key) -> Duration {
        match self.setting(key) {
            Some(Setting::Duration(duration)) => *duration,
            _ => Duration::ZERO,
        }
    }

    fn count(&self, key: &'static Key) -> Option<u32> {
        match self.setting(key) {
            Some(Setting::Count(count)) => Some(*count),
            _ => None,
        }
    }

    fn to_config(&self) -> Config {
        let directory = |key| PathBuf::from(self.text(key));
        let nfd = Nfd {
            directory: directory(&key::NFD_DIRECTORY),
            workload_config: self.flag(&key::NFD_WORKLOAD_CONFIG),
        };
        let textfile = Textfile { directory: directory(&key::TEXTFILE_DIRECTORY) };
        let listen = match self.setting(&key::METRICS_LISTEN) {
            Some(Setting::Address(address)) => Some(*address),
            _ => None,
        };
        let remediate = Remediate::default();
        Config {
            check: Check {
                stage: Stage::from_word(self.text(&key::STAGE)),
                tee: Tee::from_word(self.text(&key::TEE)),
                only: self.list(&key::ONLY),
                skip: self.list(&key::SKIP),
                rules: self.list(&key::RULES).into_iter().map(PathBuf::from).collect(),
                assume: self.list(&key::ASSUME),
                expect: Expect {
                    gpus: self.count(&key::EXPECTED_GPUS),
                    nvswitches: self.count(&key::EXPECTED_NVSWITCHES),
                    gpu_model: Some(self.text(&key::EXPECTED_GPU_MODEL).to_owned())
                        .filter(|model| !model.is_empty()),
                },
                image_pull_budget: match self.setting(&key::IMAGE_PULL_BUDGET) {
                    Some(Setting::Duration(budget)) => Some(*budget),
                    _ => None,
                },
                cluster: self.flag(&key::CLUSTER),
                kubeconfig: match self.text(&key::KUBECONFIG) {
                    "" => None,
                    path => Some(PathBuf::from(path)),
                },
            },
            daemon: Daemon {
                interval: self.duration(&key::INTERVAL),
                settle: self.duration(&key::SETTLE),
            },
            publish: Publish {
                nfd: self.flag(&key::NFD).then_some(nfd),
                textfile: self.flag(&key::TEXTFILE).then_some(textfile),
                metrics: listen.filter(|_| self.flag(&key::METRICS)),
            },
            remediate: Remediate {
                mode: Word::from_word(self.text(&key::MODE)).unwrap_or(remediate.mode),
                rules: self.list(&key::MENDABLE),
                observations: self.count(&key::OBSERVATIONS).unwrap_or(remediate.observations),
                over: self.duration(&key::OVER),
            },
        }
    }

    /// Checks the names of rules against the rules that there are; they may stand in files that this
    /// configuration names.
    pub fn check_against(&self, rules: &RuleSet) -> Result<(), ConfigError> {
        let mut faults = Vec::new();
        let mut wrong = |given: &Given, at: Position, message: &str| {
            faults.push(Fault::Wrong(Problem::new(&given.file, at, message)));
        };
        for key in [&key::ONLY, &key::SKIP] {
            for (given, pattern, at) in self.members(key) {
                if let Some(hint) = rules.unknown_pattern(pattern) {
                    let name = key.name;
                    wrong(
                        given,
                        at,
                        &format!("`{name}` has `{pattern}`: no rule or group has this name{hint}"),
                    );
                }
            }
        }
        for (given, id, at) in self.members(&key::MENDABLE) {
            if let Some(why) = not_mendable(rules, id) {
                wrong(given, at, &format!("`rules` has `{id}`: {why}"));
            }
        }
        if let Some(stage) = self.config.check.stage
            && let Some(given) = self.given.get(&(key::STAGE.section, key::STAGE.name))
            && !rules.has_stage(stage)
        {
            let message = format!(
                "no rule belongs to stage {stage}, and what the stages before it say proves nothing \
                 about it"
            );
            wrong(given, given.at, &message);
        }
        let Remediate { mode, rules: mendable, .. } = &self.config.remediate;
        if *mode != Mode::Off
            && mendable.is_empty()
            && let Some(given) = self.given.get(&(key::MODE.section, key::MODE.name))
        {
            wrong(given, given.at, &format!("mode is `{mode}`, and no rule is named in `rules`"));
        }
        if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
    }

    /// The members of a list that is set, each with its place.
    fn members(&self, key: &'static Key) -> impl Iterator<Item = (&Given, &str, Position)> {
        let given = self.given.get(&(key.section, key.name));
        given.into_iter().flat_map(|given| {
            let texts = match &given.setting {
                Setting::List(texts) => texts.as_slice(),
                _ => &[],
            };
            let members = texts.iter().zip(&given.members);
            members.map(move |(text, at)| (given, text.as_str(), *at))
        })
    }
}

/// Why a name is not that of a rule that can be mended.
fn not_mendable(rules: &RuleSet, id: &str) -> Option<String> {
    if id.contains('*') {
        return Some(
            "a pattern would take in rules that nobody has looked at; write each id".to_owned(),
        );
    }
    if Group::from_word(id).is_some() {
        return Some(
            "a group would take in rules that nobody has looked at; write each id".to_owned(),
        );
    }
    match rules.get(id) {
        Some(rule) if rule.fixes.is_empty() => {
            Some("this rule has no fix: only a person can mend it".to_owned())
        }
        Some(_) => None,
        None => {
            let mendable = rules.rules().iter().filter(|rule| !rule.fixes.is_empty());
            let hint = Hint::nearest(id, mendable.map(|rule| &*rule.id)).without_list();
            Some(format!("there is no such rule{hint}"))
        }
    }
}
