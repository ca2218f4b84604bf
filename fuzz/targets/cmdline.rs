//! The kernel command line: tokens joined again are the same line, and keys are compared both ways alike.
#![no_main]

use ccgpu_node::format::cmdline::{Cmdline, elements, key_eq, normal_key, parse_bool};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let line = Cmdline::parse(bytes);
    let length = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    assert_eq!(line.length(), length);
    for (index, param) in line.with_init().enumerate() {
        assert_eq!(param.index, index);
        assert!(!param.token.is_empty());
        assert!(param.token.contains(param.key));
        assert!(param.token.contains(param.value.unwrap_or_default()));
        assert!(param.is(param.key) && param.same_as(&param));
    }
    assert_eq!(line.params().count() + line.init().count(), line.with_init().count());
    joined_again(&line);
    keys(&line);
    without_quotes(bytes, &line);
});

fn joined_again(line: &Cmdline) {
    let mut tokens: Vec<&str> = line.params().map(|param| param.token).collect();
    if line.init().next().is_some() {
        tokens.push("--");
    }
    tokens.extend(line.init().map(|param| param.token));
    let again = Cmdline::parse(tokens.join(" ").as_bytes());
    assert!(again.with_init().eq(line.with_init()), "{line:?} became {again:?}");
    assert_eq!(again.params().count(), line.params().count());
}

fn keys(line: &Cmdline) {
    let all: Vec<_> = line.with_init().take(8).collect();
    for one in &all {
        for two in &all {
            assert_eq!(key_eq(one.key, two.key), key_eq(two.key, one.key));
            assert_eq!(key_eq(one.key, two.key), normal_key(one.key) == normal_key(two.key));
        }
        assert_eq!(line.last(one.key), line.all(one.key).last());
        let value = one.value.unwrap_or_default();
        assert!(elements(value).all(|element| !element.is_empty() && !element.contains(',')));
        // What the kernel refuses has no meaning in another case either.
        assert_eq!(parse_bool(value), parse_bool(&value.to_ascii_uppercase()));
    }
}

/// Without quotes, tokens are what stands between blanks.
fn without_quotes(bytes: &[u8], line: &Cmdline) {
    if bytes.contains(&b'"') || !bytes.is_ascii() {
        return;
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let mut words: Vec<&[u8]> = bytes.split(blank).filter(|word| !word.is_empty()).collect();
    if let Some(end) = words.iter().position(|word| word == b"--") {
        words.remove(end);
    }
    assert!(line.with_init().map(|param| param.token.as_bytes()).eq(words));
}
