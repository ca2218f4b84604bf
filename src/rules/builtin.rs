//! The rules that are part of the binary: `rules/*.toml`, from cause to effect.

use std::borrow::Cow;

use super::document::{Entry, Item, Node, Position};

include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));

#[cfg(test)]
mod tests {
    use super::super::document::parse;
    use super::FILES;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads the source tree, not a host")]
    fn the_built_in_constants_are_what_the_files_say() {
        for (name, root) in FILES {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(parse(&text), (root.clone(), Vec::new()), "{name}");
        }
    }
}
