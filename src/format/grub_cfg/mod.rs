//! A generated `grub.cfg`: which entries boot Linux, with which arguments, and which one is the default.
//!
//! The file is a program of GRUB's own shell. It is read, never run: what depends on the machine at boot
//! time is reported as not known.

mod argument;
mod environment;
mod lexer;
mod menu;
#[cfg(test)]
mod tests;
mod variables;

pub use argument::{Argument, arguments};
pub use environment::{GrubEnv, GrubEnvError};
pub use variables::Arguments;

use lexer::{Lexer, Part, Token, Word};
use variables::Variables;

/// Why a text is no configuration that GRUB would read to its end. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrubCfgError {
    #[error("a quote is opened and never closed")]
    OpenQuote { line: u32 },
    #[error("a dollar sign without the name of a variable")]
    BadVariable { line: u32 },
    #[error("a block is closed that was not opened")]
    NotOpened { line: u32 },
    #[error("a block is opened and never closed")]
    NotClosed { line: u32 },
    #[error("blocks are nested too deep")]
    TooDeep { line: u32 },
}

impl GrubCfgError {
    pub fn line(&self) -> u32 {
        match self {
            Self::OpenQuote { line }
            | Self::BadVariable { line }
            | Self::NotOpened { line }
            | Self::NotClosed { line }
            | Self::TooDeep { line } => *line,
        }
    }
}

/// A configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrubCfg {
    /// Menu entries and submenus, each before what it holds.
    pub items: Vec<Item>,
    /// Whether entries are read from `/boot/loader/entries` as well.
    pub uses_bls: bool,
    variables: Variables,
    /// The words assigned to `default`, in order.
    defaults: Vec<Word>,
}

/// A line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub title: String,
    /// What `--id` or `$menuentry_id_option` names it.
    pub id: Option<String>,
    /// The submenu that holds it, as an index.
    pub parent: Option<usize>,
    pub is_submenu: bool,
    /// Its `linux` commands; more than one only where a condition chooses.
    pub kernels: Vec<Kernel>,
    pub line: u32,
    /// Its place among its siblings, from 0.
    place: usize,
    /// Whether a condition decides if it is there.
    conditional: bool,
}

/// A `linux` command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    pub line: u32,
    words: Vec<Word>,
}

impl GrubCfg {
    /// Reads a configuration. One that GRUB could not read to its end is an error, since what it boots
    /// then is not what the file says.
    pub fn parse(text: &[u8]) -> Result<Self, GrubCfgError> {
        menu::read(text)
    }

    /// The stand-in for a configuration that could not be read: no variable has a value that is known,
    /// as long as the environment block is held back too.
    pub fn unread() -> Self {
        Self { variables: Variables { loads_env: true, ..Variables::default() }, ..Self::default() }
    }

    /// The entries that boot Linux.
    pub fn entries(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !item.is_submenu && !item.kernels.is_empty())
    }

    /// The entry that boots when nobody touches the keyboard. `None` where it cannot be told; `env` is
    /// `None` where the environment block could not be read.
    pub fn default_entry(&self, env: Option<&GrubEnv>) -> Option<&Item> {
        let chosen = self.default_text(env)?;
        let mut parent = None;
        for step in menu::steps(&chosen) {
            let siblings =
                || self.items.iter().enumerate().filter(|(_, item)| item.parent == parent);
            let found = match step.parse::<usize>() {
                // A number counts items, so that none before may be in doubt.
                Ok(place) => siblings()
                    .find(|(_, item)| item.place == place)
                    .filter(|_| siblings().all(|(_, it)| it.place >= place || !it.conditional)),
                Err(_) => siblings().find(|(_, item)| {
                    item.id.as_deref() == Some(step.as_str()) || item.title == step
                }),
            };
            let (index, item) = found.filter(|(_, item)| !item.conditional)?;
            if !item.is_submenu {
                return (!item.kernels.is_empty()).then_some(item);
            }
            parent = Some(index);
        }
        None
    }

    /// The text of `default` as it will be: a number, a title or an id, or a path of them.
    fn default_text(&self, env: Option<&GrubEnv>) -> Option<String> {
        let mut chosen: Option<String> = None;
        for word in &self.defaults {
            let text = match word.parts.as_slice() {
                [Part::Variable { name, .. }] if name == "next_entry" => match env?.get(name) {
                    // The next boot alone: it beats all else.
                    Some(next) => return Some(next.to_owned()),
                    None => continue,
                },
                [Part::Variable { name, .. }] if name == "saved_entry" => {
                    let env = env?;
                    env.get("prev_saved_entry").or(env.get(name)).unwrap_or("0").to_owned()
                }
                _ => self.variables.text(word, env)?,
            };
            let text = if text.is_empty() { "0".to_owned() } else { text };
            if chosen.get_or_insert_with(|| text.clone()) != &text {
                return None;
            }
        }
        Some(chosen.unwrap_or_else(|| "0".to_owned()))
    }

    /// What a `linux` command hands to the kernel.
    pub fn arguments(&self, kernel: &Kernel, env: Option<&GrubEnv>) -> Arguments {
        self.variables.arguments(kernel.words.get(1..).unwrap_or_default(), env)
    }

    /// What GRUB makes of the `options` of an entry in `/boot/loader/entries`, which it reads as its own
    /// script.
    pub fn bls_arguments(
        &self,
        options: &[u8],
        env: Option<&GrubEnv>,
    ) -> Result<Arguments, GrubCfgError> {
        let mut lexer = Lexer::new(options);
        let mut words = Vec::new();
        while let Some(token) = lexer.next_token()? {
            match token {
                Token::Word(word) => words.push(word),
                // The command ends here, and what follows is another one.
                Token::End | Token::Open | Token::Close => break,
            }
        }
        Ok(self.variables.arguments(&words, env))
    }
}

impl Item {
    /// Whether it is there for repair and not for work: no rule is about it.
    pub fn is_recovery(&self) -> bool {
        let title = self.title.to_ascii_lowercase();
        title.contains("recovery mode")
            || title.contains("rescue")
            || self.kernels.iter().any(Kernel::is_recovery)
    }
}

impl Kernel {
    /// The file that is booted, where no variable hides it.
    pub fn path(&self) -> Option<String> {
        self.words.first().and_then(Word::literal)
    }

    fn is_recovery(&self) -> bool {
        let path = self.words.first().and_then(Word::literal);
        path.is_some_and(|path| path.contains("-0-rescue"))
            || self.words.iter().skip(1).any(|word| {
                ["recovery", "single"].iter().any(|mark| word.literal().as_deref() == Some(mark))
            })
    }
}
