//! An entry: what the log keeps of an event, as a leaf of its tree.

use crate::{
    Action, ActorKind, AuditError, DetailKey, DetailKeyId, EntryId, Fact, Outcome, Pseudonym,
    Purpose, Role, Timestamp, base64_text::Base64, detail::SealedDetail, limits::ENTRY_BYTES_MAX,
};
use bedside_protocol::Phi;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};
use tlog_tiles::Hash;

/// What the log keeps of an event. Its bytes are canonical JSON (RFC 8785): members sorted by
/// name, no white space, integers below 2^53, so that there is one text for each entry and any
/// JSON library can check that. Members that are not known are left out.
///
/// The place in the log is not in it: a leaf's index is proven by its inclusion proof, and an index
/// written inside would only repeat that, or contradict it. It also lets entries be sealed
/// before their order is decided. `docs/compliance/audit-log.md` describes each member.
// The fields stand in the order of their names: serde writes them so, and RFC 8785 wants that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// What was done or tried.
    pub action: Action,
    /// Who did it.
    pub actor: EntryActor,
    /// What is somebody's, sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_enc: Option<SealedDetail>,
    /// The consult: the room's sid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encounter: Option<String>,
    /// What is nobody's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Fact>,
    /// Which entry this is.
    pub id: EntryId,
    /// What it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<EntryObject>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<EntryPatient>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<EntryPolicy>,
    /// What for.
    pub purpose: Purpose,
    /// Why it ended so: a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Pseudonym>,
    /// 16 random bytes: nobody can guess the entry from its hash.
    pub(crate) salt: Base64<[u8; 16]>,
    /// When it happened.
    pub ts: Timestamp,
    /// The version of this format.
    pub(crate) v: Version,
}

impl Entry {
    /// Reads an entry from its bytes.
    ///
    /// # Errors
    /// [`AuditError::Malformed`] if it is none, [`AuditError::NotCanonical`] if it says what an
    /// entry says in other bytes than those that were sealed.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(AuditError::EntryTooLarge { bytes: bytes.len() });
        }
        let entry: Self =
            serde_json::from_slice(bytes).map_err(|_| AuditError::Malformed("entry"))?;
        if entry.to_bytes() == bytes {
            Ok(entry)
        } else {
            Err(AuditError::NotCanonical)
        }
    }

    /// Its bytes: the leaf's data.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an entry holds texts, numbers and maps by text")
    }

    /// The leaf's hash of an entry's bytes (RFC 6962 §2.1).
    #[must_use]
    pub fn leaf_hash(bytes: &[u8]) -> Hash {
        tlog_tiles::record_hash(bytes)
    }

    /// What was sealed: `actor`, `patient`, `room` and `address` where the event had them, and the
    /// event's own detail. `key` is the one that [`SealedDetail::key_id`] names, if it is still
    /// kept.
    ///
    /// # Errors
    /// [`AuditError::DetailKeyWrong`] if `key` is another, [`AuditError::DoesNotOpen`] if the bytes
    /// were changed.
    pub fn detail(&self, key: Option<&DetailKey>) -> Result<Detail, AuditError> {
        Ok(match (&self.detail_enc, key) {
            (None, _) => Detail::None,
            (Some(sealed), None) => Detail::Destroyed(sealed.key_id().clone()),
            (Some(sealed), Some(key)) => Detail::Open(key.open(self.id, sealed)?),
        })
    }
}

/// What can be read of an entry's detail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Detail {
    /// The event had none.
    None,
    /// Names, and what they are of: `actor`, `room`, ...
    Open(BTreeMap<String, Phi<String>>),
    /// Its key was destroyed: nobody can read it any more, and the entry still verifies.
    Destroyed(DetailKeyId),
}

impl Detail {
    /// In words, without what it holds.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::None => "no detail",
            Self::Open(_) => "detail open",
            Self::Destroyed(_) => "detail destroyed",
        }
    }
}

/// The network of an address: 24 bits of IPv4, 48 of IPv6.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EntryActor {
    /// How they proved who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authn: Option<EntryAuthentication>,
    /// What kind of actor.
    pub kind: ActorKind,
    /// From which network: the address's first 24 bits (IPv4) or 48 bits (IPv6), as `203.0.113.0/24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pseudonym>,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// How an actor proved who they are; the members of [`Authentication`](crate::Authentication).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "Authentication says what each is")]
#[non_exhaustive]
pub struct EntryAuthentication {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    pub method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// What it was done to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EntryObject {
    /// Its id, which is nobody's name.
    pub id: String,
    /// `peer`, `track`, `link`, ...
    pub kind: String,
}

/// Whom it concerns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EntryPatient {
    /// Who.
    pub pid: Pseudonym,
}

/// The decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EntryPolicy {
    /// SHA-256 of the policies in force, hexadecimal.
    pub hash: String,
    /// Which of them decided.
    pub ids: Vec<String>,
}

/// The version of the format, which is 1: another number is another format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub(crate) struct Version;

impl TryFrom<u8> for Version {
    type Error = &'static str;

    fn try_from(version: u8) -> Result<Self, Self::Error> {
        if version == 1 {
            Ok(Self)
        } else {
            Err("an entry of another version")
        }
    }
}

impl From<Version> for u8 {
    fn from(_: Version) -> Self {
        1
    }
}

#[cfg(test)]
mod tests;
