//! Files of `modprobe.d`, read as kmod reads them.
//!
//! A line that ends in a backslash goes on in the next one. Words are parted by blanks and tabs and by
//! nothing else: a carriage return is a part of the last word, so that a denylist with DOS line ends denies
//! nothing. A directive that kmod would not understand is left out, as it leaves it out.

use std::ops::Range;

/// A directive, and the line on which it begins, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    pub line: u32,
    pub says: Says,
}

/// What is said. Names of modules have `_` for `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// What fits the pattern is a name of the module.
    Alias {
        pattern: String,
        module: String,
    },
    /// The module has no alias.
    Blacklist {
        module: String,
    },
    /// The command is run in place of loading the module.
    Install {
        module: String,
        command: String,
    },
    Options {
        module: String,
        text: String,
    },
    /// Other modules are loaded before it.
    Softdep {
        module: String,
        before: Vec<String>,
    },
}

/// The directives of a file, in order.
pub fn parse(text: &[u8]) -> Vec<Directive> {
    let text = String::from_utf8_lossy(text);
    logical_lines(&text)
        .into_iter()
        .filter_map(|(line, text)| Some(Directive { line, says: directive(&text)? }))
        .collect()
}

/// Lines joined at backslashes. A backslash before anything else goes away.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines = Vec::new();
    let (mut number, mut start) = (1_u32, 1_u32);
    let mut line = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\n' => {
                lines.push((start, std::mem::take(&mut line)));
                number += 1;
                start = number;
            }
            '\\' => match characters.next() {
                Some('\n') => number += 1,
                Some(other) => line.push(other),
                None => {}
            },
            other => line.push(other),
        }
    }
    if !line.is_empty() {
        lines.push((start, line));
    }
    lines
}

fn directive(line: &str) -> Option<Says> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    let mut word = || -> Option<&str> {
        let Range { start, end } = next_word(rest)?;
        let word = rest.get(start..end)?;
        rest = rest.get(end..)?;
        Some(word)
    };
    match word()? {
        "alias" => {
            let (pattern, module) = (word()?, word()?);
            Some(Says::Alias { pattern: normal_name(pattern)?, module: normal_name(module)? })
        }
        "blacklist" => Some(Says::Blacklist { module: normal_name(word()?)? }),
        "install" => {
            let module = normal_name(word()?)?;
            Some(Says::Install { module, command: trimmed(rest)? })
        }
        "options" => {
            let module = normal_name(word()?)?;
            Some(Says::Options { module, text: trimmed(rest)? })
        }
        "softdep" => {
            let module = normal_name(word()?)?;
            let mut before = Vec::new();
            let mut of_before = false;
            while let Some(word) = word() {
                match word {
                    "pre:" => of_before = true,
                    "post:" => of_before = false,
                    name if of_before => before.extend(normal_name(name)),
                    _ => {}
                }
            }
            Some(Says::Softdep { module, before })
        }
        _ => None,
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn next_word(text: &str) -> Option<Range<usize>> {
    let start = text.find(|character| !BLANKS.contains(&character))?;
    let end = text.get(start..)?.find(BLANKS).map_or(text.len(), |length| start + length);
    Some(start..end)
}

fn trimmed(text: &str) -> Option<String> {
    let text = text.trim_matches(BLANKS);
    (!text.is_empty()).then(|| text.to_owned())
}

/// A name with `_` for `-`, except between brackets. `None` where a bracket is not closed: kmod drops the line.
pub fn normal_name(name: &str) -> Option<String> {
    let mut normal = String::with_capacity(name.len());
    let mut inside = false;
    for character in name.chars() {
        match character {
            '[' if !inside => inside = true,
            ']' if inside => inside = false,
            ']' => return None,
            _ => {}
        }
        normal.push(if character == '-' && !inside { '_' } else { character });
    }
    (!inside).then_some(normal)
}

/// Whether a command that stands in the place of a module loads nothing: `/bin/false`, `/bin/true`, `:`.
pub fn loads_nothing(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace();
    let program = words.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    // With an end of its own; what follows a `;` or a `||` could load it after all.
    matches!(name, "false" | "true" | ":" | "exit")
        && !command.contains([';', '|', '&', '`', '$', '\n'])
}

#[cfg(test)]
#[path = "modprobe_tests.rs"]
mod tests;
