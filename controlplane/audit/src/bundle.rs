//! A proof that stands alone: one entry, its inclusion proof and a checkpoint (C2SP tlog-proof).

use crate::{
    AuditError, Checkpoint, Cosigned, Entry, Hash, InclusionProof, SignedCheckpoint, VerifyingKey,
    limits::{BUNDLE_BYTES_MAX, PROOF_HASHES_MAX},
};
use base64::{Engine, prelude::BASE64_STANDARD};

/// What proves to somebody who has the log's verifier key, and nothing else, that an entry is in
/// the log. As a text it is what C2SP tlog-proof describes, with the entry's bytes as the extra
/// data; files of it are called `.tlog-proof`.
#[derive(Clone, PartialEq, Debug)]
pub struct ProofBundle {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// Where it is.
    pub proof: InclusionProof,
    /// In which tree, with the log's signature and those of witnesses.
    pub checkpoint: SignedCheckpoint,
}

/// What a bundle proves.
#[derive(Clone, PartialEq, Debug)]
pub struct Proven {
    /// The entry.
    pub entry: Entry,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Which witnesses saw it, and when: the entry is at least so old.
    pub cosigned: Vec<Cosigned>,
}

impl ProofBundle {
    /// As a text file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let extra = BASE64_STANDARD.encode(&self.entry);
        let mut text = format!("{HEADER}\nextra {extra}\nindex {}\n", self.proof.index);
        for hash in &self.proof.hashes {
            text.push_str(&format!("{hash}\n"));
        }
        text.push('\n');
        text.push_str(&self.checkpoint.to_text());
        text
    }

    /// Reads a text file.
    ///
    /// # Errors
    /// [`AuditError::Malformed`] and what [`SignedCheckpoint::parse`] says.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed = || AuditError::Malformed("proof bundle (c2sp.org/tlog-proof@v1)");
        if text.len() > BUNDLE_BYTES_MAX {
            return Err(malformed());
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed());
        }
        let mut after = |word| lines.next().and_then(|line: &str| line.strip_prefix(word));
        let extra = after("extra ").ok_or_else(malformed)?;
        let number = after("index ").ok_or_else(malformed)?;
        let index = number.parse::<u64>().map_err(|_| malformed())?;
        let entry = BASE64_STANDARD.decode(extra).map_err(|_| malformed())?;
        let hashes = lines.map(Hash::parse_hash).collect::<Result<Vec<_>, _>>();
        let hashes = hashes.map_err(|_| malformed())?;
        if hashes.len() > PROOF_HASHES_MAX || index.to_string() != number {
            return Err(malformed());
        }
        Ok(Self {
            entry,
            proof: InclusionProof { index, hashes },
            checkpoint: SignedCheckpoint::parse(checkpoint)?,
        })
    }

    /// Checks everything: the signature of one of the log's `keys`, the cosignatures of those
    /// `witnesses` that are there, the way from the entry to the root, and that it is an entry.
    /// Asking for a number of witnesses is the caller's: [`Proven::cosigned`] lists them.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify(
        &self,
        keys: &[VerifyingKey],
        witnesses: &[VerifyingKey],
    ) -> Result<Proven, AuditError> {
        let checkpoint = self.checkpoint.verify(keys)?.clone();
        self.proof
            .verify(Entry::leaf_hash(&self.entry), &checkpoint)?;
        Ok(Proven {
            entry: Entry::parse(&self.entry)?,
            cosigned: self.checkpoint.cosigned_by(witnesses)?,
            checkpoint,
        })
    }
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";

#[cfg(test)]
mod tests;
