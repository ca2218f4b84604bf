//! The text of a journal: one line for each record, a checksum before it. Pure.
//!
//! The checksum of a line covers all lines before it too, so that none can be missing or change places.
//! A process that is killed, or a machine that loses power, leaves at most a torn last line; everything
//! before it was on disk before anything was done that it speaks of.

use sha2::{Digest as _, Sha256};

use super::record::{Record, to_hex};

/// Hexadecimal digits of the checksum.
const CHECKSUM: usize = 16;

/// Where a journal ends so far: how long it is, and what the next checksum goes on from.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct End {
    /// Bytes of whole lines.
    pub length: u64,
    chain: String,
}

/// A journal that was read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Lines {
    pub records: Vec<Record>,
    pub end: End,
    /// Whether a torn line follows; it says nothing.
    pub torn: bool,
}

/// A line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged at byte {at}: {what}")]
pub struct Damage {
    /// From 0.
    pub at: usize,
    pub what: &'static str,
}

/// Reads a whole journal. Never panics, whatever the bytes.
pub fn parse(bytes: &[u8]) -> Result<Lines, Damage> {
    let mut lines = Lines::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let Some(newline) = rest.iter().position(|byte| *byte == b'\n') else {
            lines.torn = true;
            return Ok(lines);
        };
        let (line, following) = rest.split_at(newline);
        let following = following.get(1..).unwrap_or_default();
        match read_line(line, &lines.end) {
            Ok((record, chain)) => {
                lines.records.push(record);
                lines.end.chain = chain;
                lines.end.length += line.len() as u64 + 1;
            }
            // Blocks of a line that never reached the disk read as zeros.
            Err(_) if following.is_empty() && line.contains(&0) => {
                lines.torn = true;
                return Ok(lines);
            }
            Err(what) => return Err(Damage { at, what }),
        }
        rest = following;
    }
    Ok(lines)
}

fn read_line(line: &[u8], end: &End) -> Result<(Record, String), &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
    let (sum, json) = line.split_once(' ').ok_or("no checksum")?;
    if sum != checksum(&end.chain, json) {
        return Err("the checksum is another one");
    }
    let record =
        serde_json::from_str(json).map_err(|_| "a record that this version does not know")?;
    Ok((record, sum.to_owned()))
}

/// The line of a record, and the end of the journal behind it.
pub fn line(record: &Record, end: &End) -> Result<(Vec<u8>, End), serde_json::Error> {
    let json = serde_json::to_string(record)?;
    let chain = checksum(&end.chain, &json);
    let line = format!("{chain} {json}\n").into_bytes();
    let end = End { length: end.length + line.len() as u64, chain };
    Ok((line, end))
}

fn checksum(chain: &str, json: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update(json);
    to_hex(hash.finalize().get(..CHECKSUM / 2).unwrap_or_default())
}
