//! Keys of signed notes (C2SP signed-note): the log's own, and those of witnesses.

use crate::{AuditError, limits::ORIGIN_BYTES_MAX};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use bedside_protocol::Secret;
use signed_note::{Signature, is_key_name_valid, key_id};
use std::{fmt, str::FromStr};

/// The key that signs a log's checkpoints: Ed25519 under a name, which is the log's origin.
pub struct LogKey {
    name: String,
    seed: Secret<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl LogKey {
    /// From a name and 32 random bytes.
    ///
    /// # Errors
    /// [`AuditError::Malformed`] if the name is empty, longer than
    /// [`ORIGIN_BYTES_MAX`], or holds white space or `+`.
    pub fn new(name: &str, seed: Secret<[u8; 32]>) -> Result<Self, AuditError> {
        let fine = is_key_name_valid(name) && !name.chars().any(char::is_control);
        if !fine || name.len() > ORIGIN_BYTES_MAX {
            return Err(AuditError::Malformed("name of a key"));
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| AuditError::Cryptography)?;
        Ok(Self {
            name: name.to_owned(),
            seed,
            pair,
        })
    }

    /// From the text of a key file: `PRIVATE+KEY+name+id+base64`, as the Go and Rust tools for
    /// signed notes write it.
    ///
    /// # Errors
    /// [`AuditError::Malformed`] if it is none or its id is not that of the key.
    pub fn from_text(text: &Secret<String>) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("log key (PRIVATE+KEY+name+id+key)");
        let rest = text.expose().trim_end().strip_prefix("PRIVATE+KEY+");
        let (name, id, key) = rest.and_then(parts).ok_or_else(|| malformed.clone())?;
        let Some((&ALGORITHM_ED25519, seed)) = key.expose().split_first() else {
            return Err(AuditError::KeyKind);
        };
        let seed = Secret::new(<[u8; 32]>::try_from(seed).map_err(|_| malformed.clone())?);
        let key = Self::new(name, seed)?;
        if key.verifying_key().id == id {
            Ok(key)
        } else {
            Err(malformed)
        }
    }

    /// The text of a key file.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        let id = self.verifying_key().id;
        let bytes = Secret::new([&[ALGORITHM_ED25519], &self.seed.expose()[..]].concat());
        let key = BASE64_STANDARD.encode(bytes.expose());
        Secret::new(format!("PRIVATE+KEY+{}+{id:08x}+{key}", self.name))
    }

    /// What checks its signatures, for auditors and witnesses.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let public = self.pair.public_key().as_ref();
        let mut key = [0; 32];
        key.copy_from_slice(public);
        VerifyingKey::new(&self.name, KeyKind::Note, key)
    }

    pub(crate) fn sign(&self, text: &str) -> Result<Signature, AuditError> {
        let signature = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        Signature::new(self.name.clone(), self.verifying_key().id, signature)
            .map_err(|_| AuditError::Malformed("name of a key"))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogKey")
            .field(&self.verifying_key().to_string())
            .finish()
    }
}

/// What a key signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
    /// The text of a note (C2SP signed-note, 0x01): a log's key.
    Note,
    /// A checkpoint with the time at which a witness saw it (C2SP tlog-cosignature v1, 0x04).
    Cosignature,
}

/// The public half of a log's or a witness's key. Written as a *vkey*: `name+id+base64`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyingKey {
    name: String,
    id: u32,
    kind: KeyKind,
    key: [u8; 32],
}

impl VerifyingKey {
    fn new(name: &str, kind: KeyKind, key: [u8; 32]) -> Self {
        let id = key_id(name, &encoded(kind, &key));
        Self {
            name: name.to_owned(),
            id,
            kind,
            key,
        }
    }

    /// Its name: a log's is the origin of its checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether `signature` names this key.
    pub(crate) fn is_of(&self, signature: &Signature) -> bool {
        signature.name() == self.name && signature.id() == self.id
    }

    /// What a signature of this key over the note `text` says; `None` if it is not its.
    pub(crate) fn check(&self, text: &[u8], signature: &[u8]) -> Option<Signed> {
        let public = UnparsedPublicKey::new(&ED25519, self.key);
        match self.kind {
            KeyKind::Note => public
                .verify(text, signature)
                .ok()
                .map(|()| Signed::Undated),
            KeyKind::Cosignature => {
                let (time, signature) = signature.split_first_chunk()?;
                let at_s = u64::from_be_bytes(*time);
                let mut signed = format!("cosignature/v1\ntime {at_s}\n").into_bytes();
                signed.extend_from_slice(text);
                public
                    .verify(&signed, signature)
                    .ok()
                    .map(|()| Signed::At(at_s))
            }
        }
    }
}

/// What a signature says beside the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signed {
    /// Nothing.
    Undated,
    /// When it was made, in seconds since the Unix epoch.
    At(u64),
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode(encoded(self.kind, &self.key));
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl FromStr for VerifyingKey {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let malformed = AuditError::Malformed("verifier key (name+id+key)");
        let (name, _, bytes) = parts(text.trim_end()).ok_or_else(|| malformed.clone())?;
        let kind = match bytes.expose().first() {
            Some(&ALGORITHM_ED25519) => KeyKind::Note,
            Some(&ALGORITHM_COSIGNATURE) => KeyKind::Cosignature,
            _ => return Err(AuditError::KeyKind),
        };
        let key = <[u8; 32]>::try_from(&bytes.expose()[1..]).map_err(|_| malformed.clone())?;
        let key = Self::new(name, kind, key);
        if key.to_string() == text.trim_end() {
            Ok(key)
        } else {
            Err(malformed)
        }
    }
}

fn encoded(kind: KeyKind, key: &[u8; 32]) -> Vec<u8> {
    let algorithm = match kind {
        KeyKind::Note => ALGORITHM_ED25519,
        KeyKind::Cosignature => ALGORITHM_COSIGNATURE,
    };
    [&[algorithm], &key[..]].concat()
}

/// Name, id and bytes of `name+id+base64`.
fn parts(text: &str) -> Option<(&str, u32, Secret<Vec<u8>>)> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let key = Secret::new(BASE64_STANDARD.decode(key).ok()?);
    let fine = is_key_name_valid(name) && id.len() == 8;
    Some((
        name,
        u32::from_str_radix(id, 16).ok().filter(|_| fine)?,
        key,
    ))
}

/// C2SP signed-note, "Signature types".
const ALGORITHM_ED25519: u8 = 0x01;
const ALGORITHM_COSIGNATURE: u8 = 0x04;

#[cfg(test)]
mod tests;
