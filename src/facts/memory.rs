//! Memory and swap. A confidential guest's memory is pinned as a whole, and neither swapped nor taken from
//! reserved huge pages.

use std::collections::BTreeSet;

use super::catalogue::{Collection, Evidence, Fact};
use super::{Cause, Facts, Kind, Needs, Reading, Source, Value};
use crate::host::Root;

const MEMINFO: &str = "/proc/meminfo";
const SWAPS: &str = "/proc/swaps";

/// In KiB. A finer unit would change from one look to the next.
const GIB: i64 = 1 << 20;

#[derive(Debug)]
pub struct Memory {
    pub info: Reading<MemInfo>,
    /// Devices and files that are swapped to; none on a kernel without swap.
    pub swaps: Reading<BTreeSet<String>>,
}

/// Lines of `/proc/meminfo`, in KiB; `None` where this kernel has no such line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MemInfo {
    pub total: Option<i64>,
    /// What could be given away without swapping.
    pub available: Option<i64>,
    /// What is reserved as huge pages, of all sizes, used or not.
    pub hugetlb: Option<i64>,
}

pub(super) fn gather(root: &Root) -> Memory {
    let info = match root.read_text(MEMINFO) {
        Reading::Absent => not_mounted(),
        other => other.and_then(|text| MemInfo::parse(&text)),
    };
    let swaps = match root.read_text(SWAPS) {
        // A kernel without swap has no such file; without /proc nothing is known.
        Reading::Absent if info.known().is_some() => Reading::Known(BTreeSet::new()),
        Reading::Absent => not_mounted(),
        other => other.and_then(|text| swaps(&text)),
    };
    Memory { info, swaps }
}

fn not_mounted<T>() -> Reading<T> {
    Reading::Unreadable(Cause::NoAnswer("/proc is not mounted".to_owned()))
}

impl MemInfo {
    /// `MemTotal:       24684084 kB`, a line for each.
    pub fn parse(text: &str) -> Reading<Self> {
        let mut info = Self::default();
        for (number, line) in (1_u32..).zip(text.lines()) {
            let Some((key, rest)) = line.split_once(':') else { continue };
            let field = match key {
                "MemTotal" => &mut info.total,
                "MemAvailable" => &mut info.available,
                "Hugetlb" => &mut info.hugetlb,
                _ => continue,
            };
            let amount = rest.trim().strip_suffix(" kB").and_then(|digits| digits.parse().ok());
            let Some(amount) = amount.filter(|amount| *amount >= 0) else {
                return Reading::Unreadable(Cause::malformed(
                    number,
                    format!("{key} is no amount"),
                ));
            };
            *field = Some(amount);
        }
        Reading::Known(info)
    }

    /// The part of all memory that is reserved as huge pages, rounded down.
    pub fn hugetlb_percent(&self) -> Option<i64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some(self.hugetlb?.saturating_mul(100) / total)
    }
}

/// The first column behind the header of a `/proc/swaps`. A blank in a name is written `\040`.
pub fn swaps(text: &str) -> Reading<BTreeSet<String>> {
    let mut lines = (1_u32..).zip(text.lines());
    let header =
        |line: &str| line.split_whitespace().eq(["Filename", "Type", "Size", "Used", "Priority"]);
    if !lines.next().is_some_and(|(_, line)| header(line)) {
        return Reading::Unreadable(Cause::malformed(1, "no header of a list of swaps"));
    }
    let mut names = BTreeSet::new();
    for (number, line) in lines {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, _, _, _, _] = columns.as_slice() else {
            return Reading::Unreadable(Cause::malformed(number, "no line of a swap"));
        };
        names.insert((*name).to_owned());
    }
    Reading::Known(names)
}

fn info(facts: &Facts, read: fn(&MemInfo) -> Option<i64>) -> Evidence {
    match &facts.memory {
        Some(memory) => {
            let reading = match memory.info.as_ref().map(read) {
                Reading::Known(Some(number)) => Reading::Known(Value::Integer(number)),
                Reading::Known(None) | Reading::Absent => Reading::Absent,
                Reading::Unreadable(cause) => Reading::Unreadable(cause),
            };
            Evidence::new(reading, Source::file(MEMINFO))
        }
        None => Evidence::not_gathered(),
    }
}

pub(super) const FACTS: &[Fact] = &[
    Fact {
        name: "memory.total",
        kind: Kind::Integer,
        doc: "Memory that the kernel has, in whole GiB.",
        needs: Needs::MEMORY,
        read: |facts| info(facts, |info| info.total.map(|total| total / GIB)),
    },
    Fact {
        name: "memory.available",
        kind: Kind::Integer,
        doc: "Memory that could be given to guests without swapping, in whole GiB.",
        needs: Needs::MEMORY,
        read: |facts| info(facts, |info| info.available.map(|available| available / GIB)),
    },
    Fact {
        name: "memory.hugetlb-percent",
        kind: Kind::Integer,
        doc: "How much of all memory is reserved as huge pages, of all sizes, in percent; absent on \
              kernels without them.",
        needs: Needs::MEMORY,
        read: |facts| info(facts, MemInfo::hugetlb_percent),
    },
    Fact {
        name: "memory.swaps",
        kind: Kind::Set,
        doc: "Devices and files that the kernel swaps to.",
        needs: Needs::MEMORY,
        read: |facts| match &facts.memory {
            Some(memory) => {
                Evidence::new(memory.swaps.clone().map(Value::Set), Source::file(SWAPS))
            }
            None => Evidence::not_gathered(),
        },
    },
];

pub(super) const COLLECTIONS: &[Collection] = &[];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{facts, tree, value};
    use super::*;

    const HEADER: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    const INFO: &str = "MemTotal:       24684084 kB\nMemFree:         5226988 kB\n\
        MemAvailable:   21955000 kB\nHugePages_Total:       8\nHugepagesize:    1048576 kB\n\
        Hugetlb:         8388608 kB\nDirectMap4k:      124 kB\n";

    #[test]
    fn amounts_are_told_in_gib_and_percent() {
        let host = tree(&[("proc/meminfo", INFO), ("proc/swaps", HEADER)]);
        let facts = facts(host.path(), Needs::MEMORY);
        let number = |name: &str| value(&facts, name).reading;
        assert_eq!(number("memory.total"), Reading::Known(Value::Integer(23)));
        assert_eq!(number("memory.available"), Reading::Known(Value::Integer(20)));
        assert_eq!(number("memory.hugetlb-percent"), Reading::Known(Value::Integer(33)));
        assert_eq!(number("memory.swaps"), Reading::Known(Value::Set(BTreeSet::new())));
    }

    #[test]
    fn a_line_that_is_missing_is_absent_and_one_that_is_wrong_is_named() {
        let info = MemInfo::parse("MemTotal: 1024 kB\n").into_known().unwrap();
        assert_eq!((info.available, info.hugetlb_percent()), (None, None));
        for bad in ["1024", "x kB", "-1 kB", "", "1 MB", "99999999999999999999 kB"] {
            let cause =
                MemInfo::parse(&format!("MemFree: 1 kB\nMemTotal: {bad}\n")).cause().cloned();
            assert_eq!(cause.and_then(|cause| cause.line()), Some(2), "{bad:?}");
        }
        let none = MemInfo::parse("MemTotal: 0 kB\nHugetlb: 5 kB\n").into_known().unwrap();
        assert_eq!(none.hugetlb_percent(), None);
    }

    #[test]
    fn swaps_are_named_and_a_file_without_its_header_is_not_believed() {
        let text =
            format!("{HEADER}/dev/dm-1 partition 8388604 0 -2\n/swap\\040file file 1 1 -3\n");
        let names = swaps(&text).into_known().unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["/dev/dm-1", "/swap\\040file"]);
        for bad in ["", "\n", "/dev/sda2 partition 1 0 -2\n"] {
            assert!(swaps(bad).cause().is_some(), "{bad:?}");
        }
        assert!(swaps(&format!("{HEADER}/dev/sda2\n")).cause().is_some());
    }

    #[test]
    fn a_kernel_without_swap_has_none_and_without_proc_nothing_is_known() {
        let host = tree(&[("proc/meminfo", INFO)]);
        let none = value(&facts(host.path(), Needs::MEMORY), "memory.swaps").reading;
        assert_eq!(none, Reading::Known(Value::Set(BTreeSet::new())));
        let nothing = tree(&[]);
        let facts = facts(nothing.path(), Needs::MEMORY);
        for fact in FACTS {
            assert!((fact.read)(&facts).reading.cause().is_some(), "{}", fact.name);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            let _ = MemInfo::parse(&text).known().map(MemInfo::hugetlb_percent);
            let _ = swaps(&text);
            let _ = swaps(&format!("{HEADER}{text}"));
        }
    }
}
