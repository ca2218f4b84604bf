//! Durations as Go's `time.ParseDuration` reads and `Duration.String` writes them.
//!
//! The kubelet's grammar and no wider: a host is judged by what its kubelet accepts, so `20min`, `1d` and
//! a bare `20` stay errors here.

use std::fmt;

/// Signed nanoseconds, as in Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(pub i64);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}")]
pub struct DurationError(pub String);

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The magnitude of the most negative duration; one more than that of the most positive.
const LIMIT: u64 = 1 << 63;

impl GoDuration {
    /// Parses `1h2m3.5s` and its kin: numbers with a unit, a sign in front of all of them.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        parse_signed(text).map(Self).ok_or_else(|| DurationError(text.to_owned()))
    }

    pub fn from_minutes(minutes: i32) -> Self {
        Self(i64::from(minutes) * 60 * 1_000_000_000)
    }
}

fn parse_signed(text: &str) -> Option<i64> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    // The only number that may stand without a unit.
    if rest == "0" {
        return Some(0);
    }
    let magnitude = parse_magnitude(rest)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

fn parse_magnitude(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let part = scale(whole, fraction, unit_of(unit)?)?;
        total = total.checked_add(part).filter(|total| *total <= LIMIT)?;
        rest = after;
    }
    Some(total)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn unit_of(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        // With the micro sign and with the Greek letter, which look the same.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

fn scale(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().ok()?,
    };
    let whole = whole.checked_mul(unit).filter(|value| *value <= LIMIT)?;
    whole.checked_add(fraction_of(fraction, unit)).filter(|value| *value <= LIMIT)
}

/// Go keeps the digits that fit an `i64` and computes in floating point, cutting what is left; the same
/// here, so that both ends give the same nanosecond.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the result is below one unit, at most an hour in nanoseconds"
)]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value = 0_u64;
    let mut scale = 1.0_f64;
    for digit in digits.bytes().map(|byte| u64::from(byte - b'0')) {
        let Some(next) = value.checked_mul(10).and_then(|value| value.checked_add(digit)) else {
            break;
        };
        if next >= LIMIT {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

impl fmt::Display for GoDuration {
    /// As Go prints it: `20m0s`, `1.5s`, `2ms`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if nanoseconds == 0 {
            return out.write_str("0s");
        }
        if self.0 < 0 {
            out.write_str("-")?;
        }
        if nanoseconds < MICROSECOND {
            return write!(out, "{nanoseconds}ns");
        }
        if nanoseconds < MILLISECOND {
            return write_decimal(out, nanoseconds, MICROSECOND, "\u{b5}s");
        }
        if nanoseconds < SECOND {
            return write_decimal(out, nanoseconds, MILLISECOND, "ms");
        }
        if nanoseconds >= HOUR {
            write!(out, "{}h", nanoseconds / HOUR)?;
        }
        if nanoseconds >= MINUTE {
            write!(out, "{}m", nanoseconds % HOUR / MINUTE)?;
        }
        write_decimal(out, nanoseconds % MINUTE, SECOND, "s")
    }
}

fn write_decimal(out: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str) -> fmt::Result {
    write!(out, "{}", value / unit)?;
    let mut rest = value % unit;
    if rest > 0 {
        out.write_str(".")?;
        let mut place = unit / 10;
        while rest > 0 {
            write!(out, "{}", rest / place)?;
            rest %= place;
            place = (place / 10).max(1);
        }
    }
    out.write_str(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanoseconds(text: &str) -> Option<i64> {
        GoDuration::parse(text).ok().map(|duration| duration.0)
    }

    #[test]
    fn what_the_kubelet_accepts_is_read() {
        const SECONDS: i64 = 1_000_000_000;
        for (text, expected) in [
            ("20m", 1200 * SECONDS),
            ("20m0s", 1200 * SECONDS),
            ("+20m", 1200 * SECONDS),
            ("1200s", 1200 * SECONDS),
            ("1h30m", 5400 * SECONDS),
            ("1.5h", 5400 * SECONDS),
            (".5h", 1800 * SECONDS),
            ("1.h", 3600 * SECONDS),
            ("0s", 0),
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("100ns", 100),
            ("3.7ms", 3_700_000),
            ("-5m", -300 * SECONDS),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("2562047h47m16.854775807s", i64::MAX),
        ] {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_stops_a_kubelet_is_no_duration() {
        for text in [
            "20",
            "1200",
            "",
            "20min",
            "20M",
            "1d",
            "PT20M",
            "1h 30m",
            "1_200s",
            "0x10s",
            "2562048h",
            "9223372036854775808ns",
            "-9223372036854775809ns",
            "1h.",
            ".s",
            ".",
            "-",
            "+",
            "--1s",
            "1 s",
            " 1s",
            "1s ",
            "s",
            "1e3s",
            "1m\u{0}",
            "\u{b5}s",
            "9999999999999999999999s",
            "00",
        ] {
            assert_eq!(nanoseconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn it_is_printed_as_go_prints_it() {
        for (value, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (1_200_000_000_000, "20m0s"),
            (5_400_000_000_000, "1h30m0s"),
            (245_001_000_000, "4m5.001s"),
            (-300_000_000_000, "-5m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(GoDuration(value).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_is_identity(value in any::<i64>()) {
            let duration = GoDuration(value);
            prop_assert_eq!(GoDuration::parse(&duration.to_string()), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[-+.0-9a-zµμ ]{0,40}") {
            let _ = GoDuration::parse(&text);
        }
    }
}
