//! Stands in for journald: takes entries in its native protocol, and insists on every byte of it.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::daemon::{PATIENCE, is_nothing_yet};
use crate::world::World;

/// Fields by name. A name that is given twice is not allowed here, though journald allows it.
pub(crate) type Entry = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    pub(crate) fn of(world: &World) -> Self {
        let path = world.path("/run/systemd/journal/socket");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        Self { socket: UnixDatagram::bind(path).unwrap() }
    }

    /// The next entry; `None` where none comes in this time.
    pub(crate) fn entry(&self, within: Duration) -> Option<Entry> {
        let end = Instant::now() + within;
        let mut bytes = vec![0; 1 << 18];
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.recv(&mut bytes) {
                // How a writer finds out that somebody listens.
                Ok(0) => {}
                Ok(count) => {
                    let entry = parse(&bytes[..count]);
                    return Some(entry.unwrap_or_else(|| {
                        panic!("{}", String::from_utf8_lossy(&bytes[..count]).escape_debug())
                    }));
                }
                Err(error) if is_nothing_yet(error.kind()) => {
                    if Instant::now() >= end {
                        return None;
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// All entries up to one that is as wanted.
    pub(crate) fn until(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut entries = Vec::new();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(entry) = self.entry(Duration::from_secs(1)) {
                let is_last = wanted(&entry);
                entries.push(entry);
                if is_last {
                    return entries;
                }
            }
        }
        panic!("no such entry: {entries:#?}");
    }
}

/// `NAME=value` and a line break, or the name and a line break, the length of the value as 64 bits, least
/// first, the value, and a line break.
fn parse(mut bytes: &[u8]) -> Option<Entry> {
    let mut entry = Entry::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| matches!(byte, b'=' | b'\n'))?;
        let (name, rest) = bytes.split_at(end);
        let (value, rest) = if rest[0] == b'=' {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            (&rest[1..end], &rest[end..])
        } else {
            let (length, rest) = rest[1..].split_first_chunk::<8>()?;
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?
        };
        bytes = rest.strip_prefix(b"\n")?;
        let name = std::str::from_utf8(name).ok()?;
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
        if !begins || name.len() > 64 || !name.bytes().all(fits) {
            return None;
        }
        let value = std::str::from_utf8(value).ok()?;
        if value.chars().any(char::is_control) {
            return None;
        }
        if entry.insert(name.to_owned(), value.to_owned()).is_some() {
            return None;
        }
    }
    let has = |name: &str| entry.contains_key(name);
    (has("MESSAGE") && has("PRIORITY") && has("SYSLOG_IDENTIFIER")).then_some(entry)
}

#[test]
fn the_stand_in_refuses_what_journald_would_drop() {
    let usual = b"MESSAGE=a\nPRIORITY=5\nSYSLOG_IDENTIFIER=x\n".to_vec();
    assert!(parse(&usual).is_some());
    let with = |more: &[u8]| parse(&[&usual, more].concat());
    let entry = with(b"TEXT\n\x03\0\0\0\0\0\0\0a b\n").unwrap();
    assert_eq!(entry["TEXT"], "a b");
    for wrong in [
        &b"TEXT\n\x04\0\0\0\0\0\0\0a b\n"[..],
        b"TEXT\n\x02\0\0\0\0\0\0\0a b\n",
        b"TEXT\n\x03\0\0\0\0\0\0\0a\nb\n",
        b"text=a\n",
        b"_TEXT=a\n",
        b"=a\n",
        b"TEXT=a",
        b"TEXT=\x1b[2J\n",
        b"MESSAGE=b\n",
    ] {
        assert_eq!(with(wrong), None, "{}", wrong.escape_ascii());
    }
    assert_eq!(parse(b"MESSAGE=a\n"), None);
}
