//! Shell patterns as the C library's `fnmatch` reads them without flags: `*`, `?`, `[a-z]`, `[!a-z]`, and a
//! backslash before a character that stands for itself.
//!
//! It is what kmod compares a device's alias with. It takes time in proportion to the product of the two
//! lengths at most, however many stars there are. Named classes, as `[[:alpha:]]`, are not known to it; no
//! tool writes one into an alias.

/// Whether the whole text is what the pattern describes.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when what follows the last star does not fit: the star takes one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match step(pattern, text) {
            Step::Done => return true,
            Step::Star(rest) => {
                pattern = rest;
                retry = Some((rest, text));
            }
            Step::One(rest) => {
                pattern = rest;
                text = text.get(1..).unwrap_or_default();
            }
            Step::No => match retry {
                Some((after, [_, rest @ ..])) => {
                    (pattern, text) = (after, rest);
                    retry = Some((after, rest));
                }
                _ => return false,
            },
        }
    }
}

enum Step<'p> {
    /// Both have ended.
    Done,
    /// A star, and what follows it.
    Star(&'p [u8]),
    /// The next byte of the text fits; what of the pattern is left.
    One(&'p [u8]),
    No,
}

fn step<'p>(pattern: &'p [u8], text: &[u8]) -> Step<'p> {
    let one = |fits: bool, rest: &'p [u8]| if fits { Step::One(rest) } else { Step::No };
    match (pattern, text.first()) {
        ([], None) => Step::Done,
        ([b'*', rest @ ..], _) => Step::Star(rest),
        ([], Some(_)) | (_, None) => Step::No,
        ([b'?', rest @ ..], Some(_)) => Step::One(rest),
        // A bracket that is never closed stands for itself.
        ([b'[', rest @ ..], Some(byte)) => match bracket(rest, *byte) {
            Some((fits, rest)) => one(fits, rest),
            None => one(*byte == b'[', rest),
        },
        ([b'\\', literal, rest @ ..] | [literal, rest @ ..], Some(byte)) => {
            one(literal == byte, rest)
        }
    }
}

/// Whether a byte is one of those between brackets, and what follows the closing one. The first byte after
/// the opening bracket closes nothing, so that `[]]` is a bracket.
fn bracket(set: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    let mut first = true;
    loop {
        let (low, after) = match rest {
            [b']', after @ ..] if !first => return Some((found != negated, after)),
            [b'\\', escaped, after @ ..] => (*escaped, after),
            [plain, after @ ..] => (*plain, after),
            [] => return None,
        };
        first = false;
        rest = match after {
            [b'-', b'\\', high, after @ ..] => {
                found |= (low..=*high).contains(&byte);
                after
            }
            // A dash before the closing bracket is only a dash.
            [b'-', high, after @ ..] if *high != b']' => {
                found |= (low..=*high).contains(&byte);
                after
            }
            _ => {
                found |= low == byte;
                after
            }
        };
    }
}

#[cfg(test)]
#[path = "fnmatch_tests.rs"]
mod tests;
