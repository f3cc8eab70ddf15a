//! Checkpoints: what the log vouches for (C2SP tlog-checkpoint in a signed-note).

use crate::{
    AuditError, KeyKind, LogKey, VerifyingKey,
    limits::{CHECKPOINT_BYTES_MAX, TREE_SIZE_MAX},
    note_key::Signed,
};
use signed_note::{Note, Signature};
use tlog_tiles::Hash;

/// A tree's size and root, under the log's name.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// The log's name: the same for ever, unique in the world by its owner's domain.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root (RFC 6962 §2.1).
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Signs it with `keys`: the log's key; at a hand-over the old and the new one.
    ///
    /// # Errors
    /// [`AuditError::OtherLog`] if a key is not named as the origin.
    pub fn sign(&self, keys: &[&LogKey]) -> Result<SignedCheckpoint, AuditError> {
        let text = self.text();
        let mut signatures = Vec::with_capacity(keys.len());
        for key in keys {
            let signature = key.sign(&text)?;
            if signature.name() != self.origin {
                return Err(AuditError::OtherLog(signature.name().to_owned()));
            }
            signatures.push(signature);
        }
        Ok(SignedCheckpoint {
            checkpoint: self.clone(),
            signatures,
        })
    }
}

/// A checkpoint with signatures that are not yet believed.
#[derive(Clone, PartialEq, Debug)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<Signature>,
}

/// When a witness saw a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigned {
    /// The witness.
    pub witness: String,
    /// Seconds since the Unix epoch, by the witness's clock.
    pub at_s: u64,
}

impl SignedCheckpoint {
    /// Reads a signed note whose text is a checkpoint of three lines.
    ///
    /// # Errors
    /// [`AuditError::Malformed`], [`AuditError::OutOfRange`] for a tree above [`TREE_SIZE_MAX`].
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed = |_| AuditError::Malformed("checkpoint");
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(AuditError::Malformed("checkpoint"));
        }
        let note = Note::from_bytes(text.as_bytes()).map_err(malformed)?;
        let parsed = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|_| AuditError::Malformed("checkpoint"))?;
        let checkpoint = Checkpoint {
            origin: parsed.origin().to_owned(),
            size: parsed.size(),
            root: *parsed.hash(),
        };
        if checkpoint.size > TREE_SIZE_MAX {
            return Err(AuditError::OutOfRange("the size of a tree"));
        }
        // No extension lines, no other writing of the same numbers.
        if checkpoint.text().as_bytes() != note.text() {
            return Err(AuditError::Malformed("checkpoint"));
        }
        // `Note` keeps its signatures to itself; they are what follows its text and a blank line.
        let lines = text
            .get(note.text().len() + 1..)
            .unwrap_or_default()
            .lines();
        let signatures = lines.map(|line| Signature::from_bytes(line.as_bytes()));
        let signatures = signatures.collect::<Result<_, _>>().map_err(malformed)?;
        Ok(Self {
            checkpoint,
            signatures,
        })
    }

    /// The note: text, blank line, signatures.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.checkpoint.text();
        text.push('\n');
        for signature in &self.signatures {
            text.push_str(&String::from_utf8_lossy(&signature.to_bytes()));
        }
        text
    }

    /// What it says, whoever signed it.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What it says, if one of the log's `keys` signed it and none of them signed it wrongly.
    ///
    /// # Errors
    /// [`AuditError::NotSigned`], [`AuditError::SignatureWrong`], [`AuditError::OtherLog`] if the
    /// key's name is not the origin.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<&Checkpoint, AuditError> {
        let mut signed = false;
        for key in keys.iter().filter(|key| key.kind() == KeyKind::Note) {
            signed |= self.is_signed_by(key)?;
        }
        let ours = keys.iter().any(|key| key.name() == self.checkpoint.origin);
        match (signed, ours) {
            (true, _) => Ok(&self.checkpoint),
            (false, true) => Err(AuditError::NotSigned),
            (false, false) => Err(AuditError::OtherLog(self.checkpoint.origin.clone())),
        }
    }

    /// Whether the log's key `key` signed it.
    ///
    /// # Errors
    /// [`AuditError::SignatureWrong`] if a signature in its name is not its.
    pub fn is_signed_by(&self, key: &VerifyingKey) -> Result<bool, AuditError> {
        if key.name() != self.checkpoint.origin {
            return Ok(false);
        }
        Ok(self.signature_of(key)?.is_some())
    }

    /// Which of `witnesses` cosigned it, and when.
    ///
    /// # Errors
    /// [`AuditError::SignatureWrong`] if a signature in the name of one of them is not its.
    pub fn cosigned_by(&self, witnesses: &[VerifyingKey]) -> Result<Vec<Cosigned>, AuditError> {
        let mut cosigned = Vec::new();
        for witness in witnesses
            .iter()
            .filter(|key| key.kind() == KeyKind::Cosignature)
        {
            if let Some(Signed::At(at_s)) = self.signature_of(witness)? {
                cosigned.push(Cosigned {
                    witness: witness.name().to_owned(),
                    at_s,
                });
            }
        }
        Ok(cosigned)
    }

    /// Adds the signature lines of a witness's answer (C2SP tlog-witness), each of which has to be
    /// that of one of `witnesses`; one that is there already is replaced. Lines of others are left
    /// out.
    ///
    /// # Errors
    /// [`AuditError::Malformed`], [`AuditError::SignatureWrong`], [`AuditError::NotSigned`] if no
    /// line is that of a witness.
    pub fn add_cosignatures(
        &mut self,
        lines: &str,
        witnesses: &[VerifyingKey],
    ) -> Result<Vec<Cosigned>, AuditError> {
        if lines.len() > CHECKPOINT_BYTES_MAX {
            return Err(AuditError::Malformed("answer of a witness"));
        }
        let mut added = Self {
            checkpoint: self.checkpoint.clone(),
            signatures: Vec::new(),
        };
        for line in lines.lines() {
            let signature = Signature::from_bytes(line.as_bytes())
                .map_err(|_| AuditError::Malformed("answer of a witness"))?;
            if witnesses.iter().any(|witness| witness.is_of(&signature)) {
                added.signatures.push(signature);
            }
        }
        let cosigned = added.cosigned_by(witnesses)?;
        if cosigned.is_empty() {
            return Err(AuditError::NotSigned);
        }
        let is_new = |old: &Signature| {
            added
                .signatures
                .iter()
                .any(|new| new.name() == old.name() && new.id() == old.id())
        };
        self.signatures.retain(|old| !is_new(old));
        self.signatures.append(&mut added.signatures);
        Ok(cosigned)
    }

    /// What the signature of `key` says, if there is one.
    fn signature_of(&self, key: &VerifyingKey) -> Result<Option<Signed>, AuditError> {
        let text = self.checkpoint.text();
        let mut found = None;
        for signature in self
            .signatures
            .iter()
            .filter(|signature| key.is_of(signature))
        {
            let checked = key.check(text.as_bytes(), signature.signature());
            found = Some(checked.ok_or_else(|| AuditError::SignatureWrong(key.to_string()))?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
