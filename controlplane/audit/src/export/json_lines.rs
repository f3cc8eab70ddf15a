//! JSON Lines: an entry a line, with its place, such that its bytes can be taken out again.

use crate::{AuditError, Entry};
use tlog_tiles::Hash;

/// The line of an entry, with its line feed: `{"entry":<its bytes>,"index":12,"leaf":"<base64>"}`.
/// The bytes stand in it as they are, so that the leaf's hash can be computed from the line.
#[must_use]
pub fn json_line(index: u64, bytes: &[u8]) -> Vec<u8> {
    let end = format!(
        ",\"index\":{index},\"leaf\":\"{}\"}}\n",
        Entry::leaf_hash(bytes)
    );
    [BEGIN.as_bytes(), bytes, end.as_bytes()].concat()
}

/// A line that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct JsonLine<'a> {
    /// The entry's index.
    pub index: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl<'a> JsonLine<'a> {
    /// Reads a line, with or without its line feed.
    ///
    /// # Errors
    /// [`AuditError::Malformed`] if it is none or the leaf's hash is not that of the bytes.
    pub fn parse(line: &'a [u8]) -> Result<Self, AuditError> {
        let malformed = || AuditError::Malformed("line of an export");
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| malformed())?;
        let rest = text
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix("\"}"));
        let (rest, leaf) = rest
            .and_then(|rest| rest.rsplit_once(",\"leaf\":\""))
            .ok_or_else(malformed)?;
        let (entry, index) = rest.rsplit_once(",\"index\":").ok_or_else(malformed)?;
        let parsed = Self {
            index: index.parse().map_err(|_| malformed())?,
            bytes: entry.as_bytes(),
        };
        let leaf = Hash::parse_hash(leaf).map_err(|_| malformed())?;
        let same = leaf == Entry::leaf_hash(parsed.bytes) && parsed.index.to_string() == index;
        if same { Ok(parsed) } else { Err(malformed()) }
    }
}

const BEGIN: &str = "{\"entry\":";

#[cfg(test)]
mod tests;
