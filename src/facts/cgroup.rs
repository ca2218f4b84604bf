//! Control groups: which version is mounted, and how many encryption keys the `misc` controller counts.
//!
//! `misc.capacity` has a line for each kind of key, and none for a kind of which there are none. Keys are
//! compared whole: `sev` is not `sev_es`.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const TOP: &str = "/sys/fs/cgroup";
const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.controllers";
/// Every group but the root has one, so where it is, only a container's part of the hierarchy is seen.
const NOT_THE_ROOT: &str = "/sys/fs/cgroup/cgroup.events";
const CAPACITY: &str = "/sys/fs/cgroup/misc.capacity";
/// Where version 1, and a host with both versions, have it.
const OLDER_CAPACITY: [&str; 2] =
    ["/sys/fs/cgroup/misc/misc.capacity", "/sys/fs/cgroup/unified/misc.capacity"];

#[derive(Debug)]
pub struct Cgroup {
    /// 2 for the unified hierarchy, 1 for all else.
    pub version: Reading<i64>,
    /// Controllers of version 2; `Absent` in version 1.
    pub controllers: Reading<BTreeSet<String>>,
    /// How many of each kind; `Absent` where the kernel does not count them.
    pub capacity: Reading<BTreeMap<String, i64>>,
    /// The file that `capacity` is from.
    pub capacity_path: &'static str,
}

pub(super) fn gather(root: &Root) -> Cgroup {
    let controllers = match root.read_text(CONTROLLERS) {
        Reading::Absent => mounted(root).and_then(|()| Reading::Absent),
        other => other.map(|text| text.split_whitespace().map(str::to_owned).collect()),
    };
    let version = controllers.as_ref().map(|_| 2).or_absent(1);
    let (capacity, capacity_path) = capacity(root);
    let capacity = match capacity {
        Reading::Absent => whole(root).and_then(|()| Reading::Absent),
        other => other,
    };
    Cgroup { version, controllers, capacity, capacity_path }
}

fn capacity(root: &Root) -> (Reading<BTreeMap<String, i64>>, &'static str) {
    let read = |path: &str| root.read_text(path).and_then(|text| parse(&text));
    let found = read(CAPACITY);
    if !found.is_absent() {
        return (found, CAPACITY);
    }
    for path in OLDER_CAPACITY {
        let found = read(path);
        if !found.is_absent() {
            return (found, path);
        }
    }
    (Reading::Absent, CAPACITY)
}

fn mounted(root: &Root) -> Reading<()> {
    match root.list(TOP) {
        Reading::Known(entries) if !entries.is_empty() => Reading::Known(()),
        Reading::Known(_) | Reading::Absent => {
            Reading::Unreadable(Cause::NoAnswer("no control groups are mounted".to_owned()))
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Whether the root of the hierarchy is seen, the only place that has `misc.capacity`.
fn whole(root: &Root) -> Reading<()> {
    match root.stat(NOT_THE_ROOT) {
        Reading::Absent => mounted(root),
        Reading::Known(_) => {
            let what = format!("{TOP} is not the root of the control groups");
            Reading::Unreadable(Cause::NoAnswer(what))
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// The lines of a `misc.capacity`: a name, a blank, a number, or `max`.
pub fn parse(text: &str) -> Reading<BTreeMap<String, i64>> {
    let mut all = BTreeMap::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let pair = line.split_once(' ').filter(|(name, _)| !name.is_empty());
        let Some((name, capacity)) = pair.and_then(|(name, value)| match value {
            "max" => Some((name, i64::MAX)),
            digits => digits.parse().ok().filter(|count| *count >= 0).map(|count| (name, count)),
        }) else {
            return Reading::Unreadable(Cause::malformed(number, "no name and number"));
        };
        all.insert(name.to_owned(), capacity);
    }
    Reading::Known(all)
}

fn keys(facts: &Facts, kind: &str) -> Evidence {
    match &facts.cgroup {
        Some(cgroup) => {
            let count = |all: &BTreeMap<String, i64>| {
                Value::Integer(all.get(kind).copied().unwrap_or_default())
            };
            Evidence::new(cgroup.capacity.as_ref().map(count), Source::file(cgroup.capacity_path))
        }
        None => Evidence::not_gathered(),
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "cgroup.version",
        kind: Kind::Integer,
        doc: "2 where the unified hierarchy is mounted, 1 where not, or not alone.",
        needs: Needs::KERNEL,
        read: |facts| match &facts.cgroup {
            Some(cgroup) => {
                Evidence::new(cgroup.version.clone().map(Value::Integer), Source::file(CONTROLLERS))
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "cgroup.controllers",
        kind: Kind::Set,
        doc: "Controllers of the unified hierarchy; absent where version 1 is mounted.",
        needs: Needs::KERNEL,
        read: |facts| match &facts.cgroup {
            Some(cgroup) => {
                Evidence::new(cgroup.controllers.clone().map(Value::Set), Source::file(CONTROLLERS))
            }
            None => Evidence::not_gathered(),
        },
    },
    Fact {
        name: "cgroup.misc-sev",
        kind: Kind::Integer,
        doc: "How many SEV guests have an address space id; absent where the kernel does not count.",
        needs: Needs::KERNEL,
        read: |facts| keys(facts, "sev"),
    },
    Fact {
        name: "cgroup.misc-sev-es",
        kind: Kind::Integer,
        doc: "How many SEV-ES and SEV-SNP guests have an address space id; absent where the kernel does \
              not count.",
        needs: Needs::KERNEL,
        read: |facts| keys(facts, "sev_es"),
    },
    Fact {
        name: "cgroup.misc-tdx",
        kind: Kind::Integer,
        doc: "How many TDX guests have a private key; absent where the kernel does not count.",
        needs: Needs::KERNEL,
        read: |facts| keys(facts, "tdx"),
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    fn read(files: &[(&str, &str)], name: &str) -> Reading<Value> {
        let host = tree(files);
        value(&facts(host.path(), Needs::KERNEL), name).reading
    }

    const KNOWN: fn(i64) -> Reading<Value> = |count| Reading::Known(Value::Integer(count));
    const UNIFIED: (&str, &str) =
        ("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory misc\n");

    #[test]
    fn each_kind_of_key_is_counted_by_its_whole_name() {
        let files = [UNIFIED, ("sys/fs/cgroup/misc.capacity", "sev_es 99\ntdx 31\n")];
        assert_eq!(read(&files, "cgroup.misc-sev-es"), KNOWN(99));
        assert_eq!(read(&files, "cgroup.misc-tdx"), KNOWN(31));
        assert_eq!(read(&files, "cgroup.misc-sev"), KNOWN(0));
    }

    #[test]
    fn an_empty_file_means_none_and_a_missing_one_that_nobody_counts() {
        assert_eq!(
            read(&[UNIFIED, ("sys/fs/cgroup/misc.capacity", "")], "cgroup.misc-tdx"),
            KNOWN(0)
        );
        assert!(read(&[UNIFIED], "cgroup.misc-tdx").is_absent());
        let older = [("sys/fs/cgroup/misc/misc.capacity", "sev 500\n")];
        assert_eq!(read(&older, "cgroup.misc-sev"), KNOWN(500));
    }

    #[test]
    fn a_container_sees_no_capacity_and_that_is_no_answer() {
        let files = [UNIFIED, ("sys/fs/cgroup/cgroup.events", "populated 1\n")];
        assert!(read(&files, "cgroup.misc-tdx").cause().is_some());
        assert!(read(&[("sys/fs/cgroup/", "")], "cgroup.misc-tdx").cause().is_some());
    }

    #[test]
    fn the_version_is_told_by_the_list_of_controllers() {
        assert_eq!(read(&[UNIFIED], "cgroup.version"), KNOWN(2));
        let older = [("sys/fs/cgroup/memory/tasks", "")];
        assert_eq!(read(&older, "cgroup.version"), KNOWN(1));
        assert!(read(&older, "cgroup.controllers").is_absent());
        assert!(read(&[("etc/hostname", "")], "cgroup.version").cause().is_some());
    }

    #[test]
    fn a_line_that_is_no_count_is_named() {
        for bad in ["sev", "sev x", " 5", "sev -1", "sev 5 6", "sev 99999999999999999999", "\n"] {
            let cause = parse(&format!("tdx max\n{bad}\n")).cause().cloned();
            assert_eq!(cause.and_then(|cause| cause.line()), Some(2), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            let _ = parse(&text);
        }
    }
}
