//! Versions of kernels and of Kubernetes, and their order.
//!
//! Only what has an order is understood: the numbers in front, and the marks that stand for "before the
//! release". What distributions append (`+k3s1`, `-gke.100`, `-0ubuntu1`) is kept for the reader and
//! otherwise ignored.

use std::cmp::Ordering;
use std::fmt;

/// Numeric parts in order, and the text they came from. Missing parts count as 0, so `1.34` equals
/// `1.34.0`.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    numbers: Vec<u64>,
    before_release: Option<PreRelease>,
}

/// Declared in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Alpha,
    Beta,
    Candidate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PreRelease {
    stage: Stage,
    number: u64,
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid version {0:?}")]
pub struct VersionError(pub String);

impl Version {
    /// Parses `v1.36.3`, `1.34.2+k3s1`, `6.17.0-8-generic` and the like.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let invalid = || VersionError(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = Vec::new();
        let mut rest = bare;
        loop {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            if digits.is_empty() {
                return Err(invalid());
            }
            // Only too many digits can fail here, and such a number is above all others.
            numbers.push(digits.parse().unwrap_or(u64::MAX));
            match after.strip_prefix('.') {
                Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => rest = next,
                _ => {
                    rest = after;
                    break;
                }
            }
        }
        if rest.starts_with(|c: char| c.is_alphanumeric()) || rest.starts_with("..") {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), numbers, before_release: pre_release(rest) })
    }

    /// One of the numbers, counting from 0 for the major one; 0 where the text has fewer.
    pub fn number(&self, place: usize) -> u64 {
        self.numbers.get(place).copied().unwrap_or(0)
    }

    /// Major and minor number, which is what Kubernetes counts features by.
    pub fn minor(&self) -> (u64, u64) {
        (self.number(0), self.number(1))
    }
}

/// Reads `-alpha.3`, `-rc1`, `~beta.0` and Fedora's `-0.rc3` from what follows the numbers.
fn pre_release(rest: &str) -> Option<PreRelease> {
    let mark = rest.strip_prefix(['-', '~'])?;
    let mark = mark.strip_prefix("0.").unwrap_or(mark);
    let (stage, after) = [("alpha", Stage::Alpha), ("beta", Stage::Beta), ("rc", Stage::Candidate)]
        .into_iter()
        .find_map(|(name, stage)| Some((stage, mark.strip_prefix(name)?)))?;
    let after = after.strip_prefix(['.', '-']).unwrap_or(after);
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let (digits, tail) = after.split_at(end);
    // `-alphabet` is a name, no stage.
    if tail.starts_with(char::is_alphabetic) {
        return None;
    }
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    Some(PreRelease { stage, number })
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let places = self.numbers.len().max(other.numbers.len());
        (0..places)
            .map(|place| self.number(place).cmp(&other.number(place)))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| match (self.before_release, other.before_release) {
                (Some(own), Some(other)) => own.cmp(&other),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_have_the_order_of_their_numbers() {
        let ascending = [
            "0",
            "1.9.11",
            "v1.27.0-alpha.1",
            "v1.27.0-alpha.3.112+0123456789abcd",
            "v1.27.0-alpha.10",
            "v1.27.0-beta.0",
            "v1.27.0-rc.0",
            "1.27.0~rc.1",
            "1.27",
            "1.27.1",
            "v1.34.2+k3s1",
            "1.36.3",
            "5.14.0-503.el9.x86_64",
            "6.6",
            "6.16.9-061609-generic",
            "6.17.0-0.rc3.git1.fc43",
            "6.17.0-rc4",
            "6.17.0-8-generic",
            "6.18.44-fc-v669",
        ];
        for (left, right) in ascending.iter().zip(&ascending[1..]) {
            assert!(version(left) < version(right), "{left} < {right}");
        }
    }

    #[test]
    fn missing_parts_and_appended_names_make_no_difference() {
        for (left, right) in [
            ("1.34", "1.34.0"),
            ("v1.34.2", "1.34.2"),
            ("v1.34.2+k3s1", "v1.34.2+k3s2"),
            ("v1.33.4-gke.100", "1.33.4"),
            ("v1.33.5-eks-113cf36", "v1.33.5-eks-3025e55"),
            ("1.34.2-1.1", "1.34.2-00"),
            ("6.17.0-0ubuntu1", "6.17"),
            ("1.0-alphabet", "1.0"),
            ("6.8.0.x86_64", "6.8"),
        ] {
            assert_eq!(version(left), version(right), "{left} = {right}");
        }
    }

    #[test]
    fn a_text_without_a_leading_number_is_no_version() {
        for text in ["", "v", "vv1.2", "latest", ".5", "-1", " 1.2", "1..2", "1.36x", "r550"] {
            assert!(Version::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_huge_number_is_above_all_others() {
        let huge = version("99999999999999999999999999.1");
        assert!(huge > version("1.36.3"));
        assert_eq!(huge.to_string(), "99999999999999999999999999.1");
    }

    proptest! {
        #[test]
        fn equality_and_order_agree(left in "v?[0-3](\\.[0-3]){0,3}(-(rc|beta)\\.[0-2])?",
                                    right in "v?[0-3](\\.[0-3]){0,3}(-(rc|beta)\\.[0-2])?") {
            let (left, right) = (version(&left), version(&right));
            prop_assert_eq!(left == right, left.cmp(&right) == Ordering::Equal);
            prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = Version::parse(&text);
        }
    }
}
