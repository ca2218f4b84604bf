//! What a kubelet of some version does with a feature gate that is set.
//!
//! The table stands in `gates.tsv` and is searched as text, since hosts set few gates. Patched kubelets
//! know other gates and versions after the table's end are unseen, so "cannot tell" is an answer.

use crate::format::version::Version;

const TABLE: &str = include_str!("gates.tsv");

/// The minor versions of Kubernetes 1 that the table covers.
const FIRST: u64 = 27;
const LAST: u64 = 36;

/// From this minor version on the kubelet panics over a bad gate in a file.
const PANICS_FROM: u64 = 32;

/// From this minor version on gates must not be on without the gates that they need.
const DEPENDENCIES_FROM: u64 = 35;

/// What becomes of a kubelet with a gate set so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It starts; the note is for what the reader should know still.
    Accepted(Option<String>),
    /// It stops, because it has no such gate. Patched kubelets only warn about that.
    Unknown(String),
    /// It stops, because it lets nobody change this gate.
    Locked(String),
    CannotTell(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
    General,
    Deprecated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spec {
    stage: Stage,
    default: bool,
    locked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    name: &'static str,
    columns: &'static str,
    needs: &'static str,
}

impl Row {
    fn parse(line: &'static str) -> Option<Self> {
        let mut parts = line.split('\t');
        let (name, columns) = (parts.next()?, parts.next()?);
        Some(Self { name, columns, needs: parts.next().unwrap_or("") })
    }

    fn specs(self) -> impl DoubleEndedIterator<Item = (u64, Option<Spec>)> {
        let columns: Vec<&str> = self.columns.split(' ').collect();
        (FIRST..)
            .zip(columns)
            .map(|(minor, column)| (minor, Spec::parse(column)))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn at(self, minor: u64) -> Option<Spec> {
        self.specs().find(|(own, _)| *own == minor).and_then(|(_, spec)| spec)
    }

    /// Why a kubelet of this version does not know the name.
    fn why_unknown(self, minor: u64) -> String {
        let known: Vec<u64> =
            self.specs().filter(|(_, spec)| spec.is_some()).map(|(minor, _)| minor).collect();
        match (known.first(), known.last()) {
            (Some(first), _) if minor < *first => {
                format!("unknown to kubelet 1.{minor}: not before 1.{first}")
            }
            (_, Some(last)) => format!("unknown to kubelet 1.{minor}: removed in 1.{}", last + 1),
            _ => format!("unknown to kubelet 1.{minor}: removed before 1.{FIRST}"),
        }
    }
}

impl Spec {
    fn parse(column: &str) -> Option<Self> {
        let mut letters = column.chars();
        let letter = letters.next()?;
        let stage = match letter.to_ascii_lowercase() {
            'a' => Stage::Alpha,
            'b' => Stage::Beta,
            'g' => Stage::General,
            'd' => Stage::Deprecated,
            _ => return None,
        };
        let locked = letters.next() == Some('!');
        Some(Self { stage, default: letter.is_ascii_uppercase(), locked })
    }

    fn allows(self, value: bool) -> bool {
        !self.locked || self.default == value
    }
}

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(Row::parse)
}

fn row(name: &str) -> Option<Row> {
    rows().find(|row| row.name == name)
}

/// Gates that stand for all of a stage; every kubelet knows them.
fn is_collective(name: &str) -> bool {
    matches!(name, "AllAlpha" | "AllBeta")
}

/// The minor version by which the table counts; `None` for anything but Kubernetes 1.
fn minor_of(version: &Version) -> Option<u64> {
    let (major, minor) = version.minor();
    (major == 1).then_some(minor)
}

/// Whether a kubelet starts with this gate set to this value. Without a version only what is so in every
/// version is told.
pub(crate) fn outcome(name: &str, value: bool, version: Option<&Version>) -> Outcome {
    if is_collective(name) {
        return Outcome::Accepted(None);
    }
    let Some(row) = row(name) else {
        return match similar(name) {
            Some(known) => Outcome::Unknown(format!("no such gate; did you mean {known}?")),
            None => Outcome::CannotTell(format!(
                "{name} is not in the table of gates, which ends at 1.{LAST}"
            )),
        };
    };
    let Some(version) = version else {
        return without_version(row, value);
    };
    match minor_of(version) {
        Some(minor @ FIRST..=LAST) => within_table(row, value, minor),
        Some(minor) if minor > LAST => after_table(row, value, minor),
        _ => Outcome::CannotTell(format!("the table of gates begins at 1.{FIRST}")),
    }
}

fn within_table(row: Row, value: bool, minor: u64) -> Outcome {
    match row.at(minor) {
        None => Outcome::Unknown(row.why_unknown(minor)),
        Some(spec) if !spec.allows(value) => {
            Outcome::Locked(format!("locked to {} in 1.{minor}", spec.default))
        }
        Some(Spec { stage: Stage::General | Stage::Deprecated, .. }) => Outcome::Accepted(Some(
            "a later kubelet will not know it: remove it before upgrading".to_owned(),
        )),
        Some(_) => Outcome::Accepted(None),
    }
}

/// Gates only ever leave, and locks stay until then.
fn after_table(row: Row, value: bool, minor: u64) -> Outcome {
    match row.at(LAST) {
        Some(spec) if spec.allows(value) => Outcome::CannotTell(format!(
            "whether kubelet 1.{minor} still knows it: the table of gates ends at 1.{LAST}"
        )),
        Some(spec) => {
            Outcome::Locked(format!("locked to {} since 1.{LAST}, or removed", spec.default))
        }
        None => Outcome::Unknown(row.why_unknown(minor)),
    }
}

fn without_version(row: Row, value: bool) -> Outcome {
    let mut starts = row.specs().map(|(_, spec)| spec.is_some_and(|spec| spec.allows(value)));
    let first = starts.next().unwrap_or(false);
    if starts.any(|other| other != first) {
        return Outcome::CannotTell("it depends on the kubelet's version, which is unknown".into());
    }
    if first {
        Outcome::Accepted(None)
    } else {
        Outcome::Unknown(format!("no kubelet from 1.{FIRST} to 1.{LAST} takes it"))
    }
}

/// A known name that a misspelt one may mean.
fn similar(name: &str) -> Option<&'static str> {
    const CHANGES: usize = 2;
    let lower = name.to_ascii_lowercase();
    rows()
        // Names of another length differ in more places, and the comparison takes long for long ones.
        .filter(|row| row.name.len().abs_diff(name.len()) <= CHANGES)
        .map(|row| (strsim::osa_distance(&row.name.to_ascii_lowercase(), &lower), row.name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= CHANGES && *distance * 4 < name.len())
        .map(|(_, known)| known)
}

/// What a kubelet of this version takes for the value of a gate that nothing sets by name; `set` gives the
/// values of `AllAlpha` and `AllBeta`. `Ok(None)` for a name that it does not know.
pub(super) fn default(
    name: &str,
    version: &Version,
    set: impl Fn(&str) -> Option<bool>,
) -> Result<Option<bool>, String> {
    let Some(minor @ FIRST..=LAST) = minor_of(version) else {
        return Err(format!("the table of gates covers 1.{FIRST} to 1.{LAST}"));
    };
    let Some(spec) = row(name).and_then(|row| row.at(minor)) else {
        return Ok(None);
    };
    let collective = match spec.stage {
        Stage::Alpha => set("AllAlpha"),
        Stage::Beta => set("AllBeta"),
        Stage::General | Stage::Deprecated => None,
    };
    Ok(Some(collective.filter(|_| !spec.locked).unwrap_or(spec.default)))
}

/// A gate that is on without a gate that it needs, which stops a kubelet from 1.35 on: both names.
pub(super) fn unmet_need(
    version: &Version,
    set: impl Fn(&str) -> Option<bool>,
) -> Option<(&'static str, &'static str)> {
    let minor = minor_of(version).filter(|minor| (DEPENDENCIES_FROM..=LAST).contains(minor))?;
    let is_on = |name: &str| {
        set(name).or_else(|| default(name, version, &set).ok().flatten()).unwrap_or(false)
    };
    rows().filter(|row| !row.needs.is_empty() && row.at(minor).is_some()).find_map(|row| {
        let mut needs = row.needs.split(' ').filter_map(|need| match need.split_once("@1.") {
            Some((need, from)) => from.parse().is_ok_and(|from: u64| from <= minor).then_some(need),
            None => Some(need),
        });
        let missing = needs.find(|need| !is_on(need))?;
        is_on(row.name).then_some((row.name, missing))
    })
}

/// What this version makes of `--config-dir`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigDir {
    Read,
    /// Only with the environment variable `KUBELET_CONFIG_DROPIN_DIR_ALPHA`; it stops without.
    NeedsVariable,
    /// No such flag: it stops.
    Unknown,
}

pub(super) fn config_dir(version: Option<&Version>) -> ConfigDir {
    match version.and_then(minor_of) {
        Some(..28) => ConfigDir::Unknown,
        Some(28..30) => ConfigDir::NeedsVariable,
        Some(_) | None => ConfigDir::Read,
    }
}

/// How the kubelet ends over a bad gate in a file.
pub(super) fn exit_words(version: Option<&Version>) -> &'static str {
    match version.and_then(minor_of) {
        Some(minor) if minor >= PANICS_FROM => "the kubelet panics at start, exit code 2",
        Some(_) => "the kubelet stops at start, exit code 1",
        None => "the kubelet stops at start",
    }
}

/// Whether the gates of the main file must be good by themselves, whatever overrides them.
pub(super) fn file_is_checked_alone(version: Option<&Version>) -> bool {
    version.and_then(minor_of).is_none_or(|minor| minor >= PANICS_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, value: bool, version: &str) -> Outcome {
        outcome(name, value, Some(&Version::parse(version).unwrap()))
    }

    fn is_refused(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Unknown(_) | Outcome::Locked(_))
    }

    #[test]
    fn the_table_is_whole() {
        let mut names: Vec<&str> = rows().map(|row| row.name).collect();
        assert!(names.len() > 350);
        for row in rows() {
            assert_eq!(row.columns.split(' ').count() as u64, LAST - FIRST + 1, "{}", row.name);
            for column in row.columns.split(' ') {
                assert!(column == "-" || Spec::parse(column).is_some(), "{}: {column}", row.name);
            }
            for need in row.needs.split(' ').filter(|need| !need.is_empty()) {
                let need = need.split('@').next().unwrap();
                assert!(super::row(need).is_some(), "{} needs {need}", row.name);
            }
        }
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(lines, names.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(lines, names.len());
    }

    #[test]
    fn the_two_gates_that_matter_have_their_history() {
        let get = |minor| row("KubeletPodResourcesGet").unwrap().at(minor);
        let off = Some(Spec { stage: Stage::Alpha, default: false, locked: false });
        let on = Some(Spec { stage: Stage::Beta, default: true, locked: false });
        assert_eq!([get(27), get(33), get(34), get(35)], [off, off, on, on]);
        assert_eq!(get(36), Some(Spec { stage: Stage::General, default: true, locked: true }));
        let class = |minor| row("RuntimeClassInImageCriApi").unwrap().at(minor);
        assert_eq!([class(28), class(29), class(36)], [None, off, off]);
    }

    #[test]
    fn a_gate_is_accepted_where_the_kubelet_knows_it_and_has_not_locked_it() {
        assert_eq!(at("RuntimeClassInImageCriApi", true, "v1.36.3"), Outcome::Accepted(None));
        assert_eq!(at("KubeletPodResourcesGet", false, "1.35.1"), Outcome::Accepted(None));
        assert!(matches!(at("KubeletPodResourcesGet", true, "1.36.0"), Outcome::Accepted(Some(_))));
        assert_eq!(at("AllBeta", false, "1.36.0"), Outcome::Accepted(None));
        for (name, value, version, why) in [
            ("KubeletPodResourcesGet", false, "v1.36.3+k3s1", "locked to true in 1.36"),
            ("NodeSwap", false, "1.36.3", "locked to true in 1.36"),
            (
                "RuntimeClassInImageCriApi",
                true,
                "1.28.15",
                "unknown to kubelet 1.28: not before 1.29",
            ),
            ("KubeletPodResources", true, "1.30.0", "unknown to kubelet 1.30: removed in 1.30"),
            (
                "DynamicKubeletConfig",
                false,
                "1.34.1",
                "unknown to kubelet 1.34: removed before 1.27",
            ),
            (
                "KubeletPodResourceGet",
                true,
                "1.34.1",
                "no such gate; did you mean KubeletPodResourcesGet?",
            ),
            (
                "RuntimeClassInImageCriAPI",
                true,
                "1.34.1",
                "no such gate; did you mean RuntimeClassInImageCriApi?",
            ),
            ("KubeletPodResourcesGet", false, "1.38.0", "locked to true since 1.36, or removed"),
            ("KubeletPodResources", true, "1.40.0", "unknown to kubelet 1.40: removed in 1.30"),
        ] {
            let (Outcome::Unknown(said) | Outcome::Locked(said)) = at(name, value, version) else {
                panic!("{name} {version}")
            };
            assert_eq!(said, why, "{name} {version}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_cannot_be_told() {
        for (name, version) in [
            ("VendorOwnThing", "1.34.0"),
            ("RuntimeClassInImageCriApi", "1.37.0"),
            ("KubeletPodResourcesGet", "1.37.0"),
            ("KubeletPodResourcesGet", "1.26.0"),
            ("KubeletPodResourcesGet", "2.0.0"),
        ] {
            assert!(matches!(at(name, true, version), Outcome::CannotTell(_)), "{name} {version}");
        }
    }

    #[test]
    fn without_a_version_only_what_holds_in_all_is_told() {
        assert_eq!(outcome("RotateKubeletServerCertificate", true, None), Outcome::Accepted(None));
        assert!(matches!(outcome("RuntimeClassInImageCriApi", true, None), Outcome::CannotTell(_)));
        assert!(is_refused(&outcome("DynamicKubeletConfig", true, None)));
        assert!(is_refused(&outcome("KubeletPodResourceGet", true, None)));
    }

    #[test]
    fn collective_gates_move_the_default_of_their_stage_only() {
        let version = Version::parse("1.33.1").unwrap();
        let none = |_: &str| None;
        let alpha = |name: &str| (name == "AllAlpha").then_some(true);
        let beta = |name: &str| (name == "AllBeta").then_some(false);
        let gate = "KubeletPodResourcesGet";
        assert_eq!(default(gate, &version, none), Ok(Some(false)));
        assert_eq!(default(gate, &version, alpha), Ok(Some(true)));
        let version = Version::parse("1.34.0").unwrap();
        assert_eq!(default(gate, &version, beta), Ok(Some(false)));
        let version = Version::parse("1.36.0").unwrap();
        assert_eq!(default(gate, &version, beta), Ok(Some(true)));
        assert_eq!(default("DynamicKubeletConfig", &version, none), Ok(None));
        assert!(default(gate, &Version::parse("1.37.0").unwrap(), none).is_err());
    }

    #[test]
    fn a_gate_without_what_it_needs_is_found() {
        let v36 = Version::parse("1.36.3").unwrap();
        assert_eq!(unmet_need(&v36, |_| None), None);
        assert_eq!(unmet_need(&Version::parse("1.35.0").unwrap(), |_| None), None);
        let swallow = |name: &str| (name == "ImageVolumeWithDigest").then_some(true);
        assert_eq!(unmet_need(&v36, swallow), None);
        let shutdown = |name: &str| (name == "GracefulNodeShutdown").then_some(false);
        assert_eq!(
            unmet_need(&v36, shutdown),
            Some(("GracefulNodeShutdownBasedOnPodPriority", "GracefulNodeShutdown"))
        );
        assert_eq!(unmet_need(&Version::parse("1.34.0").unwrap(), shutdown), None);
    }
}
