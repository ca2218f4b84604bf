//! The structure of a configuration: blocks, conditions, assignments and menu entries.
//!
//! Blocks are kept on a heap-allocated stack, so that nesting costs memory and never the call stack.

use super::lexer::{Lexer, Part, Token, Word};
use super::variables::Assignment;
use super::{GrubCfg, GrubCfgError, Item, Kernel};

/// Deeper than any generator nests; a deeper file is refused.
const DEEPEST: usize = 64;

/// A construct that is open at some place in the file.
#[derive(Debug)]
enum Frame {
    Entry(usize),
    Submenu {
        index: usize,
        children: usize,
    },
    /// A function, or bare braces.
    Block,
    /// `if`; the variable is one that is empty wherever its branch is taken.
    If {
        empty: Option<String>,
    },
    Loop,
}

struct Reader {
    config: GrubCfg,
    stack: Vec<Frame>,
    /// How many items stand at the top of the menu.
    top: usize,
    command: Vec<Word>,
}

pub(super) fn read(text: &[u8]) -> Result<GrubCfg, GrubCfgError> {
    let mut lexer = Lexer::new(text);
    let mut reader =
        Reader { config: GrubCfg::default(), stack: Vec::new(), top: 0, command: Vec::new() };
    while let Some(token) = lexer.next_token()? {
        match token {
            Token::Word(word) => reader.command.push(word),
            Token::End => reader.end_command()?,
            Token::Open => reader.open(lexer.line())?,
            Token::Close => {
                reader.end_command()?;
                reader.close(lexer.line())?;
            }
        }
    }
    reader.end_command()?;
    if reader.stack.is_empty() {
        Ok(reader.config)
    } else {
        Err(GrubCfgError::NotClosed { line: lexer.line() })
    }
}

impl Reader {
    /// A brace: the command so far is the head of a block.
    fn open(&mut self, line: u32) -> Result<(), GrubCfgError> {
        let head = self.command.first().and_then(Word::literal);
        let frame = match head.as_deref() {
            Some(word @ ("menuentry" | "submenu")) => {
                let is_submenu = word == "submenu";
                let head = std::mem::take(&mut self.command);
                let index = self.add_item(&head, is_submenu);
                if is_submenu { Frame::Submenu { index, children: 0 } } else { Frame::Entry(index) }
            }
            Some("function") => {
                self.command.clear();
                Frame::Block
            }
            _ => {
                self.end_command()?;
                Frame::Block
            }
        };
        self.push(frame, line)
    }

    fn push(&mut self, frame: Frame, line: u32) -> Result<(), GrubCfgError> {
        if self.stack.len() >= DEEPEST {
            return Err(GrubCfgError::TooDeep { line });
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self, line: u32) -> Result<(), GrubCfgError> {
        match self.stack.pop() {
            Some(Frame::Entry(_) | Frame::Submenu { .. } | Frame::Block) => Ok(()),
            Some(Frame::If { .. } | Frame::Loop) | None => Err(GrubCfgError::NotOpened { line }),
        }
    }

    fn add_item(&mut self, head: &[Word], is_submenu: bool) -> usize {
        let index = self.config.items.len();
        let holder = self.stack.iter().rposition(|frame| matches!(frame, Frame::Submenu { .. }));
        // Anything between it and the menu that holds it is a condition, a loop or a function.
        let conditional = self.stack.len() > holder.map_or(0, |depth| depth + 1);
        let submenu = holder.and_then(|depth| self.stack.get_mut(depth));
        let (parent, siblings) = if let Some(Frame::Submenu { index, children }) = submenu {
            (Some(*index), children)
        } else {
            (None, &mut self.top)
        };
        let place = *siblings;
        *siblings += 1;
        let words = head.get(1..).unwrap_or_default();
        self.config.items.push(Item {
            title: words.first().and_then(Word::literal).unwrap_or_default(),
            id: id(words),
            parent,
            is_submenu,
            kernels: Vec::new(),
            line: head.first().map_or(0, |word| word.line),
            place,
            conditional,
        });
        index
    }

    /// The end of a simple command, with the reserved words that may stand before it.
    fn end_command(&mut self) -> Result<(), GrubCfgError> {
        let command = std::mem::take(&mut self.command);
        let mut words = command.as_slice();
        while let Some((first, rest)) = words.split_first() {
            if first.is_reserved("if") {
                self.push(Frame::If { empty: tested_empty(rest) }, first.line)?;
            } else if first.is_reserved("elif") || first.is_reserved("else") {
                match self.stack.last_mut() {
                    Some(Frame::If { empty }) => *empty = None,
                    _ => return Err(GrubCfgError::NotOpened { line: first.line }),
                }
            } else if first.is_reserved("while") || first.is_reserved("until") {
                self.push(Frame::Loop, first.line)?;
            } else if first.is_reserved("for") {
                self.push(Frame::Loop, first.line)?;
                if let Some(name) = rest.first().and_then(Word::literal) {
                    self.assign(name, None);
                }
                break;
            } else if first.is_reserved("fi") {
                let Some(Frame::If { .. }) = self.stack.pop() else {
                    return Err(GrubCfgError::NotOpened { line: first.line });
                };
            } else if first.is_reserved("done") {
                let Some(Frame::Loop) = self.stack.pop() else {
                    return Err(GrubCfgError::NotOpened { line: first.line });
                };
            } else if !(first.is_reserved("then") || first.is_reserved("do")) {
                self.simple(words);
                break;
            }
            words = rest;
        }
        Ok(())
    }

    fn simple(&mut self, words: &[Word]) {
        let Some((first, rest)) = words.split_first() else { return };
        match first.literal().as_deref() {
            Some("linux" | "linux16" | "linuxefi") => {
                if let Some(item) = self.stack.iter().rev().find_map(|frame| match frame {
                    Frame::Entry(index) => Some(*index),
                    _ => None,
                }) && let Some(item) = self.config.items.get_mut(item)
                {
                    item.kernels.push(Kernel { line: first.line, words: rest.to_vec() });
                }
            }
            Some("set") => {
                for word in rest {
                    self.assign_word(word);
                }
            }
            Some("unset") => {
                for name in rest.iter().filter_map(Word::literal) {
                    self.assign(name, Some(Vec::new()));
                }
            }
            Some("read") => {
                for name in rest.iter().filter_map(Word::literal) {
                    self.assign(name, None);
                }
            }
            Some("load_env") => self.config.variables.loads_env = true,
            Some("blscfg") => self.config.uses_bls = true,
            _ => {
                self.assign_word(first);
                self.assigned_by_option(rest);
            }
        }
    }

    /// `--set=NAME`, `--set NAME`, `-s NAME` and `--set NUMBER:NAME` of probe, search and regexp.
    fn assigned_by_option(&mut self, words: &[Word]) {
        let mut literals = words.iter().map(|word| word.literal().unwrap_or_default());
        while let Some(word) = literals.next() {
            let name = match word.strip_prefix("--set=") {
                Some(name) => Some(name.to_owned()),
                None if word == "--set" || word == "-s" => literals.next(),
                None => None,
            };
            if let Some(name) = name {
                let name = name.rsplit_once(':').map_or(name.as_str(), |(_, name)| name);
                self.assign(name.to_owned(), None);
            }
        }
    }

    /// A word `NAME=value`, with `set` before it or without.
    fn assign_word(&mut self, word: &Word) {
        let Some((Part::Text(head), tail)) = word.parts.split_first() else { return };
        let Some(equals) = head.iter().position(|&byte| byte == b'=') else { return };
        let (name, value) = head.split_at(equals);
        let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit())
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !is_name {
            return;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let value = value.get(1..).unwrap_or_default();
        if name == "default" {
            let mut parts = Vec::new();
            if !value.is_empty() {
                parts.push(Part::Text(value.to_vec()));
            }
            parts.extend_from_slice(tail);
            let line = word.line;
            self.config.defaults.push(Word { parts, bare: false, line });
        }
        self.assign(name, tail.is_empty().then(|| value.to_vec()));
    }

    fn assign(&mut self, name: String, value: Option<Vec<u8>>) {
        let only_if_empty = match self.stack.as_slice() {
            [Frame::If { empty: Some(empty) }] => *empty == name,
            _ => false,
        };
        let certain = self.stack.is_empty();
        let assignment = Assignment { value, certain, only_if_empty };
        self.config.variables.assign(name, assignment);
    }
}

/// What `--id` or the variable that stands for it names.
fn id(words: &[Word]) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let announces = match word.parts.as_slice() {
            [Part::Variable { name, .. }] => name == "menuentry_id_option",
            [Part::Text(text)] => {
                if let Some(id) = text.strip_prefix(b"--id=") {
                    return Some(String::from_utf8_lossy(id).into_owned());
                }
                text == b"--id"
            }
            _ => false,
        };
        if announces {
            return words.next().and_then(Word::literal);
        }
    }
    None
}

/// The variable of `[ -z "${name}" ]`.
fn tested_empty(condition: &[Word]) -> Option<String> {
    let [open, flag, tested, close] = condition else { return None };
    let plain = |word: &Word, text: &str| word.literal().as_deref() == Some(text);
    match tested.parts.as_slice() {
        [Part::Variable { name, .. }]
            if plain(open, "[") && plain(flag, "-z") && plain(close, "]") =>
        {
            Some(name.clone())
        }
        _ => None,
    }
}

/// The steps of a path through submenus: `>` parts them, and `>>` is a `>` in a title.
pub(super) fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut chars = path.chars().peekable();
    while let Some(letter) = chars.next() {
        if letter == '>' && chars.next_if_eq(&'>').is_none() {
            steps.push(String::new());
        } else if let Some(step) = steps.last_mut() {
            step.push(letter);
        }
    }
    steps
}
