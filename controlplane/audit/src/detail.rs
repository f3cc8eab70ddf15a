//! What is somebody's: sealed under a key of the subject's, so that it can be destroyed while the
//! tree stays whole (45 CFR 164.310(d)(2)(i), 164.316(b)(2)(i)).

use crate::{AuditError, EntryId, Pseudonym, base64_text::Base64};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    digest,
};
use bedside_protocol::{Phi, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Whose detail a key seals, and of which year: a key is destroyed as a whole, so that what
/// retention ends at different times is under different keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DetailScope {
    /// The patient that a record concerns; if there is none, its actor; if there is none either,
    /// the room.
    pub subject: Pseudonym,
    /// The year (UTC) in which the event happened.
    pub year: u16,
}

/// The name of a detail key, as entries carry it: subject, year and 32 random bits, so that a key
/// made after one was destroyed is not taken for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DetailKeyId {
    scope: DetailScope,
    random: [u8; 4],
}

impl DetailKeyId {
    /// Whose it is, and of which year.
    #[must_use]
    pub const fn scope(&self) -> &DetailScope {
        &self.scope
    }
}

impl fmt::Display for DetailKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DetailScope { subject, year } = &self.scope;
        write!(
            f,
            "{subject}.{year:04}.{:08x}",
            u32::from_be_bytes(self.random)
        )
    }
}

impl FromStr for DetailKeyId {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("name of a detail key");
        let mut parts = text.split('.');
        let (Some(subject), Some(year), Some(random), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let random = u32::from_str_radix(random, 16).map_err(|_| malformed.clone())?;
        let id = Self {
            scope: DetailScope {
                subject: subject.parse()?,
                year: year.parse().map_err(|_| malformed.clone())?,
            },
            random: random.to_be_bytes(),
        };
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(malformed)
        }
    }
}

impl Serialize for DetailKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DetailKeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A key that seals the detail of one subject and year: AES-256-GCM.
#[derive(Clone, Debug)]
pub struct DetailKey {
    id: DetailKeyId,
    key: Secret<[u8; 32]>,
}

impl DetailKey {
    /// A new key of 36 random bytes, which are used up.
    #[must_use]
    pub fn new(scope: DetailScope, random: &Secret<[u8; 36]>) -> Self {
        let mut key = [0; 32];
        let [a, b, c, d, rest @ ..] = random.expose();
        key.copy_from_slice(rest);
        Self {
            id: DetailKeyId {
                scope,
                random: [*a, *b, *c, *d],
            },
            key: Secret::new(key),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &DetailKeyId {
        &self.id
    }

    /// Seals `detail` for the entry `entry`. `nonce` is random: 96 bits under a key that seals at
    /// most some thousand details (NIST SP 800-38D §8.3 allows 2^32).
    pub(crate) fn seal(
        &self,
        entry: EntryId,
        detail: &BTreeMap<&str, &str>,
        nonce: [u8; 12],
    ) -> Result<SealedDetail, AuditError> {
        let plain = serde_json::to_vec(detail).map_err(|_| AuditError::Cryptography)?;
        let ct = seal(&self.key, nonce, &bound_to(&self.id, entry), plain)?;
        Ok(SealedDetail {
            ct: Base64(ct),
            kid: self.id.clone(),
            nonce: Base64(nonce),
        })
    }

    /// The detail of the entry `entry`.
    pub(crate) fn open(
        &self,
        entry: EntryId,
        sealed: &SealedDetail,
    ) -> Result<BTreeMap<String, Phi<String>>, AuditError> {
        if sealed.kid != self.id {
            return Err(AuditError::DetailKeyWrong);
        }
        let bound = bound_to(&self.id, entry);
        let plain = open(&self.key, sealed.nonce.0, &bound, sealed.ct.0.clone())?;
        let detail = serde_json::from_slice(plain.expose());
        detail.map_err(|_| AuditError::Malformed("detail"))
    }
}

/// What a sealed detail is bound to: neither it nor its entry can be moved to another.
fn bound_to(key: &DetailKeyId, entry: EntryId) -> Vec<u8> {
    format!("bedside audit detail v1\n{entry}\n{key}\n").into_bytes()
}

/// Detail as an entry carries it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedDetail {
    /// AES-256-GCM's cipher text and tag.
    pub(crate) ct: Base64<Vec<u8>>,
    /// Which key opens it.
    pub(crate) kid: DetailKeyId,
    /// AES-256-GCM's nonce.
    pub(crate) nonce: Base64<[u8; 12]>,
}

impl SealedDetail {
    /// Which key opens it. A key that is no longer kept was destroyed by retention: the entry
    /// still verifies, its detail is gone.
    #[must_use]
    pub const fn key_id(&self) -> &DetailKeyId {
        &self.kid
    }
}

/// The key that wraps the detail keys, so that the database alone opens nothing.
#[derive(Clone, Debug)]
pub struct MasterKey(Secret<[u8; 32]>);

impl MasterKey {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Which master key this is: the first four bytes of its SHA-256, after a label.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"bedside audit master key v1\n");
        context.update(self.0.expose());
        let mut id = [0; 4];
        id.copy_from_slice(&context.finish().as_ref()[..4]);
        id
    }

    /// `key` as it is stored: one byte of version (1), the master key's [id](Self::id), the nonce,
    /// and AES-256-GCM's cipher text and tag, bound to the key's name. `nonce` is random.
    ///
    /// # Errors
    /// [`AuditError::Cryptography`] if the library refuses.
    pub fn wrap(&self, key: &DetailKey, nonce: [u8; 12]) -> Result<Vec<u8>, AuditError> {
        let sealed = seal(
            &self.0,
            nonce,
            &wrapped_for(&key.id),
            key.key.expose().to_vec(),
        )?;
        Ok([&[WRAPPED_V1], &self.id()[..], &nonce, &sealed].concat())
    }

    /// The key `id` from what [`wrap`](Self::wrap) returned.
    ///
    /// # Errors
    /// [`AuditError::DoesNotOpen`] if it was wrapped under another master key
    /// ([`wrapped_under`](Self::wrapped_under) says under which), for another name, or changed.
    pub fn unwrap(&self, id: &DetailKeyId, wrapped: &[u8]) -> Result<DetailKey, AuditError> {
        let Wrapped {
            master,
            nonce,
            sealed,
        } = wrapped_parts(wrapped)?;
        if master != self.id() {
            return Err(AuditError::DoesNotOpen);
        }
        let plain = open(&self.0, nonce, &wrapped_for(id), sealed.to_vec())?;
        let mut key = [0; 32];
        if plain.expose().len() != key.len() {
            return Err(AuditError::Malformed("wrapped key"));
        }
        key.copy_from_slice(plain.expose());
        Ok(DetailKey {
            id: id.clone(),
            key: Secret::new(key),
        })
    }

    /// Which master key a wrapped key needs: by its [id](Self::id).
    ///
    /// # Errors
    /// [`AuditError::Malformed`].
    pub fn wrapped_under(wrapped: &[u8]) -> Result<[u8; 4], AuditError> {
        Ok(wrapped_parts(wrapped)?.master)
    }
}

/// The parts of a wrapped key after its version.
struct Wrapped<'a> {
    master: [u8; 4],
    nonce: [u8; 12],
    sealed: &'a [u8],
}

fn wrapped_for(id: &DetailKeyId) -> Vec<u8> {
    format!("bedside audit detail key v1\n{id}\n").into_bytes()
}

fn wrapped_parts(wrapped: &[u8]) -> Result<Wrapped<'_>, AuditError> {
    let malformed = AuditError::Malformed("wrapped key");
    let Some((&[WRAPPED_V1], rest)) = wrapped.split_first_chunk() else {
        return Err(malformed);
    };
    let (master, rest) = rest.split_first_chunk().ok_or_else(|| malformed.clone())?;
    let (nonce, sealed) = rest.split_first_chunk().ok_or(malformed)?;
    Ok(Wrapped {
        master: *master,
        nonce: *nonce,
        sealed,
    })
}

const WRAPPED_V1: u8 = 1;

fn cipher(key: &Secret<[u8; 32]>) -> Result<LessSafeKey, AuditError> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| AuditError::Cryptography)?;
    Ok(LessSafeKey::new(key))
}

fn seal(
    key: &Secret<[u8; 32]>,
    nonce: [u8; 12],
    bound: &[u8],
    mut text: Vec<u8>,
) -> Result<Vec<u8>, AuditError> {
    cipher(key)?
        .seal_in_place_append_tag(Nonce::from(&nonce), Aad::from(bound), &mut text)
        .map_err(|_| AuditError::Cryptography)?;
    Ok(text)
}

fn open(
    key: &Secret<[u8; 32]>,
    nonce: [u8; 12],
    bound: &[u8],
    mut text: Vec<u8>,
) -> Result<Secret<Vec<u8>>, AuditError> {
    let cipher = cipher(key)?;
    let plain = cipher
        .open_in_place(Nonce::from(&nonce), Aad::from(bound), &mut text)
        .map_err(|_| AuditError::DoesNotOpen)?;
    let bytes = plain.len();
    text.truncate(bytes);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests;
