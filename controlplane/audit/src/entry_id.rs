//! Ids of entries: UUID version 7 (RFC 9562 §5.7).

use crate::{AuditError, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// A UUIDv7: 48 bits of milliseconds, when the entry was *recorded* (its `ts` says when the event
/// happened, which is earlier for what waited in a spool), and 74 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryId([u8; 16]);

impl EntryId {
    /// The id of an entry recorded at `recorded`; `random` is used up.
    #[must_use]
    pub fn new(recorded: Timestamp, random: [u8; 10]) -> Self {
        let mut id = [0; 16];
        let [.., a, b, c, d, e, f] = (recorded.micros() / 1_000).to_be_bytes();
        id[..6].copy_from_slice(&[a, b, c, d, e, f]);
        id[6..].copy_from_slice(&random);
        id[6] = (id[6] & 0x0F) | 0x70;
        id[8] = (id[8] & 0x3F) | 0x80;
        Self(id)
    }

    /// When the entry was recorded, to the millisecond.
    #[must_use]
    pub fn recorded(self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_micros(u64::from_be_bytes([0, 0, a, b, c, d, e, f]) * 1_000)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&index) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for EntryId {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("entry id (UUIDv7)");
        let digits: String = text.chars().filter(|&c| c != '-').collect();
        let mut id = [0; 16];
        if digits.len() != 32 || !digits.is_ascii() {
            return Err(malformed);
        }
        for (byte, digits) in id.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|_| malformed.clone())?;
        }
        let id = Self(id);
        // Version, variant, lower case and the places of the hyphens.
        if id.0[6] >> 4 == 7 && id.0[8] >> 6 == 2 && id.to_string() == text {
            Ok(id)
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
