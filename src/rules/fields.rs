//! Takes the tree of a rule file apart: typed access to the keys of a table, with a problem for
//! everything that is not as it should be.

use super::document::{Entry, Item, Node, Position};
use super::problem::{Hint, Problems};
use super::words::Word;

/// A table whose keys are all known.
pub(super) struct Fields<'a> {
    entries: &'a [Entry],
    pub(super) at: Position,
    what: &'static str,
    /// The keys that misspelt ones probably mean; that they are missing need not be said again.
    meant: Vec<&'a str>,
    pub(super) problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// Opens a table; keys that are not among `keys` are problems.
    pub(super) fn open(
        item: &'a Item,
        what: &'static str,
        keys: &'a [&'static str],
        problems: &'a Problems,
    ) -> Option<Self> {
        let Node::Table(entries) = &item.node else {
            problems.add(item.at, format!("{what} is a table, not {}", item.node.kind()));
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_ref())) {
            let hint = Hint::nearest(&entry.key, keys.iter().copied());
            problems.add(entry.at, format!("unknown key `{}` in {what}{hint}", entry.key));
            if let Hint::Nearest(key) = hint {
                meant.push(key);
            }
        }
        Some(Self { entries, at: item.at, what, meant, problems })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Item> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Those of the keys that are there, in the order of `keys`.
    pub(super) fn present(&self, keys: &[&'static str]) -> Vec<(&'static str, &'a Entry)> {
        let find = |key: &str| self.entries.iter().find(|entry| entry.key == key);
        keys.iter().filter_map(|key| find(key).map(|entry| (*key, entry))).collect()
    }

    pub(super) fn missing(&self, key: &str) {
        self.missing_any(&[key], &format!("{} has no `{key}`", self.what));
    }

    /// None of some keys is there, and none of them was probably meant.
    pub(super) fn missing_any(&self, keys: &[&str], message: &str) {
        if !self.meant.iter().any(|meant| keys.contains(meant)) {
            self.problems.missing(self.at, message);
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<(&'a str, Position)> {
        let item = self.get(key)?;
        let text = text(item, key, self.problems)?;
        Some((text, item.at))
    }

    pub(super) fn required_text(&self, key: &str) -> Option<(&'a str, Position)> {
        if self.get(key).is_none() {
            self.missing(key);
        }
        self.text(key)
    }

    /// One of the words of a vocabulary.
    pub(super) fn word<T: Word>(&self, key: &str) -> Option<T> {
        let (word, at) = self.text(key)?;
        self.to_word(key, word, at)
    }

    pub(super) fn words<T: Word>(&self, key: &str) -> Vec<T> {
        let texts = self.texts(key);
        texts.into_iter().filter_map(|(word, at)| self.to_word(key, word, at)).collect()
    }

    fn to_word<T: Word>(&self, key: &str, word: &str, at: Position) -> Option<T> {
        let known = T::from_word(word);
        if known.is_none() {
            self.problems.unknown(at, key, word, T::ALL.iter().map(|each| each.word()));
        }
        known
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let item = self.get(key)?;
        match item.node {
            Node::Bool(value) => Some(value),
            ref other => {
                let message = format!("`{key}` is true or false, not {}", other.kind());
                self.problems.add(item.at, message);
                None
            }
        }
    }

    /// The members of an array, which must have at least one; none where the key is not there.
    pub(super) fn array(&self, key: &str) -> &'a [Item] {
        self.get(key).map_or(&[], |item| array(item, key, self.problems))
    }

    /// An array of texts, none of them empty.
    pub(super) fn texts(&self, key: &str) -> Vec<(&'a str, Position)> {
        let member = |item: &'a Item| Some((text(item, key, self.problems)?, item.at));
        self.array(key).iter().filter_map(member).collect()
    }
}

pub(super) fn text<'a>(item: &'a Item, key: &str, problems: &Problems) -> Option<&'a str> {
    match &item.node {
        Node::Text(text) if text.trim().is_empty() => {
            problems.add(item.at, format!("`{key}` is empty"));
            None
        }
        Node::Text(text) => Some(text),
        other => {
            problems.add(item.at, format!("`{key}` takes text, not {}", other.kind()));
            None
        }
    }
}

pub(super) fn array<'a>(item: &'a Item, key: &str, problems: &Problems) -> &'a [Item] {
    match &item.node {
        Node::Array(items) if items.is_empty() => {
            problems.add(item.at, format!("`{key}` is an empty array"));
            &[]
        }
        Node::Array(items) => items,
        other => {
            problems.add(item.at, format!("`{key}` takes an array, not {}", other.kind()));
            &[]
        }
    }
}
