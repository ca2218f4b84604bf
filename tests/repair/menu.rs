//! A tiny reader of the boot menus that `grub-mkconfig` writes, of its own so that it shares no mistake
//! with the program under test.

/// What a menu boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    pub(crate) kernel: String,
    pub(crate) arguments: String,
}

/// All `linux` lines in order: the default entry's first, then those of the submenu.
pub(crate) fn entries(text: &str) -> Vec<Boot> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_linux = matches!(words.next()?, "linux" | "linuxefi" | "linux16");
            let kernel = words.next().filter(|_| is_linux)?;
            Some(Boot { kernel: kernel.to_owned(), arguments: words.collect::<Vec<_>>().join(" ") })
        })
        .collect()
}

/// What the menu boots when nobody touches a key. Only the first entry can be the default here.
pub(crate) fn default_entry(text: &str) -> Option<Boot> {
    // The templates first look for a `next_entry`, and then fall back to this.
    let first = text.lines().any(|line| line.trim().replace('"', "") == "set default=0");
    assert!(first, "the default is not the first entry");
    entries(text).into_iter().next()
}
