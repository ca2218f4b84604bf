//! Arguments as the kernel compares them, and what takes one back.

use super::asked::{Asked, Word};
use super::{ArgumentChange, DEFAULTS, Refused, refused};
use crate::format::cmdline::key_eq;

/// Parameters whose value is a list of members between commas, each a switch of its own.
const LISTS: &[&str] = &["iommu", "amd_iommu", "intel_iommu"];

/// One argument that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Argument<'a> {
    pub text: &'a str,
    key: &'a str,
    value: Option<&'a str>,
}

/// Whether an argument of the line is the one asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    No,
    Whole,
    /// One of its members is. This is the value without it.
    Member {
        /// Where the value starts in the argument.
        at: usize,
        rest: String,
    },
}

impl<'a> Argument<'a> {
    fn new(text: &'a str) -> Self {
        let (key, value) = key_and_value(text);
        Self { text, key, value }
    }

    /// The one member that the argument stands for, where its key takes a list.
    fn member(&self) -> Option<&'a str> {
        let is_list = LISTS.iter().any(|list| key_eq(list, self.key));
        self.value.filter(|value| is_list && !value.is_empty() && !value.contains(','))
    }

    pub(super) fn matches(&self, word: &Word) -> Match {
        let Some(text) = word.kernel_text() else { return Match::No };
        let (key, value) = key_and_value(text);
        if !key_eq(key, self.key) {
            return Match::No;
        }
        if value == self.value {
            return Match::Whole;
        }
        let (Some(member), Some(value)) = (self.member(), value) else { return Match::No };
        if !value.split(',').any(|one| one == member) {
            return Match::No;
        }
        let rest: Vec<&str> = value.split(',').filter(|one| *one != member).collect();
        if rest.iter().all(|one| one.is_empty()) {
            return Match::Whole;
        }
        Match::Member { at: key.len() + 1, rest: rest.join(",") }
    }

    /// Whether the kernel keeps every value that it is given under this key.
    fn accumulates(&self) -> bool {
        let key = self.key.replace('-', "_");
        matches!(key.as_str(), "console" | "earlycon" | "modprobe.blacklist")
            || key.starts_with("rd.")
            || key.starts_with("systemd.")
    }
}

/// The words of a change as arguments, or why it is none that can be made.
pub(super) fn checked(
    change: &ArgumentChange,
) -> Result<(Vec<Argument<'_>>, Vec<Argument<'_>>), Refused> {
    for text in change.add.iter().chain(&change.remove) {
        if text.starts_with(['=', '-']) || !is_plain(text.as_bytes()) {
            let why = format!("`{}` is no plain word", text.escape_default());
            return Err(refused(DEFAULTS, None, why));
        }
    }
    let add: Vec<Argument> = change.add.iter().map(|text| Argument::new(text)).collect();
    let remove: Vec<Argument> = change.remove.iter().map(|text| Argument::new(text)).collect();
    for (place, one) in add.iter().enumerate() {
        let word = Word::plain(one.text);
        if let Some(other) = remove.iter().find(|other| other.matches(&word) != Match::No) {
            let why = format!("`{}` cannot come while `{}` goes", one.text, other.text);
            return Err(refused(DEFAULTS, None, why));
        }
        let before = add.get(..place).unwrap_or_default();
        let rival = |other: &&Argument| {
            key_eq(other.key, one.key) && other.value != one.value && !one.accumulates()
        };
        if let Some(other) = before.iter().find(rival) {
            let why = format!("`{}` and `{}` cannot both be the last word", other.text, one.text);
            return Err(refused(DEFAULTS, None, why));
        }
    }
    Ok((add, remove))
}

/// Whether a word is one to the shell, to GRUB and to the kernel, without any quotes.
pub(super) fn is_plain(word: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.,:=/@+-".contains(byte);
    !word.is_empty() && word.iter().all(is_plain)
}

/// Whether the argument is in the line that the kernel reads, and no later one of its key takes it back.
pub(super) fn is_effective(asked: &Asked, argument: &Argument<'_>) -> bool {
    let mut holds = false;
    for word in asked.words().take_while(|word| !word.ends_kernel()) {
        let Some(text) = word.kernel_text() else { continue };
        let (key, value) = key_and_value(text);
        if !key_eq(key, argument.key) {
            continue;
        }
        match argument.member() {
            Some(member) => {
                for one in value.unwrap_or_default().split(',') {
                    holds = one == member || (holds && !takes_back(one, member));
                }
            }
            None => {
                holds = value == argument.value || (holds && argument.accumulates());
            }
        }
    }
    holds
}

/// How often the argument is in the two variables.
pub(super) fn count(asked: &Asked, argument: &Argument<'_>) -> usize {
    asked.words().filter(|word| argument.matches(word) != Match::No).count()
}

/// Whether a later member of the same list undoes an earlier one: it switches the same, or the whole. In
/// doubt it does; the argument is then put behind it, where it does no harm.
fn takes_back(later: &str, member: &str) -> bool {
    stem(later).is_empty() || stem(later) == stem(member)
}

/// What a member switches: nothing in particular for `on`, `off` and `force`, which is the whole.
fn stem(member: &str) -> &str {
    let member = member.strip_prefix("no").unwrap_or(member);
    match member {
        "on" | "off" | "force" => "",
        _ => member.strip_suffix("_on").or(member.strip_suffix("_off")).unwrap_or(member),
    }
}

/// The first `=` divides, but not one in front.
fn key_and_value(text: &str) -> (&str, Option<&str>) {
    match text.char_indices().skip(1).find(|(_, c)| *c == '=') {
        Some((at, _)) => (text.get(..at).unwrap_or(text), text.get(at + 1..)),
        None => (text, None),
    }
}
