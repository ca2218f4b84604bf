//! A handler: the name by which a runtime class asks for a shim, and what the runtime does for it.

use crate::facts::kata::{Shim, exists};
use crate::facts::{Reading, Source};
use crate::format::toml_tree::{Item, Table};
use crate::host::Root;

/// A handler of the container runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    pub name: String,
    pub source: Source,
    /// The shim's program, where one is named.
    pub program: Option<Named>,
    /// The shim's configuration, where one is named.
    pub config: Option<Named>,
    /// What its containers are unpacked with.
    pub snapshotter: Snapshotter,
    /// What its images are unpacked with; `None` where that is never another one.
    pub image_snapshotter: Option<Snapshotter>,
    /// Whether the runtime leaves images to the guest, as CRI-O can be told.
    pub guest_pull: bool,
}

/// A path that the configuration names, and whether there is something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub path: String,
    pub source: Source,
    pub there: Reading<bool>,
}

/// A snapshotter by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshotter {
    pub name: String,
    /// Where it is named; `None` for the one that counts where none is.
    pub source: Option<Source>,
}

impl Named {
    pub(super) fn of(root: &Root, item: Option<&Item>) -> Option<Self> {
        let item = item?;
        let path = item.value.text().filter(|path| !path.is_empty())?.to_owned();
        let there = exists(root, &path);
        Some(Self { path, source: place(item), there })
    }
}

impl Snapshotter {
    /// The one that an item names, else the one that counts without.
    pub(super) fn of(item: Option<&Item>, default: &Self) -> Self {
        match item.and_then(|item| Some((item.value.text()?, item))) {
            Some((name, item)) if !name.is_empty() => {
                Self { name: name.to_owned(), source: Some(place(item)) }
            }
            _ => default.clone(),
        }
    }
}

impl Handler {
    /// Whether it starts Kata, by its name, its type or its files.
    pub fn is_kata(&self) -> bool {
        let named =
            |named: &Option<Named>| named.as_ref().is_some_and(|named| named.path.contains("kata"));
        self.name.starts_with("kata") || named(&self.config) || named(&self.program)
    }

    /// The shim that it starts, by its configuration, else by its own name.
    pub fn shim(&self) -> Option<Shim> {
        let of_config = || {
            let (directory, file) = self.config.as_ref()?.path.rsplit_once('/')?;
            Shim::of_file(&format!("{directory}/"), file)
        };
        let of_name = || {
            let name = self.name.strip_prefix("kata-")?;
            Shim::of_file("/", &format!("configuration-{name}.toml"))
        };
        of_config().or_else(of_name)
    }
}

/// Where an item stands.
pub(super) fn place(item: &Item) -> Source {
    Source::line(&*item.file, item.line)
}

/// The tables of a table, with their names.
pub(super) fn tables(table: Option<&Table>) -> impl Iterator<Item = (&str, &Item, &Table)> {
    let items = table.into_iter().flat_map(Table::iter);
    items.filter_map(|(name, item)| Some((name, item, item.value.table()?)))
}
