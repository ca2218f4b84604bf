//! The configuration for a person: what counts, with where each value is set, as a file that could be put in
//! the place of all that were read; and what is wrong with files.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::page::{Ink, Look, Page};
use super::rules::{counted, problem};
use super::visible::{is_treacherous, visible};
use crate::config::{ConfigError, ConfigFile, Fault, KEYS, Key, Loaded, SECTIONS, Setting, spoken};
use crate::rules::SHOWN;

/// Writes every key with its value and, as a comment, the file and line that set it.
pub fn effective(loaded: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    if loaded.files.is_empty() {
        writeln!(out, "# No configuration file was read: every key has its default.")?;
    } else {
        writeln!(
            out,
            "# Read in this order; of several files that set a key the last one counts:"
        )?;
        for file in &loaded.files {
            writeln!(out, "#   {}", visible(file))?;
        }
    }
    for section in &SECTIONS {
        let mut keys = KEYS.iter().filter(|key| key.section == section.name).peekable();
        if keys.peek().is_some() {
            writeln!(out, "\n[{}]", section.name)?;
        }
        for key in keys {
            entry(loaded, key, out)?;
        }
    }
    Ok(())
}

fn entry(loaded: &Loaded, key: &'static Key, out: &mut dyn Write) -> io::Result<()> {
    let Some(setting) = loaded.setting(key) else {
        return writeln!(out, "# {} is not set", key.name);
    };
    let value = toml(setting);
    match loaded.place(key.section, key.name) {
        Some(place) => writeln!(out, "{} = {value} # {place}", key.name),
        None => writeln!(out, "{} = {value} # default", key.name),
    }
}

/// A value as TOML reads it.
fn toml(setting: &Setting) -> String {
    match setting {
        Setting::Flag(value) => value.to_string(),
        Setting::Count(count) => count.to_string(),
        Setting::Text(text) => quoted(text),
        Setting::Duration(duration) => quoted(&spoken(*duration)),
        Setting::Address(address) => quoted(&address.to_string()),
        Setting::List(list) => {
            let texts: Vec<String> = list.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(", "))
        }
    }
}

/// A basic string, with every character escaped that a terminal would obey or hide.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a String does not fail.
            c if is_treacherous(c) => drop(write!(quoted, "\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What is wrong with files of the configuration, each problem with the line that it is in; or that they
/// are right, and how many keys each of them decides.
pub fn lint(
    files: &[ConfigFile],
    loaded: Result<&Loaded, &ConfigError>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let faults = match loaded {
        Err(error) => &error.faults,
        Ok(_) if files.is_empty() => {
            let text = "there is no configuration file: every key has its default";
            return page.headed((Ink::Good, "ok"), &[(Ink::Plain, text)]);
        }
        Ok(loaded) => {
            for file in files {
                let set = KEYS.iter().filter(|key| {
                    let place = loaded.place(key.section, key.name);
                    place.is_some_and(|place| *place.file == *visible(&file.name))
                });
                let text = format!(": decides {}", counted(set.count(), "key"));
                page.headed((Ink::Good, "ok"), &[(Ink::Strong, &file.name), (Ink::Plain, &text)])?;
            }
            return Ok(());
        }
    };
    for fault in faults.iter().take(SHOWN) {
        match fault {
            Fault::Unread { file, why } => {
                let place = format!("{file}: ");
                page.wrapped(0, 4, &[(Ink::Strong, &place), (Ink::Plain, why)])?;
            }
            Fault::Wrong(wrong) => {
                let source = files.iter().find(|file| visible(&file.name) == *wrong.file);
                let bytes = source.and_then(|file| file.content.as_ref().ok());
                let text = bytes.map(|bytes| String::from_utf8_lossy(bytes));
                problem(&mut page, wrong, text.as_deref())?;
            }
        }
    }
    if faults.len() > SHOWN {
        let text = format!("and {} more", faults.len() - SHOWN);
        page.wrapped(0, 0, &[(Ink::Plain, &text)])?;
    }
    page.blank()?;
    page.wrapped(0, 0, &[(Ink::Bad, &counted(faults.len(), "problem"))])
}
