//! Understands the value of one key. Whether a name in it names a rule is told later, by
//! [`super::Loaded::check_against`], since rules are files too.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::key::{Key, Kind, Setting};
use crate::facts::{AssumptionError, assumption, catalogue};
use crate::format::duration::GoDuration;
use crate::rules::document::{Item, Node, Position};
use crate::rules::problem::{Hint, Problems};

/// A value, and where the members of a list stand.
pub(super) struct Read {
    pub(super) setting: Setting,
    pub(super) members: Vec<Position>,
}

pub(super) fn read(key: &Key, item: &Item, problems: &Problems) -> Option<Read> {
    let reader = Reader { name: key.name, problems };
    let setting = match key.kind {
        Kind::Flag => Setting::Flag(reader.flag(item)?),
        Kind::Word(words) => Setting::Text(reader.word(item, &words())?),
        Kind::Duration(least, most) => Setting::Duration(reader.duration(item, least, most)?),
        Kind::Count(least, most) => Setting::Count(reader.count(item, least, most)?),
        Kind::Name => Setting::Text(Cow::Owned(reader.text(item, "text")?.to_owned())),
        Kind::Directory => Setting::Text(Cow::Owned(reader.path(item)?)),
        Kind::Loopback => Setting::Address(reader.loopback(item)?),
        Kind::Patterns | Kind::Mendable => return reader.list(item, Reader::member),
        Kind::Files => return reader.list(item, Reader::path),
        Kind::Assumptions => {
            reader.no_fact_twice(item);
            return reader.list(item, Reader::assumption);
        }
    };
    Some(Read { setting, members: Vec::new() })
}

/// A duration as [`GoDuration`] prints it, without the zeros at its end that nobody would write: `10m`.
pub(crate) fn spoken(duration: Duration) -> String {
    let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let mut text = GoDuration(nanoseconds).to_string();
    for (end, kept) in [("m0s", "m"), ("h0m", "h")] {
        if let Some(start) = text.strip_suffix(end) {
            text = format!("{start}{kept}");
        }
    }
    text
}

struct Reader<'a> {
    name: &'a str,
    problems: &'a Problems,
}

impl Reader<'_> {
    fn not_a<T>(&self, item: &Item, wanted: &str) -> Option<T> {
        let kind = item.node.kind();
        self.problems.add(item.at, format!("`{}` takes {wanted}, not {kind}", self.name));
        None
    }

    fn wrong<T>(&self, at: Position, message: &str) -> Option<T> {
        self.problems.add(at, format!("`{}` {message}", self.name));
        None
    }

    fn flag(&self, item: &Item) -> Option<bool> {
        match item.node {
            Node::Bool(value) => Some(value),
            _ => self.not_a(item, "true or false"),
        }
    }

    /// A text that is not empty.
    fn text<'i>(&self, item: &'i Item, wanted: &str) -> Option<&'i str> {
        match &item.node {
            Node::Text(text) if text.is_empty() => self.wrong(item.at, "is empty"),
            Node::Text(text) => Some(text),
            _ => self.not_a(item, wanted),
        }
    }

    fn word(&self, item: &Item, words: &[&'static str]) -> Option<Cow<'static, str>> {
        let text = self.text(item, "text")?;
        let known = words.iter().find(|word| **word == text);
        if known.is_none() {
            self.problems.unknown(item.at, self.name, text, words.iter().copied());
        }
        known.map(|word| Cow::Borrowed(*word))
    }

    fn duration(&self, item: &Item, least: Duration, most: Duration) -> Option<Duration> {
        let wanted = "a duration as text, like \"10m\" or \"1h30m\"";
        let text = self.text(item, wanted)?;
        let Ok(GoDuration(nanoseconds)) = GoDuration::parse(text) else {
            return self.wrong(item.at, &format!("takes {wanted}, and `{text}` is none"));
        };
        // Below zero is below every least.
        let duration = u64::try_from(nanoseconds).ok().map(Duration::from_nanos);
        let duration = duration.filter(|duration| (least..=most).contains(duration));
        duration.or_else(|| {
            let bounds = (spoken(least), spoken(most));
            self.wrong(item.at, &format!("is from {} to {}, not {text}", bounds.0, bounds.1))
        })
    }

    fn count(&self, item: &Item, least: u32, most: u32) -> Option<u32> {
        let Node::Integer(number) = item.node else { return self.not_a(item, "an integer") };
        let count = u32::try_from(number).ok().filter(|count| (least..=most).contains(count));
        count.or_else(|| self.wrong(item.at, &format!("is from {least} to {most}, not {number}")))
    }

    /// The agent's working directory means nothing to who writes the file.
    fn path(&self, item: &Item) -> Option<String> {
        let text = self.text(item, "a path as text")?;
        if !text.starts_with('/') {
            return self.wrong(item.at, &format!("takes an absolute path, and `{text}` is none"));
        }
        if text.contains('\0') {
            return self.wrong(item.at, "takes a path, and no path has a NUL");
        }
        Some(text.to_owned())
    }

    /// What is served is for who is on this machine.
    fn loopback(&self, item: &Item) -> Option<SocketAddr> {
        let wanted = "an address and a port as text, like \"127.0.0.1:9477\"";
        let text = self.text(item, wanted)?;
        let Ok(address) = text.parse::<SocketAddr>() else {
            return self.wrong(item.at, &format!("takes {wanted}, and `{text}` is none"));
        };
        if !address.ip().is_loopback() {
            let message =
                format!("takes a loopback address (127.0.0.1 or ::1), not {}", address.ip());
            return self.wrong(item.at, &message);
        }
        if address.port() == 0 {
            return self.wrong(item.at, "takes a port from 1 to 65535; nobody would find port 0");
        }
        Some(address)
    }

    /// An empty list is allowed: it takes back what an earlier file set.
    fn list(&self, item: &Item, member: fn(&Self, &Item) -> Option<String>) -> Option<Read> {
        let Node::Array(items) = &item.node else { return self.not_a(item, "an array") };
        let read: Vec<(Option<String>, Position)> =
            items.iter().map(|item| (member(self, item), item.at)).collect();
        let members = read.iter().map(|(_, at)| *at).collect();
        let texts: Option<Vec<String>> = read.into_iter().map(|(text, _)| text).collect();
        Some(Read { setting: Setting::List(texts?), members })
    }

    fn member(&self, item: &Item) -> Option<String> {
        match &item.node {
            Node::Text(text) if text.is_empty() => self.wrong(item.at, "has an empty text"),
            _ => self.text(item, "an array of texts").map(str::to_owned),
        }
    }

    fn assumption(&self, item: &Item) -> Option<String> {
        let text = self.member(item)?;
        match assumption(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                let hint = match &error {
                    AssumptionError::Unknown(name) => {
                        let facts = catalogue::facts().map(|fact| fact.name);
                        Hint::nearest(name, facts).without_list().to_string()
                    }
                    _ => String::new(),
                };
                self.wrong(item.at, &format!("has `{text}`: {error}{hint}"))
            }
        }
    }

    fn no_fact_twice(&self, item: &Item) {
        let Node::Array(items) = &item.node else { return };
        let mut seen = HashSet::new();
        for item in items.iter() {
            let Node::Text(text) = &item.node else { continue };
            if !seen.insert(text.split_once('=').map_or(&**text, |(fact, _)| fact)) {
                self.wrong::<()>(item.at, &format!("has `{text}`: the fact was assumed before"));
            }
        }
    }
}
