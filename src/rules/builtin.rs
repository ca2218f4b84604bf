//! The rules that are part of the binary: `rules/*.toml`, from cause to effect.

use std::borrow::Cow;

use super::document::{Entry, Item, Node, Position};

include!(concat!(env!("OUT_DIR"), "/builtin_rules.rs"));
