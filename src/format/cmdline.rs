//! The kernel's command line, split as the kernel splits it.
//!
//! The grammar is that of `next_arg` in lib/cmdline.c: no escapes, `"` is the only quote, and `-` and `_`
//! are the same in a key. What a parameter means, and which of two equal keys wins, depends on the
//! parameter; this module does not know.

use std::borrow::Cow;
use std::ops::Range;

/// `COMMAND_LINE_SIZE` of x86, less its NUL: a longer line is cut by the kernel or by the boot loader.
pub const X86_LIMIT: usize = 2047;

/// A command line, split once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmdline {
    text: String,
    spans: Vec<Span>,
    /// How many of the spans stand before a `--`.
    kernel: usize,
    length: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    token: Range<usize>,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// One parameter, as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// As it is written, quotes included.
    pub token: &'a str,
    /// Without quotes, and with `-` and `_` as they are written.
    pub key: &'a str,
    /// What follows the first `=`, without the quotes around it. No `=` is `None`, not an empty value.
    pub value: Option<&'a str>,
    /// Its place in the line, from 0.
    pub index: usize,
}

impl Param<'_> {
    /// Whether this is the parameter `key`, `-` and `_` being equal.
    pub fn is(&self, key: &str) -> bool {
        key_eq(self.key, key)
    }

    /// Whether both say the same, however they are quoted.
    pub fn same_as(&self, other: &Param<'_>) -> bool {
        key_eq(self.key, other.key) && self.value == other.value
    }
}

impl Cmdline {
    /// Splits a line; every text is one. Bytes that are not UTF-8 become U+FFFD after the split, for
    /// which the kernel's 0xa0 counts as the blank that it is there.
    pub fn parse(line: &[u8]) -> Self {
        let length = line.strip_suffix(b"\n").unwrap_or(line).len();
        let blanked: Cow<'_, [u8]> = if line.contains(&NBSP) {
            line.iter().map(|&byte| if byte == NBSP { b' ' } else { byte }).collect()
        } else {
            Cow::Borrowed(line)
        };
        let text = String::from_utf8_lossy(&blanked).into_owned();
        let mut spans = Vec::new();
        let mut kernel = None;
        let mut at = 0;
        while let Some(span) = next_arg(text.as_bytes(), at) {
            at = span.token.end;
            let ends = kernel.is_none()
                && span.value.is_none()
                && text.get(span.key.clone()) == Some("--");
            if ends {
                kernel = Some(spans.len());
            } else {
                spans.push(span);
            }
        }
        Self { kernel: kernel.unwrap_or(spans.len()), text, spans, length }
    }

    /// What the kernel and the modules built into it see: all before a `--`.
    pub fn params(&self) -> impl Iterator<Item = Param<'_>> {
        self.with_init().take(self.kernel)
    }

    /// What stands after a `--`. The kernel hands it to init unread.
    pub fn init(&self) -> impl Iterator<Item = Param<'_>> {
        self.with_init().skip(self.kernel)
    }

    /// All parameters: modprobe and dracut read the line themselves and do not stop at a `--`.
    pub fn with_init(&self) -> impl Iterator<Item = Param<'_>> {
        self.spans.iter().enumerate().map(|(index, span)| Param {
            token: self.slice(&span.token),
            key: self.slice(&span.key),
            value: span.value.as_ref().map(|value| self.slice(value)),
            index,
        })
    }

    /// Every occurrence of a key that the kernel sees, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Param<'a>> {
        self.params().filter(move |param| param.is(key))
    }

    /// The last occurrence of a key that the kernel sees.
    pub fn last(&self, key: &str) -> Option<Param<'_>> {
        self.spans
            .get(..self.kernel)?
            .iter()
            .rposition(|span| key_eq(self.slice(&span.key), key))
            .and_then(|index| self.params().nth(index))
    }

    /// Whether all parameters of an argument stand in the line, wherever.
    pub fn holds(&self, argument: &str) -> bool {
        let argument = Self::parse(argument.as_bytes());
        argument.params().all(|wanted| self.params().any(|param| param.same_as(&wanted)))
    }

    /// Whether all parameters of an argument are the last of their keys.
    pub fn decides(&self, argument: &str) -> bool {
        let argument = Self::parse(argument.as_bytes());
        argument
            .params()
            .all(|wanted| self.last(wanted.key).is_some_and(|last| last.same_as(&wanted)))
    }

    /// Bytes of the line, without its newline.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether the line is as long as x86 lets it be, so that its end may be missing.
    pub fn may_be_cut(&self) -> bool {
        self.length >= X86_LIMIT
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// 0xa0 is a blank to the kernel, whose character table is Latin-1.
const NBSP: u8 = 0xa0;

/// The kernel's `isspace` for the bytes below 0x80; C counts the vertical tab, Rust does not.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// The parameter that begins at or after `from`. All offsets lie beside ASCII bytes, so they never
/// split a character.
fn next_arg(text: &[u8], from: usize) -> Option<Span> {
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|&byte| !is_space(byte))?;
    let wrapped = text.get(start) == Some(&b'"');
    let first = if wrapped { start + 1 } else { start };
    let mut in_quote = wrapped;
    let mut equals = None;
    let mut end = first;
    while let Some(&byte) = text.get(end) {
        if is_space(byte) && !in_quote {
            break;
        }
        // A `=` in front is part of the key: the kernel uses its offset 0 for "none yet".
        if byte == b'=' && equals.is_none() && end > first {
            equals = Some(end);
        }
        if byte == b'"' {
            in_quote = !in_quote;
        }
        end += 1;
    }
    let quote_at_end = end > first && text.get(end - 1) == Some(&b'"');
    let (key, value) = match equals {
        None => (first..if wrapped && quote_at_end { end - 1 } else { end }, None),
        Some(equals) => {
            let quoted = text.get(equals + 1) == Some(&b'"');
            let begin = if quoted { equals + 2 } else { equals + 1 };
            let end = if (quoted || wrapped) && quote_at_end { end - 1 } else { end };
            (first..equals, Some(begin..end.max(begin)))
        }
    };
    Some(Span { token: start..end, key, value })
}

/// Whether the kernel takes two keys for the same one: `-` and `_` are equal, case is not.
pub fn key_eq(one: &str, other: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(fold).eq(other.bytes().map(fold))
}

/// A key in the one spelling that facts and rules use: with `_`.
pub fn normal_key(key: &str) -> String {
    key.replace('-', "_")
}

/// What `kstrtobool` makes of a value: it looks at one character, or at two after an `o`. `None` is a
/// value that the kernel refuses. `enable` and `disable` count, as they do in newer kernels.
pub fn parse_bool(value: &str) -> Option<bool> {
    let mut bytes = value.bytes().map(|byte| byte.to_ascii_lowercase());
    match bytes.next()? {
        b'1' | b'y' | b't' | b'e' => Some(true),
        b'0' | b'n' | b'f' | b'd' => Some(false),
        b'o' => match bytes.next()? {
            b'n' => Some(true),
            b'f' => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The members of a comma-separated value, empty ones left out.
pub fn elements(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(line: &str) -> Vec<(String, Option<String>)> {
        let line = Cmdline::parse(line.as_bytes());
        line.params().map(|p| (p.key.to_owned(), p.value.map(str::to_owned))).collect()
    }

    fn one(line: &str) -> (String, Option<String>) {
        let mut all = pairs(line);
        assert_eq!(all.len(), 1, "{line:?}: {all:?}");
        all.remove(0)
    }

    #[test]
    fn keys_and_values_are_those_of_next_arg() {
        for (line, key, value) in [
            ("quiet", "quiet", None),
            ("iommu=pt", "iommu", Some("pt")),
            ("root=UUID=ab-cd", "root", Some("UUID=ab-cd")),
            ("console=", "console", Some("")),
            // Quotes around the whole token and around the value are the same parameter.
            (r#""acpi_osi=!Windows 2012""#, "acpi_osi", Some("!Windows 2012")),
            (r#"acpi_osi="!Windows 2012""#, "acpi_osi", Some("!Windows 2012")),
            // Quotes inside stay; single quotes and backslashes are ordinary.
            (r#"a=b"c d"e"#, "a", Some(r#"b"c d"e"#)),
            ("a='b", "a", Some("'b")),
            (r#"a=\"b"#, "a", Some(r#"\"b"#)),
            // A quote that never ends takes the rest of the line.
            (r#"a="b c d"#, "a", Some("b c d")),
            (r#"a=""#, "a", Some("")),
            (r#""a"#, "a", None),
            (r#""""#, "", None),
            (r#"""#, "", None),
            ("\"a=\"b", "a", Some("b")),
            // A `=` in front is part of the key.
            ("=a", "=a", None),
            ("=a=b", "=a", Some("b")),
            (r#""=a=b""#, "=a", Some("b")),
        ] {
            assert_eq!(one(line), (key.to_owned(), value.map(str::to_owned)), "{line:?}");
        }
    }

    #[test]
    fn every_blank_of_the_kernel_separates() {
        let line = b"a\tb\nc\x0bd\x0ce\rf  g\xa0h";
        let line = Cmdline::parse(line);
        let keys: Vec<&str> = line.params().map(|param| param.key).collect();
        assert_eq!(keys, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn two_dashes_hand_the_rest_to_init() {
        let line = Cmdline::parse(b"quiet rdinit=/process_api -- --firecracker-init iommu=off\n");
        assert_eq!(line.params().count(), 2);
        assert!(line.last("iommu").is_none());
        let init: Vec<&str> = line.init().map(|param| param.token).collect();
        assert_eq!(init, ["--firecracker-init", "iommu=off"]);
        assert_eq!(line.with_init().count(), 4);
        // Only the bare word ends the line, quoted or not.
        assert_eq!(Cmdline::parse(b"a --b -- c").params().count(), 2);
        assert_eq!(Cmdline::parse(b"a \"--\" c").params().count(), 1);
        assert_eq!(Cmdline::parse(b"a --=x c").params().count(), 3);
        assert_eq!(Cmdline::parse(b"--").params().count(), 0);
    }

    #[test]
    fn dash_and_underscore_are_one_key_but_not_one_value() {
        let line = Cmdline::parse(b"vfio-pci.ids=10de:2335 kvm-intel.tdx=1");
        assert_eq!(line.last("vfio_pci.ids").and_then(|p| p.value), Some("10de:2335"));
        assert_eq!(line.last("kvm_intel.tdx").map(|p| p.index), Some(1));
        assert!(line.last("iommu").is_none());
        assert!(!key_eq("intel_iommu", "iommu"));
        assert!(!key_eq("Iommu", "iommu"));
        assert_eq!(normal_key("kvm-intel.tdx"), "kvm_intel.tdx");
    }

    #[test]
    fn repeated_keys_are_kept_in_order() {
        let line = Cmdline::parse(b"iommu=1 amd_iommu=on iommu=pt");
        let all: Vec<Option<&str>> = line.all("iommu").map(|p| p.value).collect();
        assert_eq!(all, [Some("1"), Some("pt")]);
        assert_eq!(line.last("iommu").map(|p| (p.token, p.index)), Some(("iommu=pt", 2)));
    }

    #[test]
    fn the_token_is_what_is_written() {
        let line = Cmdline::parse(br#" "a=b c"  d="e f" g "#);
        let tokens: Vec<&str> = line.params().map(|param| param.token).collect();
        assert_eq!(tokens, [r#""a=b c""#, r#"d="e f""#, "g"]);
    }

    #[test]
    fn a_bool_is_read_by_its_first_characters() {
        for yes in ["1", "y", "Y", "t", "on", "ON", "yes", "1x", "enable"] {
            assert_eq!(parse_bool(yes), Some(true), "{yes}");
        }
        for no in ["0", "n", "N", "f", "off", "Off", "no", "disable"] {
            assert_eq!(parse_bool(no), Some(false), "{no}");
        }
        for neither in ["", "o", "2", "pt", "ox"] {
            assert_eq!(parse_bool(neither), None, "{neither}");
        }
    }

    #[test]
    fn a_line_at_the_limit_may_be_cut() {
        let line = format!("{}\n", "a".repeat(X86_LIMIT));
        assert!(Cmdline::parse(line.as_bytes()).may_be_cut());
        let line = format!("{}\n", "a".repeat(X86_LIMIT - 1));
        assert!(!Cmdline::parse(line.as_bytes()).may_be_cut());
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_apart() {
        let line = Cmdline::parse(b"a=\xff\xfe \x00 b\xc3\xa0iommu=off");
        let keys: Vec<&str> = line.params().map(|param| param.key).collect();
        // The second byte of U+00E0 is a blank to the kernel.
        assert_eq!(keys, ["a", "\0", "b\u{fffd}", "iommu"]);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may look at the clock")]
    fn a_hundred_thousand_tokens_are_quick() {
        let many = "iommu=pt ".repeat(100_000);
        let quotes = "\"".repeat(1 << 20);
        // The best of a few, since other work may run beside it.
        let took = (0..5)
            .map(|_| {
                let start = std::time::Instant::now();
                assert_eq!(Cmdline::parse(many.as_bytes()).params().count(), 100_000);
                start.elapsed()
            })
            .min();
        assert!(took.is_some_and(|took| took.as_millis() < 50), "{took:?}");
        assert_eq!(Cmdline::parse(quotes.as_bytes()).params().count(), 1);
    }

    proptest! {
        #[test]
        fn tokens_without_quotes_parse_back(tokens in prop::collection::vec("[a-z0-9_.,=:/-]{1,12}", 0..40)) {
            prop_assume!(!tokens.iter().any(|token| token == "--"));
            let line = tokens.join(" ");
            let parsed = Cmdline::parse(line.as_bytes());
            let back: Vec<String> = parsed.params().map(|p| p.token.to_owned()).collect();
            prop_assert_eq!(&back, &tokens);
            for param in parsed.params() {
                if let Some(value) = param.value {
                    prop_assert_eq!(format!("{}={value}", param.key), param.token);
                } else {
                    prop_assert_eq!(param.key, param.token);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let line = Cmdline::parse(&bytes);
            for param in line.with_init() {
                prop_assert!(!param.token.is_empty());
            }
        }

        #[test]
        fn quotes_and_blanks_never_panic(text in "[\" =a-]{0,40}") {
            let line = Cmdline::parse(text.as_bytes());
            prop_assert_eq!(line.params().count() <= text.len(), true);
        }
    }
}
