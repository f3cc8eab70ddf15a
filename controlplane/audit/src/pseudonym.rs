//! Who and where, without saying so: keyed pseudonyms.

use crate::AuditError;
use aws_lc_rs::hmac;
use bedside_protocol::{Phi, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// What stands for a name in the log: the version of the key, and 130 bits of HMAC-SHA-256 in
/// base32. The same name has the same pseudonym while the key lives; without the key nobody can
/// find the name by trying, which a plain hash would allow (45 CFR 164.514(c)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// As it stands in entries: `p1_` and 26 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pseudonym {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("pseudonym");
        let (version, id) = text.split_once('_').ok_or_else(|| malformed.clone())?;
        let number = version
            .strip_prefix('p')
            .and_then(|number| number.parse::<u16>().ok());
        let canonical = number.is_some_and(|number| number > 0 && format!("p{number}") == version);
        if canonical && id.len() == LENGTH && id.bytes().all(|byte| BASE32.contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for Pseudonym {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What a name is the name of. One key serves all, and a person called like a room is not found by
/// looking for the room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PseudonymKind {
    /// An actor or a patient: who acts in one record is the patient of another.
    Person,
    /// A room.
    Room,
}

impl PseudonymKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Room => "room",
        }
    }
}

/// The key of a log's pseudonyms. Whoever has it can look for a name they know; nobody can turn a
/// pseudonym back into a name.
pub struct PseudonymKey {
    version: u16,
    key: hmac::Key,
}

impl PseudonymKey {
    /// From 32 random bytes. `version` (from 1) is counted up when the key is replaced, and stands
    /// in each pseudonym; searching then takes one key for each version.
    #[must_use]
    pub fn new(version: u16, key: &Secret<[u8; 32]>) -> Self {
        Self {
            version: version.max(1),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
        }
    }

    /// The pseudonym of a name.
    #[must_use]
    pub fn pseudonym(&self, kind: PseudonymKind, name: &Phi<String>) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(kind.label().as_bytes());
        context.update(&[0]);
        context.update(name.expose().as_bytes());
        let id = base32(context.sign().as_ref());
        Pseudonym(format!("p{}_{id}", self.version))
    }

    /// What to look for when somebody typed `text`: a pseudonym is taken as it is, a name gives
    /// its own.
    #[must_use]
    pub fn search(&self, kind: PseudonymKind, text: &str) -> Pseudonym {
        let name = || self.pseudonym(kind, &Phi::new(text.to_owned()));
        text.parse().unwrap_or_else(|_| name())
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PseudonymKey")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The first [`LENGTH`] characters of `bytes` in base32 (RFC 4648 §6), lower case.
fn base32(bytes: &[u8]) -> String {
    let bit = |index: usize| {
        bytes
            .get(index / 8)
            .is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1)
    };
    let character = |index: usize| {
        let value = (0..5).fold(0, |value, offset| {
            value << 1 | usize::from(bit(index * 5 + offset))
        });
        char::from(BASE32[value])
    };
    (0..LENGTH).map(character).collect()
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters after the version: 130 bits, so that no two names of a clinic meet.
const LENGTH: usize = 26;

#[cfg(test)]
mod tests;
