//! The text form of a captured host: readable, diffable, one file.
//!
//! ```text
//! ccgpu-host 1
//! # a note
//! -- file /proc/cmdline mode=0444
//! quiet intel_iommu=on
//! -- link /sys/bus/pci/devices/0000:18:00.0 -> ../../../devices/pci0000:15/0000:18:00.0
//! -- hex /sys/devices/pci0000:15/0000:18:00.0/config
//! 00: de 10 35 23
//! -- absent /dev/iommu
//! ```
//!
//! `pieces` is a file of which only some bytes are known, each line's at the place that it names: the memory of
//! a device, the registers of a processor. `probed gpu` and `probed processor` say that they were asked for,
//! and `held` names a node of VFIO that somebody had open then.
//!
//! `exists` is a name of which no more is known, `unread` a regular file without its content, and `unlisted`
//! says that a directory may hold more than what is here.
//!
//! A content line that starts with `--` or `\` carries one `\` more. `noeol` says that the last line has
//! no newline, `nul` that lines stand for NUL-terminated strings. Bytes of a path outside printable
//! ASCII, and blanks and backslashes, are `\xNN`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{Archive, Entry, Node};
use crate::host::reading::{Cause, Reading};
use crate::host::root::{FileKind, Root};
use crate::host::run::Output;

const MAGIC: &str = "ccgpu-host 1";
/// A capture of 10,000 functions has about 20 MB.
const CAP: u64 = 256 << 20;

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("{0}")]
    Unreadable(String),
    #[error("not a captured host: its first line is not \"{MAGIC}\"")]
    NotACapture,
    #[error("line {line}: {what}")]
    Syntax { line: usize, what: String },
}

/// Reads a file that the user named on the command line; `-` is standard input.
pub(super) fn load(path: &Path) -> Result<Archive, ArchiveError> {
    let unreadable = |what: String| ArchiveError::Unreadable(what);
    if path.as_os_str() == "-" {
        use std::io::Read as _;
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .take(CAP + 1)
            .read_to_end(&mut text)
            .map_err(|error| unreadable(error.to_string()))?;
        if text.len() as u64 > CAP {
            return Err(unreadable(Cause::TooLarge(CAP).to_string()));
        }
        return parse(&text);
    }
    match Root::named_file(path, CAP) {
        Reading::Known(text) => parse(&text),
        Reading::Absent => Err(unreadable("no such file".to_owned())),
        Reading::Unreadable(cause) => Err(unreadable(cause.to_string())),
    }
}

/// Understands a capture. Text that is not UTF-8 is an error: a writer would have used `hex`.
pub(super) fn parse(text: &[u8]) -> Result<Archive, ArchiveError> {
    let text = std::str::from_utf8(text).map_err(|_| ArchiveError::NotACapture)?;
    let mut lines = text.lines().enumerate().peekable();
    if lines.next().is_none_or(|(_, line)| line.trim_end() != MAGIC) {
        return Err(ArchiveError::NotACapture);
    }
    let mut archive = Archive::default();
    while let Some((index, line)) = lines.next() {
        let fail = |what: &str| ArchiveError::Syntax { line: index + 1, what: what.to_owned() };
        let Some(head) = line.strip_prefix("-- ") else {
            match line.strip_prefix('#') {
                Some(note) => archive.notes.push(note.strip_prefix(' ').unwrap_or(note).to_owned()),
                None if line.trim().is_empty() => {}
                None => return Err(fail("expected a line that starts with \"-- \" or \"#\"")),
            }
            continue;
        };
        let mut content = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| !line.starts_with("--")) {
            content.push(line.strip_prefix('\\').unwrap_or(line));
        }
        entry(&mut archive, head, &content).map_err(|what| fail(&what))?;
    }
    Ok(archive)
}

fn entry(archive: &mut Archive, head: &str, content: &[&str]) -> Result<(), String> {
    let mut words = head.split(' ');
    let (verb, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if verb == "run" {
        let (command, code) = head["run ".len()..]
            .rsplit_once(" code=")
            .ok_or("a run ends in code=NUMBER, or code=none")?;
        let code = match code {
            "none" => None,
            code => Some(code.parse().map_err(|_| format!("{code:?} is no exit code"))?),
        };
        let stdout = joined(content, false, "\n").into_bytes();
        archive.record_answer(unescape(command)?, Output { code, stdout });
        return Ok(());
    }
    if verb == "probed" {
        match path {
            "gpu" => archive.probed.gpu = true,
            "processor" => archive.probed.processor = true,
            other => return Err(format!("{other:?} is nothing that can be probed")),
        }
        return Ok(());
    }
    let path = unescape(path)?;
    if verb == "held" {
        archive.held.insert(path);
        return Ok(());
    }
    if !is_plain(&path) {
        return Err(format!("{path:?} is no absolute path without detours"));
    }
    let rest: Vec<&str> = words.collect();
    let attribute = |key: &str| rest.iter().find_map(|word| word.strip_prefix(key));
    let flag = |name: &str| rest.contains(&name);
    let node = match verb {
        "complete" => {
            archive.declare_complete(&path);
            Node::Directory { listed: true }
        }
        "file" if flag("nul") => Node::File(joined(content, false, "\0").into_bytes()),
        "file" => Node::File(joined(content, flag("noeol"), "\n").into_bytes()),
        "hex" => Node::File(unhex(content)?),
        "pieces" => Node::Pieces(pieces(content)?),
        "dir" => Node::Directory { listed: !flag("unlisted") },
        "exists" => Node::Name,
        "unread" => Node::Unread,
        "absent" => Node::Absent,
        "link" => match rest.as_slice() {
            ["->", target] => Node::Link(unescape(target)?),
            _ => return Err("a link reads: -- link PATH -> TARGET".to_owned()),
        },
        "char" | "block" => {
            let numbers = rest.first().and_then(|word| word.split_once(':'));
            let (major, minor) = numbers
                .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
                .ok_or("a device reads: -- char PATH MAJOR:MINOR")?;
            let kind = if verb == "char" { FileKind::CharDevice } else { FileKind::BlockDevice };
            Node::Special(kind, (major, minor))
        }
        "fifo" => Node::Special(FileKind::Fifo, (0, 0)),
        "socket" => Node::Special(FileKind::Socket, (0, 0)),
        "unreadable" => Node::Unreadable(cause(&rest)?),
        other => return Err(format!("unknown entry {other:?}")),
    };
    if !content.is_empty()
        && !matches!(node, Node::File(_) | Node::Pieces(_))
        && content.iter().any(|line| !line.is_empty())
    {
        return Err(format!("text below {verb:?}, which has none"));
    }
    let mode = attribute("mode=")
        .map(|mode| u32::from_str_radix(mode, 8).map_err(|_| format!("{mode:?} is no octal mode")))
        .transpose()?;
    let modified = attribute("mtime=")
        .map(|time| time.parse().map_err(|_| format!("{time:?} is no time in seconds")))
        .transpose()?;
    archive.insert(&path, Entry { node, mode, modified });
    Ok(())
}

/// Whether every name between the slashes of an absolute path is one that a directory can hold.
fn is_plain(path: &str) -> bool {
    let names = |rest: &str| rest.split('/').all(|name| !matches!(name, "" | "." | ".."));
    path == "/" || path.strip_prefix('/').is_some_and(names)
}

fn joined(content: &[&str], no_end: bool, end: &str) -> String {
    let mut text = content.join(end);
    if !content.is_empty() && !no_end {
        text.push_str(end);
    }
    text
}

fn cause(words: &[&str]) -> Result<Cause, String> {
    Ok(match words {
        ["permission", ..] => Cause::Permission,
        ["loop", ..] => Cause::SymlinkLoop,
        ["gone", ..] => Cause::DeviceGone,
        ["not-a-directory", ..] => Cause::NotADirectory,
        ["not-a-file", kind, ..] => {
            let kinds = [
                FileKind::Directory,
                FileKind::CharDevice,
                FileKind::BlockDevice,
                FileKind::Fifo,
                FileKind::Socket,
                FileKind::Symlink,
            ];
            let named = kinds.into_iter().find(|known| slug(*known) == *kind);
            Cause::NotAFile(named.unwrap_or(FileKind::Unknown).describe())
        }
        ["too-large", cap, ..] => {
            Cause::TooLarge(cap.parse().map_err(|_| format!("{cap:?} is no size"))?)
        }
        ["os", errno, ..] => {
            Cause::Os(errno.parse().map_err(|_| format!("{errno:?} is no error number"))?)
        }
        _ => return Err(format!("unknown cause {:?}", words.join(" "))),
    })
}

fn slug(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "link",
        FileKind::CharDevice => "char",
        FileKind::BlockDevice => "block",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
        FileKind::Unknown => "unknown",
    }
}

/// Writes a capture; [`parse`] gives the same back.
pub(super) fn write(archive: &Archive) -> String {
    let mut out = format!("{MAGIC}\n");
    for note in &archive.notes {
        let _ = writeln!(out, "# {note}");
    }
    for path in &archive.complete {
        let _ = writeln!(out, "-- complete {}", escape(path));
    }
    for (what, probed) in [("gpu", archive.probed.gpu), ("processor", archive.probed.processor)] {
        if probed {
            let _ = writeln!(out, "-- probed {what}");
        }
    }
    for node in &archive.held {
        let _ = writeln!(out, "-- held {}", escape(node));
    }
    for (path, entry) in archive.entries() {
        let complete = archive.complete.contains(path);
        // Parents come with what is in them.
        let unlisted = entry.node == (Node::Directory { listed: false });
        if complete || unlisted && archive.holds_something(path) {
            continue;
        }
        write_entry(&mut out, &escape(path), entry);
    }
    for (command, output) in &archive.answers {
        let code = output.code.map_or("none".to_owned(), |code| code.to_string());
        let _ = writeln!(out, "-- run {} code={code}", escape_keeping(command, b" "));
        push_lines(&mut out, &String::from_utf8_lossy(&output.stdout), '\n');
    }
    out
}

fn write_entry(out: &mut String, path: &str, entry: &Entry) {
    let mut attributes = String::new();
    if let Some(mode) = entry.mode {
        let _ = write!(attributes, " mode={mode:04o}");
    }
    if let Some(modified) = entry.modified {
        let _ = write!(attributes, " mtime={modified}");
    }
    let _ = match &entry.node {
        Node::File(bytes) => {
            write_file(out, path, bytes, &attributes);
            Ok(())
        }
        Node::Pieces(pieces) => {
            let _ = writeln!(out, "-- pieces {path}{attributes}");
            for (offset, bytes) in pieces {
                let _ = write!(out, "{offset:x}:");
                for byte in bytes {
                    let _ = write!(out, " {byte:02x}");
                }
                out.push('\n');
            }
            Ok(())
        }
        Node::Directory { listed: true } => writeln!(out, "-- dir {path}{attributes}"),
        Node::Directory { listed: false } => writeln!(out, "-- dir {path}{attributes} unlisted"),
        Node::Unread => writeln!(out, "-- unread {path}{attributes}"),
        Node::Link(target) => writeln!(out, "-- link {path} -> {}", escape(target)),
        Node::Special(kind @ (FileKind::CharDevice | FileKind::BlockDevice), (major, minor)) => {
            writeln!(out, "-- {} {path} {major}:{minor}{attributes}", slug(*kind))
        }
        Node::Special(kind, _) => writeln!(out, "-- {} {path}{attributes}", slug(*kind)),
        Node::Name => writeln!(out, "-- exists {path}"),
        Node::Absent => writeln!(out, "-- absent {path}"),
        Node::Unreadable(cause) => writeln!(out, "-- unreadable {path} {}", cause_words(cause)),
    };
}

fn cause_words(cause: &Cause) -> String {
    let words = match cause {
        Cause::Permission => "permission",
        Cause::SymlinkLoop => "loop",
        Cause::NotADirectory => "not-a-directory",
        Cause::NotAFile(described) => {
            return format!("not-a-file {}", described.rsplit(' ').next().unwrap_or("unknown"));
        }
        Cause::TooLarge(cap) => return format!("too-large {cap}"),
        Cause::Os(errno) => return format!("os {errno}"),
        // Nothing else comes out of a root.
        _ => "gone",
    };
    words.to_owned()
}

fn write_file(out: &mut String, path: &str, bytes: &[u8], attributes: &str) {
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    match std::str::from_utf8(bytes) {
        Ok(text) if plain(text) => {
            let noeol = if text.is_empty() || text.ends_with('\n') { "" } else { " noeol" };
            let _ = writeln!(out, "-- file {path}{attributes}{noeol}");
            push_lines(out, text, '\n');
        }
        Ok(text)
            if text.ends_with('\0') && !text.contains('\n') && plain(&text.replace('\0', "")) =>
        {
            let _ = writeln!(out, "-- file {path}{attributes} nul");
            push_lines(out, text, '\0');
        }
        _ => {
            let _ = writeln!(out, "-- hex {path}{attributes}");
            for (index, row) in bytes.chunks(16).enumerate() {
                let _ = write!(out, "{:02x}:", index * 16);
                for byte in row {
                    let _ = write!(out, " {byte:02x}");
                }
                out.push('\n');
            }
        }
    }
}

fn push_lines(out: &mut String, text: &str, end: char) {
    for line in text.split_terminator(end) {
        if line.starts_with("--") || line.starts_with('\\') {
            out.push('\\');
        }
        out.push_str(line);
        out.push('\n');
    }
}

/// `1182cc: 01 00 00 00` for each place.
fn pieces(content: &[&str]) -> Result<BTreeMap<u64, Vec<u8>>, String> {
    let piece = |line: &&str| {
        let (offset, _) = line.split_once(':').ok_or("a piece reads: OFFSET: BYTES")?;
        let offset = u64::from_str_radix(offset, 16)
            .map_err(|_| format!("{offset:?} is no offset in hex"))?;
        Ok((offset, unhex(&[line])?))
    };
    content.iter().filter(|line| !line.is_empty()).map(piece).collect()
}

fn unhex(content: &[&str]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for line in content {
        let digits = line.split_once(':').map_or(*line, |(_, digits)| digits);
        for pair in digits.split_ascii_whitespace() {
            let byte = u8::from_str_radix(pair, 16);
            bytes.push(byte.map_err(|_| format!("{pair:?} is no byte in hex"))?);
        }
    }
    Ok(bytes)
}

fn escape(text: &str) -> String {
    escape_keeping(text, b"")
}

fn escape_keeping(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (byte.is_ascii_graphic() && byte != b'\\') || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let code = match rest {
            [b'x', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(code.ok_or_else(|| format!("{text:?}: a backslash is written \\x5c"))?);
        rest = &rest[3..];
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is not UTF-8"))
}
