//! How the kernel writes small values into sysfs attributes.
//!
//! A value that is not what the attribute promises is `Malformed`, never a default. Which attribute is
//! read, and what its value means, is for the sources.

use std::fmt::Display;
use std::str::FromStr;

use crate::host::{Cause, Reading, Root};

const MODULES: &str = "/sys/module";

/// A bool as module parameters show it: `Y` or `N`, on older kernels `1` or `0`.
pub(super) fn flag(text: &str) -> Reading<bool> {
    match text {
        "Y" | "y" | "1" => Reading::Known(true),
        "N" | "n" | "0" => Reading::Known(false),
        other => unexpected("Y or N", other),
    }
}

/// A decimal number.
pub(super) fn decimal<T: FromStr>(text: &str) -> Reading<T> {
    text.parse().map_or_else(|_| unexpected("a number", text), Reading::Known)
}

/// A hexadecimal number with `0x` before it, of at most 32 bits.
pub(super) fn hexadecimal<T: TryFrom<u32>>(text: &str) -> Reading<T> {
    text.strip_prefix("0x")
        .and_then(hex)
        .and_then(|number| T::try_from(number).ok())
        .map_or_else(|| unexpected("a hexadecimal number", text), Reading::Known)
}

/// Hexadecimal digits and nothing else; `u32::from_str_radix` alone would take a sign.
pub(super) fn hex(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// A bool parameter of a module; `Absent` only where sysfs has modules and not this one.
pub(super) fn read_parameter(root: &Root, path: &str) -> Reading<bool> {
    parameter(root, path).and_then(|text| flag(&text))
}

/// A parameter as it is written, likewise.
pub(super) fn parameter(root: &Root, path: &str) -> Reading<String> {
    match root.read_attribute(path) {
        Reading::Absent => modules(root).and_then(|()| Reading::Absent),
        other => other,
    }
}

/// Whether a module is there, loaded or built in; `Absent` only where sysfs has others.
pub(super) fn module(root: &Root, name: &str) -> Reading<()> {
    match root.stat(&format!("{MODULES}/{name}")) {
        Reading::Known(_) => Reading::Known(()),
        Reading::Absent => modules(root).and_then(|()| Reading::Absent),
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// Whether sysfs shows modules at all, which it does on every kernel.
fn modules(root: &Root) -> Reading<()> {
    match root.list(MODULES) {
        Reading::Known(entries) if !entries.is_empty() => Reading::Known(()),
        Reading::Known(_) | Reading::Absent => {
            Reading::Unreadable(Cause::NoAnswer(format!("{MODULES} is not there")))
        }
        Reading::Unreadable(cause) => Reading::Unreadable(cause),
    }
}

/// A bool attribute of the host.
pub(super) fn read_flag(root: &Root, path: &str) -> Reading<bool> {
    root.read_attribute(path).and_then(|text| flag(&text))
}

/// The last component of a link's target: the driver's name, the group's number.
pub(super) fn link_name(root: &Root, path: &str) -> Reading<String> {
    root.link(path).and_then(|mut target| {
        let start = target.rfind('/').map_or(0, |slash| slash + 1);
        if start == target.len() {
            return unexpected("a link to a name", &target);
        }
        target.drain(..start);
        Reading::Known(target)
    })
}

/// Quotes what was found, cut so that a huge value cannot flood a report.
fn unexpected<T>(wanted: impl Display, found: &str) -> Reading<T> {
    const SHOWN: usize = 40;
    let shown: String = found.chars().take(SHOWN).collect();
    Reading::Unreadable(Cause::malformed(None, format!("{shown:?} where {wanted} is expected")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_y_or_n_and_nothing_near_it() {
        for text in ["Y", "y", "1"] {
            assert_eq!(flag(text), Reading::Known(true));
        }
        for text in ["N", "n", "0"] {
            assert_eq!(flag(text), Reading::Known(false));
        }
        for text in ["", "yes", "2", "Y ", "on", "-1"] {
            assert!(flag(text).cause().is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_hexadecimal_number_that_does_not_fit_is_malformed() {
        assert_eq!(hexadecimal::<u16>("0x10de"), Reading::Known(0x10de));
        assert_eq!(hexadecimal::<u32>("0x030200"), Reading::Known(0x03_0200));
        for text in ["0x110de", "10de", "0x", "0x+1", "garbage", "0x1 0de"] {
            assert!(hexadecimal::<u16>(text).cause().is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_long_value_is_quoted_only_in_part() {
        let cause = decimal::<i64>(&"x".repeat(100_000)).cause().unwrap().to_string();
        assert!(cause.len() < 100, "{cause}");
    }
}
